# SPDX-License-Identifier: MIT
"""docs/faults.md from the results of tests/faults/run."""
import os
import platform
import re
import subprocess
import time

from runner import SOURCE

HEAD = """# Faults

What `make check-faults` lets go wrong and what came of it; this file is written by it.
Last run: %(date)s, commit %(commit)s, %(machine)s, %(minutes).0f min.

After every fault the daemon must be the same process, or have ended with status 1 and a
reason where it could not even start; what failed must work again, every vCPU have its CPU,
the daemon and its guard have no descriptor open that they had not before, and a process that
is no VM's and a VM that is limited to one CPU must never have had another mask, looked at
every 10 ms.

**%(tried)d faults: %(crashes)d wrong; %(failed)d calls failed; all well again at most
%(worst).1f s after the end of the fault.**
%(left)s
"""

CALLS = """## Calls of the C library

A shim fails them one place in the source after the other (a place is a call with its two
callers), each with each error it can give, as long as an act of the daemon's life lasts (a
mask is broken, a vCPU comes, a VM ends and starts, the host is read again, requests, a
start, a stop), and the first of the errors once. CUT: only one byte is read or written.
*Ended* are daemons that ended with status 1 and a reason while they started. Of %(unmet)d
faults the call was not made in that act this time.

| call | places | errors | faults | calls failed | ended | well again, s | log lines | wrong |
| --- | --: | --- | --: | --: | --: | --: | --: | --: |
"""

OUTSIDE = """
## Around the daemon

Each on a host of its own. *Well again*: until masks are repaired, vCPUs and VMs that come
are placed, requests are answered, and a reload has been carried out.

| what | well again, s | log lines | |
| --- | --: | --: | --- |
"""

MEMORY = """
## Memory

Each allocation fails once (of more than some hundred, some at even distances); parsers read
the corpora of the fuzz targets. *Aborted*: by design, see `src/base/xalloc.h`; the next
daemon finds every mask as it was.

| what | allocations | tried | went on | refused | aborted | wrong |
| --- | --: | --: | --: | --: | --: | --: |
"""

ELSEWHERE = """
## Faults that other tests make

| test | what |
| --- | --- |
"""
ELSEWHERE_TESTS = ("test_share_trouble", "test_hostile", "test_restart", "test_races",
                   "test_clients", "test_measuring", "test_limit", "test_optin")
# Of some of them these are faults.
SOME = {"test_measuring": ("killed", "not there", "of no use", "cannot be kept", "SIGKILL"),
        "test_limit": ("damaged",), "test_optin": ("hangs",),
        "test_restart": ("kill", "damage", "second", "record"),
        "test_clients": ("misbehave", "never read")}


def cell(text):
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


def elsewhere():
    """(test, name of a case)"""
    for name in ELSEWHERE_TESTS:
        with open(os.path.join(SOURCE, "tests", "system", name + ".py")) as f:
            text = f.read()
        for function, doc in re.findall(r'^def (\w+)\(host\):\n    """(.*?)"""', text,
                                        re.M | re.S):
            if any(w in doc for w in SOME.get(name, ("",))):
                yield name, cell(doc)


def call_row(name, results):
    errors = []
    for r in results:
        if r["error"] not in errors:
            errors.append(r["error"])
    return "| %s | %d | %s | %d | %d | %s | %.1f | %d | %d |\n" % (
        name, len({r["site"] for r in results}), " ".join(errors), len(results),
        sum(r["hits"] for r in results), sum(bool(r["ended"]) for r in results) or "",
        max(r["took_s"] for r in results), max(r["lines"] for r in results),
        sum(bool(r["wrong"]) for r in results))


def machine():
    return "%d CPUs, Linux %s" % (len(os.sched_getaffinity(0)), ".".join(platform.release().split(".")[:2]))


def commit():
    p = subprocess.run(["git", "-C", SOURCE, "rev-parse", "--short", "HEAD"], text=True,
                       capture_output=True)
    return p.stdout.strip() or "unknown"


def text(results, left, took_s):
    calls = [r for r in results if r.get("call")]
    memory = [r for r in results if r.get("memory")]
    outside = [r for r in results if not r.get("call") and not r.get("memory")]
    about = {"date": time.strftime("%Y-%m-%d"), "commit": commit(), "machine": machine(),
             "minutes": took_s / 60, "tried": len(calls) + len(outside) +
             sum(m["runs"] for m in memory),
             "crashes": sum(bool(r["wrong"]) for r in results),
             "failed": sum(r["hits"] for r in calls + outside),
             "worst": max([r["took_s"] for r in calls + outside], default=0),
             "left": left and "%d faults were left out, since the time was up.\n" % left or "",
             "unmet": sum(not r["hits"] for r in calls)}
    out = HEAD % about + CALLS % about
    for name in sorted({r["call"] for r in calls}):
        out += call_row(name, [r for r in calls if r["call"] == name])
    out += OUTSIDE
    for r in outside:
        told = r["wrong"] and "wrong: " + r["wrong"] or \
            r["skipped"] and "skipped: " + r["skipped"] or ""
        out += "| %s | %.1f | %d | %s |\n" % (cell(r["text"]), r["took_s"], r["lines"],
                                            cell(told))
    out += MEMORY
    for m in memory:
        out += "| %s | %d | %d | %d | %d | %d | %s |\n" % (
            cell(m["name"]), m["allocations"], m["runs"], m["good"], m["refused"],
            m["aborted"], cell(m["wrong"]) or "0")
    out += ELSEWHERE
    for name, doc in elsewhere():
        out += "| %s | %s |\n" % (name, doc)
    return out
