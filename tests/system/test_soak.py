#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""VMs come and go, ten a second, around one qmpind that is killed at any moment for a
third of the time and then left alone: what it takes must not grow.

QMPIN_SOAK: 1 is 15 s (make check), 40 ten minutes, 240 an hour with a thousand kills.
"""
import os
import random
import re
import sys
import threading

from churn import IDS, QEMU_ID, Churn
from daemon import instrumented
from fleet import SETTINGS, FleetHost, children, percentile, timed_call
from runner import SLACK, Failed, check, main, now, pass_time, retry
from vmhost import cpus_of, mask

SOAK = float(os.environ.get("QMPIN_SOAK", "1"))
SEED = int(os.environ.get("QMPIN_SEED", "1"))
KILLS, CALM_S = int(1000 / 240 * SOAK), 10 * SOAK
GAP_S = 0.8
# What the daemon remembers (decisions, histories of ids) is full after so many VMs, which
# go by at this rate; a short run has no time for it.
FILLED, FILL_RATE = (2000, 40) if SOAK >= 10 else (0, 0)
# What the line through all samples may rise from the first to the last.
GROWTH_KIB, GROWTH_FILES = (256, 5) if SOAK >= 10 else (2048, 25)
# A VM has five; what else is open for a while is less than one for each id.
SPARE_FILES = IDS


class Asker(threading.Thread):
    """Somebody asks twenty times a second; how long he waits, in ms."""

    def __init__(self, d):
        super().__init__(daemon=True)
        self.d, self.times, self.failed = d, [], []
        self._end = threading.Event()
        self.start()

    def run(self):
        while not self._end.wait(0.05):
            try:
                self.times.append(timed_call(self.d, "GetStatus"))
            except (OSError, Failed) as e:
                self.failed.append(str(e))

    def stop(self):
        self._end.set()
        self.join()
        check(not self.failed, "%d calls failed: %s", len(self.failed), self.failed[:1])
        check(self.times, "nobody was answered")


class Gauge:
    """What the daemon takes, from time to time."""

    def __init__(self, d):
        self.d, self.rows, self._due = d, [], 0.0

    def sizes(self):
        """Resident KiB (smaps_rollup: the numbers of status are rounded), files, threads
        and children."""
        pid = self.d.pid
        with open("/proc/%d/smaps_rollup" % pid) as f:
            rss = int(re.search(r"^Rss:\s+(\d+) kB", f.read(), re.M).group(1))
        return (rss, len(os.listdir("/proc/%d/fd" % pid)),
                len(os.listdir("/proc/%d/task" % pid)), len(children(pid)))

    def sample(self):
        if now() >= self._due:
            self._due = now() + 1
            self.rows.append((now(),) + self.sizes())

    def growth(self, column):
        """What the line through the samples rises from first to last; the first fifth
        is not taken."""
        rows = self.rows[len(self.rows) // 5:]
        check(len(rows) > 2, "only %d samples", len(rows))
        xs, ys = [r[0] for r in rows], [r[column] for r in rows]
        x, y = sum(xs) / len(xs), sum(ys) / len(ys)
        slope = sum((a - x) * (b - y) for a, b in zip(xs, ys)) / \
            sum((a - x) ** 2 for a in xs)
        return slope * (xs[-1] - xs[0])


class Scene:
    """The churn and its daemon."""

    def __init__(self, host):
        self.random = random.Random(SEED)
        self.churn = Churn(host, self.random)
        # A VM that waits for a CPU on a busy machine would be widened.
        self.d = host.started(SETTINGS + "widen_wait_pct = 0\n")
        self.told, self.again, self.kills = {}, [], 0
        self.recent = []

    def read_log(self):
        """Errors are wrong; kinds of warnings are counted."""
        self.d.lines("^$")
        lines = self.d.log[:]
        del self.d.log[:len(lines)]
        self.recent = (self.recent + [line for _, line in lines])[-500:]
        for _, line in lines:
            check("error:" not in line and "Sanitizer" not in line, "logged: %s", line)
            if "warning:" in line:
                kind = re.sub(r"\d+", "N", line)
                self.told[kind] = self.told.get(kind, 0) + 1

    def right(self):
        """All VMs there are, and no others, have what is wanted for them."""
        found = {int(i): vm for i, vm in self.d.vms().items()}
        vms = self.churn.vms
        # The files of a QEMU that crashed stay, and nobody is behind them.
        found = {i: vm for i, vm in found.items()
                 if vm["pid"] or vm["state"] not in ("found", "gone")}
        listed = {(i, vm["pid"], vm["state"]) for i, vm in found.items()}
        there = {(i, vm.pid, "watching") for i, vm in vms.items()}
        check(listed == there, "listed %s; there %s", listed - there, there - listed)
        for i, vm in found.items():
            check(vm["threads"], "vm %d: no threads: %s", i, vm["note"])
            wrong = [t for t in vm["threads"] if t["class"] != "worker" and (
                t["want"] is None or
                mask(t["tid"]) not in (None, cpus_of(t["want"])))]
            check(not wrong, "vm %d: %s", i, wrong)
            check(vms[i].placed(), "vm %d is not placed: %s", i, vm["note"])
        check(self.records() == set(vms), "records of %s", sorted(self.records()))
        return True

    def wait_right(self):
        retry(self.right, "all is as it should be", 15, step=0.02)
        for vm in self.churn.waiting.values():
            vm.began = now()
        self.read_log()

    def records(self):
        return {int(n[:-5]) for n in os.listdir(self.d.run_dir)
                if re.fullmatch(r"\d+\.json", n)}

    def others_in_run_dir(self):
        return sorted(n for n in os.listdir(self.d.run_dir)
                      if not re.fullmatch(r"\d+\.json", n))

    def kill(self):
        """At any moment, and sometimes again before it is ready."""
        self.d.kill()
        done = self.judge_dead()
        self.kills += 1
        placed = {vm.id: vm.masks() for vm in self.churn.vms.values()
                  if vm.id in done and vm.id != QEMU_ID and vm.placed()}
        if self.random.random() < 0.3:
            self.d.start(ready=False)
            pass_time(0.15 * self.random.random())
            self.d.kill()
            self.judge_dead()
            self.kills += 1
        began = now()
        self.d.start()
        self.wait_right()
        self.again.append(now() - began)
        self.churn.judge()
        for vmid, before in placed.items():
            vm = self.churn.vms[vmid]
            after = vm.masks()
            # The others go where the last vCPU that was plugged does, if not yet.
            moved = [t for t in vm.vcpus() if t in before and after.get(t) != before[t]]
            check(not moved, "vm %d: vCPUs %s were moved by a new daemon: %s", vmid,
                  moved, [x for x in self.recent if "vm %d:" % vmid in x][-8:])

    def judge_dead(self):
        """The VMs of which all was done."""
        self.churn.judge()
        return self.churn.judge_records(self.d.run_dir)


def killed(scene):
    """kill -9 again and again, each followed by a look at all threads."""
    began, files = now(), scene.others_in_run_dir()
    while scene.kills < KILLS:
        scene.churn.run(3 * GAP_S * scene.random.random() ** 2)
        scene.kill()
    check(scene.others_in_run_dir() == files, "in the run directory: %s",
          scene.others_in_run_dir())
    print("     %d kills in %.0f s, %d VMs exchanged meanwhile; all right again after: "
          "median %.2f s, most %.2f s" % (scene.kills, now() - began,
                                          scene.churn.exchanged,
                                          percentile(scene.again, 50), max(scene.again)))


def calm(scene):
    """One daemon for all the time that is left."""
    churn, d = scene.churn, scene.d
    churn.exchanged = 0
    while churn.exchanged < FILLED:
        churn.run(1, churn.look, FILL_RATE)
        scene.read_log()
    scene.wait_right()
    churn.exchanged = churn.early = 0
    churn.took.clear()
    gauge = Gauge(d)
    first = gauge.sizes()
    pid, began, asker = d.pid, now(), Asker(d)

    def every():
        churn.look()
        gauge.sample()
        if churn.exchanged % 20 == 0:
            churn.judge()
            scene.read_log()
    churn.run(CALM_S, every)
    took_s = now() - began
    asker.stop()
    scene.wait_right()
    churn.judge()
    check(d.pid == pid and d.process.poll() is None, "the daemon has ended")
    report(scene, gauge, asker, took_s)
    judge_sizes(gauge, first)


def report(scene, gauge, asker, took_s):
    churn = scene.churn
    status = scene.d.status()
    print("     %.0f s, %.1f VMs exchanged a second, %d QEMUs, %d passes, %d repairs" % (
        took_s, churn.exchanged / took_s, churn.qemus, status["passes"],
        status["repairs"]))
    if churn.took:
        print("     placed after: median %.2f s, p99 %.2f s, most %.2f s of %d; ended "
              "before: %d" % (percentile(churn.took, 50), percentile(churn.took, 99),
                              max(churn.took), len(churn.took), churn.early))
    print("     GetStatus: median %.1f ms, p99 %.1f ms, most %.1f ms of %d" % (
        percentile(asker.times, 50), percentile(asker.times, 99), max(asker.times),
        len(asker.times)))
    print("     rises by %.0f KiB (from %d), %.2f files (from %d), %.2f threads" % (
        gauge.growth(1), gauge.rows[0][1], gauge.growth(2), gauge.rows[0][2],
        gauge.growth(3)))
    for kind, count in scene.told.items():
        print("     %d times: %s" % (count, kind))


def judge_sizes(gauge, first):
    """Flat while it goes on, and as before when it is over."""
    if not instrumented():
        check(gauge.growth(1) < GROWTH_KIB, "it grows by %.0f KiB", gauge.growth(1))
    check(gauge.growth(2) < GROWTH_FILES, "%.1f files more", gauge.growth(2))
    retry(lambda: gauge.sizes()[1] < first[1] + SPARE_FILES,
          "files are closed, at first %d" % first[1])
    check({r[3] for r in gauge.rows} == {first[2]}, "threads vary")
    # Readers of Proxmox's files come and go.
    check(min(r[4] for r in gauge.rows[-5:]) <= first[3], "children stay")


def churn_and_kills(host):
    """VMs come and go, the daemon is killed: all is right after each, and nothing grows"""
    scene = Scene(host)
    scene.wait_right()
    killed(scene)
    calm(scene)


if __name__ == "__main__":
    sys.exit(main([churn_and_kills], FleetHost, limit_s=120 + 45 * SOAK))
