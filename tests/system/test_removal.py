#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the removal of the package does without a daemon: monitors are released, and what
cannot be done is told, VM by VM."""
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys

from daemon import QMPIND, die_with_parent
from fleet import Fleet, FleetHost
from runner import SLACK, Skip, check, main

FLEET = 40


def start_vms(host, *ids):
    if not shutil.which(host.qemu):
        raise Skip("no %s here" % host.qemu)
    return [host.start_vm(i, cpus=host.need_cpus(2)) for i in ids]


def qmpind(host, *args, files=None):
    """(exit status, stdout, stderr); files: limits of open ones, soft and hard."""
    def limit():
        die_with_parent()
        if files:
            resource.setrlimit(resource.RLIMIT_NOFILE, files)
    p = subprocess.run([QMPIND, "--vm-dir", host.path("vm"), "--run-dir",
                        host.path("run"), *args], capture_output=True, text=True,
                       timeout=30 * SLACK, preexec_fn=limit)
    return p.returncode, p.stdout, p.stderr


def crowd(host):
    """more VMs than a shell's soft limit of open files are released"""
    fleet = Fleet(host, FLEET, vcpus=1, threads=2)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    code, out, err = qmpind(host, "--release", "all", files=(FLEET, hard))
    check((code, len(out.splitlines())) == (0, fleet.vms), "%d %s%s", code, out, err)


def clogged(vm):
    """Connections that fill the queue of a QEMU that stands still."""
    crowd = []
    os.kill(vm.pid, signal.SIGSTOP)
    while True:
        s = socket.socket(socket.AF_UNIX)
        s.setblocking(False)
        try:
            s.connect(vm.qmp_path)
        except BlockingIOError:
            return crowd
        crowd.append(s)


def stopped(host):
    """a VM whose monitor cannot be got at is named, one that has ended is not"""
    vms = start_vms(host, 100, 101, 102)
    waiting = clogged(vms[0])
    vms[1].kill()
    check(os.path.exists(vms[1].qmp_path), "the socket of VM 101 is gone")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as odd:
        odd.bind(host.path("vm", "103.qmp"))
        code, out, err = qmpind(host, "--release", "all")
    check((code, out) == (5, "released 102\n"), "%d %s%s", code, out, err)
    check("VM 100 not released: no answer" in err and "101" not in err and
          "VM 103 not released: " in err and "cannot connect" in err, "%s", err)
    check(waiting, "its queue was full before")


if __name__ == "__main__":
    sys.exit(main([crowd, stopped], FleetHost))
