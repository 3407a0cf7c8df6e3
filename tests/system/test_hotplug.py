#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vCPU hotplug: how soon a new vCPU has its mask, with and without an event."""
import sys

from runner import SLACK, check, main, now, pass_time, retry
from vmhost import Host, cpulist

BURST = 8
# Causes that a guest can make at will are answered at once so often in a row.
GUEST_BURST = 32
INTERVAL_S = 2.0


def one_of(cpus):
    return lambda found: len(found) == 1 and found <= set(cpus)


def numbers(values):
    values = sorted(values)
    return "median %.1f ms, max %.1f ms" % (values[len(values) // 2] * 1e3,
                                            values[-1] * 1e3)


def acknowledged(host):
    """a guest that acknowledges: the new vCPU has its mask soon after the event"""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=2, maxcpus=2 + BURST, guest="ack", cpus=cpus)
    d = host.started()
    d.wait_settled(100)
    plugs = [vm.plug_watched(one_of(cpus)) for _ in range(BURST)]
    for p in plugs:
        check(p["acknowledged"], "no ACPI_DEVICE_OST for vCPU %d", p["index"])
    reply = [p["masked"] - p["replied"] for p in plugs]
    event = [p["masked"] - p["acknowledged"] for p in plugs]
    print("     %d vCPUs; reply to mask: %s" % (len(plugs), numbers(reply)))
    print("     %d vCPUs; event to mask: %s" % (len(plugs), numbers(event)))
    reply.sort()
    check(reply[len(reply) // 2] < 0.1 * SLACK, "the median is %.0f ms",
          reply[len(reply) // 2] * 1e3)
    check(reply[-1] < 0.5 * SLACK, "one took %.0f ms", reply[-1] * 1e3)
    check(d.vm(100)["vcpus"] == 2 + BURST, "ps shows %d vCPUs", d.vm(100)["vcpus"])
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
    sys.exit(main([acknowledged, unacknowledged, storm, resets, told, nobody_moves,
                   unplugged], Host))
