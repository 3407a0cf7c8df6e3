#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures qmpind on real QEMUs and prints a table.

  measure.py [--runs 20] [--vms 8] [--idle 60] [--json FILE]

Hotplug: from the reply to device_add, and from the ACPI event, to the new vCPU's mask.
Drift: from a changed mask to the repaired one. Restarts: changed masks, watched every
millisecond. Cost: resident memory and CPU time of the daemon while nothing happens.
"""
import argparse
import os
import platform
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True

from figures import Figures
from runner import check, main as run_cases, now, retry
from vmhost import QEMU, Host, MaskWatch, allowed, mask

ROWS = []
FIGURES = Figures()


def row(what, values, unit, digits=1):
    """A line of the table for the values of all runs."""
    values = sorted(values)
    n = len(values)
    cell = "%%.%df" % digits
    numbers = [values[n // 2], values[min(n - 1, (99 * n) // 100)], values[-1]]
    ROWS.append([what, str(n)] + [cell % v for v in numbers] + [unit])
    for name, value in zip(("median", "p99", "max"), numbers):
        FIGURES.add("%s: %s" % (what, name), value, unit)


def single(what, value, unit):
    ROWS.append([what, "1", value, "", "", unit])
    FIGURES.add(what, float(value), unit)


def hotplug(host, runs, guest, what):
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=2, maxcpus=2 + runs, guest=guest, cpus=cpus)
    d = host.started()
    d.wait_settled(100)
    reply, event = [], []
    for _ in range(runs):
        p = vm.plug_watched(lambda found: len(found) == 1)
        reply.append((p["masked"] - p["replied"]) * 1e3)
        if p["acknowledged"]:
            event.append((p["masked"] - p["acknowledged"]) * 1e3)
        d.wait_settled(100)
        # Not more often than causes made by a guest are answered at once, and at any
        # moment of the audit's interval.
        end = now() + 1.1
        retry(lambda: now() >= end, "the time has come")
    row("device_add reply to mask, %s" % what, reply, "ms")
    if event:
        row("ACPI_DEVICE_OST to mask", event, "ms")


def wide(host, runs):
    """Event to all masks of a VM with eight vCPUs: a reload from float to pin."""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=8, cpus=cpus)
    d = host.started()
    d.wait_settled(100)
    took = []
    for i in range(runs):
        mode = "pin" if i % 2 else "float"
        d.configure("[qmpin]\nmode = %s\nadopt = now\n" % mode)
        width = 1 if mode == "pin" else len(cpus)
        tids = list(vm.vcpus().values())
        began = now()
        d.process.send_signal(signal.SIGHUP)
        retry(lambda: all(len(mask(t)) == width for t in tids), "all vCPUs are " + mode,
              step=0.001)
        took.append((now() - began) * 1e3)
        d.wait_settled(100)
    row("SIGHUP with another mode to all masks, 8 vCPUs", took, "ms")


def appearance(host, runs):
    cpus = host.need_cpus(2)
    d = host.started()
    took = []
    for i in range(runs):
        vm = host.start_vm(100 + i, vcpus=2, cpus=cpus)
        began = now()
        retry(vm.pinned, "VM %d is pinned" % vm.id, step=0.001)
        took.append((now() - began) * 1e3)
        vm.stop()
    check(d.status(), "the daemon is gone")
    row("VM answers to vCPUs pinned (first 200 ms are Proxmox's)", took, "ms")


def drift(host, runs):
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=2, cpus=cpus)
    d = host.started()
    d.wait_settled(100)
    tid = vm.vcpus()[0]
    want, took = mask(tid), []
    for i in range(runs):
        # Other moments of the audit's interval each time.
        end = now() + 0.1 * (i % 20)
        retry(lambda: now() >= end, "the time has come")
        os.sched_setaffinity(tid, cpus)
        began = now()
        retry(lambda: mask(tid) == want, "repaired", step=0.001)
        took.append(now() - began)
    row("drift to repair (audit every 2 s)", took, "s", 2)


def restarts(host, runs):
    cpus = host.need_cpus(2)
    vms = [host.start_vm(100 + i, vcpus=2, cpus=cpus) for i in range(4)]
    ids = [vm.id for vm in vms]
    d = host.started()
    d.wait_settled(*ids)
    changed, took, looks_all = 0, [], 0

    def kill():
        d.kill()
        d.start()

    def term():
        d.stop()
        d.start()

    for i in range(runs):
        watch = MaskWatch([t for vm in vms for t in vm.tids()])
        began = now()
        (kill, term, d.reload)[i % 3]()
        d.wait_settled(*ids)
        took.append(now() - began)
        changes, looks = watch.stop()
        changed += len(changes)
        looks_all += looks
    row("kill -9, SIGTERM, SIGHUP to settled, 4 VMs", took, "s", 2)
    single("masks changed meanwhile (%d looks)" % looks_all, str(changed), "")


def cost(host, n, idle_s):
    cpus = host.need_cpus(2)
    vms = [host.start_vm(100 + i, vcpus=2, cpus=cpus, wait=False) for i in range(n)]
    for vm in vms:
        vm.vcpus()
    d = host.started()
    began = now()
    d.wait_settled(*[vm.id for vm in vms])
    single("READY to %d VMs settled" % n, "%.0f" % ((now() - began) * 1e3), "ms")
    used, at = d.cpu_ns(), now()
    time.sleep(idle_s)      # what is measured is this time
    used, took = d.cpu_ns() - used, now() - at
    single("CPU while nothing happens, %d VMs, %.0f s" % (n, took),
           "%.3f" % (used / took / 1e7), "% of a CPU")
    single("resident memory, %d VMs" % n, "%.1f" % (d.memory_kib() / 1024), "MiB")
    single("most resident memory ever", "%.1f" % (d.memory_kib("VmHWM") / 1024), "MiB")


def table():
    head = ["what", "n", "median", "p99", "max", "unit"]
    rows = [head] + ROWS
    widths = [max(len(r[i]) for r in rows) for i in range(len(head))]
    for r in rows:
        print("  ".join(c.ljust(w) if i in (0, 5) else c.rjust(w)
                        for i, (c, w) in enumerate(zip(r, widths))).rstrip())


def main():
    parser = argparse.ArgumentParser(description="Measure qmpind on real QEMUs.")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--vms", type=int, default=8)
    parser.add_argument("--idle", type=float, default=60)
    parser.add_argument("--json")
    a = parser.parse_args()
    sys.argv[1:] = []

    def case(text, function, *arguments):
        def run(host):
            function(host, *arguments)
        run.__doc__ = text
        return run

    code = run_cases([
        case("hotplug, guest acknowledges", hotplug, a.runs, "ack",
             "guest acknowledges"),
        case("hotplug, guest is silent", hotplug, min(a.runs, 10), "firmware",
             "silent guest"),
        case("eight vCPUs", wide, a.runs), case("new VMs", appearance, a.runs),
        case("drift", drift, a.runs), case("restarts", restarts, a.runs),
        case("cost", cost, a.vms, a.idle)], Host, limit_s=600 + a.idle)
    version = subprocess.run([QEMU, "--version"], capture_output=True, text=True).stdout
    print("\n%s; Linux %s; %d CPUs" % (version.splitlines()[0], platform.release(),
                                     len(allowed())))
    table()
    FIGURES.save(a.json)
    return code


if __name__ == "__main__":
    sys.exit(main())
