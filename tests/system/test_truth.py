#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The rules by which the lab's busy day judges a host (tests/lab/truth.py) see each of the
ways in which they can be broken, and find nothing wrong where all is right."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

from runner import check, main
from truth import Look, Topology, is_reason
from vmhost import Host, cpulist


class MadeUpHost(Topology):
    """Two nodes of four CPUs, cores of two."""

    def __init__(self):
        self.all = set(range(8))
        self.nodes = {0: {0, 1, 2, 3}, 1: {4, 5, 6, 7}}
        self.packages = {frozenset(self.all)}
        self.core = {c: frozenset({c & ~1, c | 1}) for c in range(8)}


class MadeUpThread:
    ended = False

    def __init__(self, name, have, vcpu=True, **more):
        self.tid, self.name, self.vcpu = more.get("tid", 1), name, vcpu
        self.have = self.kept = frozenset(have)
        self.want = set(more["want"]) if "want" in more else set(have)
        self.listed = {"class": "vcpu" if vcpu else "worker", "index": None,
                       "want": cpulist(self.want)}


class MadeUpVm:
    def __init__(self, ident, mode, *vcpus, **more):
        self.id, self.mode, self.vcpus = ident, mode, len(vcpus)
        self.affinity, self.before = more.get("affinity"), more.get("before", {})
        self.host_nodes, self.reason = more.get("host_nodes"), more.get("reason")
        self.threads = [MadeUpThread("vm %d: %d" % (ident, i), v)
                        for i, v in enumerate(vcpus)]
        self.listed = {"state": "watching", "vcpus": self.vcpus, "note": None}


class MadeUpLook(Look):
    def __init__(self, *vms, online=range(8)):
        self.topology, self.online = MadeUpHost(), set(online)
        self.wrong, self.threads, self.vms = [], {}, {vm.id: vm for vm in vms}
        for vm in vms:
            self.threads[vm.id] = vm.threads
            self.judge(vm, vm.threads, vm.listed, True)
        self.together()

    def has_reason(self, vm, cpus):
        return vm.reason

    def limit(self, vm):
        return set(vm.affinity or self.topology.all) & self.online


def good():
    return [MadeUpVm(1, "auto", {0, 1, 2, 3}, {0, 1, 2, 3}), MadeUpVm(2, "pin", {1}, {3}),
            MadeUpVm(3, "core", {4, 5}), MadeUpVm(4, "dedicated", {6})]


def right(_host):
    """Where all is right nothing is said."""
    look = MadeUpLook(*good())
    check(not look.wrong, "said: %s", look.wrong)


def said(what, words, *vms, **more):
    wrong = MadeUpLook(*vms, **more).wrong
    check(any(words in text for text in wrong), "%s: said only %s", what, wrong)


def one(have, mode="auto", want=None, **more):
    vm = MadeUpVm(1, mode, have, **more)
    vm.threads[0].want = set(have if want is None else want)
    return vm


def masks(_host):
    """A thread that is not where it should be is named."""
    said("not what is wanted", "has 0-3, wanted is 4-7", one(range(4), want=range(4, 8)))
    said("nowhere", "allowed on no online CPU", one([]))
    said("outside of its limit", "outside of its limit 4-7",
         one(range(4), affinity=range(4, 8)))
    said("offline", "outside of its limit 4-7", one(range(4)), online=range(4, 8))
    said("off, and moved", "it was left on 0-7", one({2}, "off", before={1: set(range(8))}))
    said("only observed, and moved", "it was left on", one({2}, "observe", before={1: {3}}))
    vm = one(range(4))
    vm.threads[0].want = None
    said("nothing wanted", "nothing is wanted", vm)
    vm = one(range(4))
    vm.threads[0].listed = None
    said("unknown", "not known to qmpind", vm)
    vm = one(range(4))
    vm.threads[0].listed["class"] = "worker"
    said("class", "wrong class", vm)


def places(_host):
    """A VM that has a wrong place, for its mode or its size, is named."""
    said("too wide", "2 nodes, but 1 would do", one(range(8)))
    wide = MadeUpLook(one(range(8), reason="load"))
    check(not wide.wrong, "wide for a reason: %s", wide.wrong)
    full = MadeUpLook(MadeUpVm(1, "dedicated", {1}), MadeUpVm(2, "auto", *[set(range(2, 8))] * 5))
    check(not full.wrong, "no node has a CPU for each: %s", full.wrong)
    full = MadeUpLook(MadeUpVm(1, "dedicated", {1}), MadeUpVm(3, "dedicated", {5}),
                      MadeUpVm(2, "auto", *[{2, 3, 6, 7}] * 3))
    check(not full.wrong, "the rest of no node has: %s", full.wrong)
    said("two masks", "different masks", MadeUpVm(1, "auto", {0, 1}, {2, 3}))
    said("pinned to two", "mode pin, but on 0-1", one({0, 1}, "pin"))
    said("half a core each", "mode core, but on 1-2", one({1, 2}, "core"))
    said("host nodes", "bound to nodes 1", one(range(4), host_nodes={1}))
    vm = one(range(4))
    vm.vcpus = 2
    said("a vCPU too few", "1 vCPU threads", vm)
    vm = one(range(4))
    vm.listed["vcpus"] = 3
    said("miscounted", "qmpind counts 3", vm)


def reasons(_host):
    """More nodes than needed are right for a reason; by staying there no VM comes to it."""
    def told(rules=(), last="", second=None):
        return {"rules": list(rules), "runner_up": second and {"verdict": second},
                "history": [{"text": "load 1.0 -> 2.0"}] + [{"text": last}] * 3}
    stays = "120 ns cheaper, but its mode is never moved for a gain"
    check(is_reason(told(["wider than its vCPUs need, so that"]), False), "a rule")
    check(is_reason(told(last="vCPUs 0-1 0-7 -> 4 (without CPUs it may no longer use)"), False),
          "the last decision")
    check(not is_reason(told(), True), "none")
    check(is_reason(told(second=stays), True), "it stays")
    check(not is_reason(told(second=stays), False), "it was never right")
    check(not is_reason(told(second="120 ns dearer"), True), "nothing is better")


def together(_host):
    """VMs that are in each other's way are named."""
    said("not laminar", "none holds the other", MadeUpVm(1, "auto", {0, 1, 2}),
         MadeUpVm(2, "auto", {2, 3}))
    said("stacked", "all on CPU 1, while 0,2-7", MadeUpVm(1, "pin", {1}),
         MadeUpVm(2, "pin", {1}))
    said("on a dedicated core", "are dedicated to vm 1", MadeUpVm(1, "dedicated", {2}),
         MadeUpVm(2, "pin", {3}))
    full = MadeUpLook(MadeUpVm(1, "pin", *[{c} for c in range(8)]), MadeUpVm(2, "pin", {1}))
    check(not any("all on CPU" in w for w in full.wrong), "no CPU is left: %s", full.wrong)


if __name__ == "__main__":
    sys.exit(main([right, masks, places, reasons, together], lambda: Host(needs_qemu=False)))
