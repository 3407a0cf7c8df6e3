#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What qmpind costs with many VMs (real processes, real threads, real masks):

  bench_scale.py [--idle S] [--storm S] [--qemu N] [--json FILE] [VMS...]
                                default: 30 s idle, no storm, 10 100 300 1000 VMs

The VMs are stand-ins (tests/fleet); with --qemu there are N real QEMU of 8 vCPUs beside
them, or as many as memory allows where that is less; all but 20 of them are paused.

Prints a table, one line for each quantity: in the last two columns what one VM more adds
(least squares), and how that is between the two largest numbers of VMs compared with below,
where that can be said: 1 is a line, more is a knee; of two numbers the first. A turn is what the daemon's loop does
without a pause, in its own CPU time: its longest ones are what others may wait for.
"""
import argparse
import os
import re
import resource
import sys

sys.dont_write_bytecode = True

from figures import Figures
from fleet import (FIRST, SETTINGS, VCPUS, Fleet, FleetHost, longest, percentile, quiet,
                   switches, timed_call, turns_since)
from runner import Skip, main as run_cases, now, pass_time, retry
from vmhost import allowed, mask

COLUMNS = []
# Events a second, of all VMs together or of one.
STORM_RATE = 50000
# Real QEMU: their first id, how many are not paused (each wakes up 18 times a second for
# its timer), and what memory is left to all else.
REAL_FIRST, RUNNING, LEFT_KIB = 50000, 20, 2 << 20


class Measured:
    """One column of numbers, with what they are: "WHAT FIRST, SECOND" has two."""

    def __init__(self):
        self.rows = []

    def put(self, what, text, *values):
        self.rows.append((what, text % values))

    def numbers(self):
        """(name, number, unit); a bound counts as a number."""
        for what, text in self.rows:
            values = [float(x) for x in re.findall(r"\d+(?:\.\d+)?", text)]
            unit = re.search(r"[^\d.,]*$", text).group().strip()
            first, *others = what.split(", ") if len(values) > 1 else [what]
            stem = re.sub(r"(^|(?<=[ ]))\S+$", "", first) if " " in first else first + " "
            for name, value in zip([first] + [stem + o for o in others], values):
                yield name, value, unit


def available_kib():
    with open("/proc/meminfo") as f:
        return int(re.search(r"^MemAvailable:\s+(\d+) kB", f.read(), re.M).group(1))


def real_vms(host, most):
    """Real QEMU, until there are so many or memory is short: [Vm]. Most are paused."""
    vms, (files, most_files) = [], resource.getrlimit(resource.RLIMIT_NOFILE)
    files = min(max(files, most + 200), most_files)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, most_files))
    while len(vms) < most and available_kib() > LEFT_KIB:
        vms.append(host.start_vm(REAL_FIRST + len(vms), vcpus=VCPUS, maxcpus=VCPUS + 1,
                                 guest="ack"))
        if len(vms) > RUNNING:
            vms[-1].monitor.run("stop")
    if most and not vms:
        raise Skip("no memory for a QEMU")
    return vms


def unpinned(fleet, real):
    return fleet.unpinned() or [vm.id for vm in real if not vm.pinned()]


def appear(m, fleet, real, d):
    """From READY to the last mask."""
    began = now()
    slowest = 0.0

    def all_managed():
        nonlocal slowest
        asked = now()
        managed = d.status()["managed"]
        slowest = max(slowest, now() - asked)
        return managed == fleet.vms + len(real)
    retry(all_managed, "all are placed", 60, step=0.01)
    placed = now()
    retry(lambda: not unpinned(fleet, real), "every vCPU is pinned", 60, step=0.2)
    status = d.status()
    m.put("ready to all placed", "%.2f s", placed - began)
    m.put("longest turn then", "%.0f ms", status["longest_turn_ms"])
    m.put("slowest GetStatus then", "%.0f ms", slowest * 1e3)
    m.put("CPU time for it", "%.0f ms", d.cpu_ns() / 1e6)


def idle(m, d, seconds):
    quiet(d)
    before, used, woken, at = d.status(), d.cpu_ns(), switches(d), now()
    pass_time(seconds)
    used, woken, took = d.cpu_ns() - used, switches(d) - woken, now() - at
    turns = turns_since(d, before)
    m.put("CPU when idle", "%.2f %%", used / took / 1e7)
    m.put("CPU time an audit interval", "%.1f ms", used / took / 1e6 * 2)
    m.put("wakeups a second", "%.0f", woken / took)
    m.put("turns when idle", "%s", longest(turns))


def change(m, fleet, d):
    """One VM gets vCPUs and loses them: passes that are about one VM."""
    passes, turns = [], []
    for i in range(10):
        before = d.status()
        fleet.command("%s %d" % ("unplug" if i % 2 else "plug", 100 + i // 2))
        retry(lambda: d.status()["passes"] > before["passes"], "a pass", 5)
        passes.append(d.status()["last_pass_ms"])
        turns.append(turns_since(d, before))
    worst = {b: sum(t[b] for t in turns) for b in turns[0]}
    m.put("pass, one VM has changed", "%.1f ms", percentile(passes, 50))
    m.put("turns while VMs change", "%s", longest(worst))


def change_real(m, real, d):
    """Ten QEMU get a vCPU, and the masks of ten others are broken."""
    cpus, plugged, broken = set(allowed()), [], {}
    for vm in real[:10]:
        p = vm.plug_watched(lambda found: len(found) == 1)
        plugged.append((p["masked"] - p["replied"]) * 1e3)
        d.wait_settled(vm.id)
    for tid in [t for vm in real[-10:] for t in vm.vcpus().values()]:
        broken[tid] = mask(tid)
    began = now()
    for tid, want in broken.items():
        os.sched_setaffinity(tid, cpus - want)
    retry(lambda: all(mask(t) == want for t, want in broken.items()), "all are repaired", 20)
    m.put("real: device_add to mask median, longest", "%.1f, %.1f ms",
          percentile(plugged, 50), max(plugged))
    m.put("real: all masks of ten broken, repaired after", "%.1f s", now() - began)


def answers(m, d):
    before = d.status()
    times = [timed_call(d, "GetStatus") for _ in range(200)]
    m.put("GetStatus median, p99", "%.1f, %.1f ms", percentile(times, 50),
          percentile(times, 99))
    times = [timed_call(d, "ListVMs", more=True) for _ in range(50)]
    m.put("ListVMs median, p99", "%.1f, %.1f ms", percentile(times, 50),
          percentile(times, 99))
    times = [timed_call(d, "ListVMs", more=True, threads=True) for _ in range(20)]
    m.put("with threads median, p99", "%.1f, %.1f ms", percentile(times, 50),
          percentile(times, 99))
    m.put("turns while asked", "%s", longest(turns_since(d, before)))


def knocks(m, d, seconds=10):
    """Somebody asks a thousand times a second: how long the loop lets one wait."""
    times, end = [], now() + seconds
    while now() < end:
        times.append(timed_call(d, "GetStatus"))
        pass_time(max(0.0, 0.001 - times[-1] / 1e3))
    m.put("asked at 1 kHz: p99.9, longest", "%.1f, %.1f ms",
          sorted(times)[len(times) * 999 // 1000], max(times))


def run_delay_ns(d):
    with open("/proc/%d/schedstat" % d.pid) as f:
        return int(f.read().split()[1])


def storm(m, fleet, d, last, rate, seconds, what):
    """VMs send events, every second one of which asks for a look at the vCPUs. Meanwhile
    somebody asks, and a mask is broken. What the machine adds to the answers is seen in
    how long the daemon was ready to run and was not let."""
    vmids = "%d-%d" % (FIRST, last)
    tid = fleet.vcpu_tids(FIRST)[0]
    want, cpus = mask(tid), set(allowed())
    before, used, kib = d.status(), d.cpu_ns(), d.memory_kib()
    sent = int(fleet.command("storm %s %d" % (vmids, rate / (last - FIRST + 1))))
    began, times, repaired, delay = now(), [], None, run_delay_ns(d)
    broken = began + seconds / 2
    while now() < began + seconds:
        times.append(timed_call(d, "GetStatus"))
        if broken and now() > broken:
            broken, at = None, now()
            os.sched_setaffinity(tid, cpus - want)
        elif not broken and repaired is None and mask(tid) == want:
            repaired = now() - at
        pass_time(0.01)
    sent = int(fleet.command("storm %s 0" % vmids)) - sent
    took, used, after = now() - began, d.cpu_ns() - used, d.status()
    delay = run_delay_ns(d) - delay
    retry(lambda: mask(tid) == want, "the mask is repaired", 10)
    retry(lambda: not fleet.unpinned(), "every vCPU is pinned", 10, step=0.2)
    m.put("%s: events a second" % what, "%.0f", sent / took)
    m.put("%s: passes a second" % what, "%.1f", (after["passes"] - before["passes"]) / took)
    m.put("%s: CPU" % what, "%.1f %%", used / took / 1e7)
    m.put("%s: GetStatus p99, longest" % what, "%.1f, %.1f ms", percentile(times, 99),
          max(times))
    m.put("%s: waits for a CPU" % what, "%.1f %%", delay / took / 1e7)
    m.put("%s: broken mask repaired after" % what, "%.1f s", repaired or took)
    m.put("%s: resident after, more by" % what, "%.1f, %.2f MiB", d.memory_kib() / 1024,
          max(0, d.memory_kib() - kib) / 1024)
    m.put("%s: turns" % what, "%s", longest(turns_since(d, before)))
    m.put("longest turn until then", "%.0f ms", after["longest_turn_ms"])


def size(m, d):
    m.put("resident, most ever", "%.1f, %.1f MiB", d.memory_kib() / 1024,
          d.memory_kib("VmHWM") / 1024)
    m.put("open files", "%d", len(os.listdir("/proc/%d/fd" % d.pid)))


def scale(host, vms, most_real, idle_s, storm_s):
    m = Measured()
    fleet = Fleet(host, vms)
    began, free = now(), available_kib()
    real = real_vms(host, most_real)
    if real:
        m.put("real: VMs", "%d", len(real))
        m.put("real: started in", "%.0f s", now() - began)
        m.put("real: memory of each", "%.0f MiB", (free - available_kib()) / 1024 / len(real))
    d = host.started(SETTINGS)
    appear(m, fleet, real, d)
    idle(m, d, idle_s)
    answers(m, d)
    change(m, fleet, d)
    if real:
        change_real(m, real, d)
    knocks(m, d)
    size(m, d)
    if storm_s:
        storm(m, fleet, d, FIRST + vms - 1, STORM_RATE, storm_s, "storm of all")
        storm(m, fleet, d, FIRST, STORM_RATE, storm_s, "storm of one")
    COLUMNS.append((vms + len(real), m))
    for what, text in m.rows:
        print("     %-32s %s" % (what, text))


def slope(points):
    """Of the line through (VMs, value), by least squares."""
    x = sum(p[0] for p in points) / len(points)
    y = sum(p[1] for p in points) / len(points)
    return sum((a - x) * (b - y) for a, b in points) / sum((a - x) ** 2 for a, _ in points)


def growth(what):
    """What a VM more adds, and how much steeper it is at the end: text."""
    points = [(vms, value) for vms, m in COLUMNS for name, value, _ in m.numbers()
              if name in (what, what.split(", ")[0])]
    if len(points) < 2 or len({vms for vms, _ in points}) < len(points):
        return "", ""
    below = slope(points[:-1]) if len(points) > 2 else 0
    knee = "%.1f" % (slope(points[-2:]) / below) if below > 0 else ""
    return "%.3g" % slope(points), knee


def table():
    if not COLUMNS:
        return
    print("\n| what | %s | a VM more | at the end |" % " | ".join(
        "%d VMs" % n for n, _ in COLUMNS))
    print("| --- |%s" % (" --: |" * (len(COLUMNS) + 2)))
    for i, (what, _) in enumerate(COLUMNS[0][1].rows):
        cells = [m.rows[i][1] for _, m in COLUMNS] + list(growth(what))
        print("| %s | %s |" % (what, " | ".join(cells)))


def save(path):
    figures = Figures()
    for vms, m in COLUMNS:
        for name, value, unit in m.numbers():
            figures.add("%d VMs, %s" % (vms, name), value, unit)
    figures.save(path)


def main():
    parser = argparse.ArgumentParser(description="Measure qmpind with many VMs.")
    parser.add_argument("--idle", type=float, default=30)
    parser.add_argument("--storm", type=float, default=0)
    parser.add_argument("--qemu", type=int, default=0)
    parser.add_argument("--json")
    parser.add_argument("vms", type=int, nargs="*", default=[10, 100, 300, 1000])
    a = parser.parse_args()
    sys.argv[1:] = []
    cases = []
    for n in a.vms:
        def case(host, n=n):
            scale(host, n, a.qemu, a.idle, a.storm)
        case.__doc__ = "%d VMs" % n
        cases.append(case)
    code = run_cases(cases, FleetHost,
                     limit_s=(240 + a.idle + 3 * a.storm + 2 * a.qemu) * len(cases))
    table()
    save(a.json)
    return code


if __name__ == "__main__":
    sys.exit(main())
