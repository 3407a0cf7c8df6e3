#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What happens between two looks: the daemon's picture is old, and it must not act on
that, nor tell the same thing again and again."""
import json
import os
import shutil
import sys
import threading

from runner import Skip, check, holds, main, now, pass_audit, pass_time, retry
from vmhost import Host, cpulist, mask

PIN = "[qmpin]\nmode = pin\nadopt = now\n"


def plugged_before_reload(host):
    """a vCPU plugged just before a pass that does not ask QMP is found all the same"""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=1, maxcpus=5, cpus=cpus)
    d = host.started()
    d.wait_settled(100)
    for _ in range(4):
        p = vm.plug()
        d.reload()
        retry(lambda: any(t["tid"] == p["tid"] and t["class"] == "vcpu"
                          for t in d.vm(100)["threads"]),
              "thread %d is known as a vCPU" % p["tid"], 4)
    d.wait_settled(100)
    check(vm.pinned(), "vCPUs have %s", vm.vcpu_masks())
    check(not d.lines(r"warning: vm 100"), "told: %s", d.log[-3:])


def socket_moved(host):
    """a socket that goes and comes back does not take the VM's limit with it"""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=2, cpus=cpus)
    d = host.started()
    d.wait_settled(100)
    for _ in range(2):
        os.rename(vm.qmp_path, host.path("aside"))
        pass_time(0.1)
        os.rename(host.path("aside"), vm.qmp_path)
        pass_time(0.3)
        d.wait_settled(100)
        check(d.vm(100)["limit"] == cpulist(cpus), "limit %s", d.vm(100)["limit"])
        check(d.vm(100)["note"] is None, "note %s", d.vm(100)["note"])
    vm.stop()
    retry(lambda: not os.path.exists(os.path.join(d.run_dir, "100.json")),
          "the record ends with the VM")


def quarrel(host):
    """somebody who sets other masks for ever is given way to, told once"""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=1, cpus=cpus)
    d = host.started(PIN + "audit_interval_ms = 100\n")
    d.wait_settled(100)
    tid, end = vm.vcpus()[0], threading.Event()

    def quarreler():
        while not end.wait(0.01):
            os.sched_setaffinity(tid, cpus)
    thread = threading.Thread(target=quarreler, daemon=True)
    thread.start()
    d.wait_line(r"warning: vm 100: somebody else keeps changing", 15)
    since = now()
    pass_time(0.3)
    end.set()
    thread.join()
    d.configure(PIN + "audit_interval_ms = 110\n")
    d.reload()
    holds(lambda: mask(tid) == set(cpus), "it was not left alone", 0.5)
    check("somebody else" in (d.vm(100)["note"] or ""), "note %s", d.vm(100)["note"])
    check(not d.lines(r"vm 100: ", since + 0.2), "told more: %s", d.log[-3:])


def flapping(host):
    """a monitor that changes its mind all the time does not flood the log"""
    host.fake("moody", 200)
    d = host.started()
    d.wait_line(r"vm 200: ", 5)
    pass_time(8)
    lines = [m.string for _, m in d.lines(r"vm 200: ")]
    check(len(lines) <= 12, "%d lines, %s", len(lines), lines[-4:])


def odd_names(host):
    """a thread name that a terminal would obey reaches nobody as it is"""
    host.fake("late_threads", 200)
    d = host.started()
    retry(lambda: any(t["comm"].startswith("worker") for t in d.vm(200)["threads"]),
          "the late thread is listed", 8)
    check(all(0x20 <= ord(c) < 0x7f for t in d.vm(200)["threads"] for c in t["comm"]),
          "threads %s", d.vm(200)["threads"])


def enabled_later(host):
    """VMs that ran before the daemon wait for their turn also when it only observed"""
    cpus = host.need_cpus(2)
    vms = [host.start_vm(i, vcpus=2, cpus=cpus) for i in range(100, 105)]
    d = host.started("[qmpin]\nmode = observe\nrebalance_moves_per_min = 2\n")
    retry(lambda: all(any(t["want"] for t in d.vm(vm.id)["threads"]) for vm in vms),
          "all VMs are observed")
    late = host.start_vm(105, vcpus=2, cpus=cpus)
    retry(lambda: d.vm(105)["state"] == "watching", "VM 105 is watched")
    d.configure("[qmpin]\nmode = pin\nrebalance_moves_per_min = 2\n")
    d.reload()
    retry(late.pinned, "VM 105, which is new, is pinned at once", 2)
    retry(lambda: any(vm.pinned() for vm in vms), "one is taken over")
    pass_audit()
    moved = [vm.id for vm in vms if vm.pinned()]
    check(len(moved) <= 2, "taken over at once: %s", moved)
    waiting = [vm for vm in d.vms().values() if "waits" in (vm["note"] or "")]
    check(len(waiting) == 5 - len(moved), "%d wait", len(waiting))
    newest = host.start_vm(106, vcpus=2, cpus=cpus)
    retry(newest.pinned, "a VM that starts meanwhile is pinned at once", 5)


def quiet_end(host):
    """a VM that ends is one line, and no warning"""
    cpus = host.need_cpus(2)
    d = host.started()
    for i in range(6):
        vm = host.start_vm(100 + i, vcpus=1, cpus=cpus)
        d.wait_settled(100 + i)
        (vm.stop, vm.kill)[i % 2]()
        d.wait_line(r"vm %d: ended" % (100 + i))
    lines = d.lines(r"warning: ")
    check(not lines, "warned: %s", [m.string for _, m in lines])


def no_permission_to_write(host):
    """while no record can be written nothing is set, and it is tried more and more
    seldom"""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=1, cpus=cpus)
    d = host.daemon(PIN + "audit_interval_ms = 100\n")
    os.mkdir(os.path.join(d.run_dir, ".100.tmp"))
    d.start()
    d.wait_line(r"warning: vm 100: .*\.100\.tmp")
    passes = d.status()["passes"]
    pass_time(3)
    check(mask(vm.vcpus()[0]) == set(cpus), "set without a record")
    check(d.status()["passes"] - passes <= 10, "%d passes",
          d.status()["passes"] - passes)
    told = [m.string for _, m in d.lines(r"vm 100: (?!its monitor is shared)")]
    check(len(told) == 1, "told: %s", told)
    os.rmdir(os.path.join(d.run_dir, ".100.tmp"))
    retry(vm.pinned, "it is pinned at last", 8)
    d.wait_line(r"vm 100: all well again")


def one_thread_fails(host):
    """a VM with a thread that cannot be set is placed all the same, and stays"""
    host.need_cpus(2)
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        raise Skip("needs root and setpriv")
    humbly = ["setpriv", "--bounding-set", "-sys_nice"]
    host.fake("stubborn", 200, prefix=humbly)
    d = host.daemon()
    command = humbly + d.command_line()
    d.command_line = lambda: command
    d.start()
    d.wait_line(r"warning: vm 200: no permission to set CPUs of worker")
    check(d.status()["managed"] == 1, "status %s", d.status())
    with open(os.path.join(d.run_dir, "200.json")) as f:
        check(json.load(f)["placed"] is True, "the record says it is not placed")


if __name__ == "__main__":
    sys.exit(main([plugged_before_reload, socket_moved, quarrel, flapping, odd_names,
                   enabled_later, quiet_end, no_permission_to_write,
                   one_thread_fails], Host))
