#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the removal of the package does without a daemon: monitors are released, masks are
given back, and what cannot be done is told, VM by VM. The next qmpind manages all VMs."""
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys

from daemon import QMPIND, die_with_parent
from fleet import Fleet, FleetHost
from runner import SLACK, SOURCE, Skip, check, main, retry
from vmhost import cpulist, taskset

PRERM = os.path.join(SOURCE, "contrib", "proxmox", "debian", "qmpin.prerm")
NOTE = "restored by hand"
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


def managed(d, *vms):
    """Pinned by the daemon, and nobody has said otherwise."""
    for vm in vms:
        retry(lambda: vm.pinned() and d.settled(vm.id), "VM %d is managed: %s" % (
            vm.id, d.vm(vm.id)["note"]), 10)
        check(NOTE not in (d.vm(vm.id)["note"] or ""), "VM %d: %s", vm.id, d.vm(vm.id))


def given_back(vms, before):
    for vm in vms:
        check(vm.masks() == before[vm.id], "VM %d has %s, not %s", vm.id, vm.masks(),
              before[vm.id])


def placed(host, *ids):
    """VMs with their masks of before, and the daemon that has placed them."""
    vms = start_vms(host, *ids)
    before = {vm.id: vm.masks() for vm in vms}
    d = host.started()
    managed(d, *vms)
    return vms, before, d


def rewrite(host, vmid, cpus):
    """In a VM's record, what its threads had before."""
    path = host.path("run", "%d.json" % vmid)
    with open(path) as f:
        record = json.load(f)
    for thread in record["threads"]:
        thread["cpus"] = cpus
    with open(path, "w") as f:
        json.dump(record, f)


def prerm(host):
    """What dpkg runs before it removes the package: (its stderr, rm's arguments). The
    programs that it finds are ours, since it names the host's directories."""
    bin_dir = host.path("bin")
    os.makedirs(bin_dir, exist_ok=True)
    for name, does in (
            ("qmpind", "exec %s --vm-dir %s --run-dir %s \"$@\"" % (
                QMPIND, host.path("vm"), host.path("run"))),
            ("rm", "echo \"$@\" >>%s" % host.path("removed"))):
        path = os.path.join(bin_dir, name)
        with open(path, "w") as f:
            f.write("#!/bin/sh\n%s\n" % does)
        os.chmod(path, 0o755)
    p = subprocess.run(["sh", PRERM, "remove"], capture_output=True, text=True,
                       timeout=60 * SLACK,
                       env=dict(os.environ, PATH=bin_dir + ":" + os.environ["PATH"]))
    check(p.returncode == 0, "prerm has ended with %d: %s", p.returncode, p.stderr)
    try:
        with open(host.path("removed")) as f:
            return p.stderr, f.read()
    except FileNotFoundError:
        return p.stderr, ""


def one_fails(host):
    """a VM that cannot be restored leaves no other one alone after the next installation"""
    vms, before, d = placed(host, 100, 101)
    d.stop()
    rewrite(host, 100, "500")  # which it cannot have any more
    err, removed = prerm(host)
    check("some VMs keep their CPU masks" in err and "VM 100: thread" in err, "%s", err)
    check(not removed, "removed: %s", removed)
    given_back(vms[1:], before)
    rewrite(host, 100, cpulist(host.need_cpus(2)))
    d.start()
    managed(d, *vms)
    d.stop()
    err, removed = prerm(host)
    check((err, removed) == ("", "-rf /run/qmpin\n"), "%s%s", err, removed)
    given_back(vms, before)


def interrupted(host):
    """a removal that ends halfway leaves no VM alone, but for what was said by hand"""
    vms, before, d = placed(host, 100, 101, 102, 103)
    check(d.command("mode", "101", "off")[0] == 0, "mode")
    check(d.command("restore", "102")[0] == 0, "restore")
    d.stop()
    code, out, err = qmpind(host, "--restore", "100,101,102", "--forget")
    check(code == 0 and len(out.splitlines()) == 3, "%d %s%s", code, out, err)
    given_back(vms[:3], before)
    cpus = host.need_cpus(2)
    taskset(vms[0].pid, cpus[:1])  # what it may have from now on
    d.start()
    managed(d, vms[0], vms[3])
    retry(lambda: d.vm(101)["mode"] == "off" and NOTE in (d.vm(102)["note"] or ""),
          "what was said by hand counts: %s" % d.vms(), 5)
    given_back(vms[1:3], before)
    d.stop()
    code, out, err = qmpind(host, "--restore", "all", "--forget")
    check(code == 0, "%d %s%s", code, out, err)
    before[100][vms[0].pid] = frozenset(cpus[:1])
    given_back(vms, before)


if __name__ == "__main__":
    sys.exit(main([one_fails, interrupted, stopped, crowd], FleetHost))
