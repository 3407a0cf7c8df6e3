#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Drift: masks that somebody else changed are put right within one audit interval."""
import os
import subprocess
import sys

from runner import SLACK, check, holds, main, now, retry
from vmhost import Host, cpulist, mask, taskset

INTERVAL_S = 2.0
RUNS = int(os.environ.get("QMPIN_DRIFT_RUNS", "4"))


def repaired(tid, want, timeout=INTERVAL_S + 1):
    began = now()
    retry(lambda: mask(tid) == want, "thread %d has %s again" % (tid, cpulist(want)),
          timeout, step=0.001)
    return now() - began


def one_vcpu(host):
    """one vCPU's mask, broken with taskset, again and again"""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=2, cpus=cpus)
    d = host.started()
    d.wait_settled(100)
    tid = vm.vcpus()[0]
    want = mask(tid)
    took = []
    for i in range(RUNS):
        # At other moments of the audit's interval each time.
        end = now() + INTERVAL_S * i / RUNS
        retry(lambda: now() >= end, "the time has come")
        taskset(tid, set(cpus) - want if i % 2 else set(cpus))
        took.append(repaired(tid, want))
        retry(lambda: d.settled(100), "VM 100 is settled", 3)
    took.sort()
    print("     repaired after: median %.2f s, max %.2f s of %d" % (
        took[len(took) // 2], took[-1], len(took)))
    check(took[-1] <= (INTERVAL_S + 0.2) * SLACK, "the slowest took %.2f s", took[-1])
    check(d.vm(100)["repairs"] >= RUNS, "ps counts %d repairs", d.vm(100)["repairs"])
    check(d.status()["repairs"] >= RUNS, "status counts %d", d.status()["repairs"])


def all_threads(host):
    """all threads of a VM at once, the other VM is not touched"""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=2, cpus=cpus)
    other = host.start_vm(101, vcpus=2, cpus=cpus)
    d = host.started()
    d.wait_settled(100, 101)
    # Pool workers come and go: they are left alone while they are young.
    retry(lambda: now() > d.began + INTERVAL_S, "no thread is young")
    want, others = vm.masks(), other.masks()
    for tid in want:
        os.sched_setaffinity(tid, cpus[:1] if want[tid] != {cpus[0]} else cpus[1:])
    retry(lambda: all(mask(t) in (want[t], None) for t in want), "all masks are right",
          INTERVAL_S + 1)
    check(other.masks() == others, "VM 101 was touched")
    d.wait_settled(100, 101)


def told(host):
    """a repair is one line that says drift, from and to"""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=2, cpus=cpus)
    d = host.started()
    d.wait_settled(100)
    tid = vm.vcpus()[1]
    want, since = mask(tid), now()
    taskset(tid, cpus)
    d.wait_line(r"vm 100: vCPU 1 %s -> %s .*drift" % (cpulist(cpus), cpulist(want)),
                INTERVAL_S + 1, since)


def taskset_all(host):
    """taskset -a is recognised, counted, and remembered by qmpin explain"""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=2, cpus=cpus)
    d = host.started()
    d.wait_settled(100)
    # Pool workers come and go: they are left alone while they are young.
    retry(lambda: now() > d.began + INTERVAL_S, "no thread is young")
    want, since = vm.masks(), now()
    subprocess.run(["taskset", "-a", "-c", "-p", cpulist(cpus), str(vm.pid)], check=True,
                   stdout=subprocess.DEVNULL)
    line = (r"vm 100: vCPU .*drift: all \d+ threads set to %s at once, as taskset -a does"
            % cpulist(cpus))
    d.wait_line(line, INTERVAL_S + 1, since)
    retry(lambda: all(mask(t) in (want[t], None) for t in want), "all masks are right",
          INTERVAL_S + 1)
    check({"kind": "all", "repairs": 1} in d.vm(100)["drifts"], "drifts %s",
          d.vm(100)["drifts"])
    history = d.call("Explain", id="100")["history"]
    check(any("as taskset -a does" in h["text"] for h in history), "history %s", history)


def short_interval(host):
    """audit_interval_ms is obeyed"""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=2, cpus=cpus)
    d = host.started("[qmpin]\nmode = pin\nadopt = now\naudit_interval_ms = 200\n")
    d.wait_settled(100)
    tid = vm.vcpus()[0]
    want = mask(tid)
    taskset(tid, cpus)
    took = [repaired(tid, want, 1)]
    # with the default of 2 s it would take about that, but for the first time
    while len(took) < 2 or min(took[1:]) >= 1.0:
        check(len(took) < 10, "the repairs took %s s", took)
        taskset(tid, cpus)
        took.append(repaired(tid, want, 1))


def quiet(host):
    """right masks are left alone: no sets, no lines while nothing happens"""
    cpus = host.need_cpus(2)
    host.start_vm(100, vcpus=2, cpus=cpus)
    d = host.started()
    d.wait_settled(100)
    retry(lambda: d.lines(r"vm 100: its monitor is shared"), "all is told")
    since, repairs = now(), d.vm(100)["repairs"]
    holds(lambda: not d.lines(r"vm 100:", since), "the log is quiet",
          2 * INTERVAL_S + 0.5)
    check(d.vm(100)["repairs"] == repairs, "repairs without drift")


if __name__ == "__main__":
    sys.exit(main([one_vcpu, all_threads, told, taskset_all, short_interval, quiet], Host))
