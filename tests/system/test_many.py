#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Many VMs at once; some die, come back or stand still; what the daemon costs."""
import os
import signal
import sys
import time

from daemon import instrumented
from runner import SLACK, check, main, now, retry
from vmhost import Host, mask

VMS = 8
IDLE_S = float(os.environ.get("QMPIN_IDLE_S", "4"))
INTERVAL_S = 2.0


def start(host, n=VMS):
    cpus = host.need_cpus(2)
    vms = [host.start_vm(100 + i, vcpus=2, cpus=cpus, wait=False) for i in range(n)]
    for vm in vms:
        vm.vcpus()
    return vms


def all_at_once(host):
    """eight VMs are placed, evenly; the daemon stays small and idle"""
    vms = start(host)
    ids = [vm.id for vm in vms]
    d = host.started()
    began = now()
    d.wait_settled(*ids)
    print("     %d VMs settled %.0f ms after READY" % (VMS, (now() - began) * 1e3))
    load = {}
    for vm in vms:
        check(vm.pinned(), "VM %d has %s", vm.id, vm.vcpu_masks())
        for cpus in vm.vcpu_masks().values():
            load[min(cpus)] = load.get(min(cpus), 0) + 1
    check(max(load.values()) - min(load.values()) <= 1, "vCPUs a CPU: %s", load)
    used, at = d.cpu_ns(), now()
    time.sleep(IDLE_S)      # a measurement, not synchronisation
    used, took = d.cpu_ns() - used, now() - at
    print("     RSS %d KiB; %.2f %% of a CPU over %.0f s" % (
        d.memory_kib(), used / took / 1e7, took))
    if not instrumented():
        check(d.memory_kib() < 32 << 10, "RSS is %d KiB", d.memory_kib())
        check(used / took < 2e7, "idle CPU is %.1f %%", used / took / 1e7)
    check(d.status()["vms"] == VMS, "status counts %d", d.status()["vms"])


def appear_together(host):
    """eight VMs that start while the daemon watches"""
    d = host.started()
    vms = start(host)
    d.wait_settled(*[vm.id for vm in vms])
    for vm in vms:
        check(vm.pinned(), "VM %d has %s", vm.id, vm.vcpu_masks())


def come_and_go(host):
    """one dies, one is started again with its id; nobody else is touched"""
    vms = start(host, 4)
    ids = [vm.id for vm in vms]
    d = host.started()
    d.wait_settled(*ids)
    others = {vm.id: vm.masks() for vm in vms[2:]}
    vms[0].kill()
    retry(lambda: d.vm(100)["state"] == "gone", "VM 100 is gone", 5)
    cpus = host.need_cpus(2)
    for i in range(3):
        old = host.vms[101].pid
        host.vms[101].kill() if i % 2 else host.vms[101].stop()
        vm = host.start_vm(101, vcpus=1 + i, cpus=cpus)
        retry(lambda: d.vm(101) and d.vm(101)["pid"] == vm.pid != old, "the new 101", 5)
        d.wait_settled(101)
        check(vm.pinned(), "the new 101 has %s", vm.vcpu_masks())
    for vmid, masks in others.items():
        moved = [t for t, m in masks.items() if mask(t) not in (m, None)]
        check(not moved, "threads %s of VM %d were moved", moved, vmid)


def one_stands_still(host):
    """a QEMU that is stopped (SIGSTOP) delays nobody and is taken up again"""
    vms = start(host, 3)
    os.kill(vms[0].pid, signal.SIGSTOP)
    try:
        d = host.started()
        began = now()
        d.wait_settled(101, 102, timeout=3)
        print("     the others settled after %.0f ms" % ((now() - began) * 1e3))
        late = host.start_vm(103, vcpus=1, cpus=host.need_cpus(2))
        d.wait_settled(103, timeout=3)
        tid = late.vcpus()[0]
        want = mask(tid)
        os.sched_setaffinity(tid, set(host.need_cpus(2)) - want)
        retry(lambda: mask(tid) == want, "drift of another is repaired", INTERVAL_S + 1)
        d.wait_line(r"vm 100: ", 8)
        check(d.vm(100)["state"] in ("stalled", "connecting"), "VM 100: %s", d.vm(100))
    finally:
        os.kill(vms[0].pid, signal.SIGCONT)
    d.wait_settled(100, timeout=20)


def one_stops_later(host):
    """a QEMU that is stopped while it is watched delays nobody"""
    vms = start(host, 2)
    d = host.started()
    d.wait_settled(100, 101)
    os.kill(vms[0].pid, signal.SIGSTOP)
    try:
        tid = vms[1].vcpus()[0]
        want = mask(tid)
        for _ in range(2):
            os.sched_setaffinity(tid, set(host.need_cpus(2)) - want)
            retry(lambda: mask(tid) == want, "drift is repaired", INTERVAL_S + 1)
        began = now()
        d.status()
        check(now() - began < 0.5 * SLACK, "status took %.1f s", now() - began)
    finally:
        os.kill(vms[0].pid, signal.SIGCONT)
    d.wait_settled(100, 101, timeout=20)


def one_is_paused(host):
    """a paused VM is placed too; stopped (SIGSTOP) and continued it is still paused"""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=2, cpus=cpus)
    vm.monitor.run("stop")
    d = host.started("[qmpin]\nmode = pin\nadopt = now\nsettle_ms = 500\n")
    retry(lambda: d.vm(100) and d.vm(100)["state"] == "paused" and vm.pinned(),
          "VM 100 is paused and pinned")
    # It stops between its event and the question that the event brings about.
    vm.monitor.run("system_reset")
    retry(lambda: vm.monitor.poll(0.01) or vm.monitor.event("RESET"), "it is reset")
    os.kill(vm.pid, signal.SIGSTOP)
    try:
        d.wait_line(r"warning: vm 100: .*does not answer", 12)
        check(d.vm(100)["state"] == "stalled", "VM 100: %s", d.vm(100)["state"])
    finally:
        os.kill(vm.pid, signal.SIGCONT)
    retry(lambda: d.vm(100)["state"] == "paused", "VM 100 is paused again", 15)
    vm.monitor.run("cont")
    retry(lambda: d.vm(100)["state"] == "watching", "VM 100 runs", 3)


if __name__ == "__main__":
    sys.exit(main([all_at_once, appear_together, come_and_go, one_stands_still,
                   one_stops_later, one_is_paused], Host, limit_s=180 + IDLE_S))
