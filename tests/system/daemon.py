# SPDX-License-Identifier: MIT
"""qmpind as a test sees it: started, told, asked, watched and ended.

Log lines and notifications carry the time at which they were read.
"""
import ctypes
import json
import os
import re
import select
import signal
import socket
import subprocess
import threading

import varlink
from runner import BUILD, SLACK, SOURCE, Failed, check, now, retry

QMPIND = os.path.join(BUILD, "src", "qmpind")
QMPIN = os.path.join(BUILD, "src", "qmpin")
QMPIN_PROBE = os.path.join(BUILD, "src", "qmpin-probe")
QMPIN_PVE = os.path.join(BUILD, "src", "qmpin-pve")
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def die_with_parent():
    """For preexec_fn: a test that is killed takes its processes with it."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def instrumented():
    """Built with sanitizers: sizes and times then say nothing."""
    with open(QMPIND, "rb") as f:
        return b"__asan_init" in f.read()


def interface():
    with open(os.path.join(SOURCE, "src", "ctl", "io.qmpin.varlink")) as f:
        return varlink.Interface(f.read())


class Crashed(Exception):
    """The daemon ended when it should not have."""


class Written:
    """Appends the lines of a stream to a list, with their times: a thread follows it, and
    whoever asks for what is there by now takes it himself."""

    def __init__(self, stream, lines):
        self._stream, self._lines = stream, lines
        self._rest, self._ended = b"", False
        self._lock = threading.Lock()

    def take(self):
        with self._lock:
            while not self._ended and select.select([self._stream], [], [], 0)[0]:
                data = os.read(self._stream.fileno(), 65536)
                self._ended = not data
                *whole, self._rest = (self._rest + data).split(b"\n")
                self._lines += [(now(), x.decode(errors="replace")) for x in whole]

    def follow(self):
        while not self._ended:
            select.select([self._stream], [], [])
            self.take()
        self._stream.close()


class Daemon:
    """One qmpind on a host's directories; may be started again after it ended."""

    def __init__(self, host, config, *args, env=None):
        self.host, self.args, self.env = host, list(args), env or {}
        self.run_dir = host.path("run")
        self.config_path = host.path("qmpin.conf")
        self.configure(config)
        self.log, self.notes = [], []
        self._written = None
        self._starts = 0
        self.process = None
        self.began = now()

    def configure(self, text):
        """Write the settings. Measuring takes CPU time that tests measure, so it is off
        unless they say something of it."""
        if "probe" not in text:
            text += "\n[qmpin]\nprobe = no\n"
        with open(self.config_path, "w") as f:
            f.write(text)

    def command_line(self):
        return [QMPIND, "--foreground", "--vm-dir", self.host.path("vm"),
                "--run-dir", self.run_dir, "--state-dir", self.host.path("state"),
                "--config", self.config_path] + self.args

    def start(self, ready=True, notify_path=None):
        """Start it and wait until it says READY=1. notify_path is told instead of the
        socket that is listened to."""
        check(self.process is None, "the daemon runs already")
        self._starts += 1
        path = self.host.path("notify.%d.%d" % (id(self), self._starts))
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(path)
        notify.settimeout(0.05)
        env = dict(os.environ, QMPIN_PROBE=QMPIN_PROBE, QMPIN_PVE=QMPIN_PVE,
                   QMPIN_PVE_ROOT=self.host.dir)
        env.update(self.env)
        env["NOTIFY_SOCKET"] = path if notify_path is None else notify_path
        env.pop("JOURNAL_STREAM", None)
        self.began = now()
        self.process = subprocess.Popen(self.command_line(), stdin=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, env=env,
                                        preexec_fn=die_with_parent)
        self._written = Written(self.process.stderr, self.log)
        for target, args in ((self._written.follow, ()),
                             (self._read_notes, (notify, self.process))):
            threading.Thread(target=target, args=args, daemon=True).start()
        if ready:
            retry(lambda: self.noted("READY", since=self.began) or self._ended(),
                  "qmpind is ready", 10)
            check(not self._ended(), "qmpind ended with %s: %s", self._ended(),
                  self.log[-1:])
        return self

    def _ended(self):
        code = self.process.poll()
        return None if code is None else "status %d" % code

    def _read_notes(self, notify, process):
        with notify:
            while True:
                try:
                    text = notify.recv(65536).decode(errors="replace")
                except TimeoutError:
                    if process.returncode is not None:
                        return
                    continue
                self.notes.append((now(), dict(
                    line.partition("=")[::2] for line in text.splitlines())))

    def noted(self, key, value=None, since=0.0):
        """Time of the first notification with the key (and value) since then."""
        for at, fields in list(self.notes):
            if at >= since and key in fields and value in (None, fields[key]):
                return at
        return None

    def lines(self, pattern, since=0.0):
        """Log lines that match, as (time, match); all that were written until now."""
        if self._written:
            self._written.take()
        found = ((at, re.search(pattern, line)) for at, line in list(self.log)
                 if at >= since)
        return [(at, m) for at, m in found if m]

    def wait_line(self, pattern, timeout=5.0, since=0.0):
        """The first matching line as (time, match)."""
        return retry(lambda: self.lines(pattern, since),
                     "a log line like %r" % pattern, timeout)[0]

    def stop(self):
        """SIGTERM; the end must be clean and quick. Nothing when it does not run."""
        if self.process is None:
            return
        self.process.terminate()
        code = self.process.wait(10 * SLACK)
        self.process = None
        check(code == 0, "qmpind ended with status %d after SIGTERM", code)

    def kill(self):
        """SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def reload(self):
        """SIGHUP; returns when it says that it is ready again."""
        since = now()
        self.process.send_signal(signal.SIGHUP)
        retry(lambda: self.noted("READY", "1", since), "READY=1 after SIGHUP", 10)

    @property
    def pid(self):
        return self.process.pid

    def call(self, method, socket_name="io.qmpin", more=False, **parameters):
        """A reply's parameters. While the socket is not there it is Failed, for retry()
        not yet; a daemon that ended ends the test."""
        try:
            return varlink.call(os.path.join(self.run_dir, socket_name),
                                "io.qmpin." + method, parameters, more, 5 * SLACK)
        except OSError as e:
            if self.process and self._ended():
                raise Crashed("qmpind ended with %s" % self._ended()) from None
            raise Failed("control socket: %s" % e) from None

    def status(self):
        return self.call("GetStatus")

    def vms(self):
        """VM objects by id, with threads."""
        listed = self.call("ListVMs", more=True, threads=True)
        return {vm["id"]: vm for reply in listed for vm in reply["vms"]}

    def vm(self, vmid):
        """The VM's object, or None."""
        return self.vms().get(str(vmid))

    def settled(self, *vmids, workers=False):
        """These VMs are watched (or somebody else just uses their monitor) and every
        thread has what is wanted for it. Workers
        come and go and are left alone while they are young: they count if asked for."""
        found = self.vms()
        for vmid in map(str, vmids):
            vm = found.get(vmid)
            if not vm or vm["state"] not in ("watching", "yielded") or \
                    not vm["threads"]:
                return False
            if any(t["want"] is None or t["want"] != t["have"] for t in vm["threads"]
                   if workers or t["class"] != "worker"):
                return False
        return True

    def wait_settled(self, *vmids, timeout=10.0):
        retry(lambda: self.settled(*vmids), "VMs %s are placed" % (vmids,), timeout)

    def command(self, *args):
        """The command line client: (exit status, standard output, standard error)."""
        p = subprocess.run([QMPIN, "--run-dir", self.run_dir] + list(args), text=True,
                           stdin=subprocess.DEVNULL, capture_output=True,
                           timeout=20 * SLACK)
        return p.returncode, p.stdout, p.stderr

    def command_json(self, *args):
        code, out, err = self.command(*args, "-j")
        check(code == 0, "qmpin %s ended with %d: %s", " ".join(args), code, err)
        return json.loads(out)

    def memory_kib(self, field="VmRSS"):
        """VmRSS, or VmHWM for the most there ever was."""
        with open("/proc/%d/status" % self.pid) as f:
            return int(re.search(r"^%s:\s+(\d+) kB" % field, f.read(), re.M).group(1))

    def cpu_ns(self):
        """CPU time of all its threads so far (/proc/PID/schedstat has nanoseconds)."""
        total = 0
        for tid in os.listdir("/proc/%d/task" % self.pid):
            with open("/proc/%d/task/%s/schedstat" % (self.pid, tid)) as f:
                total += int(f.read().split()[0])
        return total
