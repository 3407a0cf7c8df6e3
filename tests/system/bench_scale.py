#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What qmpind costs with many VMs (real processes, real threads, real masks):

  bench_scale.py [--idle S] [VMS...]          default: 30 s, 10 100 300 1000

Prints a table, one line for each number of VMs. A turn is what the daemon's loop does
without a pause, in its own CPU time: its longest ones are what others may wait for.
"""
import argparse
import os
import sys

sys.dont_write_bytecode = True

from fleet import (SETTINGS, Fleet, FleetHost, longest, percentile, quiet, switches,
                   timed_call, turns_since)
from runner import check, main as run_cases, now, pass_time, retry

COLUMNS = []


class Measured:
    """One column of numbers, with what they are."""

    def __init__(self):
        self.rows = []

    def put(self, what, text, *values):
        self.rows.append((what, text % values))


def appear(m, fleet, d):
    """From READY to the last mask."""
    began = now()
    slowest = 0.0

    def all_managed():
        nonlocal slowest
        asked = now()
        managed = d.status()["managed"]
        slowest = max(slowest, now() - asked)
        return managed == fleet.vms
    retry(all_managed, "all are placed", 60, step=0.01)
    placed = now()
    wrong = retry(lambda: not fleet.unpinned(), "every vCPU is pinned", 60, step=0.2)
    check(wrong, "vCPUs are not pinned")
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


def answers(m, d):
    before = d.status()
    times = [timed_call(d, "GetStatus") for _ in range(200)]
    m.put("GetStatus median, p99", "%.1f, %.1f ms", percentile(times, 50),
          percentile(times, 99))
    times = [timed_call(d, "ListVMs", more=True) for _ in range(50)]
    m.put("ListVMs median, p99", "%.1f, %.1f ms", percentile(times, 50),
          percentile(times, 99))
    times = [timed_call(d, "ListVMs", more=True, threads=True) for _ in range(20)]
    m.put("with threads", "%.1f, %.1f ms", percentile(times, 50), percentile(times, 99))
    m.put("turns while asked", "%s", longest(turns_since(d, before)))


def knocks(m, d, seconds=10):
    """Somebody asks a thousand times a second: how long the loop lets one wait."""
    times, end = [], now() + seconds
    while now() < end:
        times.append(timed_call(d, "GetStatus"))
        pass_time(max(0.0, 0.001 - times[-1] / 1e3))
    m.put("asked at 1 kHz: p99.9, longest", "%.1f, %.1f ms",
          sorted(times)[len(times) * 999 // 1000], max(times))


def size(m, d):
    m.put("resident, most ever", "%.1f, %.1f MiB", d.memory_kib() / 1024,
          d.memory_kib("VmHWM") / 1024)
    m.put("open files", "%d", len(os.listdir("/proc/%d/fd" % d.pid)))


def scale(host, vms, idle_s):
    m = Measured()
    fleet = Fleet(host, vms)
    d = host.started(SETTINGS)
    appear(m, fleet, d)
    idle(m, d, idle_s)
    answers(m, d)
    change(m, fleet, d)
    knocks(m, d)
    size(m, d)
    COLUMNS.append((vms, m.rows))
    for what, text in m.rows:
        print("     %-32s %s" % (what, text))


def table():
    if not COLUMNS:
        return
    print("\n| what | %s |" % " | ".join("%d VMs" % n for n, _ in COLUMNS))
    print("| --- |%s" % (" --: |" * len(COLUMNS)))
    for i, (what, _) in enumerate(COLUMNS[0][1]):
        print("| %s | %s |" % (what, " | ".join(rows[i][1] for _, rows in COLUMNS)))


def main():
    parser = argparse.ArgumentParser(description="Measure qmpind with many VMs.")
    parser.add_argument("--idle", type=float, default=30)
    parser.add_argument("vms", type=int, nargs="*", default=[10, 100, 300, 1000])
    a = parser.parse_args()
    sys.argv[1:] = []
    cases = []
    for n in a.vms:
        def case(host, n=n):
            scale(host, n, a.idle)
        case.__doc__ = "%d VMs" % n
        cases.append(case)
    code = run_cases(cases, FleetHost, limit_s=(240 + a.idle) * len(cases))
    table()
    return code


if __name__ == "__main__":
    sys.exit(main())
