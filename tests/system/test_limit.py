#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The mask a VM had before the first touch is its outer limit, whatever happens."""
import json
import os
import sys

from runner import check, main, pass_audit, retry
from vmhost import Host, MaskWatch, cpulist, cpus_of, mask, online, taskset


def limited(host, guest="firmware"):
    """A VM started under taskset on the second CPU, with a daemon that placed it."""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=2, maxcpus=8, guest=guest, cpus=cpus[1:])
    d = host.started()
    d.wait_settled(100)
    return vm, d, cpus


def inside(vm, cpus):
    wide = {t: cpulist(m) for t, m in vm.masks().items() if not m <= set(cpus)}
    check(not wide, "threads outside %s: %s", cpulist(cpus), wide)


def never_widened(host):
    """a VM under taskset is never widened, restarts of the daemon included"""
    vm, d, cpus = limited(host)
    watch = MaskWatch(vm.tids())
    inside(vm, cpus[1:])
    for again in (d.kill, d.stop):
        again()
        d.start()
        d.wait_settled(100)
        inside(vm, cpus[1:])
    d.reload()
    d.wait_settled(100)
    pass_audit()
    changes, _ = watch.stop()
    check(not changes, "masks changed: %s", changes)
    check(d.vm(100)["limit"] == cpulist(cpus[1:]), "limit %s", d.vm(100)["limit"])


def plugged(host):
    """a vCPU that is plugged later stays inside, also after a restart"""
    vm, d, cpus = limited(host, "ack")
    vm.plug_watched(lambda found: found == {cpus[1]})
    d.kill()
    d.start()
    d.wait_settled(100)
    vm.plug_watched(lambda found: found == {cpus[1]})
    d.wait_settled(100)
    inside(vm, cpus[1:])


def somebody_widens(host):
    """masks that somebody widens, while the daemon runs or not, go back inside"""
    vm, d, cpus = limited(host)
    tid = vm.vcpus()[0]
    for away in (False, True):
        if away:
            d.kill()
        taskset(tid, cpus)
        taskset(vm.pid, cpus)
        if away:
            d.start()
        retry(lambda: mask(tid) == {cpus[1]} and mask(vm.pid) == {cpus[1]},
              "both threads are inside again (daemon away: %s)" % away, 4)
        retry(lambda: d.vm(100)["limit"] == cpulist(cpus[1:]), "the limit holds", 1)


def record(host):
    """the record tells the first masks, outlives the daemon and ends with the VM"""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=2, cpus=cpus)
    tids = vm.tids()
    d = host.started()
    d.wait_settled(100)
    path = os.path.join(d.run_dir, "100.json")
    with open(path) as f:
        first = json.load(f)
    check(first["pid"] == vm.pid and first["id"] == "100", "record of %s", first)
    # A VM that may run everywhere has no limit: more CPUs may come online.
    limit = cpus_of(first["limit"])
    check(limit & online() == set(cpus), "the limit is %s", first["limit"])
    check(first["placed"] is True, "placed is %s", first["placed"])
    told = {t["tid"]: t["cpus"] for t in first["threads"]}
    for tid in tids:
        if mask(tid) is not None:
            check(cpus_of(told.get(tid, "")) == limit, "thread %d: %s", tid,
                  told.get(tid))
    check(os.stat(path).st_mode & 0o022 == 0, "others may write the record")
    d.stop()
    check(os.path.exists(path), "the record ended with the daemon")
    d.start()
    d.wait_settled(100)
    with open(path) as f:
        check(json.load(f)["limit"] == first["limit"], "the limit changed")
    vm.stop()
    retry(lambda: not os.path.exists(path), "the record ends with the VM", 5)


def bad_record(host):
    """a damaged record is told and never widens or crashes anything"""
    vm, d, cpus = limited(host)
    path = os.path.join(d.run_dir, "100.json")
    with open(path) as f:
        good = f.read()
    for text in ("", "{", "null", "[]", good[:len(good) // 2], "\0" * 64,
                 good.replace('"version":1', '"version":99').replace(
                     '"version": 1', '"version": 99')):
        d.kill()
        with open(path, "w") as f:
            f.write(text)
        d.start()
        d.wait_settled(100)
        d.wait_line(r"^qmpind: warning: vm 100: .*record", since=d.began)
        inside(vm, cpus[1:])


if __name__ == "__main__":
    sys.exit(main([never_widened, plugged, somebody_widens, record, bad_record], Host))
