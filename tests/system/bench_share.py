#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What qmpind costs the others who use a VM's monitor: rivals like Proxmox's tools on 8
VMs, without qmpind and with it in turns, so that the noise of the machine is in both.

  bench_share.py [--short] [--vms 8] [--seed N] [--json FILE] [WAY:VERSION]...

Kinds of use: each command finds qmpind holding (or would, without it); or one command
after the other. By one rival, or by four at once: those that find us holding begin at the
same moment. What is added is the median over the rounds. Exit status 1 when a target is missed:

  all      no command fails
  private  what it adds is noise: no more than the idle rounds differ among themselves
  proxy    p99 at most 1 ms more
  yield    one rival: median at most 1 ms and p99 at most 5 ms more
  all but private, four rivals: no more EAGAIN retries than the idle rounds' rate
           would give in 99 of 100 repetitions
"""
import argparse
import math
import statistics
import sys
import tempfile

sys.dont_write_bytecode = True

from figures import Figures
from runner import check, main as run_cases, retry
from sharing import config, quantile, run_rival, start_vms, unharmed
from vmhost import Host

WAYS = ("private:11.1", "yield:7.2", "yield:10.0", "brief:7.2", "proxy:7.2", "proxy:11.1")
# Kind of use: its options. A VM rests for 8 pauses: qmpind is back after 100-250 ms.
HELD = ["--look", "--gap-ms", "45", "--jitter-ms", "15"]
KINDS = {
    "held, 1": HELD,
    "held, 4": HELD + ["--rivals", "4", "--together"],
    "busy, 1": [],
    "busy, 4": ["--rivals", "4"],
}
# Commands of a kind that a rival sends to each of 8 VMs in one round.
FULL = {"held, 1": 16, "held, 4": 4, "busy, 1": 160, "busy, 4": 40}
SHORT = {"held, 1": 3, "held, 4": 1, "busy, 1": 40, "busy, 4": 10}
FULL_ROUNDS, SHORT_ROUNDS = 8, 2
# Rounds may happen to differ little: less than this is noise too, in microseconds.
FLOOR_MEDIAN, FLOOR_P99 = 100, 500
FIGURES = Figures()


class Side:
    """All rounds of one kind without or with qmpind."""

    def __init__(self):
        self.rounds, self.commands, self.held, self.eagain, self.failed = [], 0, 0, 0, 0

    def add(self, result, samples):
        self.rounds.append(samples)
        self.commands += result["commands"]
        self.held += result["held"]
        self.eagain += result["eagain"]
        self.failed += result["failed"]

    def all(self):
        return [s for samples in self.rounds for s in samples]

    def at(self, q):
        return quantile(self.all(), q)

    def spread(self, q):
        """How much rounds differ."""
        values = [quantile(samples, q) for samples in self.rounds]
        return max(values) - min(values)


def one_round(host, vms, kind, count, side, seed):
    with tempfile.NamedTemporaryFile("r", dir=host.dir) as f:
        result = run_rival(host, vms, *KINDS[kind], "--count", count, "--samples", f.name,
                           "--seed", seed, timeout=300)
        unharmed(result, kind)
        side.add(result, [int(line.split()[1]) for line in f])


def wait_held(d, way, vms):
    """It is back everywhere."""
    def back():
        found = d.vms()
        return all(found[str(vm.id)]["share"] == way and
                   found[str(vm.id)]["state"] == "watching" for vm in vms)
    retry(back, "all are shared: %s" % way)


def measure(host, way, version, counts, rounds, n_vms, seed):
    """kind -> (without, with)."""
    vms = start_vms(host, version, range(100, 100 + n_vms))
    # What is measured is the sharing: masks would stay for the rounds without qmpind.
    d = host.daemon(config(way).replace("mode = pin", "mode = observe"))
    sides = {kind: (Side(), Side()) for kind in KINDS}
    for i in range(rounds):
        # Without first, then with first, in turns.
        for present in (0, 1) if i % 2 == 0 else (1, 0):
            if present:
                d.start()
                wait_held(d, way, vms)
            for kind in KINDS:
                one_round(host, vms, kind, counts[kind], sides[kind][present],
                          seed + i)
                if present:
                    wait_held(d, way, vms)
            if present:
                if way == "private":
                    code, _, err = d.command("release", "--all")
                    check(code == 0, "release ended with %d: %s", code, err)
                d.stop()
    return sides


def eagain_bound(idle, n):
    """Retries among n commands that the rate of the idle rounds gives in 99 of 100
    repetitions; both are samples."""
    p = min(1.0, (idle.eagain + 1) / idle.commands)
    return n * p + 2.33 * math.sqrt(2 * n * p * (1 - p)) + 1


def added(idle, busy, q):
    """The median over the rounds, each compared with the one beside it."""
    return statistics.median(quantile(with_us, q) - quantile(without, q)
                             for without, with_us in zip(idle.rounds, busy.rounds))


def judge(way, kind, idle, busy, short):
    """What of the targets is missed."""
    missed = []
    median, p99 = added(idle, busy, 0.5), added(idle, busy, 0.99)

    def bound(what, value, limit, unit=" us"):
        if value > limit:
            missed.append("%s, %s: %s %.0f%s, at most %.0f" % (way, kind, what, value,
                                                            unit, limit))
    if busy.failed or idle.failed:
        missed.append("%s, %s: %d failed" % (way, kind, busy.failed))
    if way == "private":
        if kind.endswith("1") or not short:
            bound("median added", median, max(FLOOR_MEDIAN, idle.spread(0.5)))
        if not short:
            bound("p99 added", p99, max(FLOOR_P99, idle.spread(0.99)))
    elif kind.endswith("1") and way == "yield":
        bound("median added", median, 1000)
        if not short:
            bound("p99 added", p99, 5000)
    elif way == "proxy" and not short:
        bound("p99 added", p99, 1000)
    elif way == "proxy":
        bound("median added", median, 1000)
    if kind.endswith("4") and way != "private":
        bound("EAGAIN retries", busy.eagain, eagain_bound(idle, busy.commands),
              "")
    if kind.startswith("held") and way in ("yield", "proxy") and kind.endswith("1") and \
            busy.held < 0.9 * busy.commands:
        missed.append("%s, %s: only %d of %d found us holding" % (
            way, kind, busy.held, busy.commands))
    return missed


HEAD = ("way", "QEMU", "use", "commands", "held", "failed", "EAGAIN", "bound", "median",
        "added", "p99", "added")


def row(way, version, kind, idle, busy):
    return (way, version, kind, "%d" % busy.commands, "%d" % busy.held,
            "%d" % (busy.failed + idle.failed), "%d/%d" % (idle.eagain, busy.eagain),
            "%.0f" % eagain_bound(idle, busy.commands),
            "%.2f" % (idle.at(0.5) / 1e3),
            "%+.2f" % (added(idle, busy, 0.5) / 1e3),
            "%.2f" % (idle.at(0.99) / 1e3),
            "%+.2f" % (added(idle, busy, 0.99) / 1e3))


def figure(way, version, kind, idle, busy):
    """With qmpind, and beside without."""
    for what, q in (("median", 0.5), ("p99", 0.99)):
        alone = idle.at(q)
        FIGURES.add("%s on QEMU %s, %s: %s" % (way, version, kind, what),
                    busy.at(q) / 1e3, "ms", busy.at(q) / alone if alone else None,
                    "without qmpind")


def print_table(rows):
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    for r in rows:
        print("     " + "  ".join(
            cell.ljust(w) if i < 3 else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(r, widths))))


def bench(host, way, version, short=True, n_vms=8, seed=1):
    """Measure, print, and fail when a target is missed."""
    sides = measure(host, way, version, SHORT if short else FULL,
                    SHORT_ROUNDS if short else FULL_ROUNDS, n_vms, seed)
    print_table([HEAD] + [row(way, version, kind, *sides[kind]) for kind in KINDS])
    for kind in KINDS:
        figure(way, version, kind, *sides[kind])
    missed = [m for kind in KINDS for m in judge(way, kind, *sides[kind], short)]
    check(not missed, "%s", "; ".join(missed))


def case(way, version, **more):
    def run(host):
        bench(host, way, version, **more)
    run.__doc__ = "what %s costs others on QEMU %s" % (way, version)
    run.__name__ = way
    return run


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--vms", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json")
    parser.add_argument("ways", nargs="*", default=WAYS, metavar="WAY:VERSION")
    args = parser.parse_args()
    sys.argv[1:] = []
    print("times in ms; EAGAIN: retries without/with qmpind, and the most that would be "
          "chance")
    code = run_cases([case(*way.split(":"), short=args.short, n_vms=args.vms,
                           seed=args.seed) for way in args.ways], Host, limit_s=3600)
    FIGURES.save(args.json)
    return code


if __name__ == "__main__":
    sys.exit(main())
