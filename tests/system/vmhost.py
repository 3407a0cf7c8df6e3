# SPDX-License-Identifier: MIT
"""Real QEMUs in a directory laid out like /run/qemu-server, and all that a test needs
around them; nothing of it outlives the test.

A VM has VMID.qmp and VMID.pid in vm/, which belong to the daemon under test, and a
second monitor in mon/ for the test's own commands. The guest is the idle firmware, or a
boot sector that acknowledges CPU hotplug within a millisecond (guest-ack.S).
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading

from daemon import Daemon, die_with_parent
from runner import SLACK, Failed, Skip, check, now, retry

QEMU = os.environ.get("QMPIN_QEMU", "qemu-system-x86_64")
HERE = os.path.dirname(os.path.abspath(__file__))


def allowed():
    """The CPUs this test may use, ascending."""
    return sorted(os.sched_getaffinity(0))


def cpulist(cpus):
    """{0, 1, 2, 5} -> "0-2,5"."""
    ranges = []
    for c in sorted(cpus):
        if ranges and ranges[-1][1] == c - 1:
            ranges[-1][1] = c
        else:
            ranges.append([c, c])
    return ",".join("%d-%d" % (a, b) if a != b else str(a) for a, b in ranges)


def cpus_of(text):
    """ "0-2,5" -> {0, 1, 2, 5}."""
    cpus = set()
    for item in filter(None, text.split(",")):
        first, _, last = item.partition("-")
        cpus.update(range(int(first), int(last or first) + 1))
    return cpus


def online():
    with open("/sys/devices/system/cpu/online") as f:
        return cpus_of(f.read().strip())


def mask(tid):
    """The CPUs of a thread; None when it has ended."""
    try:
        return frozenset(os.sched_getaffinity(tid))
    except ProcessLookupError:
        return None


def put_file(path, text):
    """As those do who replace a file in one step; None: it goes."""
    if text is None:
        os.unlink(path)
        return
    with open(path + ".tmp", "w") as f:
        f.write(text)
    os.rename(path + ".tmp", path)


def taskset(tid, cpus):
    """As an administrator would: with the taskset program."""
    subprocess.run(["taskset", "--cpu-list", "--pid", cpulist(cpus), str(tid)],
                   check=True, stdout=subprocess.DEVNULL)


def tids_of(pid):
    try:
        return sorted(int(t) for t in os.listdir("/proc/%d/task" % pid))
    except FileNotFoundError:
        return []


def connect(path):
    """A connected socket. One that is bound but does not listen yet refuses, one of an
    ended QEMU is about to be replaced: wait."""
    def attempt():
        s = socket.socket(socket.AF_UNIX)
        try:
            s.connect(path)
            return s
        except (ConnectionRefusedError, FileNotFoundError):
            s.close()
            return None
    return retry(attempt, "%s listens" % path, 20)


class Qmp:
    """A monitor session with the times at which replies and events were read."""

    def __init__(self, path, timeout=10.0):
        self.timeout = timeout * SLACK
        self.events = []
        self._replies = {}
        self._buffer = b""
        self._last = 0
        self._socket = connect(path)
        self._greeted = False
        end = now() + self.timeout
        while not self._greeted:
            self.poll(max(0.0, end - now()))
            check(now() < end, "no greeting from %s", path)
        self.run("qmp_capabilities")

    def poll(self, timeout):
        """Take in what comes within the timeout (seconds)."""
        self._socket.settimeout(max(timeout, 1e-4))
        try:
            data = self._socket.recv(262144)
        except TimeoutError:
            return
        if not data:
            raise ConnectionError("QEMU closed its monitor")
        at = now()
        self._buffer += data
        while b"\n" in self._buffer:
            line, self._buffer = self._buffer.split(b"\n", 1)
            message = json.loads(line)
            if "QMP" in message:
                self._greeted = True
            elif "event" in message:
                self.events.append((at, message))
            else:
                self._replies[message.get("id")] = (at, message)

    def run_timed(self, command, **arguments):
        """(time of the reply, its return value)."""
        return self.run_all([(command, arguments)])[0]

    def run_all(self, commands):
        """Many (command, arguments) in one write, before any reply is read: what
        run_timed() returns of each."""
        first, text = self._last + 1, b""
        for command, arguments in commands:
            self._last += 1
            request = {"execute": command, "id": self._last, "arguments": {
                k.replace("_", "-"): v for k, v in arguments.items()}}
            text += json.dumps(request).encode() + b"\n"
        self._socket.sendall(text)
        return [self._reply(first + i, command)
                for i, (command, _) in enumerate(commands)]

    def _reply(self, number, command):
        end = now() + self.timeout
        while number not in self._replies:
            check(now() < end, "no reply to %s", command)
            self.poll(end - now())
        at, reply = self._replies.pop(number)
        check("return" in reply, "%s: %s", command, reply.get("error"))
        return at, reply["return"]

    def run(self, command, **arguments):
        return self.run_timed(command, **arguments)[1]

    def event(self, name, since=0.0):
        """Time of the first event with the name read since then, or None."""
        for at, message in self.events:
            if message["event"] == name and at >= since:
                return at
        return None

    def close(self):
        self._socket.close()


class Vm:
    """A running QEMU. Made by Host.start_vm()."""

    def __init__(self, host, vmid, process):
        self.host, self.id, self.process = host, vmid, process
        self.pid = process.pid
        self.qmp_path = host.path("vm", "%d.qmp" % vmid)
        self.pid_path = host.path("vm", "%d.pid" % vmid)
        self._monitor = None

    @property
    def monitor(self):
        if not self._monitor:
            try:
                self._monitor = Qmp(self.host.path("mon", "%d.qmp" % self.id))
            except Failed:
                check(self.process.poll() is None, "QEMU of VM %d ended: %s", self.id,
                      self.host.qemu_log(self.id))
                raise
        return self._monitor

    def vcpus(self):
        """cpu-index -> thread id, as QEMU says."""
        return {c["cpu-index"]: c["thread-id"]
                for c in self.monitor.run("query-cpus-fast")}

    def tids(self):
        return tids_of(self.pid)

    def masks(self):
        """thread id -> CPUs, of all threads."""
        found = {t: mask(t) for t in self.tids()}
        return {t: m for t, m in found.items() if m is not None}

    def vcpu_masks(self):
        """CPUs of each vCPU, by index."""
        return {i: mask(t) for i, t in sorted(self.vcpus().items())}

    def pinned(self):
        """Every vCPU has one CPU: what `mode = pin` makes."""
        return all(m is not None and len(m) == 1 for m in self.vcpu_masks().values())

    def acknowledges(self):
        """Wait until the boot sector runs."""
        path = self.host.path("log", "%d.debugcon" % self.id)
        retry(lambda: os.path.getsize(path), "the guest of VM %d boots" % self.id, 30)

    def slots(self):
        """device_add's arguments for each vCPU that can be plugged, lowest first."""
        free = [s for s in self.monitor.run("query-hotpluggable-cpus")
                if "qom-path" not in s]
        free.sort(key=lambda s: (s["props"]["socket-id"], s["props"]["core-id"]))
        return [{"driver": s["type"], "id": "cpu%d" % s["props"]["core-id"],
                 **{k: v for k, v in s["props"].items() if k != "node-id"}}
                for s in free]

    def plug(self, core=None):
        """Plug a vCPU, the first that is not there or this core, as device_add does; a
        dictionary of what happened: index, tid, asked and replied (times)."""
        before = self.vcpus()
        slot = [s for s in self.slots() if core in (None, s["core-id"])][0]
        asked = now()
        replied, _ = self.monitor.run_timed("device_add", **slot)
        (index, tid), = ((i, t) for i, t in self.vcpus().items() if i not in before)
        return {"index": index, "tid": tid, "asked": asked, "replied": replied,
                "id": slot["id"]}

    def plug_watched(self, done, timeout=10.0, core=None):
        """Plug a vCPU and wait until done(its mask). plug()'s dictionary with inherited
        (its first mask), acknowledged (when the ACPI event was read, or None) and
        masked (when the mask was right)."""
        plug = self.plug(core)
        plug["inherited"] = mask(plug["tid"])
        end = now() + timeout * SLACK
        while True:
            found = mask(plug["tid"])
            if found is not None and done(found):
                break
            check(now() < end, "vCPU %d of VM %d still has %s after %.1f s",
                  plug["index"], self.id, cpulist(found or ()), timeout * SLACK)
            self.monitor.poll(0.0003)
        plug["masked"] = now()
        self.monitor.poll(0)
        plug["acknowledged"] = self.monitor.event("ACPI_DEVICE_OST", plug["asked"])
        return plug

    def stop(self):
        """End as a guest that shuts down does."""
        self.monitor.run("quit")
        self.process.wait(20 * SLACK)
        self._forget()

    def kill(self, with_signal=signal.SIGKILL):
        """End as a QEMU that crashes does: socket and pidfile stay."""
        self.process.send_signal(with_signal)
        self.process.wait(20 * SLACK)
        self._forget()

    def _forget(self):
        if self._monitor:
            self._monitor.close()
        self._monitor = None
        self.host.vms.pop(self.id, None)


class MaskWatch:
    """Looks at the masks of threads every millisecond, or as often as is asked for: what
    was seen to change, and in seen all masks that a thread had."""

    def __init__(self, tids, step_s=0.001):
        self._step_s = step_s
        self._first = {t: mask(t) for t in tids}
        self.seen = {t: {m} for t, m in self._first.items()}
        self._changes = []
        self._end = threading.Event()
        self._looks = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        seen = dict(self._first)
        while not self._end.wait(self._step_s):
            self._looks += 1
            for tid, had in seen.items():
                has = mask(tid)
                if has is not None and has != had:
                    self._changes.append("thread %d: %s -> %s" % (
                        tid, cpulist(had or ()), cpulist(has)))
                    seen[tid] = has
                    self.seen[tid].add(has)

    def stop(self):
        """(changes, number of looks)."""
        self._end.set()
        self._thread.join()
        return self._changes, self._looks


class Host:
    """A directory with VMs and at most one running daemon of its own."""

    def __init__(self, needs_qemu=True):
        self.qemu = QEMU
        if needs_qemu and not shutil.which(self.qemu):
            raise Skip("no %s here" % self.qemu)
        self.dir = tempfile.mkdtemp(prefix="qmpin-system-")
        for name in ("vm", "mon", "run", "log", "state"):
            os.mkdir(self.path(name))
        self.vms, self.daemons, self.helpers = {}, [], []

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.close(good=kind is None)

    def need_cpus(self, n):
        """The first n CPUs there are; skips the case where there are fewer."""
        cpus = allowed()
        if len(cpus) < n:
            raise Skip("needs %d CPUs" % n)
        return cpus[:n]

    def guest_image(self):
        """The boot sector, assembled; padded since firmware reads no smaller disks."""
        image = self.path("guest.img")
        if os.path.exists(image):
            return image
        if not shutil.which("as") or not shutil.which("ld"):
            raise Skip("no assembler here")
        subprocess.run(["as", "--32", "-o", self.path("guest.o"),
                        os.path.join(HERE, "guest-ack.S")], check=True)
        subprocess.run(["ld", "-m", "elf_i386", "-Ttext", "0x7c00", "--oformat",
                        "binary", "-o", image + ".new", self.path("guest.o")],
                       check=True)
        os.truncate(image + ".new", 1 << 20)
        os.rename(image + ".new", image)
        return image

    def command_line(self, vmid, vcpus, maxcpus, guest, pid_path):
        """As Proxmox lays it out, less what these guests do not need."""
        cmd = [self.qemu, "-name", "test%d,debug-threads=on" % vmid, "-nodefaults",
               "-display", "none", "-machine", "q35", "-m", "32",
               "-accel", "tcg,thread=multi,tb-size=%d" % max(8, 2 * maxcpus),
               "-smp", "%d,maxcpus=%d" % (vcpus, maxcpus), "-pidfile", pid_path,
               "-chardev", "socket,id=qmp,path=%s,server=on,wait=off"
               % self.path("vm", "%d.qmp" % vmid), "-mon", "chardev=qmp,mode=control",
               "-chardev", "socket,id=test,path=%s,server=on,wait=off"
               % self.path("mon", "%d.qmp" % vmid), "-mon", "chardev=test,mode=control"]
        if guest == "ack":
            cmd += ["-drive", "file=%s,format=raw,if=none,id=disk,readonly=on"
                    % self.guest_image(), "-device", "virtio-blk-pci,drive=disk",
                    "-chardev", "file,id=debug,path=%s"
                    % self.path("log", "%d.debugcon" % vmid),
                    "-device", "isa-debugcon,iobase=0xe9,chardev=debug"]
        return cmd

    def start_vm(self, vmid, vcpus=2, maxcpus=None, guest="firmware", cpus=None,
                 pid_path=None, wait=True, more=()):
        """A VM; cpus limits it as Proxmox's affinity does (taskset), guest is firmware
        or ack, more are words of QEMU's command line."""
        cmd = self.command_line(vmid, vcpus, maxcpus or vcpus, guest,
                                pid_path or self.path("vm", "%d.pid" % vmid))
        cmd += more
        if cpus:
            cmd = ["taskset", "--cpu-list", "--all-tasks", cpulist(cpus)] + cmd
        log = open(self.path("log", "%d.log" % vmid), "ab")
        with log:
            process = subprocess.Popen(cmd, stdin=subprocess.DEVNULL, stdout=log,
                                       stderr=log, preexec_fn=die_with_parent)
        vm = self.vms[vmid] = Vm(self, vmid, process)
        if wait:
            vm.vcpus()
            if guest == "ack":
                vm.acknowledges()
        return vm

    def qemu_log(self, vmid):
        with open(self.path("log", "%d.log" % vmid), errors="replace") as f:
            return f.read().strip()

    def helper(self, *argv):
        """A process of the test that ends with it."""
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL,
                                   preexec_fn=die_with_parent)
        self.helpers.append(process)
        return process

    def fake(self, behaviour, vmid, *more, prefix=()):
        """A hostile monitor instead of a VM (see fakeqmp.py)."""
        argv = [*prefix, sys.executable, "-B", os.path.join(HERE, "fakeqmp.py"),
                behaviour, self.path("vm", "%d" % vmid)] + [str(m) for m in more]
        process = self.helper(*argv)
        socket_path = self.path("vm", "%d.qmp" % vmid)
        retry(lambda: os.path.exists(socket_path), "the %s monitor opens" % behaviour)
        return process

    def daemon(self, config="[qmpin]\nmode = pin\nadopt = now\n", *args, **more):
        """A daemon for this host's VMs, not yet started."""
        d = Daemon(self, config, *args, **more)
        self.daemons.append(d)
        return d

    def started(self, *args, **more):
        d = self.daemon(*args, **more)
        d.start()
        return d

    def story(self):
        """The ends of the logs, for a case that failed."""
        lines = ["  VM %d: %s" % (vm.id, "QEMU ended with %s" % vm.process.poll())
                 for vm in self.vms.values() if vm.process.poll() is not None]
        for d in self.daemons:
            lines += ["  | %.3f %s" % (t - d.began, s) for t, s in d.log[-40:]]
        return "\n".join(lines)

    def close(self, good=False):
        """End and remove everything; with good also insist on a clean end of the daemon
        and that nothing stayed behind."""
        try:
            if good:
                for d in self.daemons:
                    d.stop()
        finally:
            for d in self.daemons:
                d.kill()
            for p in [vm.process for vm in self.vms.values()] + self.helpers:
                if p.poll() is None:
                    p.kill()
                    p.wait()
            self.vms, self.daemons, self.helpers = {}, [], []
            shutil.rmtree(self.dir, ignore_errors=True)
        if good:
            # What the daemon has forked ends after it.
            retry(lambda: not leftovers(self.dir), "all is gone but %s" %
                  ", ".join(leftovers(self.dir)))


def leftovers(directory):
    """Processes that name the directory, and the directory itself."""
    found = [directory] if os.path.exists(directory) else []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % entry, "rb") as f:
                words = f.read()
        except OSError:
            continue
        if directory.encode() in words and int(entry) != os.getpid():
            found.append("process %s" % entry)
    return found
