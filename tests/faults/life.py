# SPDX-License-Identifier: MIT
"""A day of a daemon's life in small acts, on two stand-ins for QEMU and a real one, and
what must be true again after every fault."""
import os
import re
import shutil
import signal
import subprocess

import varlink
from daemon import Crashed
from faultlib import Page
from fleet import FIRST, Fleet, FleetHost, children
from runner import SLACK, Failed, check, now, pass_time, retry
from vmhost import MaskWatch, Qmp, connect, mask, tids_of

REAL = 200
RECOVER_S = 10.0
# Each VM has been audited twice.
AUDITED_S = 0.4
# So long an answer may take where nothing is wrong, on a slow machine.
PATIENCE_S = 5.0 * SLACK
# Short intervals, since a fault lasts as long as an act.
SETTINGS = """[qmpin]
mode = pin
adopt = now
audit_interval_ms = 150
rebalance = no
"""


def links_of(pid):
    """(name of the process, what a descriptor of it leads to); a child may just end."""
    found = []
    try:
        with open("/proc/%d/comm" % pid) as f:
            who = f.read().strip()
        for fd in os.listdir("/proc/%d/fd" % pid):
            found.append((who, os.readlink("/proc/%d/fd/%s" % (pid, fd))))
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


class Life:
    """A host, its daemon and what is known to be right."""

    def __init__(self, settings=SETTINGS, args=()):
        self.host = FleetHost()
        self.host.need_cpus(2)
        self.cpus = frozenset(self.host.need_cpus(2))
        self.page = Page(self.host.path("faults"))
        self.stranger = self.host.helper("sleep", "100000")
        self.fleet = Fleet(self.host, 2, vcpus=2, threads=4)
        self.real = self.host.start_vm(REAL, vcpus=2)
        self.limited = self.host.start_vm(REAL + 1, vcpus=1, cpus=sorted(self.cpus)[1:])
        self.plugged = self.stopped = self.worker_there = False
        self.ids = [FIRST, FIRST + 1, REAL, REAL + 1]
        self.daemon = self.host.daemon(settings, *args, env=self.page.env())
        self.watch = None
        self.fds = {}
        self.told = 0
        self.refused = []
        self.patience_s = PATIENCE_S

    def start(self):
        """Until all is right."""
        self.daemon.start()
        self.wait_right()
        if not self.watch:
            self.watch = MaskWatch([self.stranger.pid] + self.limited.tids(), 0.01)

    def start_anew(self):
        """As on a host that has not seen it yet: nothing recorded, nothing pinned."""
        for name in ("run", "state"):
            shutil.rmtree(self.host.path(name))
            os.mkdir(self.host.path(name))
        for tid in self.vcpus():
            if tid not in self.limited.tids():
                os.sched_setaffinity(tid, self.cpus)
        self.daemon.start(ready=False)

    def start_killed(self):
        """After a kill -9 of one that had placed all."""
        self.daemon.start(ready=False)

    def answers(self):
        """It has come so far in its start."""
        try:
            return bool(varlink.call(os.path.join(self.daemon.run_dir, "io.qmpin"),
                                     "io.qmpin.GetStatus", {}, timeout=0.5))
        except (OSError, varlink.Refused, ValueError):
            return False

    def ended(self, timeout):
        """Its exit status if it ends within that time."""
        try:
            code = self.daemon.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        self.daemon.process = None
        return code

    def end(self):
        if self.watch:
            self.watch.stop()
        self.daemon.kill()
        self.host.close()

    # -- what must be true

    def vcpus(self):
        """vCPU threads that are there now, all VMs."""
        fleet = [t for v in (FIRST, FIRST + 1) if not (self.stopped and v != FIRST)
                 for t in self.fleet.vcpu_tids(v)]
        return fleet + list(self.real.vcpus().values()) + \
            list(self.limited.vcpus().values())

    def mask_of(self, tid):
        return mask(tid)

    def right(self):
        """The kernel says that each vCPU has one CPU, the daemon that all is done."""
        bad = [t for t in self.vcpus() if len(mask(t) or ()) != 1]
        check(not bad, "vCPUs without a CPU of their own: %s", bad)
        ids = [v for v in self.ids if not (self.stopped and v == FIRST + 1)]
        check(self.daemon.settled(*ids), "not settled: %s", {
            v: (vm["state"], vm.get("note")) for v, vm in self.daemon.vms().items()})
        return True

    def wait_right(self):
        """Seconds until it is."""
        began = now()
        retry(self.right, "all is right", RECOVER_S, step=0.02)
        return self.soon(began)

    @staticmethod
    def soon(began):
        """Seconds since then, which may not be more than is promised."""
        took = now() - began
        check(took <= RECOVER_S, "well again only after %.1f s", took)
        return took

    def open_fds(self):
        """Kind of file -> how many the daemon and its children have open."""
        found = {}
        for pid in [self.daemon.pid] + children(self.daemon.pid):
            for who, link in links_of(pid):
                kind = link.split(":[")[0].replace(self.host.dir, "HOST")
                kind = re.sub(r"\d+", "#", kind)
                found[who, kind] = found.get((who, kind), 0) + 1
        return found

    def learn(self):
        """What it has open, when each VM has been audited, it may have open later."""
        pass_time(AUDITED_S)
        for kind, n in self.open_fds().items():
            self.fds[kind] = max(n, self.fds.get(kind, 0))

    def no_leak(self):
        """Nothing is open that was not open before."""
        more = {k: (self.fds.get(k, 0), n) for k, n in self.open_fds().items()
                if n > self.fds.get(k, 0)}
        check(not more, "open (kind: before, now): %s", more)
        return True

    def strangers(self):
        """Nobody else was touched, no mask left its limit, not even for a moment."""
        check(mask(self.stranger.pid) == self.cpus, "the stranger was pinned")
        limit = frozenset(sorted(self.cpus)[1:])
        for tid in self.limited.tids():
            check((mask(tid) or limit) <= limit, "thread %d left its limit", tid)
        for tid, seen in self.watch.seen.items():
            check(len(seen) == 1, "thread %d had %s", tid, [sorted(m) for m in seen])

    def alive(self):
        check(self.daemon.process.poll() is None, "qmpind ended with %s: %s",
              self.daemon.process.poll(), [s for _, s in self.daemon.log[-2:]])

    # -- acts: each ends as it began, if nothing fails

    def quietly(self, method, more=False, **parameters):
        """A request; what it answers to is the daemon's choice while it is in trouble."""
        try:
            return varlink.call(os.path.join(self.daemon.run_dir, "io.qmpin"),
                                "io.qmpin." + method, parameters, more, self.patience_s)
        except (Failed, OSError, varlink.Refused, ValueError) as e:
            self.refused.append("%s: %s" % (method, e))
            return None

    def drift(self):
        """a mask that somebody breaks"""
        tid = self.fleet.vcpu_tids(FIRST)[0]
        os.sched_setaffinity(tid, self.cpus)

        def repaired():
            return len(mask(tid)) == 1
        return repaired

    def plug(self):
        """a vCPU comes and goes"""
        if not self.plugged:
            self.fleet.command("plug %d" % FIRST)
            self.plugged = True
        tids = self.fleet.vcpu_tids(FIRST)
        return lambda: all(len(mask(t) or ()) == 1 for t in tids)

    def unplug(self):
        if self.plugged:
            self.fleet.command("unplug %d" % FIRST)
            self.plugged = False

    def cycle(self):
        """a VM ends and starts again"""
        if not self.stopped:
            self.fleet.command("stop %d" % (FIRST + 1))
            self.stopped = True
        self.start_again()
        return lambda: all(len(mask(t) or ()) == 1
                           for t in self.fleet.vcpu_tids(FIRST + 1))

    def start_again(self):
        if self.stopped:
            self.fleet.command("start %d" % (FIRST + 1))
            self.stopped = False

    def worker(self):
        """a thread of QEMU's comes and goes"""
        self.no_worker()
        self.fleet.command("thread %d worker" % FIRST)
        self.worker_there = True
        return lambda: len((self.daemon.vm(FIRST) or {"threads": ()})["threads"]) > 4

    def no_worker(self):
        if self.worker_there:
            self.fleet.command("unthread %d" % FIRST)
        self.worker_there = False

    def control(self):
        """every request that only asks"""
        for method in ("GetStatus", "GetTopology", "GetLatency", "Doctor", "GetConfig",
                       "GetMetrics", "Plan"):
            self.quietly(method)
            if len(self.refused) == 2:  # it is in trouble, and each costs patience
                return None
        self.quietly("GetVM", id="%d" % FIRST)
        self.quietly("Explain", id="%d" % FIRST)
        self.quietly("ListVMs", more=True, threads=True)
        return None

    def undo(self):
        """a VM is restored and placed again"""
        self.quietly("Restore", ids=["%d" % FIRST])
        return None

    def apply(self):
        self.quietly("Apply", ids=["%d" % v for v in self.ids])

    def mode(self):
        """a VM's mode is set"""
        self.quietly("SetMode", id="%d" % FIRST, mode="float")
        return None

    def mode_back(self):
        self.quietly("SetMode", id="%d" % FIRST)

    def reload(self):
        """SIGHUP"""
        since = now()
        self.daemon.process.send_signal(signal.SIGHUP)
        return lambda: self.daemon.noted("READY", "1", since)

    def rival(self):
        """somebody else uses a monitor"""
        qmp = Qmp(self.real.qmp_path, 2.0)
        qmp.run("query-status")
        qmp.close()
        return None

    def hang_up(self):
        """a client that goes before it is answered"""
        with connect(os.path.join(self.daemon.run_dir, "io.qmpin")) as s:
            varlink.send(s, "io.qmpin.ListVMs", {}, False)
        return None

    def measure(self):
        """latencies are measured on demand"""
        self.quietly("Probe", cpus="0-1", budget_s=0.05)
        return None

    ACTS = (drift, plug, cycle, worker, control, undo, mode, reload, rival, hang_up,
            measure)
    AFTER = {"plug": (unplug,), "cycle": (start_again,), "worker": (no_worker,),
             "undo": (apply,), "mode": (mode_back,)}

    def act(self, act, window_s):
        """Do it, and give it time to be done: it may never be while a fault lasts."""
        self.patience_s, self.refused = window_s / 4, []
        try:
            done = act(self)
        except (OSError, Failed, Crashed):
            return
        finally:
            self.patience_s = PATIENCE_S
        end = now() + window_s
        while done and now() < end and self.daemon.process.poll() is None:
            try:
                if done():
                    return
            except (OSError, Failed, Crashed):
                pass
            pass_time(0.01)

    def mend(self):
        """Undo what acts have left because a fault kept them from their end."""
        for f in (self.unplug, self.start_again, self.no_worker, self.mode_back,
                  self.apply):
            f()
        return not self.refused

    def works(self, act):
        """The same once more, without a fault: all of it must go well now."""
        self.alive()
        for f in self.AFTER.get(act.__name__, ()):
            f(self)
        self.refused = []
        if act is Life.drift:
            self.apply()  # whoever breaks masks thirty times a minute is given way to
        done = act(self)
        check(not self.refused, "refused: %s", self.refused)
        if done:
            retry(done, "%s is done" % act.__name__, RECOVER_S, step=0.01)
        for f in self.AFTER.get(act.__name__, ()):
            f(self)
        return True

    def recovered(self, act, leaks=True):
        """The fault has ended: all must work and be right soon. Seconds that it took."""
        began = now()
        retry(lambda: self.works(act), "%s works again" % act.__name__, RECOVER_S,
              step=0.05)
        self.wait_right()
        took = self.soon(began)
        if leaks:
            retry(self.no_leak, "nothing is left open", RECOVER_S, step=0.05)
        self.strangers()
        self.alive()
        return took

    def lines(self):
        """Log lines since the last time."""
        self.daemon.lines("")
        n = len(self.daemon.log)
        new, self.told = n - self.told, n
        return new
