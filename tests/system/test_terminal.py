#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What qmpin shows on a narrow terminal, in a pipe, without colours, without headings:
every command, of a daemon with VMs, in real terminals."""
import os
import re
import subprocess
import sys

from daemon import QMPIN
from runner import SLACK, SOURCE, check, main
from terminal import on_terminal
from vmhost import Host

COLUMNS = 60
XML = os.path.join(SOURCE, "tests", "data", "latency", "two-packages.xml")
SCENARIO = os.path.join(SOURCE, "tests", "data", "plan", "what-if.jsonl")
NAME = "a-name-that-is-longer-than-most-and-still-allowed"
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")

# What is for people; each with its statuses besides 0. Metrics are not: whoever reads
# them reads lines.
SHOWN = (
    ("status",), ("ps",), ("ps", "-v"), ("ps", "123456789"), ("ps", "-v", "123456789"),
    ("explain", "100"), ("explain", "123456789"), ("topology",), ("config", "show"),
    ("topology", "--topology", XML), ("doctor",), ("config", "show", "--all"),
    ("latency",), ("latency", "0"), ("latency", "--topology", XML), ("heatmap",),
    ("heatmap", "--affinity"), ("heatmap", "--topology", XML),
    ("plan", "--topology", XML), ("plan", "--topology", XML, SCENARIO),
    ("plan", "--explain", "--topology", XML, SCENARIO), ("version",), ("help",),
    ("apply", "--all", "--dry-run"), ("release", "--all"), ("reload",),
    ("mode", "100", "pin"), ("restore", "100"), ("apply", "100"),
    ("mode", "100", "--reset"), ("monitor", "-n", "20"))
# Those that hold tables.
TABLES = (
    ("ps",), ("ps", "-v"), ("ps", "123456789"), ("ps", "-v", "123456789"),
    ("config", "show"), ("config", "show", "--all"), ("latency", "--topology", XML),
    ("latency", "3", "--topology", XML),
    ("plan", "--output-format", "text", "--topology", XML, SCENARIO))
GROUP = "a-group-not-on-this-host"
# Without audits nothing changes between two looks.
CONFIG = ("[qmpin]\nadopt = now\nrebalance = no\naudit_interval_ms = 60000\n"
          "control_group = %s\n[vm 100]\nmode = float\n" % GROUP)


def commands():
    """The names of all."""
    text = subprocess.run([QMPIN, "help"], capture_output=True, text=True, timeout=60,
                          check=True).stdout
    return re.findall(r"^  ([a-z]+) ", text.split("Commands:\n")[1].split("\n\n")[0],
                      re.M)


def terminal(d, *args, columns=COLUMNS, **env):
    """What it shows but for errors, which are a line each."""
    until = rb"vm 100:.*\n" if args[0] == "monitor" else None
    return on_terminal([QMPIN, "--run-dir", d.run_dir, *args], columns, until,
                       (0, 1) if args[0] == "doctor" else (0,),
                       errors=subprocess.DEVNULL, **env)


def pipe(d, *args, columns=COLUMNS):
    p = subprocess.run([QMPIN, "--run-dir", d.run_dir, *args], text=True, timeout=60 * SLACK,
                       stdin=subprocess.DEVNULL, capture_output=True, check=False,
                       env=dict(os.environ, COLUMNS=str(columns), LC_ALL="C.UTF-8"))
    check(p.returncode == 0, "%s: %d %s", args, p.returncode, p.stderr)
    return p.stdout


def check_width(args, text):
    for line in ESCAPE.sub("", text).splitlines():
        check(len(line) <= COLUMNS or len(line.split()) == 1, "%s: %d columns: %s",
              " ".join(args), len(line), line)


def host_with_vms(host):
    cpus = host.need_cpus(2)
    host.start_vm(100, vcpus=2, cpus=cpus)
    host.start_vm(123456789, vcpus=1, maxcpus=3, cpus=cpus,
                  more=("-name", NAME + ",debug-threads=on"))
    d = host.started(CONFIG)
    d.wait_settled(100, 123456789)
    return d


def narrow(host):
    """at 60 columns no line is longer but for one word, with and without colours"""
    d = host_with_vms(host)
    coloured = set()
    for args in SHOWN:
        text = terminal(d, *args)
        check_width(args, text)
        coloured |= {args[0]} if "\x1b" in text else set()
    check({"monitor", "heatmap", "topology"} <= coloured, "colours: %s", coloured)
    for args in (("heatmap",), ("doctor",), ("monitor",), ("topology",)):
        check("\x1b" not in terminal(d, *args, NO_COLOR="1"), "%s: NO_COLOR", args)
        check("\x1b" not in terminal(d, *args, TERM="dumb"), "%s: TERM=dumb", args)


def helped(host):
    """at 60 columns the help of every command has no line that is longer"""
    d = host.daemon()
    for name in commands():
        check_width((name,), terminal(d, name, "--help"))
        wide = terminal(d, name, "--help", columns=80)
        check(wide == pipe(d, name, "--help"), "%s --help: at 80 columns", name)


def piped(host):
    """in a pipe there are neither colours nor cuts; --no-heading leaves out headings and
    nothing else"""
    d = host_with_vms(host)
    for args in (("ps",), ("ps", "-v"), ("explain", "100"), ("heatmap",), ("topology",),
                 ("config", "show", "--all"), ("monitor", "-j")):
        if args[0] != "monitor":
            check("\x1b" not in pipe(d, *args), "%s: escapes", args)
    listed = pipe(d, "ps")
    check(NAME in listed and "..\n" not in listed and ".. " not in listed, "%s", listed)
    check(GROUP in pipe(d, "config", "show"), "cut")
    check(len(listed.splitlines()) == 3, "a line for each VM: %s", listed)
    for args in TABLES:
        whole = pipe(d, *args).splitlines()
        bare = pipe(d, *args, "--no-heading").splitlines()
        heads = [line for line in whole if re.fullmatch(r" *[A-Z]{2,}( +[A-Z]+)+", line)]
        check(heads and bare == [line for line in whole if line not in heads],
              "%s: %s and\n%s", " ".join(args), "\n".join(whole), "\n".join(bare))


if __name__ == "__main__":
    sys.exit(main([helped, narrow, piped], Host))
