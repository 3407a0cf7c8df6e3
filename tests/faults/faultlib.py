# SPDX-License-Identifier: MIT
"""The page that is shared with the shim (shim.h has its layout), and which errors a call
can plausibly give: what the manual pages name for what the daemon calls it with."""
import errno
import mmap
import os
import struct
import subprocess

from daemon import QMPIND
from runner import BUILD

SHIM = os.path.join(BUILD, "tests", "faults", "shim.so")
SITES = 8192
# armed error key name role skip times pct seed cut seen hits
RULE = struct.Struct("=IiQ24sIIIIIIII")
TAIL = struct.Struct("=qII")
SITE = struct.Struct("=QQ3QII24s")
SITES_AT = RULE.size + TAIL.size
ALWAYS = 0xffffffff
MAIN, CHILD = 0, 1

ERRORS = {
    "accept4": "EMFILE ENFILE ECONNABORTED ENOMEM EINTR",
    "access": "ENOENT EACCES",
    "bind": "EADDRINUSE ENOSPC EACCES",
    "chdir": "ENOENT EACCES",
    "close": "EIO EINTR",
    "connect": "ECONNREFUSED EAGAIN ENOENT EACCES",
    "dup": "EMFILE", "dup2": "EBUSY",
    "epoll_create1": "EMFILE ENOMEM",
    "epoll_ctl": "ENOMEM ENOSPC",
    "epoll_wait": "EINTR",
    "eventfd": "EMFILE ENFILE",
    "execv": "ENOENT EACCES ENOMEM",
    "fchmod": "EPERM EROFS", "fchmodat": "EPERM EROFS", "fchownat": "EPERM EROFS",
    "fcntl": "EINVAL EMFILE",
    "fdopendir": "EMFILE ENOMEM",
    "flock": "EWOULDBLOCK ENOLCK EINTR",
    "fork": "EAGAIN ENOMEM",
    "fstat": "EIO ENOMEM", "fstatat": "ENOENT EACCES EIO",
    "getdents64": "ENOENT EIO",
    "getpeername": "ENOTCONN ENOBUFS", "getsockname": "ENOBUFS",
    "getsockopt": "ENOPROTOOPT ENOBUFS",
    "inotify_add_watch": "ENOSPC ENOENT ENOMEM",
    "inotify_init1": "EMFILE ENOMEM",
    "inotify_rm_watch": "EINVAL",
    "ioctl": "ENOTTY EIO",
    "listen": "EADDRINUSE",
    "lstat": "ENOENT EACCES",
    "mkdir": "ENOSPC EROFS EACCES",
    "open": "EMFILE ENFILE ENOENT EACCES ENOMEM EIO",
    "openat": "EMFILE ENFILE ENOENT EACCES ENOMEM EIO",
    "opendir": "EMFILE ENOENT ENOMEM",
    "pidfd_getfd": "EPERM EMFILE ESRCH EBADF",
    "pidfd_open": "EMFILE ESRCH ENOMEM",
    "pidfd_send_signal": "EPERM ESRCH",
    "pipe2": "EMFILE ENFILE",
    "poll": "EINTR ENOMEM",
    "read": "EIO EINTR ESRCH CUT",
    "readdir": "EIO ENOENT",
    "readlinkat": "ENOENT EACCES",
    "readv": "EAGAIN EINTR ECONNRESET",
    "realpath": "ENOENT EACCES",
    "recv": "EAGAIN EINTR ECONNRESET CUT",
    "recvfrom": "EAGAIN EINTR ENOBUFS",
    "recvmsg": "EAGAIN EINTR ENOBUFS ECONNRESET",
    "renameat": "ENOSPC EIO EROFS",
    "sched_getaffinity": "ESRCH EPERM",
    "sched_setaffinity": "EINVAL EPERM ESRCH",
    "send": "EAGAIN EPIPE ENOBUFS CUT",
    "sendmsg": "EAGAIN EPIPE ENOBUFS ENOMEM",
    "sendto": "EAGAIN EPIPE ENOBUFS",
    "setpgid": "EPERM", "setsid": "EPERM",
    "setsockopt": "EPERM ENOMEM",
    "shutdown": "ENOTCONN",
    "socket": "EMFILE ENFILE EACCES ENOBUFS EAFNOSUPPORT",
    "socketpair": "EMFILE ENFILE",
    "stat": "ENOENT EACCES", "statfs": "EIO", "statx": "ENOENT EACCES EIO",
    "timerfd_create": "EMFILE", "timerfd_settime": "EINVAL",
    "unlink": "ENOENT EROFS EIO", "unlinkat": "ENOENT EROFS EIO",
    "waitid": "ECHILD EINTR", "waitpid": "ECHILD EINTR",
    "write": "ENOSPC EIO EINTR EPIPE CUT",
    "writev": "EAGAIN EPIPE ECONNRESET",
}

# What cannot be: (call, a function that is in the place, LIBRARY or LOOP, errors, why not).
LIBRARY, LOOP = "a library", "the loop of libevent"
IMPOSSIBLE = (
    ("read", LOOP, "EIO ESRCH CUT", "one byte of libevent's own pair of sockets"),
    ("write", LIBRARY, "ENOSPC EIO EPIPE EINTR CUT", "the same pair, by libevent's "
     "handler of signals, wherever that interrupts; nothing else calls it"),
    ("writev", "on_child_writable", "ECONNRESET", "a pipe"),
    ("openat", "is_left_over", "ENOENT", "/proc/PID of a process that lives: this is the "
     "proof that it has ended, and its record goes"),
    ("openat", "sweep_one", "ENOENT", "the same"),
    ("read", "is_left_over", "ESRCH", "the same"),
    ("read", "sweep_one", "ESRCH", "the same"),
    ("read", "load_file", "ESRCH", "of files in /proc only"),
    ("statx", "look_at", "ENOENT", "a name that readdir has just told: it has gone, and "
     "its return is an event of inotify, which does not come where nothing has gone"),
)


class Site:
    """One place that calls a function. Sites with the same function, role and frames are
    the same in every run of the same program."""

    def __init__(self, fields):
        self.key, self.calls = fields[:2]
        self.frames, self.role = fields[2:5], fields[5]
        self.foreign = bool(fields[6])
        self.name = fields[7].rstrip(b"\0").decode()
        self.where = ""

    @property
    def errors(self):
        errors = ERRORS.get(self.name, "").split()
        for name, where, impossible, _ in IMPOSSIBLE:
            if name == self.name and self.is_in(where):
                errors = [e for e in errors if e not in impossible.split()]
        return errors

    def is_in(self, where):
        places = self.where.split(" < ")
        if where is LOOP:
            return self.foreign and places[0] == "turns_run"
        return self.foreign if where is LIBRARY else where in places

    def __str__(self):
        return "%s in %s%s%s" % (self.name, self.where or "?",
                                 ", by a library" if self.foreign else "",
                                 ", in a child" if self.role == CHILD else "")


class Page:
    """The file that one daemon's shim maps."""

    def __init__(self, path):
        self.path = path
        with open(path, "wb") as f:
            f.truncate(SITES_AT + SITES * SITE.size)
        with open(path, "r+b") as f:
            self._map = mmap.mmap(f.fileno(), 0)

    def env(self):
        return {"LD_PRELOAD": SHIM, "QMPIN_FAULTS": self.path}

    def arm(self, error, site=None, name="", role=MAIN, skip=0, times=ALWAYS, pct=100,
            seed=0):
        """error: a name of errno, or CUT; of a site or of all with that name."""
        self.disarm()
        number = 0 if error == "CUT" else getattr(errno, error)
        fields = [0, number, site.key if site else 0, name.encode(), role, skip, times,
                  pct, seed, int(error == "CUT"), 0, 0]
        RULE.pack_into(self._map, 0, *fields)
        struct.pack_into("=I", self._map, 0, 1)

    def disarm(self):
        """How many calls failed."""
        struct.pack_into("=I", self._map, 0, 0)
        return RULE.unpack_from(self._map, 0)[-1]

    def hits(self):
        return RULE.unpack_from(self._map, 0)[-1]

    def step_clock(self, seconds):
        struct.pack_into("=q", self._map, RULE.size, int(seconds * 1e9))

    def full(self):
        return TAIL.unpack_from(self._map, RULE.size)[1]

    def sites(self):
        """By key."""
        found = {}
        for i in range(SITES):
            fields = SITE.unpack_from(self._map, SITES_AT + i * SITE.size)
            if fields[0] and fields[7][0]:
                found[fields[0]] = Site(fields)
        return found

    def calls(self):
        """key -> calls so far."""
        return {k: s.calls for k, s in self.sites().items()}


def locate(sites):
    """Give each site the functions and lines of its frames."""
    addresses = sorted({f - 1 for s in sites for f in s.frames if f})
    said = subprocess.run(["addr2line", "-f", "-s", "-e", QMPIND] +
                          ["%#x" % a for a in addresses], capture_output=True, text=True,
                          check=True).stdout.splitlines()
    names = {a: (said[2 * i], said[2 * i + 1].split(" ")[0])
             for i, a in enumerate(addresses)}
    for s in sites:
        own = [names[f - 1] for f in s.frames if f]
        s.where = " < ".join(n for n, _ in own)
        s.line = own[0][1] if own else ""
