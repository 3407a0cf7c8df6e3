#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vCPU hotplug: how soon a new vCPU has its mask, with and without an event, and where
it is before; storms, gaps, guest nodes."""
import sys
import threading

from runner import SLACK, check, main, now, pass_time, retry
from sharing import qemu
from test_topology import CPUS_A_NODE, tree
from vmhost import Host, MaskWatch, Qmp, cpulist, cpus_of, mask

BURST = 8
PLUGS = 20
STORM, RIVALS = 16, 4
# Causes that a guest can make at will are answered at once so often in a row.
GUEST_BURST = 32
INTERVAL_S = 2.0


def one_of(cpus):
    return lambda found: len(found) == 1 and found <= set(cpus)


def numbers(values):
    values = sorted(values)
    return "median %.1f ms, p99 %.1f ms" % (values[len(values) // 2] * 1e3,
                                            values[-1 - len(values) // 100] * 1e3)


def plug_acknowledged(vm, cpus):
    """Its thread may have been found, and have its mask, before the guest answers."""
    p = vm.plug_watched(one_of(cpus))
    p["acknowledged"] = p["acknowledged"] or retry(
        lambda: vm.monitor.poll(0.001) or vm.monitor.event("ACPI_DEVICE_OST", p["asked"]),
        "ACPI_DEVICE_OST for vCPU %d" % p["index"])
    return p


def acknowledged(host):
    """a guest that acknowledges: the new vCPU has its mask soon after the event"""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=2, maxcpus=2 + PLUGS, guest="ack", cpus=cpus)
    d = host.started()
    d.wait_settled(100)
    plugs = [plug_acknowledged(vm, cpus) for _ in range(PLUGS)]
    reply = [p["masked"] - p["replied"] for p in plugs]
    event = [p["masked"] - p["acknowledged"] for p in plugs]
    print("     %d vCPUs; reply to mask: %s" % (len(plugs), numbers(reply)))
    print("     %d vCPUs; event to mask: %s" % (len(plugs), numbers(event)))
    reply.sort()
    check(reply[len(reply) // 2] < 0.1 * SLACK, "the median is %.0f ms",
          reply[len(reply) // 2] * 1e3)
    check(reply[-1] < 0.5 * SLACK, "one took %.0f ms", reply[-1] * 1e3)
    check(d.vm(100)["vcpus"] == 2 + PLUGS, "ps shows %d vCPUs", d.vm(100)["vcpus"])
    d.wait_settled(100)


def storm(host):
    """many vCPUs one after the other: all placed, evenly"""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=2, maxcpus=4 * BURST, guest="ack", cpus=cpus)
    d = host.started()
    d.wait_settled(100)
    passes, began = d.status()["passes"], now()
    for _ in range(4 * BURST - 2):
        vm.plug()
    retry(lambda: d.vm(100)["vcpus"] == 4 * BURST and vm.pinned(), "all are pinned",
          INTERVAL_S + 1)
    took, passes = now() - began, d.status()["passes"] - passes
    print("     %d vCPUs in %.2f s, %d passes" % (4 * BURST - 2, took, passes))
    check(passes <= 4 * BURST, "%d passes", passes)
    counts = [sum(c in m for m in vm.vcpu_masks().values()) for c in cpus]
    check(max(counts) - min(counts) <= 1, "vCPUs a CPU: %s", counts)


def evenly(vm, cpus):
    """Every vCPU has one CPU, and each CPU its share of them."""
    counts = [sum(c in m for m in vm.vcpu_masks().values()) for c in cpus]
    return vm.pinned() and max(counts) - min(counts) <= 1


def plug_all(monitor, slots):
    monitor.run_all([("device_add", slot) for slot in slots])


def storm_of(host, n):
    """n clients at the same time, each with its part of a storm in one write."""
    cpus, settle_s = host.need_cpus(2), 0.1
    paths = [host.path("mon", "rival%d.qmp" % i) for i in range(n)]
    more = []
    for i, path in enumerate(paths):
        more += ["-chardev", "socket,id=rival%d,path=%s,server=on,wait=off" % (i, path),
                 "-mon", "chardev=rival%d,mode=control" % i]
    vm = host.start_vm(100, vcpus=2, maxcpus=2 + STORM, guest="ack", cpus=cpus, more=more)
    d = host.started("[qmpin]\nmode = pin\nadopt = now\nsettle_ms = %d\n"
                     "audit_interval_ms = 60000\n" % (settle_s * 1e3))
    d.wait_settled(100)
    rivals, slots = [Qmp(path) for path in paths], vm.slots()
    passes, began = d.status()["passes"], now()
    threads = [threading.Thread(target=plug_all, args=(rival, slots[i::n]))
               for i, rival in enumerate(rivals)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    plugged = now() - began
    retry(lambda: evenly(vm, cpus) and d.vm(100)["vcpus"] == 2 + STORM, "all are pinned")
    took, passes = now() - began, d.status()["passes"] - passes
    print("     %d plugged in %.0f ms, all right after %.0f ms, %d passes"
          % (STORM, plugged * 1e3, took * 1e3, passes))
    check(passes <= 3 + plugged / settle_s, "%d passes", passes)
    for rival in rivals:
        rival.close()
    d.wait_settled(100)


def at_once(host):
    """a storm of device_add by one client without a pause: few plans, all right at the
    end"""
    storm_of(host, 1)


def rivals_at_once(host):
    """a storm by several clients at the same time: the same"""
    storm_of(host, RIVALS)


def birthplace(host):
    """where a vCPU is born, the emulator's CPUs: inside the VM's limit whatever is asked
    of the emulator"""
    cpus = host.need_cpus(2)
    first, second = {cpus[0]}, {cpus[1]}
    # The reserved CPU is in the limit of the first three only.
    cases = {100: ("float", first | second, second), 101: ("follow", first | second, second),
             102: ("isolate", first | second, first), 103: ("float", second, second),
             104: ("follow", second, second), 105: ("isolate", second, second)}
    d = host.started("[qmpin]\nmode = pin\nadopt = now\nreserved_cpus = %d\n" % cpus[0] +
                     "".join("[vm %d]\nemulator = %s\n" % (i, c[0])
                             for i, c in cases.items()))
    for vmid, (policy, limit, home) in cases.items():
        vm = host.start_vm(vmid, vcpus=1, maxcpus=4, guest="ack", cpus=limit)
        watch = MaskWatch([vm.pid])
        retry(lambda: d.settled(vmid) and mask(vm.pid) == home,
              "emulator = %s: on %s" % (policy, cpulist(home)))
        p = vm.plug_watched(lambda found: found == second)
        check(p["inherited"] in (home, second), "emulator = %s: born on %s", policy,
              cpulist(p["inherited"]))
        vm.monitor.run("device_del", id=p["id"])
        retry(lambda: d.vm(vmid)["vcpus"] == 1 and d.settled(vmid), "it is unplugged")
        watch.stop()
        check(all(m <= limit for m in watch.seen[vm.pid]), "emulator = %s: was on %s",
              policy, [cpulist(m) for m in watch.seen[vm.pid]])


def listed(d):
    """cpu-index -> thread id, as the daemon knows VM 100."""
    return {t["index"]: t["tid"] for t in d.vm(100)["threads"] if t["class"] == "vcpu"}


def with_gaps(host):
    """A VM with vCPUs 0, 1, 5 and 7 that are right, its daemon, and what was plugged."""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=2, maxcpus=8, guest="ack", cpus=cpus)
    d = host.started()
    d.wait_settled(100)
    plugs = {core: vm.plug_watched(one_of(cpus), core=core) for core in (7, 5)}
    check(sorted(vm.vcpus()) == [0, 1, 5, 7], "vCPUs %s", vm.vcpus())
    retry(lambda: listed(d) == vm.vcpus(), "they are known")
    check(evenly(vm, cpus), "masks %s", vm.vcpu_masks())
    return vm, d, plugs


def gaps(host):
    """vCPUs 0, 1, 5 and 7, of which the middle one goes: no other moves, not by a restart
    either"""
    vm, d, plugs = with_gaps(host)
    before = vm.vcpu_masks()
    vm.monitor.run("device_del", id=plugs[5]["id"])
    del before[5]
    retry(lambda: sorted(listed(d)) == [0, 1, 7], "vCPU 5 has gone", 3)
    d.kill()
    d.start()
    d.wait_settled(100)
    check(listed(d) == vm.vcpus(), "vCPUs are %s, listed %s", vm.vcpus(), listed(d))
    check(vm.vcpu_masks() == before, "%s -> %s", before, vm.vcpu_masks())


def gap_filled(host):
    """one comes where one has gone: a new thread, placed as such (QEMU 7.2 dies of that
    when it emulates CPUs)"""
    host.qemu = qemu("10.0")
    cpus = host.need_cpus(2)
    vm, d, plugs = with_gaps(host)
    for added in ([5], [3, 2]):
        before = vm.vcpu_masks()
        if 5 in added:
            since = now()
            vm.monitor.run("device_del", id=plugs[5]["id"])
            retry(lambda: 5 not in listed(d), "vCPU 5 has gone", 3)
            # its thread ends before its name is free
            retry(lambda: vm.monitor.poll(0) or vm.monitor.event("DEVICE_DELETED", since),
                  "QEMU has forgotten it", 3)
            del before[5]
        for core in added:
            p = vm.plug_watched(one_of(cpus), core=core)
            check(p["index"] == core and p["tid"] != plugs[5]["tid"], "plugged %s", p)
        retry(lambda: listed(d) == vm.vcpus() and evenly(vm, cpus), "all are right")
        after = vm.vcpu_masks()
        check(all(after[i] == m for i, m in before.items()), "%s -> %s", before, after)
    d.wait_settled(100)


def guest_nodes(host):
    """a vCPU plugged into a node of the guest is wanted where that node is, also the first
    one there (on an imagined host of two nodes)"""
    half = ["-object", "memory-backend-ram,id=m0,size=16M",
            "-object", "memory-backend-ram,id=m1,size=16M",
            "-numa", "node,nodeid=0,cpus=0-3,memdev=m0",
            "-numa", "node,nodeid=1,cpus=4-7,memdev=m1"]
    vm = host.start_vm(100, vcpus=3, maxcpus=8, guest="ack", more=half)
    d = host.started("[qmpin]\nmode = pin\nadopt = now\n", "--topology",
                     tree(host.path("tree")))

    def nodes():
        """cpu-index -> nodes of the host that it is wanted on"""
        return {t["index"]: {c // CPUS_A_NODE for c in cpus_of(t["want"])}
                for t in d.vm(100)["threads"] if t["class"] == "vcpu" and t["want"]}
    retry(lambda: sorted(nodes()) == [0, 1, 2], "there is a plan")
    for core in (4, 3, 6, 5):
        vm.plug(core)
        retry(lambda: core in nodes(), "vCPU %d is planned" % core)
        found = nodes()
        for first in (0, 4):
            mine = [found[i] for i in found if i // 4 == first // 4]
            check(all(n == mine[0] and len(n) == 1 for n in mine), "%s", found)
    check(found[0] != found[4], "both nodes of the guest are on one: %s", found)


def unacknowledged(host):
    """a guest that never answers: the audit finds the new vCPU within its interval"""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=2, maxcpus=8, cpus=cpus)
    d = host.started()
    d.wait_settled(100)
    took = []
    for _ in range(3):
        p = vm.plug_watched(one_of(cpus))
        check(not p["acknowledged"], "this guest acknowledges")
        took.append(p["masked"] - p["replied"])
    print("     reply to mask: %s" % numbers(took))
    check(max(took) < (INTERVAL_S + 0.5) * SLACK, "took %.1f s", max(took))
    d.wait_settled(100)


def resets(host):
    """a guest that resets itself without end costs a pass a second, and no other VM"""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=2, cpus=cpus)
    other = host.start_vm(101, vcpus=2, maxcpus=4, guest="ack", cpus=cpus)
    d = host.started()
    d.wait_settled(100, 101)
    passes, began = d.status()["passes"], now()
    for _ in range(120):
        vm.monitor.run("system_reset")
        pass_time(0.015)        # more than settle_ms: each could be a pass
    took, passes = now() - began, d.status()["passes"] - passes
    print("     120 resets in %.1f s: %d passes" % (took, passes))
    check(passes <= GUEST_BURST + 3 * took + 3, "%d passes", passes)
    p = other.plug_watched(one_of(cpus))
    check(p["masked"] - p["replied"] < 0.5 * SLACK, "another VM waited %.0f ms",
          (p["masked"] - p["replied"]) * 1e3)


def told(host):
    """the new vCPU is told about with the event as cause"""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=2, maxcpus=4, guest="ack", cpus=cpus)
    d = host.started()
    d.wait_settled(100)
    since = now()
    p = vm.plug_watched(one_of(cpus))
    d.wait_line(r"vm 100: vCPU %d %s -> \d+ .*\(.+; .+\)"
                % (p["index"], cpulist(p["inherited"])), since=since)


def nobody_moves(host):
    """a plugged vCPU moves no vCPU that was there"""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=2, maxcpus=4, guest="ack", cpus=cpus)
    other = host.start_vm(101, vcpus=2, cpus=cpus)
    d = host.started()
    d.wait_settled(100, 101)
    before = vm.masks(), other.masks()
    vm.plug_watched(one_of(cpus))
    d.wait_settled(100, 101)
    after = vm.masks(), other.masks()
    for b, a in zip(before, after):
        moved = [t for t in b if t in a and a[t] != b[t]]
        check(not moved, "threads %s were moved", moved)


def unplugged(host):
    """an unplugged vCPU disappears from the VM, the others stay"""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=2, maxcpus=4, guest="ack", cpus=cpus)
    d = host.started()
    d.wait_settled(100)
    before = vm.vcpu_masks()
    p = vm.plug_watched(one_of(cpus))
    retry(lambda: d.vm(100)["vcpus"] == 3, "three vCPUs", 3)
    since = now()
    vm.monitor.run("device_del", id=p["id"])
    retry(lambda: d.vm(100)["vcpus"] == 2, "two vCPUs", 3)
    print("     gone from ps %.0f ms after device_del" % ((now() - since) * 1e3))
    check(vm.vcpu_masks() == before, "vCPUs had %s, have %s", before, vm.vcpu_masks())
    d.wait_settled(100)


if __name__ == "__main__":
    sys.exit(main([acknowledged, unacknowledged, storm, at_once, rivals_at_once,
                   birthplace, gaps, gap_filled, guest_nodes, resets, told,
                   nobody_moves, unplugged], Host))
