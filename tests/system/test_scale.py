#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A hundred VMs at once, as stand-ins (tests/fleet): the bounds on what the daemon costs,
with room for slow machines. bench_scale.py has the numbers for up to a thousand."""
import os
import shutil
import signal
import sys

from daemon import instrumented
from fleet import (FIRST, SETTINGS, Fleet, FleetHost, over, percentile, quiet, switches,
                   timed_call, turns_since)
from runner import SLACK, Skip, check, main, now, pass_time, retry
from vmhost import mask

VMS = 20 if instrumented() else 100
INTERVAL_S = 2.0


def started(host, vms=VMS):
    host.need_cpus(2)
    fleet = Fleet(host, vms)
    d = host.started(SETTINGS)
    retry(lambda: d.status()["managed"] == vms, "all VMs are placed", 20)
    retry(lambda: not fleet.unpinned(), "all vCPUs are pinned", 20, step=0.1)
    return fleet, d


def check_turns(turns, ms, what):
    """Turns are CPU time: other programs do not lengthen them much, instruments do."""
    print("     turns %s: %s" % (what, turns))
    if not instrumented():
        check(over(turns, ms) == 0, "turns %s above %d ms: %s", what, ms, turns)


def all_at_once(host):
    """a hundred VMs are placed at first sight, and nobody has to wait long meanwhile"""
    began = now()
    fleet, d = started(host)
    status = d.status()
    print("     %d VMs in %.2f s, longest turn %.1f ms" % (
        fleet.vms, now() - began, status["longest_turn_ms"]))
    check(status["threads"] == 12 * fleet.vms, "%d threads", status["threads"])
    check_turns({t["up_to_ms"]: t["count"] for t in status["turns"]}, 50, "at first sight")


def some_at_a_time(host):
    """monitors that do not answer are not all asked at once, and are placed when they do"""
    fleet = Fleet(host, VMS)
    pids = [fleet.pid(vmid) for vmid in range(FIRST, FIRST + VMS)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        d = host.started(SETTINGS)
        asked = [retry(lambda n=n: len([v for v in d.vms().values()
                                        if v["state"] != "found"]) >= n and now(),
                       "%d are asked" % n, 20, step=0.001) for n in (1, VMS)]
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    took = asked[1] - asked[0]
    print("     %d VMs that hang are asked within %.2f s" % (VMS, took))
    # 32, and of the others 8 each 100 ms
    check(took > (VMS - 40) / 8 * 0.1 / 2, "%d are asked within %.3f s", VMS, took)
    retry(lambda: d.status()["managed"] == VMS, "all VMs are placed", 40)


def idle(host):
    """while nothing happens it sleeps"""
    _, d = started(host)
    quiet(d)
    before, used, woken, at = d.status(), d.cpu_ns(), switches(d), now()
    pass_time(4 * INTERVAL_S)
    used, woken, took = d.cpu_ns() - used, switches(d) - woken, now() - at
    print("     %.2f %% of a CPU, %.0f wakeups a second, %.1f MiB" % (
        used / took / 1e7, woken / took, d.memory_kib() / 1024))
    check_turns(turns_since(d, before), 20, "when idle")
    if instrumented():
        return
    check(used / took < 2e7, "idle CPU is %.1f %%", used / took / 1e7)
    check(woken / took < 60, "%.0f wakeups a second", woken / took)
    check(d.memory_kib() < 16 << 10, "RSS is %d KiB", d.memory_kib())


def answers(host):
    """status and list are answered soon, the list by all VMs in order"""
    fleet, d = started(host)
    for method, more in (("GetStatus", False), ("ListVMs", True)):
        times = [timed_call(d, method, more) for _ in range(20)]
        print("     %s: median %.1f ms" % (method, percentile(times, 50)))
        check(min(times) < 50 * SLACK, "%s takes %.1f ms at best", method, min(times))
    ids = [int(i) for i in d.vms()]
    check(ids == list(range(FIRST, FIRST + fleet.vms)), "listed are %s", ids)


def drift(host):
    """every VM's masks are broken at once, and repaired within two audits"""
    fleet, d = started(host)
    quiet(d)
    cpus = set(host.need_cpus(2))
    tids = [fleet.vcpu_tids(vmid)[0] for vmid in range(FIRST, FIRST + fleet.vms)]
    want = {t: mask(t) for t in tids}
    for t in tids:
        os.sched_setaffinity(t, cpus - want[t])
    retry(lambda: all(mask(t) == want[t] for t in tids), "all masks are repaired",
          2 * INTERVAL_S + 1)
    check(d.status()["repairs"] >= fleet.vms, "%d repairs", d.status()["repairs"])


def exchanged(host):
    """a thread for another one, so that their number stays, is found by the next audits"""
    fleet, d = started(host, 4)
    fleet.command("thread %d worker" % FIRST)
    retry(lambda: len(d.vm(FIRST)["threads"]) == 13, "the worker is seen", 5)
    old = {t["tid"] for t in d.vm(FIRST)["threads"]}
    fleet.command("unthread %d" % FIRST)
    fleet.command("thread %d worker" % FIRST)

    def seen():
        tids = {t["tid"] for t in d.vm(FIRST)["threads"]}
        return len(tids) == 13 and tids != old
    retry(seen, "the other worker is seen", INTERVAL_S + 1)


def come_and_go(host):
    """VMs that end, come back and change in masses are all as they should be"""
    fleet, d = started(host)
    last = FIRST + fleet.vms - 1
    fleet.command("plug %d-%d" % (FIRST, FIRST + 9))
    fleet.command("stop %d-%d" % (FIRST + 10, last))
    retry(lambda: d.status()["vms"] == 10, "ten are left", 10)
    fleet.command("start %d-%d" % (FIRST + 10, last))
    fleet.command("unplug %d" % FIRST)
    retry(lambda: d.status()["managed"] == fleet.vms, "all are placed again", 20)
    retry(lambda: not fleet.unpinned(), "all vCPUs are pinned", 20, step=0.1)
    retry(lambda: [d.vm(v)["vcpus"] for v in (FIRST, FIRST + 1, last)] == [8, 9, 8],
          "the vCPUs are known", 5)


def polled(host):
    """without CAP_SYS_PTRACE 64 monitors are polled, which is said once; others visited"""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        raise Skip("needs root and setpriv")
    fleet = Fleet(host, 66)
    d = host.daemon(SETTINGS)
    command = ["setpriv", "--bounding-set", "-sys_ptrace"] + d.command_line()
    d.command_line = lambda: command
    d.start()
    retry(lambda: d.status()["managed"] == fleet.vms, "all VMs are placed", 20)
    d.wait_line(r"; 64 monitors are polled already\)")
    check(len(d.lines(r"shared: yield$")) == 64, "%d are held", len(d.lines("shared: yield$")))
    check(len(d.lines(r"shared: brief \(.*CAP_SYS_PTRACE.*; 64 monitors are polled alr")) == 2,
          "why the others are not: %s", d.lines("shared: brief"))
    check(len(d.lines(r"no permission to watch monitors")) == 1, "told not once")
    gone = int(d.lines(r"vm (\d+): its monitor is shared: yield$")[0][1].group(1))
    fleet.command("stop %d" % gone)
    retry(lambda: any("63 monitors are polled" in w for w in d.status()["warnings"]),
          "status counts those that are left", 10)


if __name__ == "__main__":
    sys.exit(main([all_at_once, some_at_a_time, idle, answers, drift, exchanged, come_and_go,
                   polled], FleetHost))
