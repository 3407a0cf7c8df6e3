#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The real qmpin-probe on real CPUs: what it says, what stops it, what it costs others."""
import contextlib
import fcntl
import os
import select
import signal
import subprocess
import sys
import time

from runner import BUILD, SLACK, Failed, Skip, check, main, now, pass_time, retry

PROGRAM = os.path.join(BUILD, "src", "qmpin-probe")
CGROUPS = ("/sys/fs/cgroup/cpuset", "/sys/fs/cgroup")
CAP_SYS_NICE = 23
PR_CAPBSET_DROP = 24
PAIR_PROGRAM = os.path.join(BUILD, "tests", "tools", "probe_pair")
# The most work there is; a host of two CPUs is known after some milliseconds.
LONG = ("--exhaustive", "--cold=0")
# Above this, threads of others take so much that what the probe takes cannot be told.
QUIET_PCT = 2.0
# What it may take of the time of each of two CPUs, at most.
LOST_PCT = 1.0
# What busy threads may lose where other tests run beside this one: switching costs more.
HARM_PCT = 2 * LOST_PCT
TURNS, TURNS_MAX = 2, 6


class Probe:
    """One run; everything it says is kept as (time, kind, rest, bytes)."""

    def __init__(self, *args, **popen):
        self.process = subprocess.Popen(
            [PROGRAM, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
            **popen)
        self.buffer, self.said, self.open = b"", [], True

    def say(self, text):
        with contextlib.suppress(BrokenPipeError):  # it has ended, and has said why
            self.process.stdin.write(text.encode())

    def _take(self):
        line, newline, rest = self.buffer.partition(b"\n")
        if not newline:
            return False
        kind, _, text = line.decode().partition(" ")
        data = b""
        if kind == "result":
            if len(rest) < int(text):
                return False
            data, rest = rest[:int(text)], rest[int(text):]
        self.buffer = rest
        self.said.append((now(), kind, text, data))
        return True

    def listen(self, timeout=0.0):
        """Take what it says until there is nothing for so long; False at the end."""
        while self.open and select.select([self.process.stdout], [], [], timeout)[0]:
            part = self.process.stdout.read(65536)
            self.open = bool(part)
            self.buffer += part
            while self._take():
                pass
        return self.open

    def wait_for(self, kind, timeout=10):
        def there():
            self.listen(0.01)
            found = [said for said in self.said if said[1] == kind]
            if not found and not self.open:
                raise Failed("it ended: %s" % self.texts())
            return found
        return retry(there, "it says '%s'" % kind, timeout)[-1]

    def finish(self, timeout=20):
        """Everything until it ends by itself; its status."""
        retry(lambda: not self.listen(0.01), "the end of its output", timeout)
        return self.process.wait(5 * SLACK)

    def texts(self, *kinds):
        return [(kind, text) for _, kind, text, _ in self.said
                if not kinds or kind in kinds]

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Machine:
    """What a case starts, ended afterwards."""

    def __init__(self):
        if not os.access(PROGRAM, os.X_OK):
            raise Skip("no %s" % PROGRAM)
        self.cpus = sorted(os.sched_getaffinity(0))
        self.probes, self.helpers, self.groups = [], [], []

    def need_cpus(self, n=2):
        if len(self.cpus) < n:
            raise Skip("needs %d CPUs" % n)

    def probe(self, *args, **popen):
        self.probes.append(Probe(*args, **popen))
        return self.probes[-1]

    def pair(self, *args, **popen):
        """A probe that is about the first two CPUs only, and is at work."""
        self.need_cpus()
        p = self.probe("--cpus=%d,%d" % tuple(self.cpus[:2]), *args, **popen)
        p.say("go\n")
        return p

    def burn(self, cpu):
        """A thread that always wants this CPU; its id."""
        p = subprocess.Popen([sys.executable, "-c", "while True: pass"],
                             preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))
        self.helpers.append(p)
        return p.pid

    def cgroup(self, cpus):
        """A cpuset for processes, or Skip."""
        for root in CGROUPS:
            path = os.path.join(root, "qmpin-test-%d" % os.getpid())
            try:
                os.mkdir(path)
                self.groups.append(path)
                write(path, "cpuset.mems", "0")
                write(path, "cpuset.cpus", cpus)
                return path
            except OSError:
                continue
        raise Skip("no cpuset cgroup can be made here")

    def story(self):
        return "\n".join("  probe: %s" % p.texts() for p in self.probes)

    def close(self, good=False):
        for p in self.probes:
            p.end()
        for p in self.helpers:
            p.kill()
            p.wait()
        for path in self.groups:
            retry(lambda: rmdir(path), "the cgroup can be removed", 5)
        self.probes, self.helpers, self.groups = [], [], []


def write(path, name, text):
    with open(os.path.join(path, name), "w") as f:
        f.write(text)


def rmdir(path):
    try:
        os.rmdir(path)
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True


def threads_of(pid):
    try:
        return os.listdir("/proc/%d/task" % pid)
    except OSError:
        return []


def measures(m):
    """go: a result within seconds, progress at most five times a second, done, status 0"""
    p = m.pair("--exhaustive")
    began = now()
    first = p.wait_for("result")
    check(p.finish() == 0, "status %s", p.process.returncode)
    kinds = [kind for kind, _ in p.texts()]
    check(kinds[-1] == "done", "last: %s", p.texts())
    check(set(kinds) <= {"progress", "note", "result", "done"}, "%s", kinds)
    check(first[0] - began < 5 * SLACK, "first result after %.1f s", first[0] - began)
    last = [said for said in p.said if said[1] == "result"][-1][3].decode()
    check(last.startswith("# qmpin latency "), "%s", last)
    row = [line for line in last.splitlines() if not line.startswith("#")][-1]
    if row.split(",")[1] == "":
        raise Skip("others keep the CPUs busy: no result, which is right")
    check(float(row.split(",")[1]) > 1, "row '%s'", row)
    ticks = [at for at, kind, _, _ in p.said if kind == "progress"][:-1]
    check(len(ticks) <= 2 + 5 * (ticks[-1] - ticks[0]), "%d in %.1f s", len(ticks),
          ticks[-1] - ticks[0])


def visits_are_apart(m):
    """a pair is visited once a round, and rounds begin 0.15 s after each other"""
    p = m.pair()
    began = now()
    check(p.finish() == 0, "%s", p.texts())
    took = now() - began
    # Also those count that had no result, as where others have the CPUs.
    n = int([text for kind, text in p.texts() if kind == "progress"][-1].split()[0])
    print("     %d visits in %.2f s" % (n, took))
    check(n >= 4, "%d visits", n)
    # The first round begins at once.
    check(took >= 0.15 * (n - 1), "%d visits in %.2f s", n, took)


def nothing_to_measure(m):
    """CPUs that are not there, and a single CPU, are named in 'failed', status 1"""
    m.need_cpus()
    p = m.probe("--cpus=2046-2047")
    check(p.finish() == 1, "status %s", p.process.returncode)
    text = p.wait_for("failed")[2]
    check("2046-2047" in text and "online: " in text and "allowed: " in text, "%s", text)
    one = m.cpus[0]
    for args, mask in ((("--cpus=%d" % one,), m.cpus), ((), {one})):
        p = m.probe(*args, preexec_fn=lambda: os.sched_setaffinity(0, mask))
        check(p.finish() == 1, "status %s", p.process.returncode)
        text = p.wait_for("failed")[2]
        check("CPU %d is the only one" % one in text, "%s", text)


def some_left_out(m):
    """what is offline or not allowed is left out, and a note says so"""
    m.need_cpus()
    p = m.probe("--cpus=%d,%d,2047" % tuple(m.cpus[:2]))
    check("2047" in p.wait_for("note")[2], "%s", p.texts())
    p.say("go\n")
    check(p.finish() == 0, "status %s", p.process.returncode)


def usage(m):
    """wrong options are a message on stderr and status 2"""
    for args in (["--cpus=x"], ["--cold=-1"], ["--nonsense"], ["more"]):
        r = subprocess.run([PROGRAM, *args], stdin=subprocess.DEVNULL,
                           capture_output=True, text=True)
        check(r.returncode == 2 and "qmpin-probe: " in r.stderr and not r.stdout, "%s", r)
    for args, word in ((["--help"], "--exhaustive"), (["--version"], "qmpin-probe ")):
        r = subprocess.run([PROGRAM, *args], stdin=subprocess.DEVNULL,
                           capture_output=True, text=True)
        check(r.returncode == 0 and word in r.stdout, "%s", r)


def two_at_once(m):
    """the second of two probes fails with a clear message, the first goes on"""
    m.need_cpus()
    first = m.probe("--cpus=%d,%d,2047" % tuple(m.cpus[:2]))
    first.wait_for("note")
    second = m.pair()
    check(second.finish() == 1, "status %s", second.process.returncode)
    check(second.texts() == [("failed", "another probe is running")], "%s", second.texts())
    first.say("go\n")
    check(first.finish() == 0 and first.texts()[-1] == ("done", ""), "%s", first.texts())
    third = m.pair()
    check(third.finish() == 0 and third.texts()[-1] == ("done", ""), "%s", third.texts())


def strange_parent(m):
    """a parent that talks nonsense is a failure, broken earlier results only a note"""
    m.need_cpus()
    p = m.probe()
    p.say("hello\n")
    check(p.finish() == 1 and p.texts()[-1][0] == "failed", "%s", p.texts())
    p = m.probe("--cpus=%d,%d" % tuple(m.cpus[:2]))
    p.say("known 6\nabc\nxygo\n")
    check("earlier results" in p.wait_for("note")[2], "%s", p.texts())
    check(p.finish() == 0, "%s", p.texts())


def known_results(m):
    """what it said comes back as earlier results, and is not measured again"""
    p = m.pair()
    check(p.finish() == 0, "%s", p.texts())
    text = [said for said in p.said if said[1] == "result"][-1][3]
    p = m.probe("--cpus=%d,%d" % tuple(m.cpus[:2]))
    p.process.stdin.write(b"known %d\n" % len(text) + text + b"avoid 0\ngo\n")
    check(p.finish() == 0, "%s", p.texts())
    check(not p.texts("note"), "%s", p.texts())


def ends_soon(pid, what, cause):
    """Milliseconds from cause() until the process has ended."""
    watch = os.pidfd_open(pid)
    began = now()
    cause()
    gone = select.select([watch], [], [], 5 * SLACK)[0]
    took = now() - began
    os.close(watch)
    check(gone, "%s: it runs on", what)
    check(len(threads_of(pid)) <= 1, "%s: threads are left", what)
    return took * 1e3


def stdin_closed(m):
    """end of file on stdin: gone at once, whatever it is doing; half of them in 50 ms"""
    m.need_cpus()
    took = []
    for delay_ms in range(0, 24):
        p = m.probe(*LONG)
        if delay_ms:
            p.say("go\n")
            time.sleep(delay_ms / 2e3)
        took.append(ends_soon(p.process.pid, "after %.1f ms" % (delay_ms / 2),
                              p.process.stdin.close))
        check(p.process.wait() == 0, "status %s", p.process.returncode)
        p.end()
    took.sort()
    print("     gone after %.1f ms, at most %.1f ms" % (took[12], took[-1]))
    # a thread dies on the CPU that it is bound to, when what else is there lets it
    check(took[12] < 50 * SLACK, "it took %s ms", took)
    check(took[-1] < 1000 * SLACK, "it took %s ms", took[-3:])


def parent_killed(m):
    """its parent is killed: gone at once"""
    m.need_cpus()
    code = ("import subprocess, sys\n"
            "p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE)\n"
            "print('pid', p.pid, flush=True)\n"
            "p.wait()\n")
    parent = subprocess.Popen(
        [sys.executable, "-c", code, PROGRAM, "--cpus=%d,%d,2047" % tuple(m.cpus[:2])],
        stdout=subprocess.PIPE, text=True)
    m.helpers.append(parent)
    lines = [parent.stdout.readline(), parent.stdout.readline()]
    check(any(line.startswith("note") for line in lines), "%s", lines)
    pid = [int(line.split()[1]) for line in lines if line.startswith("pid ")][0]
    took = ends_soon(pid, "killed", parent.kill)
    print("     gone after %.1f ms" % took)
    check(took < 1000 * SLACK, "it took %.0f ms", took)
    parent.stdout.close()


def no_realtime(m):
    """without permission for real-time priority: it measures, and one note says so"""
    if os.geteuid() == 0:
        import ctypes
        libc = ctypes.CDLL(None)

        def drop():
            libc.prctl(PR_CAPBSET_DROP, CAP_SYS_NICE, 0, 0, 0)
            import resource
            resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))
    else:
        drop = None
    p = m.pair(preexec_fn=drop)
    check(p.finish() == 0, "status %s", p.process.returncode)
    notes = [text for _, text in p.texts("note") if "real-time" in text]
    check(len(notes) == 1, "%s", p.texts())


def cpuset_limited(m):
    """in a cpuset it measures what is allowed there, and says what is left out"""
    m.need_cpus(3)
    group = m.cgroup("%d,%d" % tuple(m.cpus[:2]))
    p = m.probe(preexec_fn=lambda: write(group, "cgroup.procs", str(os.getpid())))
    p.say("go\n")
    check(p.finish() == 0, "status %s", p.process.returncode)
    check("not allowed" in p.texts("note")[0][1], "%s", p.texts())


def cpu_goes(m):
    """a CPU that goes away meanwhile is left out with a note; the run ends well"""
    m.need_cpus()
    group = m.cgroup(",".join(str(cpu) for cpu in m.cpus))
    p = m.probe("--cpus=%d,%d,2047" % tuple(m.cpus[:2]), preexec_fn=lambda: write(
        group, "cgroup.procs", str(os.getpid())))
    p.wait_for("note")
    write(group, "cpuset.cpus", str(m.cpus[0]))
    p.say("go\n")
    check(p.finish() == 0 and p.texts()[-1] == ("done", ""), "%s", p.texts())
    gone = [text for _, text in p.texts("note") if "CPU %d has gone" % m.cpus[1] in text]
    check(len(gone) == 1, "%s", p.texts())


def slow_reader(m):
    """a reader that takes nothing for a while gets whole messages afterwards"""
    m.need_cpus()
    p = m.probe("--budget=3", *LONG)
    fcntl.fcntl(p.process.stdout, fcntl.F_SETPIPE_SZ, 4096)
    p.say("go\n")
    pass_time(1)
    check(p.finish() == 0, "%s", p.texts())
    check(p.texts()[-1] == ("done", "") and not p.buffer, "%s", p.texts())


def budget(m):
    """--budget ends it with what is known then"""
    m.need_cpus()
    p = m.probe("--budget=1", *LONG)
    began = now()
    p.say("go\n")
    check(p.finish() == 0, "%s", p.texts())
    took = now() - began
    check(took < 2.5 * SLACK, "it took %.1f s", took)
    check(p.texts()[-1] == ("done", ""), "%s", p.texts())


def run_delay_us(tid):
    """CPU time that a thread has had and time it has waited for a CPU, microseconds."""
    with open("/proc/%d/schedstat" % tid) as f:
        ran, waited, _ = f.read().split()
    return int(ran) / 1e3, int(waited) / 1e3


def lost_pct(tids, during):
    """How much of the time of during() each of the threads waited, in per cent."""
    before, began = [run_delay_us(tid) for tid in tids], now()
    during()
    took_us = (now() - began) * 1e6
    return [100 * (run_delay_us(tid)[1] - b[1]) / took_us
            for tid, b in zip(tids, before)]


def harm(m):
    """busy threads on both CPUs lose about 1 % at most while these are measured"""
    m.need_cpus()
    tids = [m.burn(cpu) for cpu in m.cpus[:2]]
    for tid in tids:
        retry(lambda t=tid: run_delay_us(t)[0] > 50e3, "it runs", 20)
    told, alone, probed = [], [], []

    def measure():
        told.append(subprocess.run(
            [PAIR_PROGRAM, *(str(cpu) for cpu in m.cpus[:2]), "3", "3"],
            check=True, capture_output=True, text=True).stdout.split())
    # What others take from the two adds to both, so the least of some turns is looked at;
    # more turns when they took a lot.
    while len(alone) < TURNS or len(alone) < TURNS_MAX and min(alone) <= QUIET_PCT and \
            min(probed) - min(alone) > LOST_PCT:  # of a quiet machine
        alone.append(sum(lost_pct(tids, lambda: pass_time(2))) / 2)
        probed.append(sum(lost_pct(tids, measure)) / 2)
    print("     waited, % of the time: alone " + " ".join("%.2f" % x for x in alone) +
          ", measured " + " ".join("%.2f" % x for x in probed) +
          "; visits, with a result, taken: %s" % told)
    check(all(int(visits) > 10 for visits, *_ in told), "hardly any visits: %s", told)
    check(max(float(x) for t in told for x in t[2:]) <= LOST_PCT,
          "the visits took %s %%", told)
    if min(alone) > QUIET_PCT:
        raise Skip("threads of others are waited for as well")
    lost = min(probed) - min(alone)
    check(lost <= HARM_PCT, "lost %s; alone %s, measured %s", lost, alone, probed)


if __name__ == "__main__":
    sys.exit(main([measures, visits_are_apart, nothing_to_measure, some_left_out, usage,
                   two_at_once, strange_parent, known_results, stdin_closed, parent_killed,
                   no_realtime, cpuset_limited, cpu_goes, slow_reader, budget, harm],
                  Machine))
