#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""In the place of qmpind in its unit (ExecStart= of a drop-in): does what qmpind has to do to
a VM, which must be possible, and what nobody should do who got hold of it, which must fail
by the confinement and by nothing else. confined.py VMID PID, of a process that belongs to a
user; a line for each, PASS or FAIL."""
import ctypes
import errno
import os
import platform
import resource
import signal
import socket
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
NR = {"x86_64": {"ptrace": 101, "shmget": 29, "mount": 165, "swapoff": 168, "reboot": 169,
                 "sethostname": 170, "init_module": 175, "settimeofday": 164, "io_setup": 206,
                 "mbind": 237, "add_key": 248, "ioprio_set": 251, "migrate_pages": 256,
                 "unshare": 272, "move_pages": 279, "perf_event_open": 298,
                 "process_vm_writev": 311, "bpf": 321, "userfaultfd": 323, "mlock": 149,
                 "personality": 135, "chroot": 161, "setns": 308, "pidfd_open": 434,
                 "pidfd_getfd": 438, "open_by_handle_at": 304, "setuid": 105,
                 "iopl": 172, "syslog": 103, "kexec_load": 246}}
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID = 0x20000, 0x10000000, 0x20000000


def call(name, *args):
    """A system call without glibc's own opinion."""
    n = LIBC.syscall(NR[platform.machine()][name], *[ctypes.c_long(a) for a in args])
    if n < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return n


def pid_of(vmid):
    with open("/run/qemu-server/%s.pid" % vmid) as f:
        return int(f.read())


def open_socket(*args):
    with socket.socket(*args):
        pass


def write(path, text=""):
    with open(path, "a") as f:
        f.write(text)


def made(path):
    write(path, "x")
    os.unlink(path)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def writable_code():
    prot = 1 | 2 | 4
    LIBC.mmap.restype = ctypes.c_void_p
    if LIBC.mmap(None, ctypes.c_size_t(4096), prot, 0x22, -1, ctypes.c_long(0)) == \
            ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "mmap")


def set_uid_file():
    path = "/run/qmpin/set-uid"
    try:
        write(path)
        os.chmod(path, 0o4755)
    finally:
        os.unlink(path)


def kernel_events():
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, 15) as s:
        s.bind((0, 1))


def set_mask(pid):
    os.sched_setaffinity(pid, os.sched_getaffinity(pid))


def shared_socket(pid):
    """Of the descriptors of a VM any, as its listening socket is one."""
    pidfd = os.pidfd_open(pid)
    os.close(call("pidfd_getfd", pidfd, 0, 0))
    os.close(pidfd)


def dial(vmid):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect("/run/qemu-server/%s.qmp" % vmid)


def to_group():
    path = "of-a-group"
    run = os.open("/run/qmpin", os.O_PATH)
    write("/run/qmpin/" + path)
    os.chown(path, -1, os.getegid(), dir_fd=run)
    os.unlink(path, dir_fd=run)
    os.close(run)


def may(pid, vmid):
    return [
        ("set masks of a VM", lambda: set_mask(pid)),
        ("see its threads", lambda: os.listdir("/proc/%d/task" % pid)),
        ("read how long a thread waits", lambda: read("/proc/%d/task/%d/schedstat" % (pid, pid))),
        ("share its socket", lambda: shared_socket(pid)),
        ("dial its monitor", lambda: dial(vmid)),
        ("read its cgroup", lambda: read(
            "/sys/fs/cgroup/qemu.slice/%s.scope/cpu.stat" % vmid)),
        ("read the host's CPUs", lambda: read("/sys/devices/system/cpu/online")),
        ("hear that CPUs come and go", kernel_events),
        ("write a record", lambda: made("/run/qmpin/x")),
        ("keep what was measured", lambda: made("/var/lib/qmpin/x")),
        ("give a socket to its group", to_group),
        ("give way to others", lambda: os.setpriority(os.PRIO_PROCESS, 0, 5)),
        ("wait for a child", lambda: os.waitpid(os.fork() or os._exit(0), 0)),
    ]


def may_not(pid):
    trace = (16, pid, 0, 0)  # PTRACE_ATTACH
    seize = (0x4206, pid, 0, 0)
    return [
        ("talk to the network", lambda: open_socket(socket.AF_INET), errno.EAFNOSUPPORT),
        ("the same, IPv6", lambda: open_socket(socket.AF_INET6), errno.EAFNOSUPPORT),
        ("send raw packets", lambda: open_socket(socket.AF_PACKET, socket.SOCK_RAW),
         errno.EAFNOSUPPORT),
        ("dial a guest", lambda: open_socket(socket.AF_VSOCK), errno.EAFNOSUPPORT),
        ("change a configuration", lambda: made("/etc/qmpin/x"), errno.EROFS),
        ("change one of a VM", lambda: made("/etc/pve/x"), errno.EROFS),
        ("change a program", lambda: made("/usr/bin/x"), errno.EROFS),
        ("write to VMs' files", lambda: made("/run/qemu-server/x"), errno.EROFS),
        ("leave a file behind", lambda: made("/var/log/x"), errno.EROFS),
        ("leave one till the next boot", lambda: made("/run/x"), errno.EROFS),
        ("see memory that is shared", lambda: os.listdir("/dev/shm"), errno.EACCES),
        ("see huge pages", lambda: os.listdir("/dev/hugepages"), errno.EACCES),
        ("read homes", lambda: os.listdir("/root"), errno.EACCES),
        ("set the kernel", lambda: write("/proc/sys/vm/swappiness", "60"), errno.ENOENT),
        ("set it by /sys", lambda: write("/sys/kernel/mm/ksm/run", "0"), errno.EROFS),
        ("switch off a CPU", lambda: write("/sys/devices/system/cpu/cpu3/online", "0"),
         errno.EROFS),
        ("change a cgroup", lambda: write("/sys/fs/cgroup/qemu.slice/cgroup.procs", "0"),
         errno.EROFS),
        ("open a disk", lambda: read("/dev/vda"), errno.ENOENT),
        ("open memory", lambda: read("/dev/mem"), errno.ENOENT),
        ("read the kernel's log", lambda: call("syslog", 3, 0, 0), errno.EPERM),
        ("stop a VM's thread", lambda: call("ptrace", *trace), errno.EPERM),
        ("the same, softly", lambda: call("ptrace", *seize), errno.EPERM),
        ("write a VM's memory", lambda: call("process_vm_writev", pid, 0, 0, 0, 0, 0),
         errno.EPERM),
        ("move a VM's memory", lambda: call("move_pages", pid, 0, 0, 0, 0, 0), errno.EPERM),
        ("the same, all of it", lambda: call("migrate_pages", pid, 0, 0, 0), errno.EPERM),
        ("bind memory", lambda: call("mbind", 0, 0, 0, 0, 0, 0), errno.EPERM),
        ("lock memory", lambda: call("mlock", 0, 0), errno.EPERM),
        ("be before all others", lambda: os.sched_setscheduler(
            0, os.SCHED_FIFO, os.sched_param(1)), errno.EPERM),
        ("take disks from others", lambda: call("ioprio_set", 1, 0, 0), errno.EPERM),
        ("mount", lambda: call("mount", 0, 0, 0, 0, 0), errno.EPERM),
        ("go to other namespaces", lambda: call("setns", 0, 0), errno.EPERM),
        ("make a namespace", lambda: call("unshare", CLONE_NEWNS), errno.EPERM),
        ("make one of users", lambda: call("unshare", CLONE_NEWUSER), errno.EPERM),
        ("make one of processes", lambda: call("unshare", CLONE_NEWPID), errno.EPERM),
        ("leave for another root", lambda: os.chroot("/tmp"), errno.EPERM),
        ("be another user", lambda: call("setuid", 1000), errno.EPERM),
        ("reboot", lambda: call("reboot", 0, 0, 0, 0), errno.EPERM),
        ("load a module", lambda: call("init_module", 0, 0, 0), errno.EPERM),
        ("load another kernel", lambda: call("kexec_load", 0, 0, 0, 0), errno.EPERM),
        ("set the clock", lambda: call("settimeofday", 0, 0), errno.EPERM),
        ("rename the host", lambda: call("sethostname", 0, 0), errno.EPERM),
        ("swap off", lambda: call("swapoff", 0), errno.EPERM),
        ("use BPF", lambda: call("bpf", 0, 0, 0), errno.EPERM),
        ("watch others' counters", lambda: call("perf_event_open", 0, pid, 0, -1, 0),
         errno.EPERM),
        ("handle page faults", lambda: call("userfaultfd", 0), errno.EPERM),
        ("open files by number", lambda: call("open_by_handle_at", 0, 0, 0), errno.EPERM),
        ("have keys", lambda: call("add_key", 0, 0, 0, 0, 0), errno.EPERM),
        ("share memory", lambda: call("shmget", 0, 4096, 0o1600), errno.EPERM),
        ("use ports", lambda: call("iopl", 3), errno.EPERM),
        ("be an old program", lambda: call("personality", 8), errno.EPERM),
        # refused by systemd's filter, and before that by kernels that can (6.3)
        ("write code", writable_code, (errno.EPERM, errno.EACCES)),
        ("make a set-uid file", set_uid_file, errno.EPERM),
        ("have more files", lambda: resource.setrlimit(
            resource.RLIMIT_NOFILE, (1 << 19, 1 << 19)), errno.EPERM),
        ("end what belongs to users", lambda: os.kill(int(sys.argv[2]), signal.SIGTERM),
         errno.EPERM),
    ]


def outcome(do):
    try:
        do()
    except OSError as e:
        return e.errno
    except ValueError as e: # setrlimit's word for EPERM
        return errno.EPERM if "not allowed" in str(e) else str(e)
    return 0


def name_of(code):
    return "it worked" if code == 0 else errno.errorcode.get(code, code)


def tell(good, text, code):
    print("%s: %s%s" % ("PASS" if good else "FAIL", text,
                        "" if good else " (%s)" % name_of(code)), flush=True)


def main():
    pid = pid_of(sys.argv[1])
    for what, do in may(pid, sys.argv[1]):
        code = outcome(do)
        tell(code == 0, "may " + what, code)
    for what, do, wanted in may_not(pid):
        code, wanted = outcome(do), wanted if isinstance(wanted, tuple) else (wanted,)
        tell(code in wanted, "may not %s: %s" % (what, name_of(wanted[0])), code)


if __name__ == "__main__":
    main()
