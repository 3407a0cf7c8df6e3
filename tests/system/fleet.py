# SPDX-License-Identifier: MIT
"""Many light stand-ins for QEMU around a daemon (tests/fleet), and what the daemon costs
with them: how long its loop is busy, CPU time, memory, answers.

Directories are in memory where that is possible, as /run is on a real host.
"""
import os
import re
import subprocess
import tempfile

import varlink
from daemon import die_with_parent
from runner import BUILD, SLACK, Failed, Skip, check, now, retry
from vmhost import Host, mask, tids_of

PROGRAM = os.path.join(BUILD, "tests", "fleet", "fleet")
VCPUS, THREADS, FIRST = 8, 12, 100
SETTINGS = "[qmpin]\nmode = pin\nadopt = now\n"


class Fleet:
    """Stand-ins with the ids from 100 on, in a directory of the host. Ends with the test."""

    def __init__(self, host, vms, vcpus=VCPUS, threads=THREADS, where="vm"):
        self.host, self.vms, self.where = host, vms, where
        began = now()
        self.process = subprocess.Popen(
            [PROGRAM, "--dir", host.path(where), "--vms", str(vms), "--vcpus", str(vcpus),
             "--max-vcpus", str(vcpus + 8), "--threads", str(threads)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=die_with_parent)
        host.helpers.append(self.process)
        host.fleets.append(self)
        self._expect("start of %d VMs" % vms)
        self.start_s = now() - began

    def _expect(self, what):
        answer = self.process.stdout.readline().strip()
        if not answer and self.process.wait(10) == 77:
            raise Skip("%s: no room for so many processes" % what)
        check(answer.split(" ")[0] == "ok", "%s: %s", what, answer or "the fleet ended")
        return answer[3:]

    def end(self):
        """At the end of its input it ends all and then itself."""
        self.process.stdin.close()
        self.process.wait(20 * SLACK)

    def command(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self._expect(line)

    def pid(self, vmid):
        with open(self.host.path(self.where, "%d.pid" % vmid)) as f:
            return int(f.read())

    def vcpu_tids(self, vmid):
        """By the names that QEMU gives its threads."""
        pid, found = self.pid(vmid), []
        for tid in tids_of(pid):
            with open("/proc/%d/task/%d/comm" % (pid, tid)) as f:
                if re.fullmatch(r"CPU \d+/KVM", f.read().strip()):
                    found.append(tid)
        return found

    def unpinned(self):
        """vCPUs that have not one CPU each, by VM."""
        wrong = {}
        for vmid in range(FIRST, FIRST + self.vms):
            bad = [t for t in self.vcpu_tids(vmid) if len(mask(t)) != 1]
            if bad:
                wrong[vmid] = bad
        return wrong


class FleetHost(Host):
    """A Host without QEMU, in memory."""

    def __init__(self):
        shm = "/dev/shm"
        usual = tempfile.tempdir
        tempfile.tempdir = shm if os.access(shm, os.W_OK) else usual
        try:
            super().__init__(needs_qemu=False)
        finally:
            tempfile.tempdir = usual
        self.fleets = []

    def close(self, good=False):
        for fleet in self.fleets:
            fleet.end()
        self.fleets = []
        super().close(good)


def switches(d):
    """How often the daemon went to sleep so far, with its children."""
    total = 0
    for pid in [d.pid] + children(d.pid):
        with open("/proc/%d/status" % pid) as f:
            total += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", f.read(),
                                   re.M).group(1))
    return total


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        return [int(p) for p in f.read().split()]


def turns_since(d, before):
    """Turns of the loop since then: {upper bound in ms, or None: number}."""
    had = {t["up_to_ms"]: t["count"] for t in before["turns"]}
    return {t["up_to_ms"]: t["count"] - had[t["up_to_ms"]] for t in d.status()["turns"]}


def longest(turns):
    """The bound below which all turns were: text."""
    bounds = [b for b, n in turns.items() if n]
    if None in bounds:
        return "> %.0f ms" % max(b for b in turns if b is not None)
    return "<= %.0f ms" % max(bounds, default=0)


def over(turns, ms):
    return sum(n for b, n in turns.items() if b is None or b > ms)


def timed_call(d, method, more=False, **parameters):
    """Milliseconds from connect to the last byte of the last reply."""
    began = now()
    with varlink.connected(os.path.join(d.run_dir, "io.qmpin"), 20 * SLACK) as s:
        varlink.send(s, "io.qmpin." + method, parameters, more)
        last = b""
        while True:
            data = s.recv(1 << 20)
            if not data:
                raise Failed("%s: hung up" % method)
            last = (last + data)[-(1 << 16):]
            if last.endswith(b"\0"):
                end = last[last.rfind(b"\0", 0, -1) + 1:]
                if b'"continues":true' not in end.replace(b" ", b"")[-64:]:
                    return (now() - began) * 1e3


def percentile(values, pct):
    values = sorted(values)
    return values[min(len(values) - 1, len(values) * pct // 100)]


def quiet(d, seconds=2.5, timeout=30):
    """Wait until no pass has run for so long; returns when the last one had ended."""
    state = {"passes": -1, "at": now()}

    def still():
        passes = d.status()["passes"]
        if passes != state["passes"]:
            state.update(passes=passes, at=now())
        return now() - state["at"] >= seconds

    retry(still, "passes come to an end", timeout, step=0.05)
    return state["at"]
