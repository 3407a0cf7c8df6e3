#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Threads that come late, and processes beside QEMU: what they are and where they run."""
import contextlib
import os
import subprocess
import sys

from daemon import die_with_parent
from runner import Failed, Skip, check, main, pass_audit, retry
from vmhost import Host, mask, tids_of

TOPS = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
VMID = 100000000 + os.getpid()  # nobody else's on this machine


@contextlib.contextmanager
def scope(vmid):
    """The directory of /qemu.slice/VMID.scope in the unified hierarchy."""
    top = next((t for t in TOPS if os.path.exists(t + "/cgroup.controllers")), None)
    if top is None:
        raise Skip("no unified cgroup hierarchy here")
    slice_ = top + "/qemu.slice"
    path = "%s/%d.scope" % (slice_, vmid)
    try:
        os.makedirs(path)
    except OSError as e:
        raise Skip("cgroups may not be made here: %s" % e) from None
    try:
        yield path
    finally:
        with open(path + "/cgroup.procs") as f:
            left = f.read().split()
        for pid in left:
            move(top, int(pid))
        retry(lambda: removed(path), "the scope is empty")
        removed(slice_)  # unless others are in it


def removed(path):
    try:
        os.rmdir(path)
        return True
    except OSError:
        return False


def move(group, pid):
    with open(group + "/cgroup.procs", "w") as f:
        f.write("%d\n" % pid)


def helper(host, cpus):
    """A process with QEMU's mask that sleeps."""
    p = subprocess.Popen(["taskset", "-c", ",".join(map(str, cpus)), "sleep", "600"],
                         preexec_fn=die_with_parent)
    host.helpers.append(p)
    retry(lambda: mask(p.pid) == frozenset(cpus), "the helper has its mask")
    return p.pid


def threads(d, class_):
    return [t for t in d.vm(VMID)["threads"] if t["class"] == class_]


def scoped_helper(host):
    """a process in the VM's scope is listed as helper and follows the emulator"""
    cpus = host.need_cpus(2)
    vm = host.start_vm(VMID, vcpus=1, cpus=cpus)
    with scope(VMID) as group:
        early, late, other = (helper(host, cpus) for _ in range(3))
        move(group, vm.pid)
        move(group, early)
        d = host.started()
        d.wait_settled(VMID)
        check(mask(early) == mask(vm.pid), "the helper has %s", mask(early))
        move(group, late)
        retry(lambda: len(threads(d, "helper")) == 2, "both are listed", 2.5)
        retry(lambda: mask(late) == mask(vm.pid), "the late one follows", 5)
        check(mask(other) == frozenset(cpus), "one outside has %s", mask(other))
        code, out, _ = d.command("ps", "-v", str(VMID))
        rows = [line.split() for line in out.splitlines() if line.startswith("helper")]
        check(code == 0 and sorted(int(r[2]) for r in rows) == sorted([early, late]),
              "ps lists %s", rows)
        d.stop()
        before = {p: mask(p) for p in (early, late)}
        d.start()
        d.wait_settled(VMID)
        check({p: mask(p) for p in before} == before, "a restart moved helpers")
        os.kill(late, 9)
        retry(lambda: len(threads(d, "helper")) == 1, "it is forgotten", 5)


def two_in_one_scope(host):
    """where another QEMU is in the scope, no process of it is a helper"""
    cpus = host.need_cpus(2)
    vms = [host.start_vm(VMID, vcpus=1, cpus=cpus),
           host.start_vm(VMID + 1, vcpus=1, cpus=cpus)]
    with scope(VMID) as group:
        pid = helper(host, cpus)
        for p in (vms[0].pid, vms[1].pid, pid):
            move(group, p)
        d = host.started()
        d.wait_settled(VMID, VMID + 1)
        pass_audit()
        pass_audit()
        check(mask(pid) == frozenset(cpus), "it has %s", mask(pid))
        check(not threads(d, "helper"), "listed: %s", threads(d, "helper"))


def iothread(host):
    """an iothread that is added while the VM runs gets its class and mask, and goes"""
    cpus = host.need_cpus(2)
    vm = host.start_vm(VMID, vcpus=1, cpus=cpus)
    d = host.started()
    d.wait_settled(VMID)
    check(not threads(d, "iothread"), "there is one already")
    before = set(tids_of(vm.pid))
    for n in (1, 2):
        vm.monitor.run("object-add", **{"qom-type": "iothread", "id": "io%d" % n})
    added = {t["thread-id"] for t in vm.monitor.run("query-iothreads")}
    check(len(added) == 2 and not added & before, "iothreads are %s", added)
    retry(lambda: {t["tid"] for t in threads(d, "iothread")} == added,
          "both have their class", 2.5)
    d.wait_settled(VMID)
    check(all(mask(t) == mask(vm.pid) for t in added), "masks differ")
    vm.monitor.run("object-del", id="io1")
    retry(lambda: len(threads(d, "iothread")) == 1, "one is left", 2.5)
    check(d.vm(VMID)["repairs"] == 0 and not d.vm(VMID)["note"], "told %s", d.vm(VMID))


def uring_workers(pid):
    """Threads of the process that the kernel has made for io_uring."""
    def is_one(tid):
        try:
            with open("/proc/%d/task/%d/comm" % (pid, tid)) as f:
                return f.read().startswith("iou-wrk-")
        except FileNotFoundError:
            return False
    return {t for t in tids_of(pid) if is_one(t)}


def write_and_flush(host, vm):
    """What a guest does with a disk of aio=io_uring, Proxmox's default."""
    image = host.path("disk.img")
    with open(image, "wb") as f:
        f.truncate(1 << 20)
    try:
        vm.monitor.run("blockdev-add", driver="file", node_name="disk", filename=image,
                       aio="io_uring")
    except Failed as e:
        raise Skip("no io_uring in QEMU or kernel: %s" % e) from None
    for command in ("write 0 64k", "flush"):
        line = 'qemu-io disk "%s"' % command
        vm.monitor.run("human-monitor-command", command_line=line)


def io_uring(host):
    """workers of io_uring are filed without a question, and stay with the emulator"""
    cpus = host.need_cpus(2)
    vm = host.start_vm(VMID, vcpus=1, cpus=cpus, more=["-trace", "handle_qmp_command"])
    d = host.started()
    d.wait_settled(VMID)

    def dialogues():
        return host.qemu_log(VMID).count("query-cpus-fast")
    if not dialogues():
        raise Skip("this QEMU traces no commands")
    pass_audit()
    before = dialogues()
    write_and_flush(host, vm)
    workers = uring_workers(vm.pid)
    if not workers:
        raise Skip("no worker was needed")
    retry(lambda: workers <= {t["tid"] for t in threads(d, "worker")}, "they are listed")
    pass_audit()
    check(dialogues() == before, "QEMU was asked %d times", dialogues() - before)
    check(not d.lines(" worker "), "told of: %s", d.lines(" worker "))
    retry(lambda: all(mask(t) in (mask(vm.pid), None) for t in workers), "they follow")


if __name__ == "__main__":
    sys.exit(main([scoped_helper, two_in_one_scope, iothread, io_uring], Host))
