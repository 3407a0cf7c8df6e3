# SPDX-License-Identifier: MIT
"""What goes wrong around the daemon: each case makes it happen to a Life, ends it, and
leaves the judging to what holds after every fault. Its first doc line is its name."""
import os
import resource
import signal
import socket
import time

from faultlib import CHILD
from fleet import FIRST, children
from life import REAL, RECOVER_S, Life
from runner import Failed, Skip, check, now, pass_time, retry
from vmhost import connect

OUTSIDE = []


def outside(case):
    OUTSIDE.append(case)
    return case


def guard(life):
    """Its pid, or None."""
    for pid in children(life.daemon.pid):
        with open("/proc/%d/comm" % pid) as f:
            if f.read().strip() == "qmpin-guard":
                return pid
    return None


def broken(life, seconds, acts=None):
    """All acts, while something is wrong; some will not succeed."""
    end = now() + seconds
    for act in acts or Life.ACTS:
        life.act(act, max(0.05, min(0.3, end - now())))


# -- QEMU

@outside
def qemu_killed(life):
    """a QEMU is killed, its socket stays; a new one takes its id"""
    life.real.kill()
    pass_time(0.3)
    life.real = life.host.start_vm(REAL, vcpus=2)


@outside
def qemu_stopped(life):
    """a QEMU is stopped for two seconds while vCPUs of others come and go"""
    life.real.process.send_signal(signal.SIGSTOP)
    broken(life, 2.0, [Life.plug, Life.drift, Life.cycle])
    life.real.process.send_signal(signal.SIGCONT)


@outside
def qemu_restarts(life):
    """a QEMU ends and comes back six times, as quickly as it can"""
    for _ in range(6):
        life.cycle()


@outside
def qemu_lies(life):
    """a QEMU names the threads of a stranger, of another VM and of init as its vCPUs"""
    others = [life.stranger.pid, *life.limited.tids()]
    liars = [life.host.fake("threads", 300, *others), life.host.fake("threads", 301, 1)]
    broken(life, 1.0, [Life.drift, Life.control])
    gone(life, liars, 300, 301)


@outside
def qemu_floods(life):
    """a QEMU sends 100 MB of events, another one 100 MB of objects"""
    floods = [life.host.fake("flood_events", 300), life.host.fake("flood_objects", 301)]
    broken(life, 2.0, [Life.drift, Life.plug, Life.control])
    gone(life, floods, 300, 301)


@outside
def qemu_half(life):
    """a QEMU ends in the middle of a reply, another one never greets"""
    fakes = [life.host.fake("half_reply", 300), life.host.fake("silent", 301)]
    broken(life, 1.0, [Life.drift, Life.rival])
    gone(life, fakes, 300, 301)


def gone(life, processes, *vmids):
    """The end of pretended VMs, files and all."""
    for p in processes:
        p.kill()
        p.wait()
    for vmid in vmids:
        for suffix in ("qmp", "pid", "sent"):
            try:
                os.unlink(life.host.path("vm", "%d.%s" % (vmid, suffix)))
            except FileNotFoundError:
                pass


# -- the kernel's files and events

@outside
def threads_vanish(life):
    """threads end between readdir and stat: they come and go without end for a second"""
    end = now() + 1.0
    while now() < end:
        life.worker()
        life.no_worker()


@outside
def proc_vanishes(life):
    """a third of all that is opened in /proc or elsewhere is not there any more"""
    life.page.arm("ENOENT", name="openat", pct=33, seed=1)
    broken(life, 2.0)


@outside
def inotify_overflows(life):
    """more files come and go in the directory of VMs than inotify keeps, while the
    daemon is stopped, and a VM starts and one ends among them"""
    with open("/proc/sys/fs/inotify/max_queued_events") as f:
        room = int(f.read())
    life.daemon.process.send_signal(signal.SIGSTOP)
    for i in range(room // 2 + 100):
        path = life.host.path("vm", "x%d.tmp" % (i % 2))
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        os.unlink(path)
    life.fleet.command("stop %d" % (FIRST + 1))
    life.fleet.command("start %d" % (FIRST + 1))
    life.daemon.process.send_signal(signal.SIGCONT)


def uevents(n):
    """Ask the kernel to tell that a CPU has changed, though it has not."""
    path = "/sys/devices/system/cpu/cpu0/uevent"
    try:
        fd = os.open(path, os.O_WRONLY)
        try:
            for _ in range(n):
                os.write(fd, b"change")
        finally:
            os.close(fd)
    except OSError as e:
        raise Skip("cannot make uevents: %s" % e) from None


@outside
def uevent_storm(life):
    """5000 uevents of a CPU"""
    uevents(5000)
    broken(life, 0.5, [Life.drift, Life.control])


@outside
def netlink_overflows(life):
    """more uevents than the socket holds, while the daemon is stopped"""
    life.daemon.process.send_signal(signal.SIGSTOP)
    try:
        uevents(20000)
    finally:
        life.daemon.process.send_signal(signal.SIGCONT)


@outside
def netlink_fails(life):
    """the kernel says ENOBUFS whenever uevents are read"""
    life.page.arm("ENOBUFS", name="recvmsg")
    uevents(100)
    broken(life, 1.0, [Life.drift, Life.control])


# -- time

@outside
def clock_forward(life):
    """the wall clock steps a day forward"""
    life.page.step_clock(86400)
    broken(life, 2.0)
    life.page.step_clock(0)


@outside
def clock_back(life):
    """the wall clock steps ten years back"""
    life.page.step_clock(-10 * 365 * 86400)
    broken(life, 2.0)
    life.page.step_clock(0)


@outside
def daemon_stalls(life):
    """the daemon is stopped for two seconds, in which vCPUs come and masks break"""
    life.daemon.process.send_signal(signal.SIGSTOP)
    life.plug()
    life.drift()
    pass_time(2.0)
    life.daemon.process.send_signal(signal.SIGCONT)


# -- what it needs of the host

@outside
def disk_full(life):
    """nothing can be written: each write and rename says ENOSPC"""
    life.page.arm("ENOSPC", name="write")
    broken(life, 1.0, [Life.cycle, Life.undo, Life.mode, Life.reload])
    life.page.arm("ENOSPC", name="renameat")
    broken(life, 1.0, [Life.cycle, Life.undo, Life.mode, Life.reload])


def broken_with_fds(life, spare):
    pid = life.daemon.pid
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = len(os.listdir("/proc/%d/fd" % pid))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + spare, hard))
    try:
        broken(life, 2.0)
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


@outside
def fds_used_up(life):
    """no descriptor is left for it, and VMs come and go"""
    broken_with_fds(life, 0)


@outside
def few_fds(life):
    """three descriptors are left for it, so that it fails in the middle of things"""
    broken_with_fds(life, 3)


@outside
def no_processes(life):
    """no process can be started, and the guard is killed"""
    life.page.arm("EAGAIN", name="fork")
    os.kill(guard(life), signal.SIGKILL)
    broken(life, 1.0)


@outside
def records_deleted(life):
    """somebody deletes the records of running VMs"""
    for name in os.listdir(life.daemon.run_dir):
        if name.endswith(".json"):
            os.unlink(os.path.join(life.daemon.run_dir, name))
    broken(life, 1.0)


@outside
def pidfiles_deleted(life):
    """somebody deletes the pidfiles of running VMs, and they come back"""
    texts = {}
    for vmid in (FIRST, REAL):
        path = life.host.path("vm", "%d.pid" % vmid)
        with open(path) as f:
            texts[path] = f.read()
        os.unlink(path)
    life.act(Life.drift, 0.3)
    life.act(Life.control, 0.3)
    for path, text in texts.items():
        with open(path, "w") as f:
            f.write(text)


# -- its children

@outside
def guard_killed(life):
    """the guard is killed"""
    os.kill(guard(life), signal.SIGKILL)


@outside
def guard_stopped(life):
    """the guard is stopped for two seconds"""
    pid = guard(life)
    os.kill(pid, signal.SIGSTOP)
    broken(life, 2.0)
    os.kill(pid, signal.SIGCONT)


@outside
def probe_killed(life):
    """the probe is killed while it measures, and so is what reads the topology"""
    end = now() + 1.0
    while now() < end:
        life.reload()
        with connect(os.path.join(life.daemon.run_dir, "io.qmpin")) as s:
            s.sendall(b'{"method":"io.qmpin.Probe","parameters":{"budget_s":1}}\0')
            retry(lambda: len(children(life.daemon.pid)) > 1, "a child runs", 5)
            killed = set(children(life.daemon.pid)) - {guard(life)}
            for pid in killed:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            retry(lambda: not killed & set(children(life.daemon.pid)), "they are reaped", 5)


@outside
def children_fail(life):
    """each child that it starts finds that it cannot read"""
    life.page.arm("EIO", name="read", role=CHILD)
    broken(life, 1.0, [Life.reload, Life.measure])


# -- others

@outside
def signals_storm(life):
    """500 SIGHUPs"""
    for _ in range(500):
        life.daemon.process.send_signal(signal.SIGHUP)
        time.sleep(0.0005)


@outside
def drift_storm(life):
    """somebody else sets every mask of a VM for a second"""
    end = now() + 1.0
    while now() < end:
        for tid in life.real.tids():
            try:
                os.sched_setaffinity(tid, life.cpus)
            except ProcessLookupError:
                pass
        pass_time(0.1)


@outside
def clients_hang(life):
    """a hundred clients that ask and never read, and a hundred that never ask"""
    path = os.path.join(life.daemon.run_dir, "io.qmpin")
    held = []
    for i in range(200):
        s = socket.socket(socket.AF_UNIX)
        s.setblocking(False)
        try:
            s.connect(path)
            if i % 2:
                s.send(b'{"method":"io.qmpin.ListVMs","parameters":{}}\0' * 100)
        except OSError:
            pass
        held.append(s)
    broken(life, 1.0, [Life.drift, Life.plug])
    for s in held:
        s.close()


# -- its messages: a daemon of its own, started by a shell

class Journal:
    """Stands in for journald, for a daemon in a mount namespace of its own."""

    SHELL = ("mount -t tmpfs none /run/systemd && mkdir /run/systemd/journal && "
             "mount --bind %s /run/systemd/journal && "
             "JOURNAL_STREAM=$(stat -L -c %%d:%%i /proc/self/fd/2) exec \"$@\"")

    def __init__(self, life):
        self.dir = life.host.path("journal")
        os.mkdir(self.dir)
        self.open()
        by_shell(life, "unshare", "--mount", "bash", "-c", self.SHELL % self.dir)

    def open(self):
        path = os.path.join(self.dir, "socket")
        if os.path.exists(path):
            os.unlink(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.setblocking(False)

    def close(self):
        self.socket.close()

    def read(self):
        """Messages that have come."""
        n = 0
        try:
            while self.socket.recv(65536):
                n += 1
        except BlockingIOError:
            return n


def by_shell(life, *shell):
    """Start the daemon again, that way; a case that does this has its own Life."""
    life.daemon.stop()
    life.usual = life.daemon.command_line
    life.daemon.command_line = lambda: [*shell, "sh"] + [
        word for word in life.usual() if word != "--foreground"]
    try:
        life.daemon.start()
    except Failed as e:
        raise Skip("no namespace of its own: %s" % e) from None
    life.wait_right()
    for act in Life.ACTS:
        retry(lambda: life.works(act), "%s works" % act.__name__, RECOVER_S)
    life.learn()


@outside
def stderr_closed(life):
    """whoever read its messages has gone after five lines"""
    by_shell(life, "bash", "-c", 'exec "$@" 2> >(head -n 5 >&2)')
    broken(life, 2.0)


@outside
def journal_gone(life):
    """journald ends, and another one comes"""
    journal = Journal(life)
    broken(life, 0.5)
    check(journal.read(), "nothing was told to journald")
    journal.close()
    broken(life, 1.0)
    journal.open()
    broken(life, 0.5)
    check(journal.read(), "nothing is told to the new journald")


@outside
def journal_stuck(life):
    """journald does not read until its socket is full: the daemon does not wait for it"""
    journal = Journal(life)
    for act in Life.ACTS * 2:
        retry(lambda: life.works(act), "%s works" % act.__name__, RECOVER_S)
    check(journal.read() < 100, "the socket is never full: nothing is shown by this")


def share_of(call, error, pct):
    """A case in which that share of all calls fails."""
    def case(life):
        life.page.arm(error, name=call, pct=pct, seed=7)
        broken(life, 2.0)
    case.__doc__ = "%d %% of all %s() say %s" % (pct, call, error)
    case.__name__ = "some_%s_%s" % (call, error)
    OUTSIDE.append(case)


for _call, _error, _pct in (
        ("openat", "EMFILE", 20), ("open", "ENFILE", 20), ("read", "EIO", 10),
        ("read", "CUT", 50), ("close", "EINTR", 50), ("epoll_ctl", "ENOMEM", 10),
        ("sched_setaffinity", "EINVAL", 50), ("sched_setaffinity", "EPERM", 100),
        ("sched_getaffinity", "ESRCH", 30), ("pidfd_open", "ESRCH", 30),
        ("pidfd_getfd", "EPERM", 50), ("socket", "EMFILE", 50), ("sendmsg", "EAGAIN", 30),
        ("recvmsg", "EINTR", 50), ("accept4", "ECONNABORTED", 50),
        ("fstat", "EIO", 30), ("fcntl", "EMFILE", 30)):
    share_of(_call, _error, _pct)
