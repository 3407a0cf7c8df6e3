#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""All benchmarks in their short forms, one after the other: what sharing costs others,
what placements are worth, measuring latencies, reactions of the engine, many VMs.

  bench.py [--out DIR] [NAME...]          share place probe engine scale

Writes DIR/bench.json, {machine, rows: [{bench, name, unit, value, ratio, to}]}, and
DIR/bench.md, the same as a table. What the programs print goes to DIR/bench.log.
"""
import argparse
import json
import os
import platform
import subprocess
import sys

sys.dont_write_bytecode = True

from figures import Figures, load
from runner import BUILD, now
from vmhost import HERE, allowed

# A benchmark that takes longer is ended.
LIMIT_S = 400
BENCHES = ("share", "place", "probe", "engine", "scale")


class Bench:
    """Runs programs, and keeps what they say."""

    def __init__(self, out):
        self.out, self.rows, self.failed = out, [], []
        self.log = open(os.path.join(out, "bench.log"), "w")

    def path(self, name):
        return os.path.join(self.out, "bench.%s.tmp" % name)

    def run(self, name, *argv, stdout=None):
        """Whether there is a result."""
        self.log.write("\n=== %s\n" % " ".join(argv))
        self.log.flush()
        if not stdout:
            open(self.path(name), "w").close()
        try:
            code = subprocess.run(argv, stdin=subprocess.DEVNULL, stderr=self.log,
                                  stdout=stdout or self.log, timeout=LIMIT_S).returncode
        except subprocess.TimeoutExpired:
            code = "a time limit of %d s" % LIMIT_S
        if code not in (0, 77):
            self.failed.append("%s ended with %s" % (name, code))
        # A target that was missed is a result too.
        return code in (0, 1) and os.path.getsize(self.path(name)) > 0

    def python(self, name, program, *more):
        if self.run(name, sys.executable, "-B", os.path.join(HERE, program), "--json",
                    self.path(name), *more):
            self.take(name, load(self.path(name)))

    def take(self, name, rows):
        self.rows += [dict({"bench": name}, **row) for row in rows]

    def share(self):
        self.python("share", "bench_share.py", "--short")

    def place(self):
        """J of the planner and of the ways that it is compared with, by host and load."""
        if not self.run("place", os.path.join(BUILD, "tests", "bench", "bench_place"),
                        "--hosts", "9354", "--json", self.path("place")):
            return
        figures = Figures()
        for row in load(self.path("place"))["rows"]:
            figures.add("%s: %s" % (row["of"], row["policy"]), row["J"], "J",
                        row["ratio"], "numad")
        self.take("place", figures.rows)

    def probe(self):
        """Nanoseconds of a pair and how long it takes, beside what others do."""
        with open(self.path("probe"), "w") as f:
            if not self.run("probe", os.path.join(BUILD, "tests", "bench", "bench_probe"),
                            "10", stdout=f):
                return
        with open(self.path("probe")) as f:
            ways = json.loads(f.read().splitlines()[-1])
        figures, to = Figures(), "minimum of samples"
        for way in [w for w in ways if w != "cpus"]:
            for state in ("idle", "busy"):
                it, other = ways[way][state], ways[to][state]
                for key, unit in (("ns", "ns"), ("scatter_pct", "%"), ("wall_us", "us")):
                    figures.add("%s, %s: %s" % (way, state, key.split("_")[0]), it[key],
                                unit, it[key] / other[key] if other[key] else None, to)
        self.take("probe", figures.rows)

    def engine(self):
        self.python("engine", "measure.py", "--runs", "5", "--vms", "4", "--idle", "10")

    def scale(self):
        self.python("scale", "bench_scale.py", "--idle", "10", "10", "100", "300")

    def end(self):
        self.log.close()
        for name in BENCHES:
            if os.path.exists(self.path(name)):
                os.unlink(self.path(name))


def machine():
    with open("/proc/loadavg") as f:
        load_average = float(f.read().split()[0])
    return {"kernel": platform.release(), "arch": platform.machine(),
            "cpus": len(allowed()), "load": load_average}


def write_table(path, about, rows):
    with open(path, "w") as f:
        f.write("Linux %(kernel)s, %(arch)s, %(cpus)d CPUs, load at the beginning "
                "%(load).1f\n\n" % about)
        f.write("| bench | what | value | unit | ratio | to |\n")
        f.write("| --- | --- | --: | --- | --: | --- |\n")
        for r in rows:
            ratio = "" if r["ratio"] is None else "%.3g" % r["ratio"]
            f.write("| %s | %s | %.4g | %s | %s | %s |\n" % (
                r["bench"], r["name"], r["value"], r["unit"], ratio, r["to"] or ""))


def main():
    parser = argparse.ArgumentParser(description="Run all benchmarks in short forms.")
    parser.add_argument("--out", default=".")
    parser.add_argument("names", nargs="*", metavar="NAME")
    a = parser.parse_args()
    about, bench = machine(), Bench(a.out)
    for name in a.names or BENCHES:
        if name not in BENCHES:
            parser.error("no benchmark is called %s" % name)
        began, had = now(), len(bench.rows)
        getattr(bench, name)()
        print("%s: %d numbers, %.0f s" % (name, len(bench.rows) - had, now() - began),
              flush=True)
    bench.end()
    with open(os.path.join(a.out, "bench.json"), "w") as f:
        json.dump({"machine": about, "rows": bench.rows}, f, indent=1)
        f.write("\n")
    write_table(os.path.join(a.out, "bench.md"), about, bench.rows)
    for text in bench.failed:
        print(text)
    return 1 if bench.failed else 0


if __name__ == "__main__":
    sys.exit(main())
