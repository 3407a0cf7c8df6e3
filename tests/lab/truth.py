# SPDX-License-Identifier: MIT
"""What is wrong on this host now: rules of placement, checked against the kernel.

Masks come from /proc and sched_getaffinity, CPUs and nodes from /sys, limits from cgroups
and from what the scenario gave a VM; what qmpind wants is compared with them and trusted
in nothing. A rule that does not hold is a sentence that names thread, CPUs and VM.
"""
import glob
import os
import re

import varlink
from vmhost import cpulist, cpus_of, mask, online, tids_of

CPU_DIR = "/sys/devices/system/cpu"
NODE_DIR = "/sys/devices/system/node"
QEMU_SLICE = "/sys/fs/cgroup/qemu.slice"
CONTROL = "/run/qmpin/io.qmpin.ro"
PINNED = ("pin", "dedicated")
UNTOUCHED = ("off", "observe")
# The places that qmpind chose for a reason and those that are left when CPUs go and come.
REASON = re.compile(r"wider than its vCPUs need|load [0-9.]+ -> |without CPUs it may no longer|"
                    r"with CPUs it may use again|to have a CPU for each|"
                    r"cores may be VMs' alone")
# One change of a host may be several decisions.
DECISIONS = 3
# Why one that once was right stays when things have changed around it.
STAYS = re.compile(r"rebalance is off|never moved for a gain")

KEPT = re.compile(r"^Cpus_allowed_list:\t(.*)$", re.MULTILINE)


def text_of(path):
    """A small file's text, "" where there is none (any more)."""
    try:
        with open(path) as f:
            return f.read().strip()
    except OSError:
        return ""


def said(cpus):
    return cpulist(cpus) or "none"


def is_reason(explained, was_right):
    """Whether the reply to Explain says why a VM has more nodes than it needs."""
    texts = explained["rules"] + [d["text"] for d in explained["history"][-DECISIONS:]]
    second = (explained["runner_up"] or {}).get("verdict", "")
    return any(REASON.search(text) for text in texts) or bool(
        was_right and STAYS.search(second))


class Topology:
    """Nodes and cores of the whole host, read once, while every CPU is online."""

    def __init__(self):
        self.all = online()
        self.nodes = {int(p.rsplit("node", 1)[1]): cpus_of(text_of(p + "/cpulist"))
                      for p in glob.glob(NODE_DIR + "/node[0-9]*")}
        self.core = {c: frozenset(cpus_of(text_of(
            "%s/cpu%d/topology/thread_siblings_list" % (CPU_DIR, c)))) for c in self.all}
        self.packages = {frozenset(cpus_of(text_of(
            "%s/cpu%d/topology/package_cpus_list" % (CPU_DIR, c)))) for c in self.all}

    def nodes_of(self, cpus):
        return {n for n, own in self.nodes.items() if own & cpus}

    def nodes_needed(self, vcpus, usable):
        """Nodes of the least domain, a node or a package, that has a CPU for each vCPU."""
        domains = list(self.nodes.values()) + list(self.packages)
        enough = [cpus & usable for cpus in domains if len(cpus & usable) >= vcpus]
        return min((len(self.nodes_of(cpus)) for cpus in enough), default=len(self.nodes))


class Thread:
    """One thread as kernel and qmpind see it."""

    def __init__(self, vm, pid, tid, listed):
        self.tid, self.name = tid, "vm %d: thread %d" % (vm, tid)
        self.have = mask(tid)
        status = text_of("/proc/%d/task/%d/status" % (pid, tid))
        self.vcpu = status.startswith("Name:\tCPU ")
        kept = KEPT.search(status)
        self.kept = cpus_of(kept[1]) if kept else None
        self.listed = listed
        if listed:
            index = "" if listed["index"] is None else " %d" % listed["index"]
            self.name += " (%s%s)" % (listed["class"], index)
        self.want = cpus_of(listed["want"]) if listed and listed.get("want") else None

    @property
    def ended(self):
        return self.have is None or self.kept is None


class Look:
    """The host at one moment. wrong: what is not as it should be."""

    def __init__(self, topology, vms, bystanders, settled=True):
        self.topology, self.vms = topology, vms
        self.online = online()
        self.wrong, self.ended = [], []
        self.threads, self.limits = {}, {}
        listed = self.ask() if settled else None
        entries = {vm.id: self.read(vm, listed) for vm in vms.values()}
        for ident in self.threads:
            self.judge(vms[ident], self.threads[ident], entries[ident], listed is not None)
        if settled:
            for ident in sorted(set(listed) - set(vms)):
                # A socket that a QEMU left behind: gone, or found by a later daemon.
                if listed[ident]["state"] not in ("gone", "found", "connecting"):
                    self.say("vm %d: listed as %s, but it does not run", ident,
                             listed[ident]["state"])
            self.together()
        for pid, cpus in bystanders.items():
            self.bystander(pid, cpus)

    def say(self, text, *args):
        self.wrong.append(text % args)

    def ask(self):
        try:
            replies = varlink.call(CONTROL, "io.qmpin.ListVMs", {"threads": True}, more=True,
                                   timeout=30)
        except (OSError, varlink.Refused) as e:
            self.say("qmpind does not answer: %s", e)
            return {}
        return {vm["vmid"]: vm for r in replies for vm in r["vms"] if vm["vmid"] is not None}

    def limit(self, vm):
        """What the VM was given, and what its cgroup leaves: not what qmpind says."""
        if vm.id not in self.limits:
            self.limits[vm.id] = self.read_limit(vm)
        return self.limits[vm.id]

    def read_limit(self, vm):
        cpus = set(vm.affinity or self.topology.all) & self.online
        for path in ("%s/%d.scope" % (QEMU_SLICE, vm.id), QEMU_SLICE):
            text = text_of(path + "/cpuset.cpus.effective")
            if text:
                return cpus & cpus_of(text)
        return cpus

    def read(self, vm, listed):
        """The VM's threads into self.threads, if it runs; how qmpind lists it."""
        if text_of("/proc/%d/stat" % vm.pid) == "" or not tids_of(vm.pid):
            self.say("vm %d: QEMU %d has ended", vm.id, vm.pid)
            self.ended.append(vm.id)
            return None
        entry = (listed or {}).get(vm.id)
        if listed is not None and entry is None:
            self.say("vm %d: not listed", vm.id)
        if entry and entry["state"] not in ("watching", "yielded", "paused"):
            self.say("vm %d: it is %s", vm.id, entry["state"])
        known = {t["tid"]: t for t in (entry or {}).get("threads") or []}
        threads = [Thread(vm.id, vm.pid, tid, known.get(tid)) for tid in tids_of(vm.pid)]
        self.threads[vm.id] = [t for t in threads if not t.ended]
        return entry

    def judge(self, vm, threads, entry, listed):
        for t in threads:
            self.thread(vm, t, entry)
        if entry and vm.mode not in UNTOUCHED:
            self.vcpus(vm, [t for t in threads if t.vcpu], entry)
        elif listed and sum(t.vcpu for t in threads) != vm.vcpus:
            self.say("vm %d: %d vCPU threads, not %d", vm.id, sum(t.vcpu for t in threads),
                     vm.vcpus)

    def thread(self, vm, t, entry):
        # while qmpind is stopped, one that sleeps keeps its mask until it wakes
        if not t.have and entry is not None:
            self.say("%s: allowed on no online CPU (its mask is %s)", t.name, said(t.kept))
        if vm.mode in UNTOUCHED:
            if t.tid in vm.before and t.kept != vm.before[t.tid]:
                self.say("%s: %s, but it was left on %s and the VM is %s", t.name,
                         said(t.kept), said(vm.before[t.tid]), vm.mode)
            return
        if entry is None:
            return
        if t.listed is None:
            self.say("%s: not known to qmpind", t.name)
            return
        if (t.listed["class"] == "vcpu") != t.vcpu:
            self.say("%s: of the wrong class", t.name)
        if t.want is None:
            self.say("%s: nothing is wanted for it%s", t.name,
                     " (%s)" % entry["note"] if entry.get("note") else "")
            return
        if t.have != t.want & self.online:
            self.say("%s: has %s, wanted is %s", t.name, said(t.have), said(t.want))
        limit = self.limit(vm)
        if not t.have <= limit:
            self.say("%s: on %s, outside of its limit %s", t.name, said(t.have),
                     said(limit))

    def vcpus(self, vm, vcpus, entry):
        if len(vcpus) != vm.vcpus or entry["vcpus"] != vm.vcpus:
            self.say("vm %d: %d vCPU threads, qmpind counts %d, there are %d", vm.id,
                     len(vcpus), entry["vcpus"], vm.vcpus)
        union = set().union(*(t.have for t in vcpus))
        limit = self.limit(vm)
        needed = self.topology.nodes_needed(vm.vcpus, limit - self.dedicated_cpus(vm.id))
        if vm.host_nodes:
            own = set().union(*(self.topology.nodes[n] for n in vm.host_nodes))
            if own & limit and not union <= own:
                self.say("vm %d: on %s, its memory is bound to nodes %s", vm.id,
                         said(union), said(vm.host_nodes))
        nodes = self.topology.nodes_of(union)
        if len(nodes) <= needed or self.has_reason(vm, frozenset(union)):
            vm.was_right = True
        else:
            self.say("vm %d: on %s, %d nodes, but %d would do for %d vCPUs", vm.id,
                     said(union), len(nodes), needed, vm.vcpus)
        for t in vcpus:
            if vm.mode in PINNED and len(t.have) != 1:
                self.say("%s: mode %s, but on %s", t.name, vm.mode, said(t.have))
            if vm.mode == "core" and len({self.topology.core[c] for c in t.have}) != 1:
                self.say("%s: mode core, but on %s", t.name, said(t.have))
        if vm.mode in ("auto", "float") and len({t.have for t in vcpus}) > 1:
            self.say("vm %d: its vCPUs have different masks: %s", vm.id,
                     " ".join(sorted({said(t.have) for t in vcpus})))

    def together(self):
        """Rules about more than one VM."""
        self.laminar()
        self.alone()
        self.dedicated()

    def has_reason(self, vm, cpus):
        """More nodes than needed are right where fewer would make VMs wait: qmpind then says
        so when it places the VM, and a daemon that is restarted keeps the place."""
        if vm.excused != cpus:
            try:
                said_why = varlink.call(CONTROL, "io.qmpin.Explain", {"id": str(vm.id)})
            except (OSError, varlink.Refused):
                return False
            if not is_reason(said_why, vm.was_right):
                return False
            vm.excused = cpus
        return True

    def floating(self):
        """(VM, CPUs of its vCPUs) of those nothing forces to overlap."""
        for vm in self.vms.values():
            vcpus = [t for t in self.threads.get(vm.id, []) if t.vcpu]
            if vm.mode in ("auto", "float") and not vm.affinity and vcpus:
                yield vm.id, frozenset().union(*(t.have for t in vcpus))

    def laminar(self):
        seen = list(self.floating())
        for i, (a, cpus) in enumerate(seen):
            for b, others in seen[:i]:
                if cpus & others and not cpus <= others and not others <= cpus:
                    self.say("vm %d and %d: %s and %s overlap, and none holds the other", b, a,
                             said(others), said(cpus))

    def alone(self):
        """No two pinned vCPUs on one CPU while one they may use has none."""
        on, free = {}, {}
        for vm in self.vms.values():
            for t in self.threads.get(vm.id, []) if vm.mode in PINNED else []:
                if t.vcpu and len(t.have) == 1:
                    on.setdefault(min(t.have), []).append(t.name)
                    free[t.name] = self.limit(vm)
        reserved = self.dedicated_cpus()
        for cpu, names in sorted(on.items()):
            left = set().union(*(free[n] for n in names)) - set(on) - reserved
            if len(names) > 1 and left:
                self.say("%s: all on CPU %d, while %s have no pinned vCPU",
                         ", ".join(names), cpu, said(left))

    def dedicated_cpus(self, but=None):
        """Whole cores of the vCPUs of dedicated VMs, but of this one."""
        return set().union(*(self.topology.core[c] for vm in self.vms.values()
                             if vm.mode == "dedicated" and vm.id != but
                             for t in self.threads.get(vm.id, []) if t.vcpu for c in t.have))

    def dedicated(self):
        for vm in self.vms.values():
            if vm.mode != "dedicated":
                continue
            own = set().union(*(self.topology.core[c] for t in self.threads.get(vm.id, [])
                                if t.vcpu for c in t.have))
            for other in self.vms.values():
                if other.id == vm.id or other.mode in UNTOUCHED:
                    continue
                for t in self.threads.get(other.id, []):
                    if t.have & own:
                        self.say("%s: on %s, but %s are dedicated to vm %d", t.name,
                                 said(t.have), said(own & t.have), vm.id)

    def bystander(self, pid, cpus):
        for tid in tids_of(pid):
            have = mask(tid)
            if have is not None and have != cpus & self.online:
                self.say("process %d, which is no VM: thread %d on %s, not on %s", pid, tid,
                         said(have), said(cpus))
