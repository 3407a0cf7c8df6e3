# SPDX-License-Identifier: MIT
"""VMs that come and go all the time (stand-ins, tests/fleet), strangers beside them that
nobody may touch, and what must be true of every thread at any moment.

A VM has the mask that it was started with, its original, until qmpind sets another one;
what it may set is known from the mode: here every vCPU gets one CPU of the original.
"""
import json
import os
import re
import shutil

from fleet import FIRST, Fleet
from runner import SLACK, check, now, pass_time
from vmhost import cpus_of, cpulist, mask, online, tids_of

# VMs that end and are followed by another one, a second.
RATE = 10
# At any time; ids are taken again, but not those that have just become free.
POPULATION, IDS = 40, 60
STRANGERS = 6
QEMU_ID = 900
# A VM is placed within this, or it is late; Proxmox has the first 0.2 s of it.
LATEST_S = 5.0


class Ship:
    """What is known of a running VM."""

    def __init__(self, vmid, pid, original):
        self.id, self.pid, self.original = vmid, pid, frozenset(original)
        self.began = now()

    def vcpus(self):
        """By the names that QEMU gives its threads."""
        found = []
        for tid in tids_of(self.pid):
            try:
                with open("/proc/%d/task/%d/comm" % (self.pid, tid)) as f:
                    if re.fullmatch(r"CPU \d+/(KVM|TCG)", f.read().strip()):
                        found.append(tid)
            except (FileNotFoundError, ProcessLookupError):
                pass
        return found

    def masks(self):
        """thread id -> CPUs, of those that are there."""
        found = {t: mask(t) for t in tids_of(self.pid)}
        return {t: m for t, m in found.items() if m is not None}

    def placed(self):
        vcpus = self.vcpus()
        return bool(vcpus) and all(len(mask(t) or ()) == 1 for t in vcpus)

    def strays(self):
        """Threads with a mask that is neither the original nor what qmpind sets. A new
        thread has that of the one that made it, which is the main thread."""
        masks, vcpus = self.masks(), set(self.vcpus())
        usual = (self.original, masks.get(self.pid))
        return ["vm %d: thread %d has %s of %s" % (self.id, t, cpulist(m),
                                                   cpulist(self.original))
                for t, m in masks.items()
                if not m <= self.original
                or t in vcpus and len(m) != 1 and m not in usual]


class Churn:
    """POPULATION stand-ins of which RATE a second are exchanged, strangers that are
    exchanged too, and a real QEMU every now and then."""

    def __init__(self, host, random):
        self.host, self.random = host, random
        self.cpus = host.need_cpus(2)
        os.mkdir(host.path("elsewhere"))
        self.fleet = Fleet(host, 0)
        self.others = Fleet(host, 0, where="elsewhere")
        self.vms, self.strangers, self.waiting = {}, {}, {}
        self.took, self.early, self.exchanged = [], 0, 0
        self.qemus = 0
        self._free = list(range(FIRST, FIRST + IDS))
        self._qemu, self._qemu_until = None, 0.0
        for _ in range(POPULATION):
            self._begin()
        for vmid in range(FIRST, FIRST + STRANGERS):
            self._begin_stranger(vmid)

    def _start(self, fleet, vmid):
        """With the whole host, or as under taskset."""
        original = self.random.choice([self.cpus, self.cpus, self.cpus[:1], self.cpus[1:]])
        os.sched_setaffinity(fleet.process.pid, original)
        fleet.command("start %d" % vmid)
        return Ship(vmid, fleet.pid(vmid), original)

    def _begin(self):
        vm = self._start(self.fleet, self._free.pop(0))
        self.vms[vm.id] = vm
        if len(vm.original) > 1:
            self.waiting[vm.id] = vm

    def _end(self, vmid):
        self.vms.pop(vmid)
        self.early += self.waiting.pop(vmid, None) is not None
        self.fleet.command("%s %d" % (self.random.choice(["stop", "stop", "kill"]), vmid))
        self._free.append(vmid)

    def _begin_stranger(self, vmid):
        self.strangers[vmid] = self._start(self.others, vmid)

    def exchange(self):
        """A VM ends, another one starts; now and then a vCPU comes or goes."""
        self._end(self.random.choice([i for i in self.vms if i != QEMU_ID]))
        self._begin()
        self.exchanged += 1
        dice = self.random.random()
        if dice < 0.1:
            vmid = self.random.choice([i for i in self.vms if i != QEMU_ID])
            self.fleet.command("%s %d" % (self.random.choice(["plug", "unplug"]), vmid))
        elif dice < 0.3:
            vmid = self.random.choice(list(self.strangers))
            self.others.command("stop %d" % vmid)
            self._begin_stranger(vmid)

    def real_qemu(self):
        """It stays for some seconds, and is away for as long."""
        if not shutil.which(self.host.qemu) or now() < self._qemu_until:
            return
        self._qemu_until = now() + (2 + 6 * self.random.random()) * SLACK
        if self._qemu:
            self.vms.pop(QEMU_ID)
            self.waiting.pop(QEMU_ID, None)
            self._qemu.kill()
            self._qemu = None
            return
        self._qemu = self.host.start_vm(QEMU_ID, vcpus=2, cpus=self.cpus, wait=False)
        self.vms[QEMU_ID] = Ship(QEMU_ID, self._qemu.pid, self.cpus)
        self.qemus += 1

    def look(self):
        """Who has been placed since the last look; nobody may be late."""
        for vm in list(self.waiting.values()):
            if vm.placed():
                del self.waiting[vm.id]
                self.took.append(now() - vm.began)
            else:
                check(now() - vm.began < LATEST_S * SLACK,
                      "vm %d is not placed after %.1f s: %s", vm.id, now() - vm.began,
                      [cpulist(mask(t) or ()) for t in vm.vcpus()])

    def run(self, seconds, every=None, rate=RATE):
        """Exchange for so long; every() is called after each."""
        end = due = now()
        end += seconds
        while now() < end:
            self.exchange()
            self.real_qemu()
            if every:
                every()
            due = max(due + 1.0 / rate, now() - 1)
            pass_time(max(0.0, min(due, end) - now()))

    def judge(self):
        """At this moment, whether the daemon runs or not."""
        strays = [s for vm in list(self.vms.values()) for s in vm.strays()]
        check(not strays, "%s", strays[:5])
        for vm in self.strangers.values():
            touched = ["%d: %s" % (t, cpulist(m)) for t, m in vm.masks().items()
                       if m != vm.original]
            check(not touched, "threads of a stranger that had %s: %s",
                  cpulist(vm.original), touched)

    def judge_records(self, run_dir):
        """While no daemon runs: records are whole, and tell the original of each thread
        that has another mask, but that which it was born with. The ids of VMs of which
        they say that all was done."""
        told = {}
        for name in os.listdir(run_dir):
            if re.fullmatch(r"\d+\.json", name):
                with open(os.path.join(run_dir, name)) as f:
                    told[int(name[:-5])] = json.load(f)
        done = set()
        for vm in self.vms.values():
            record = told.get(vm.id, {})
            threads = record.get("threads", []) if record.get("pid") == vm.pid else []
            was = {t["tid"]: cpus_of(t["cpus"]) & online() for t in threads}
            if record.get("pid") == vm.pid and record.get("placed"):
                done.add(vm.id)
            masks = vm.masks()
            for tid, m in masks.items():
                born_with = masks.get(vm.pid) if tid != vm.pid else None
                if m not in (vm.original, born_with, was.get(tid)):
                    check(tid in was, "vm %d: thread %d has %s, and no record", vm.id, tid,
                          cpulist(m))
                    check(was[tid] <= vm.original, "vm %d: record says %s of thread %d",
                          vm.id, cpulist(was[tid]), tid)
        return done
