# SPDX-License-Identifier: MIT
"""Memory ends: each allocation of the parsers (over the fuzz corpora) and of commands
fails once, and some of the daemon's. abort() is a clean end: base/xalloc.h says so."""
import os
import random
import subprocess
import tempfile

from daemon import QMPIN, QMPIND
from fleet import FIRST
from life import Life
from runner import BUILD, SOURCE, check

NOMEM = os.path.join(BUILD, "tests", "faults", "nomem.so")
PARSERS = ("args cache cpulist ctl_conn escape host latfile mux optin planner private proc "
           "pve_feed pve_files qmp_stream record reply scenario settings shown sysfs varlink "
           "vmconf wire").split()
# Of more allocations, so many at even distances: in a file of a corpus, in a command.
MOST_FILE, MOST_COMMAND = 60, 150
ABORTED = 99
DATA = os.path.join(SOURCE, "tests", "data")
SCENARIO = os.path.join(DATA, "plan", "what-if.jsonl")
TOPOLOGY = os.path.join(DATA, "latency", "two-packages.xml")


class Tally:
    def __init__(self, name):
        self.name, self.bad = name, []
        self.allocations = self.runs = self.good = self.refused = self.aborted = 0

    def add(self, numbers, said):
        self.allocations += numbers[0]
        self.runs += numbers[1]
        self.good += numbers[2]
        self.refused += numbers[3]
        self.aborted += numbers[4]
        if numbers[5]:
            self.bad.append(said)

    def result(self):
        return dict(vars(self), memory=True, wrong="; ".join(self.bad))


def without_memory(tally, argv, most, directory):
    figures = os.path.join(directory, "figures")
    env = dict(os.environ, LD_PRELOAD=NOMEM, QMPIN_NOMEM=figures,
               QMPIN_NOMEM_MOST="%d" % most)
    p = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True,
                       errors="replace")
    check(os.path.exists(figures), "%s: no figures: %s", argv, p.stderr[-300:])
    with open(figures) as f:
        numbers = [int(n) for n in f.read().split()]
    os.unlink(figures)
    said = [line for line in p.stderr.splitlines()
            if "signal" in line or "ssertion" in line]
    tally.add(numbers, "%s: %s" % (" ".join(argv), "; ".join(said[:6])))


def parsers(only, part):
    """A tally for each."""
    found = []
    with tempfile.TemporaryDirectory() as directory:
        for name in PARSERS[part[0]::part[1]]:
            tally = Tally("parser %s" % name)
            corpus = os.path.join(SOURCE, "tests", "fuzz", "corpus", name)
            program = os.path.join(BUILD, "tests", "fuzz", "fuzz_" + name)
            if only not in tally.name:
                continue
            for file in sorted(os.listdir(corpus)):
                without_memory(tally, [program, os.path.join(corpus, file)], MOST_FILE,
                               directory)
            found.append(tally.result())
    return found


def commands(only, part):
    """The client and checks that need no daemon."""
    found = []
    with tempfile.TemporaryDirectory() as directory:
        settings = os.path.join(directory, "qmpin.conf")
        with open(settings, "w") as f:
            f.write("[qmpin]\nmode = pin\n[vm 100]\nmode = float\n[weights]\n")
        lines = [[QMPIN, "plan", "--topology", TOPOLOGY, SCENARIO], [QMPIN, "help"],
                 [QMPIN, "config", "check", "--config", settings],
                 [QMPIND, "--check-config", "--config", settings]]
        for argv in lines[part[0]::part[1]]:
            found += command(only, argv, directory)
    return found


def command(only, argv, directory):
    words = [os.path.basename(w) for w in argv]
    tally = Tally(" ".join(words))
    if only not in tally.name:
        return []
    without_memory(tally, argv, MOST_COMMAND, directory)
    if not tally.good:
        tally.bad.append("never succeeded")
    return [tally.result()]


def asked(only):
    """The client of a daemon, which must not care."""
    asks = [[QMPIN, *words] for words in (
        ("ps", "-j"), ("ps",), ("status",), ("explain", "%d" % FIRST), ("metrics",))]
    if not any(only in " ".join(a) for a in asks):
        return []
    life, found = Life(), []
    try:
        life.start()
        os.environ["QMPIN_RUN_DIR"] = life.daemon.run_dir
        with tempfile.TemporaryDirectory() as directory:
            for argv in asks:
                found += command(only, argv, directory)
        life.alive()
        life.wait_right()
    finally:
        os.environ.pop("QMPIN_RUN_DIR", None)
        life.end()
    return found


def daemon(only, seed, tries):
    """A daemon without memory ends; the next one finds all as it was."""
    tally = Tally("qmpind, then started again")
    if only not in tally.name:
        return []
    dice, life = random.Random(seed), Life()
    try:
        life.start()
        for _ in range(tries):
            life.daemon.kill()
            number = int(2 ** dice.uniform(0, 15))
            before = {t: life.mask_of(t) for t in life.vcpus()}
            life.daemon.env = {"LD_PRELOAD": NOMEM, "QMPIN_NOMEM_AT": "%d" % number}
            life.daemon.start(ready=False)
            for act in (Life.control, Life.hang_up, Life.rival):
                life.act(act, 0.2)
            code = life.ended(0.3)
            moved = [t for t, m in before.items() if life.mask_of(t) != m]
            life.daemon.kill()
            life.daemon.env = {}
            life.daemon.start()
            life.wait_right()
            moved += [t for t, m in before.items() if life.mask_of(t) != m]
            life.strangers()
            bad = code not in (None, 1, ABORTED) or moved
            tally.add([0, 1, code is None, code == 1, code == ABORTED, bool(bad)],
                      "allocation %d: status %s, moved %s" % (number, code, moved))
    finally:
        life.end()
    return [tally.result()]
