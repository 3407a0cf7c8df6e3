#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""qmpin topology and qmpin metrics: what they show of real VMs is so."""
import contextlib
import json
import os
import re
import subprocess
import sys

from daemon import QMPIN, interface
from runner import SLACK, check, main, retry
from test_topology import tree
from vmhost import Host, Qmp, cpus_of, taskset

SAMPLE = re.compile(r'(?P<name>[a-z_]+)(?:\{(?P<labels>[^}]*)\})? (?P<value>\S+)$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def samples(text):
    """{(name, (label values)): value} of metrics; each has a HELP and a TYPE."""
    told, found = set(), {}
    for line in text.splitlines():
        if line.startswith("#"):
            told.add(line.split()[2])
            continue
        m = SAMPLE.match(line)
        check(m, "no sample: %s", line)
        base = re.sub("_(sum|count|bucket)$", "", m["name"])
        check(told & {m["name"], base}, "no HELP: %s", line)
        key = m["name"], tuple(v for _, v in LABEL.findall(m["labels"] or ""))
        check(key not in found, "twice: %s", line)
        found[key] = float(m["value"])
    return found


def shown(d, *args, columns=80):
    """What a command prints in a pipe of so many columns."""
    p = subprocess.run([QMPIN, "--run-dir", d.run_dir, *args], capture_output=True,
                       text=True, timeout=60, env=dict(os.environ, COLUMNS=str(columns)))
    check(p.returncode == 0 and p.stderr == "", "%s: %d %s", args, p.returncode, p.stderr)
    return p.stdout


def check_metrics(host, d):
    """All that can be counted here, before and after somebody changed a mask."""
    before = samples(shown(d, "metrics"))
    check(before["qmpin_vms", ()] == 2 == before["qmpin_vms_managed", ()], "%s", before)
    check(before["qmpin_vms_by_mode", ("pin",)] == 2, "modes")
    check(before["qmpin_vm_vcpus", ("100",)] == 2, "vCPUs")
    check(before["qmpin_pass_duration_seconds_count", ()] >= 1, "passes")
    check(before["qmpin_masks_set_total", ()] >= 1, "masks set")
    check(before["qmpin_guard_up", ()] == 1, "no guard")
    with contextlib.closing(Qmp(host.path("vm", "101.qmp"))):
        pass
    taskset(host.vms[100].vcpus()[0], host.need_cpus(2))
    after = retry(lambda: (lambda s: s["qmpin_repairs_total", ()] > 0 and s)(
        samples(shown(d, "metrics"))), "a repair is counted", 10)
    check(after["qmpin_vm_repairs_total", ("100",)] == 1, "of VM 100")
    waits = [after["qmpin_monitor_yield_seconds_" + k, ()] for k in ("count", "sum")]
    check(waits[0] >= 1 and 0 <= waits[1] < 10 * SLACK, "rivals: %s", waits)
    check(after["qmpin_drifts_total", ("thread",)] == 1, "its kind")
    check(after["qmpin_masks_set_total", ()] > before["qmpin_masks_set_total", ()], "set")
    path = host.path("qmpin.prom")
    check(shown(d, "metrics", "-o", path) == "", "with -o nothing is shown")
    with open(path) as f:
        check(samples(f.read()).keys() == after.keys(), "the file has other samples")
    check(os.listdir(host.dir).count("qmpin.prom") == 1 and
          not [n for n in os.listdir(host.dir) if n.startswith(".qmpin")], "left over")


def check_topology(d):
    """The reply is as declared; the picture has every CPU and VM, at any width."""
    reply = json.loads(shown(d, "topology", "-j"))
    check(reply == d.call("GetTopology", "io.qmpin.ro"), "-j is not the reply")
    wrong = interface().mismatches("GetTopology", reply)
    check(not wrong, "%s", wrong)
    cpus = cpus_of(reply["online"])
    check(set().union(*(cpus_of(c["cpus"]) for c in reply["cores"])) == cpus, "cores")
    for columns in (60, 80, 200):
        text = shown(d, "topology", columns=columns)
        check(text.startswith("%d CPU" % len(cpus)), "%s", text)
        check(all(len(line) <= columns for line in text.splitlines()), "too wide")
        check(all("%d(" % i in text for i in (100, 101)), "VMs: %s", text)
        check("dry run" not in text, "%s", text)


def real(host):
    """topology and metrics of a daemon with VMs, also on the read-only socket"""
    cpus = host.need_cpus(2)
    for i in (100, 101):
        host.start_vm(i, vcpus=2, cpus=cpus)
    d = host.started()
    d.wait_settled(100, 101)
    check_topology(d)
    check_metrics(host, d)


def foreign(host):
    """topology of a daemon that plans for another host: VMs are where they would be"""
    cpus = host.need_cpus(2)
    host.start_vm(100, vcpus=2, cpus=cpus)
    d = host.started("[qmpin]\nmode = pin\nadopt = now\nreserved_cpus = 0\n", "--topology",
                     tree(host.path("tree")))
    retry(lambda: [t for t in (d.vm(100) or {"threads": []})["threads"] or []
                   if t["class"] == "vcpu" and t["want"]], "there is a plan")
    text = shown(d, "topology")
    want = set().union(*(cpus_of(t["want"]) for t in d.vm(100)["threads"]
                         if t["class"] == "vcpu"))
    check(len(want) == 2 and "dry run: " in text, "%s", text)
    marks = "".join(re.findall(r"^ +([.r0-9]+)$", text, re.M))
    check(marks == "".join("1" if c in want else ".r"[c == 0] for c in range(8)),
          "%s, not %s in\n%s", marks, want, text)


def no_daemon(host):
    """without a daemon both say so, but a topology from a file is drawn"""
    d = host.daemon()
    for command in ("topology", "metrics"):
        code, out, err = d.command(command)
        check(code == 3 and out == "" and err.count("\n") == 1, "%s: %s", command, err)
    text = shown(d, "topology", "--topology", tree(host.path("tree")))
    check(text.startswith("8 CPUs, 8 cores, 2 L3 groups, 2 nodes, 2 packages\n"), text)
    check("          memory 16.0 GiB, 8.0 GiB free\n          ....\n" in text, text)
    with open(host.path("reserve.conf"), "w") as f:
        f.write("[qmpin]\nreserved_cpus = 1\n")
    more = ("topology", "--config", host.path("reserve.conf"))
    text = shown(d, *more, "--topology", tree(host.path("tree")))
    check("\nreserved 1\n" in text and "\n          .r..\n" in text, text)
    reply = json.loads(shown(d, *more, "--topology", tree(host.path("tree")), "-j"))
    check(reply["reserved"] == "1", "%s", reply)
    check(d.command(*more)[0] == 2, "--config is no use without --topology")


if __name__ == "__main__":
    sys.exit(main([real, foreign, no_daemon], Host))
