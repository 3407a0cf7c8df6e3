#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Restart, kill -9, SIGTERM and SIGHUP of the daemon move nothing that is right."""
import os
import sys

from daemon import Daemon
from runner import SLACK, check, main, now, pass_audit, retry
from vmhost import Host, MaskWatch, cpulist, mask


def placed(host):
    """Two VMs that are pinned, and their daemon."""
    cpus = host.need_cpus(2)
    vms = [host.start_vm(i, vcpus=2, cpus=cpus) for i in (100, 101)]
    d = host.started()
    d.wait_settled(100, 101)
    return vms, d


def unmoved_across(vms, d, change):
    """No mask changes while change() runs and until an audit later all is settled."""
    before = [vm.masks() for vm in vms]
    watch = MaskWatch([t for masks in before for t in masks])
    began = now()
    change()
    d.wait_settled(100, 101, timeout=3)
    took = now() - began
    pass_audit()
    changes, looks = watch.stop()
    check(not changes, "masks changed: %s", "; ".join(changes))
    after = [vm.masks() for vm in vms]
    for b, a in zip(before, after):
        moved = [t for t in b if t in a and a[t] != b[t]]
        check(not moved, "threads %s have another mask", moved)
    print("     settled after %.2f s, 0 masks changed (%d looks)" % (took, looks))


def killed(host):
    """kill -9 and start again"""
    vms, d = placed(host)

    def change():
        d.kill()
        d.start()
    for _ in range(2):
        since = now()
        unmoved_across(vms, d, change)
        told = d.lines(r"VMs? adopted", since)
        check([m.string for _, m in told] and all("2 VMs adopted as found" in m.string
              for _, m in told), "told: %s", [m.string for _, m in told])


def terminated(host):
    """SIGTERM and start again; the end is quick and clean"""
    vms, d = placed(host)

    def change():
        began = now()
        d.stop()
        check(now() - began < 1 * SLACK, "SIGTERM took %.1f s", now() - began)
        check(not os.path.exists(os.path.join(d.run_dir, "io.qmpin")),
              "the control socket stays behind")
        d.start()
    unmoved_across(vms, d, change)


def reloaded(host):
    """SIGHUP with the same configuration"""
    vms, d = placed(host)
    for _ in range(2):
        unmoved_across(vms, d, d.reload)


def hurried(host):
    """killed in the middle of its work, it leaves a state that it can go on from"""
    cpus = host.need_cpus(2)
    vms = [host.start_vm(i, vcpus=2, cpus=cpus) for i in (100, 101)]
    d = host.daemon()
    for i in range(8):
        d.start(ready=False)
        end = now() + 0.03 * i
        retry(lambda: now() >= end, "the time has come", 1, step=0.001)
        d.kill()
    d.start()
    d.wait_settled(100, 101)
    for vm in vms:
        check(vm.pinned(), "VM %d has %s", vm.id, vm.vcpu_masks())
        check(d.vm(vm.id)["limit"] == cpulist(cpus), "limit %s", d.vm(vm.id)["limit"])


def drift_while_away(host):
    """a mask that was broken while no daemon ran is put right by the next one"""
    vms, d = placed(host)
    cpus = host.need_cpus(2)
    tid = vms[0].vcpus()[0]
    want = mask(tid)
    d.kill()
    since = now()
    os.sched_setaffinity(tid, cpus)
    others = [m for m in (vms[0].masks(), vms[1].masks())]
    d.start()
    retry(lambda: mask(tid) == want, "vCPU 0 has %s again" % cpulist(want), 3)
    d.wait_settled(100, 101)
    d.wait_line(r"2 VMs adopted, 1 of them with masks that had to be set", since=since)
    for vm, masks in zip(vms, others):
        moved = [t for t, m in masks.items() if t != tid and mask(t) not in (m, None)]
        check(not moved, "threads %s were moved as well", moved)


def plugged_while_away(host):
    """a vCPU that was plugged while no daemon ran is pinned by the next one"""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=2, maxcpus=4, cpus=cpus)
    d = host.started()
    d.wait_settled(100)
    before = vm.masks()
    d.kill()
    p = vm.plug()
    d.start()
    retry(lambda: len(mask(p["tid"])) == 1, "the new vCPU is pinned", 3)
    d.wait_settled(100)
    moved = [t for t, m in before.items() if mask(t) not in (m, None)]
    check(not moved, "threads %s were moved as well", moved)


def stale_record(host):
    """a record of a QEMU that has ended is not taken for its successor's"""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=1, cpus=cpus[1:])
    d = host.started()
    d.wait_settled(100)
    d.kill()
    vm.kill()
    host.start_vm(100, vcpus=1, cpus=cpus)
    d.start()
    d.wait_settled(100)
    check(d.vm(100)["limit"] == cpulist(cpus), "the limit is %s", d.vm(100)["limit"])


def first_contact(host):
    """VMs that ran before are taken over in turns, one that starts later at once"""
    cpus = host.need_cpus(2)
    vms = [host.start_vm(i, vcpus=1, cpus=cpus) for i in (100, 101, 102)]
    d = host.started("[qmpin]\nmode = pin\nadopt = gradual\nrebalance_moves_per_min = 12\n"
                     "widen_wait_pct = 0\n")

    def waiting():
        return [i for i in (100, 101, 102) if "turn" in (d.vm(i)["note"] or "")]
    retry(lambda: len(waiting()) == 2, "one of three has had its turn", 5)
    later = host.start_vm(103, vcpus=1, cpus=cpus)
    retry(later.pinned, "the one that came later is pinned", 5)
    check(len(waiting()) == 2, "of those before %s wait", waiting())
    free = [vm for vm in vms if vm.id in waiting()]
    check(all(m == set(cpus) for vm in free for m in vm.masks().values()),
          "a VM that waits was touched")
    retry(lambda: not waiting() and all(vm.pinned() for vm in vms), "all had theirs", 30)
    turns = [at for at, _ in d.lines(r"vCPU 0 .*\((adoption|appeared);")]
    check(len(d.lines(r"\(adoption; ")) >= 2, "told: %s", d.lines("vCPU"))
    check(turns[-1] - turns[0] > 5, "all within %.1f s", turns[-1] - turns[0])


def second_daemon(host):
    """a second daemon on the same run directory refuses, the first goes on"""
    vms, d = placed(host)
    second = Daemon(host, "[qmpin]\nmode = pin\nadopt = now\n")
    second.start(ready=False)
    try:
        code = second.process.wait(5 * SLACK)
        check(code == 1, "the second ended with %d", code)
        second.wait_line(r"^qmpind: error: .*(run|another|already)")
        check(not second.noted("READY"), "the second said READY")
    finally:
        second.kill()
    check(d.status()["pid"] == d.pid, "the first daemon does not answer any more")
    check(d.settled(100, 101), "the first daemon's VMs are disturbed")


if __name__ == "__main__":
    sys.exit(main([killed, terminated, reloaded, hurried, drift_while_away,
                   plugged_while_away, stale_record, first_contact,
                   second_daemon], Host))
