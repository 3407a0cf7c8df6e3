# SPDX-License-Identifier: MIT
"""The virtual host of busy-day: its VMs, the service, steps that end when all is right.

A step does something and then waits until truth.Look() finds nothing wrong. What is still
wrong at its deadline is printed, the step has failed, and the day goes on. Later steps do not
wait for what is wrong since then.
"""
import json
import os
import runpy
import subprocess
import sys
import time
from collections import Counter

from truth import Look, Topology, said, text_of
from vmhost import Qmp, cpus_of, mask, tids_of

RUN = "/run/qemu-server"
VM_PROGRAM = "/usr/local/sbin/vm"
SETTINGS = "/etc/qmpin/qmpin.conf"
CPU_DIR = "/sys/devices/system/cpu"
MOST_SAID = 25
DEADLINE_S = 150  # an emulated host on a busy machine; what works ends sooner
now = time.monotonic


def run(*argv, quiet=False):
    """True when the command succeeds; what it said is printed when it does not."""
    p = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, check=False)
    if p.returncode and not quiet:
        print("%s: exit status %d\n%s" % (" ".join(argv), p.returncode, p.stdout.strip()))
    return p.returncode == 0


def output(*argv):
    return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          check=False).stdout.strip()


def call_vm(*argv):
    """The lab's program `vm`, without starting a Python for it: that takes a second here."""
    sys.argv = ["vm", *argv]
    code = runpy.run_path(VM_PROGRAM)["main"]()
    if code:
        raise RuntimeError("vm %s: exit status %s" % (" ".join(argv[:2]), code))


class Vm:
    """What the scenario knows about a VM that runs: it is what the rules are checked with."""

    def __init__(self, ident, vcpus, mode="auto", affinity=None, host_nodes=None):
        self.id, self.vcpus, self.mode = ident, vcpus, mode
        self.affinity = cpus_of(affinity) if affinity else None
        self.host_nodes = host_nodes
        self.excused = None  # CPUs of more nodes than needed, for a reason
        self.was_right = False  # it had no more than needed, or a reason
        self.pid = int(text_of("%s/%d.pid" % (RUN, ident)))
        self.before = {tid: cpus_of_thread(self.pid, tid) for tid in tids_of(self.pid)}
        self._monitor = None

    @property
    def monitor(self):
        """A monitor of the scenario's own: the VM's is free for qmpind, as a rule."""
        if self._monitor is None:
            self._monitor = Qmp("/run/lab/%d.mon" % self.id, timeout=DEADLINE_S)
        return self._monitor

    def vcpu_tids(self):
        """cpu-index -> thread id, as QEMU says."""
        return {c["cpu-index"]: c["thread-id"] for c in self.monitor.run("query-cpus-fast")}


def cpus_of_thread(pid, tid):
    lines = text_of("/proc/%d/task/%d/status" % (pid, tid)).splitlines()
    kept = [l.split()[1] for l in lines if l.startswith("Cpus_allowed_list")]
    return cpus_of(kept[0]) if kept else None


class Day:
    """The day: VMs by id, what was measured, what failed."""

    def __init__(self, runs):
        self.runs = runs
        self.topology = Topology()
        self.vms, self.bystanders, self.settings = {}, {}, {}
        self.measured, self.failures, self.passed = {}, [], 0
        self.known = set()  # what is wrong since an earlier step
        self.started, self.longest = 0, 0
        self.began = now()

    # --- steps ----------------------------------------------------------------

    def look(self, settled=True):
        return Look(self.topology, self.vms, self.bystanders, settled)

    def step(self, what, action=None, settled=True):
        """Do it, then wait until nothing is wrong. Returns the seconds that took."""
        began = now()
        try:
            bad = action() if action else None
        except Exception as e:  # a step that cannot be done has failed, the day goes on
            bad = "%s: %s" % (type(e).__name__, e)
        done = now()
        wrong = self.settle(settled)
        self.known.update(wrong)
        took = now() - done
        self.longest = max(self.longest, took)
        wrong = ([bad] if isinstance(bad, str) else []) + wrong
        print("%s: %s (done in %.1f s, right %.2f s later)" % (
            "FAIL" if wrong else "PASS", what, done - began, took))
        for text in wrong[:MOST_SAID]:
            print("    %s" % text)
        if wrong:
            if len(wrong) > MOST_SAID:
                print("    and %d more" % (len(wrong) - MOST_SAID))
            self.failures.append(what)
            print(output("journalctl", "-u", "qmpind", "-o", "cat", "-n", "12", "--no-pager"))
        else:
            self.passed += 1
        sys.stdout.flush()
        return took

    def settle(self, settled=True):
        """What is wrong at the deadline; nothing, as soon as that is so twice in a row."""
        end, good = now() + DEADLINE_S, 0
        while True:
            look = self.look(settled)
            self.known.intersection_update(look.wrong)
            wrong = [text for text in look.wrong if text not in self.known]
            good = 0 if wrong else good + 1
            if look.ended:  # that cannot become right: said once
                for ident in look.ended:
                    del self.vms[ident]
                return wrong
            if good == 2 or now() >= end:
                return wrong
            time.sleep(0.05)

    # --- measuring ------------------------------------------------------------

    def until(self, condition, seconds=DEADLINE_S):
        """Seconds until the condition holds; raises when it does not in time."""
        began = now()
        while not condition():
            if now() - began > seconds:
                raise TimeoutError("not within %d s" % seconds)
            time.sleep(0.002)
        return now() - began

    def measure(self, what, seconds):
        self.measured.setdefault(what, []).append(seconds * 1e3)

    def report(self):
        print("\n| what | runs | median | p99 | max |\n| --- | --: | --: | --: | --: |")
        for what, values in self.measured.items():
            v = sorted(values)
            print("| %s | %d | %.0f ms | %.0f ms | %.0f ms |" % (
                what, len(v), v[len(v) // 2], v[min(len(v) - 1, 99 * len(v) // 100)], v[-1]))
        causes = Counter(m["QMPIN_CAUSE"] for m in journal() if "QMPIN_CAUSE" in m)
        print("\n%d VMs, %d steps in %.0f s; the longest was right after %.1f s" % (
            self.started, self.passed + len(self.failures), now() - self.began, self.longest))
        print("logged changes: " + ", ".join("%d %s" % (n, c) for c, n in causes.most_common()))

    # --- the service ----------------------------------------------------------

    def configure(self, **modes):
        """Write the settings; vm102="pin" gives VM 102 that mode."""
        self.settings.update(modes)
        text = "[qmpin]\nadopt = now\nrebalance = no\nprobe = no\nwiden_wait_pct = 0\n"
        for vm, mode in sorted(self.settings.items()):
            text += "[vm %s]\nmode = %s\n" % (vm[2:], mode)
        os.makedirs(os.path.dirname(SETTINGS), exist_ok=True)
        with open(SETTINGS, "w") as f:
            f.write(text)

    def service(self, verb, *more):
        return run("systemctl", verb, *more, "qmpind") or "systemctl %s failed" % verb

    # --- VMs ------------------------------------------------------------------

    def start(self, ident, vcpus, *args, guest=None, **more):
        """Start it as Proxmox does, with a second monitor for the scenario."""
        mode = self.settings.get("vm%d" % ident, "auto")
        os.makedirs("/run/lab", exist_ok=True)
        # QEMU 7.2 ends when it has no room left for the translations of a plugged vCPU.
        argv = ["start", str(ident), "--vcpus", str(vcpus), "--mem", "64",
                "--tb", "64" if guest else "8"]
        argv += list(args)
        if "affinity" in more:
            argv += ["--affinity", more["affinity"]]
        qemu = ["-chardev", "socket,id=lab,path=/run/lab/%d.mon,server=on,wait=off" % ident,
                "-mon", "chardev=lab,mode=control"]
        if guest:
            qemu += ["-drive", "file=%s,format=raw,if=none,id=disk,readonly=on" % guest,
                     "-device", "virtio-blk-pci,drive=disk", "-chardev",
                     "file,id=debug,path=/run/lab/%d.up" % ident,
                     "-device", "isa-debugcon,iobase=0xe9,chardev=debug"]
        call_vm(*argv, *["--qemu=" + word for word in qemu])
        self.started += 1
        self.vms[ident] = Vm(ident, vcpus, mode, **more)
        return self.vms[ident]

    def stop(self, ident, purge=True):
        vm = self.vms.pop(ident)
        call_vm("stop", str(vm.id), *(["--purge"] if purge else []))

    def guest_up(self, ident):
        self.until(lambda: os.path.getsize("/run/lab/%d.up" % ident) > 0)

    def plug(self, ident):
        """Plug a vCPU, and measure how long it is where it should not stay."""
        vm = self.vms[ident]
        before = vm.vcpu_tids()
        slots = [s for s in vm.monitor.run("query-hotpluggable-cpus") if "qom-path" not in s]
        slot = min(slots, key=lambda s: (s["props"]["socket-id"], s["props"]["core-id"]))
        props = {k: v for k, v in slot["props"].items() if k != "node-id"}
        own = {mask(t) for t in before.values()}
        vm.monitor.run("device_add", driver=slot["type"], id="plugged%d" % props["core-id"],
                       **props)
        replied = now()
        tid, = (t for i, t in vm.vcpu_tids().items() if i not in before)
        vm.vcpus += 1
        if not mask(tid) <= set().union(*own) and mask(tid) <= {0}:
            return "vm %d: the new vCPU began on CPU 0" % ident
        self.until(lambda: len({mask(t) for t in vm.vcpu_tids().values()}) == 1)
        self.measure("device_add reply to masks", now() - replied)
        return None

    def unplug(self, ident, core):
        """Ask the guest for the vCPU that plug() added at this core, until it is gone."""
        vm = self.vms[ident]
        asked = now()
        vm.monitor.run("device_del", id="plugged%d" % core)
        while vm.monitor.event("DEVICE_DELETED", asked) is None:
            if now() > asked + DEADLINE_S:
                return "vm %d: the guest keeps vCPU %d" % (ident, core)
            vm.monitor.poll(0.2)
        vm.vcpus -= 1
        return None

    # --- host CPUs ------------------------------------------------------------

    def switch(self, value, *cpus):
        for cpu in cpus:
            with open("%s/cpu%d/online" % (CPU_DIR, cpu), "w") as f:
                f.write(str(value))

    # --- masks ----------------------------------------------------------------

    def masks(self, *idents):
        """thread id -> mask, of all threads of these VMs, or of all."""
        return {t: mask(t) for i in idents or self.vms for t in tids_of(self.vms[i].pid)}

    def vcpu_masks(self, *idents):
        return {t: mask(t) for i in idents or self.vms
                for t in self.vms[i].vcpu_tids().values()}

    def moved(self, before):
        """A sentence when a thread is not where it was, else None."""
        wrong = ["thread %d: %s -> %s" % (t, said(had), said(mask(t)))
                 for t, had in before.items() if mask(t) is not None and mask(t) != had]
        return "moved without need: " + "; ".join(wrong) if wrong else None


def journal():
    """All the service's messages, as dictionaries."""
    text = output("journalctl", "-u", "qmpind", "-o", "json", "--no-pager")
    return [json.loads(line) for line in text.splitlines()]
