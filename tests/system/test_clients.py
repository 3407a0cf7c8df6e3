#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Clients of the control sockets: who follows decisions, a crowd that misbehaves, users
without rights."""
import grp
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import threading

import varlink
from daemon import QMPIN, die_with_parent, instrumented, interface
from runner import SLACK, Skip, check, main, now, retry
from vmhost import Host, mask

# How long the crowd stays; in CI just long enough for all of it to be there.
CROWD_S = float(os.environ.get("QMPIN_CROWD_S", "2"))
CLIENTS = 200
RSS_GROWTH_MAX_KIB = 24 << 10
READING = {"GetStatus", "ListVMs", "GetVM", "Explain", "Plan", "GetTopology", "GetLatency",
           "Doctor", "GetConfig", "GetMetrics", "Monitor"}
NOBODY = 65534


class Qmpin:
    """A running `qmpin`, with what it has written until now."""

    def __init__(self, d, *args):
        self.process = subprocess.Popen(
            [QMPIN, "--run-dir", d.run_dir, *args], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=die_with_parent)
        self.lines = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def end(self):
        """(exit status, standard error)."""
        status = self.process.wait(10 * SLACK)
        self._reader.join()
        with self.process.stdout, self.process.stderr:
            return status, self.process.stderr.read()


def again(d):
    """Two decisions about VM 100."""
    d.call("Restore", ids=["100"])
    d.call("Apply", ids=["100"])


def followed(host):
    """qmpin monitor tells decisions as they are taken, with their moves in JSON, and how
    it ended"""
    cpus = host.need_cpus(2)
    d = host.started()
    text = Qmpin(d, "monitor", "-n", "0")
    late = Qmpin(d, "monitor", "100", "-j")
    other = Qmpin(d, "monitor", "101")
    host.start_vm(100, vcpus=2, cpus=cpus)
    d.wait_settled(100)
    again(d)
    retry(lambda: len(late.lines) >= 3, "decisions as JSON")
    retry(lambda: len(text.lines) >= 3, "decisions as text")
    found = [json.loads(line) for line in late.lines]
    for reply in found:
        wrong = interface().mismatches("Monitor", reply)
        check(not wrong, "not as the interface says: %s", wrong)
    decisions = [reply["decision"] for reply in found]
    causes = [x["cause"] for x in decisions]
    check(causes[-2:] == ["restore", "apply"], "causes: %s", causes)
    tids = set(host.vms[100].vcpus().values())
    for x in decisions[-2:]:
        check({m["tid"] for m in x["moves"]} >= tids, "moves: %s", x["moves"])
        check(any(line.endswith("vm 100: " + x["text"]) for line in text.lines),
              "no line like %r: %s", x["text"], text.lines)
    check(d.call("Monitor", id="100")["decision"] == decisions[-1], "the last one")
    last = Qmpin(d, "monitor", "-n1")
    retry(lambda: last.lines == text.lines[-1:], "the last line")
    last.process.send_signal(signal.SIGINT)
    status, err = last.end()
    check((status, err) == (0, ""), "after Ctrl-C: %s %s", status, err)
    d.stop()
    for q, noted in ((text, ""), (late, "no VM 100 yet"), (other, "no VM 101 yet")):
        status, err = q.end()
        check(status == 3 and "qmpind has ended" in err and noted in err,
              "after the daemon's end: %s %s", status, err)
    check(not other.lines, "of another VM: %s", other.lines)


class Crowd:
    """Clients that never read, that say half of something, a byte a second, or leave in
    the middle; and some that follow as they should."""

    def __init__(self, d):
        self.path = os.path.join(d.run_dir, "io.qmpin.ro")
        self._end = threading.Event()
        self.silent, self.drips, self.good, self.left = [], [], [], 0
        for i in range(CLIENTS - 20):
            self.silent.append(self.connected())
            self.misbehave(i % 4, self.silent[-1])
        for _ in range(10):
            self.drips.append(self.connected())
            self.good.append(self.connected())
            varlink.send(self.good[-1], "io.qmpin.Monitor", more=True)
        self.heard = [b""] * len(self.good)
        self._threads = [threading.Thread(target=f, daemon=True)
                         for f in (self.drip, self.hear, self.come_and_go)]
        for t in self._threads:
            t.start()

    def connected(self):
        return varlink.connected(self.path, 5 * SLACK)

    def misbehave(self, how, s):
        s.setblocking(False)
        if how == 0:
            s.send(b'{"method":"io.qmpin.Monitor","more":true}\0')
        elif how == 1:  # as many questions as go in, no answer is read
            for _ in range(100):
                try:
                    s.send(b'{"method":"io.qmpin.ListVMs","more":true,'
                           b'"parameters":{"threads":true}}\0' * 10)
                except BlockingIOError:
                    break
        elif how == 2:
            s.send(b'{"method":"io.qmpin.GetSta')
        else:  # all that a request may be, without an end
            try:
                s.send(b" " * 65000)
            except BlockingIOError:
                pass

    def drip(self):
        """A request has 30 s: then they are hung up on."""
        while not self._end.wait(1):
            for s in self.drips:
                still_open(s)  # which sends a byte

    def hear(self):
        while not self._end.wait(0.005):
            for i, s in enumerate(self.good):
                s.setblocking(False)
                try:
                    self.heard[i] += s.recv(262144)
                except BlockingIOError:
                    pass

    def come_and_go(self):
        """Clients that are killed while they are answered."""
        while not self._end.wait(0.01):
            s = self.connected()
            varlink.send(s, "io.qmpin.ListVMs", {"threads": True}, more=True)
            if self.left % 2:
                varlink.send(s, "io.qmpin.Monitor", {"last": 100}, more=True)
            s.close()
            self.left += 1

    def decisions(self, i):
        """What a good one has heard."""
        return [json.loads(m)["parameters"]["decision"]
                for m in self.heard[i].split(b"\0")[:-1]]

    def leave(self):
        self._end.set()
        for t in self._threads:
            t.join()
        for s in self.silent + self.drips + self.good:
            s.close()


def measured(d, seconds):
    """For so long VM 100 is restored and applied: (number of decisions, time of a pass,
    times of GetStatus by a client that does as it should). The time of a pass is that of
    the quicker ones, as a busy machine interrupts the others."""
    times, passes, n, end = [], [], 0, now() + seconds
    while now() < end or n < 10:
        again(d)
        n += 2
        for _ in range(5):
            began = now()
            status = d.status()
            times.append((now() - began) * 1e3)
        passes.append(status["last_pass_ms"])
    times.sort()
    return n, statistics.quantiles(passes, n=4)[0], times


def p99(times):
    return times[len(times) * 99 // 100]


def crowd(host):
    """two hundred clients that misbehave: memory is bounded, passes and answers take no
    longer, who follows as he should hears all"""
    vm = host.start_vm(100, vcpus=2, cpus=host.need_cpus(2))
    d = host.started("[qmpin]\nmode = pin\nadopt = now\nlog_level = warning\n")
    d.wait_settled(100)
    _, pass_before, before = measured(d, min(1.0, CROWD_S))
    rss = d.memory_kib()
    clients = Crowd(d)
    try:
        n, pass_then, then = measured(d, CROWD_S)
        retry(lambda: all(len(clients.decisions(i)) >= n for i in range(10)),
              "all that was decided is heard")
        heard = clients.decisions(0)
        grown = d.memory_kib("VmHWM") - rss
        alive = sum(1 for s in clients.silent if still_open(s))
    finally:
        clients.leave()
    print("     GetStatus: median %.2f ms, p99 %.2f ms; alone %.2f and %.2f"
          % (statistics.median(then), p99(then), statistics.median(before), p99(before)))
    turn = d.status()["longest_turn_ms"]
    print("     a pass: %.2f ms, alone %.2f; longest turn %.1f ms of CPU time" % (
        pass_then, pass_before, turn))
    print("     RSS grew by %d KiB from %d; %d of %d still connected, %d came and went" % (
        grown, rss, alive, len(clients.silent), clients.left))
    check(len(heard) == n and all(x["moves"] for x in heard), "heard %d of %d",
          len(heard), n)
    for i in range(10):
        check(clients.decisions(i) == heard, "follower %d heard something else", i)
    check(vm.pinned(), "VM 100 has %s", vm.vcpu_masks())
    check(statistics.median(then) < 20 * SLACK, "GetStatus takes %.1f ms",
          statistics.median(then))
    check(pass_then < 3 * pass_before + 5 * SLACK, "a pass takes %.2f ms", pass_then)
    if not instrumented():
        check(turn < 30 * SLACK, "a turn of the loop took %.1f ms", turn)
        check(grown < RSS_GROWTH_MAX_KIB, "RSS grew by %d KiB", grown)


def still_open(s):
    """The daemon has not hung up, as far as can be told without reading what it said."""
    try:
        return s.send(b" ") == 1
    except BlockingIOError:
        return True
    except OSError:
        return False


def sample(iface, kind):
    """Some value of the type."""
    what, of = kind
    if what == "enum":
        return of[0]
    return sample(iface, iface.types[of]) if of in iface.types else "100"


def requests(iface):
    """Each method of the interface with the parameters it needs."""
    for name, ((_, taken), _) in iface.methods.items():
        yield name, {k: sample(iface, v) for k, v in taken.items() if v[0] != "?"}


def refusals(path):
    """As nobody: the error each changing method answers with."""
    found = {}
    for name, parameters in requests(interface()):
        if name in READING:
            continue
        try:
            varlink.call(path, "io.qmpin." + name, parameters, timeout=5 * SLACK)
            found[name] = "done"
        except varlink.Refused as e:
            found[name] = e.name
    return found


def as_user(gid, argv):
    p = subprocess.run(["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % gid,
                        "--clear-groups", "--"] + argv, text=True, capture_output=True,
                       stdin=subprocess.DEVNULL, timeout=20 * SLACK)
    return p.returncode, p.stdout, p.stderr


def in_child(gid, function, *args):
    """function's result, computed as nobody of that group."""
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setresgid(gid, gid, gid)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            os.write(into, json.dumps(function(*args)).encode())
        finally:
            os._exit(0)
    os.close(into)
    with open(out, "rb") as f:
        text = f.read()
    os.waitpid(pid, 0)
    check(text, "the child has failed")
    return json.loads(text)


def some_group():
    """A group that is nobody's and not root's."""
    for g in grp.getgrall():
        if g.gr_gid not in (0, NOBODY) and not g.gr_mem:
            return g
    raise Skip("no group here")


def unprivileged(host):
    """who is in the group sees everything and changes nothing; who is not is told of it"""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        raise Skip("takes root and setpriv")
    group = some_group()
    vm = host.start_vm(100, vcpus=2, cpus=host.need_cpus(2))
    d = host.started("[qmpin]\nmode = pin\nadopt = now\ncontrol_group = %s\n"
                     % group.gr_name)
    d.wait_settled(100)
    os.chmod(host.dir, 0o755)
    program = shutil.copy(QMPIN, host.path("qmpin"))
    before = vm.masks()
    for words in (["status"], ["ps"], ["ps", "100"], ["explain", "100"], ["latency"]):
        code, out, err = as_user(group.gr_gid, [program, "--run-dir", d.run_dir] + words)
        check(code == 0 and out, "qmpin %s: %d %s", words, code, err)
    for words in (["apply", "--all"], ["restore", "100"], ["release", "--all"], ["probe"],
                  ["mode", "100", "off"], ["reload"]):
        code, out, err = as_user(group.gr_gid, [program, "--run-dir", d.run_dir] + words)
        check(code == 4 and "is not permitted here: run it as root" in err
              and not out, "qmpin %s: %d %s", words, code, err)
    read_only = os.path.join(d.run_dir, "io.qmpin.ro")
    refused = in_child(group.gr_gid, refusals, read_only)
    for name in ("Apply", "Probe", "Release", "Reload", "Restore", "SetMode"):
        check(refused[name] == "io.qmpin.NotPermitted", "%s: %s", name, refused[name])
    odd = {k: v for k, v in refused.items() if v != "io.qmpin.NotPermitted"}
    check(not odd, "not refused: %s", odd)
    for words in (["ps"], ["monitor"], ["apply", "--all"]):
        code, out, err = as_user(NOBODY, [program, "--run-dir", d.run_dir] + words)
        check(code == 4 and "join group %s (adduser USER %s)" % (
            group.gr_name, group.gr_name) in err, "qmpin %s: %d %s", words, code, err)
    check(all(mask(t) in (m, None) for t, m in before.items()), "a mask has changed")
    d.call("Apply", ids=["100"])
    d.wait_line(r"apply of 1 VM: asked by uid 0 pid %d \(.+\)" % os.getpid())


if __name__ == "__main__":
    sys.exit(main([followed, crowd, unprivileged], Host, limit_s=180 + CROWD_S))
