#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The first whole path: a VM appears, is found, placed, pinned, told about."""
import os
import sys

from daemon import interface
from runner import check, main, now, retry
from vmhost import Host, cpulist, cpus_of, mask, tids_of


def check_shape(method, reply):
    wrong = interface().mismatches(method, reply)
    check(not wrong, "%s does not have the interface's shape: %s", method, wrong[:5])


def vm_that_was_there_first(host):
    """a VM that runs already is found, placed and pinned"""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=2, cpus=cpus)
    d = host.started()
    d.wait_settled(100)
    masks = list(vm.vcpu_masks().values())
    check(vm.pinned() and masks[0] != masks[1], "vCPUs have %s", masks)
    for tid, cpus_now in vm.masks().items():
        check(cpus_now <= set(cpus), "thread %d has %s", tid, cpulist(cpus_now))


def vm_that_comes_later(host):
    """a VM that starts later is pinned within two seconds of its first reply"""
    cpus = host.need_cpus(2)
    d = host.started()
    vm = host.start_vm(100, vcpus=2, cpus=cpus)
    began = now()
    retry(lambda: vm.pinned(), "the VM is pinned", 2)
    print("     pinned %.0f ms after it answered" % ((now() - began) * 1e3))
    d.wait_settled(100)


def no_stacking(host):
    """a VM's vCPUs are not stacked on one CPU because another VM sits on the other"""
    cpus = host.need_cpus(2)
    host.start_vm(100, vcpus=1, cpus=cpus)
    d = host.started()
    d.wait_settled(100)
    for vmid, vcpus in ((101, 2), (102, 1), (103, 2)):
        vm = host.start_vm(vmid, vcpus=vcpus, maxcpus=4, cpus=cpus)
        d.wait_settled(vmid)
        masks = list(vm.vcpu_masks().values())
        check(len(set(masks)) == len(masks), "VM %d: %s", vmid, vm.vcpu_masks())
    vm = host.start_vm(104, vcpus=3, cpus=cpus)
    d.wait_settled(104)
    check(len(set(vm.vcpu_masks().values())) == 2, "VM 104: %s", vm.vcpu_masks())


def reasons(host):
    """each decision is one line with VM, vCPUs, from, to, cause and reason"""
    cpus = host.need_cpus(2)
    host.start_vm(100, vcpus=2, cpus=cpus)
    d = host.started()
    d.wait_settled(100)
    first, last = cpulist(cpus), r"[0-9,-]+"
    d.wait_line(r"^qmpind: vm 100: vCPUs? [0-9,-]+ %s -> %s .*\(.+; .+\)"
                % (first, last))


def shapes(host):
    """GetStatus, ListVMs and the command line have the interface's shapes"""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=2, maxcpus=4, cpus=cpus)
    host.start_vm(1000, vcpus=1, cpus=cpus)
    d = host.started()
    d.wait_settled(100, 1000)
    check_shape("GetStatus", d.status())
    check_shape("GetStatus", d.command_json("status"))
    listed = d.command_json("ps")
    check([v["id"] for v in listed["vms"]] == ["100", "1000"], "ps lists %s", listed)
    for object_ in listed["vms"]:
        check_shape("GetVM", {"vm": object_})
    one = d.command_json("ps", "100")["vms"]
    check([v["id"] for v in one] == ["100"], "ps 100 lists %s", one)
    seen = d.vm(100)
    check_shape("GetVM", {"vm": seen})
    check(seen["pid"] == vm.pid and seen["vmid"] == 100, "ids are %s", seen)
    check(seen["name"] == "test100", "name is %s", seen["name"])
    check((seen["vcpus"], seen["vcpus_max"]) == (2, 4), "vCPUs of %s", seen)
    check(seen["state"] == "watching" and seen["mode"] == "pin", "state of %s", seen)
    check(seen["limit"] == cpulist(cpus), "limit is %s", seen["limit"])
    check(seen["mode_origin"] == "config", "origin is %s", seen["mode_origin"])


def threads(host):
    """every thread is listed with its class, what is wanted and what it has"""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=2, cpus=cpus)
    d = host.started()
    d.wait_settled(100)
    listed = {t["tid"]: t for t in d.vm(100)["threads"]}
    check(set(listed) == set(tids_of(vm.pid)), "tids %s", sorted(listed))
    for tid, t in listed.items():
        check(cpus_of(t["have"]) == mask(tid), "thread %d: have %s", tid, t["have"])
        check(t["want"], "thread %d: nothing is wanted", tid)
    vcpus = {t["index"]: tid for tid, t in listed.items() if t["class"] == "vcpu"}
    check(vcpus == vm.vcpus(), "vCPUs are %s, listed %s", vm.vcpus(), vcpus)
    check(listed[vm.pid]["class"] == "emulator", "main thread: %s", listed[vm.pid])


def workers(host):
    """other threads follow the emulator, workers after a moment; no false repairs"""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=1, cpus=cpus)
    d = host.started()
    retry(lambda: d.settled(100, workers=True), "all threads are placed", 5)
    emulator = mask(vm.pid)
    for t in d.vm(100)["threads"]:
        if t["class"] == "worker":
            check(mask(t["tid"]) in (emulator, None), "worker %s", t)
    check(d.vm(100)["repairs"] == 0, "counted as %d repairs", d.vm(100)["repairs"])
    check(not d.lines("drift"), "told as drift: %s", d.lines("drift"))


def text(host):
    """ps and status print a table and a summary that name the VM"""
    cpus = host.need_cpus(2)
    host.start_vm(100, vcpus=2, cpus=cpus)
    d = host.started()
    d.wait_settled(100)
    code, out, err = d.command("ps")
    check(code == 0 and "100" in out and "test100" in out, "ps: %d %s %s", code, out,
          err)
    check("\x1b" not in out, "ps writes escapes into a pipe")
    code, out, err = d.command("status")
    check(code == 0 and out.strip(), "status: %d %s %s", code, out, err)


def vm_that_ends(host):
    """a VM that ends, by itself or killed, is forgotten, and its record with it"""
    cpus = host.need_cpus(2)
    vms = [host.start_vm(i, vcpus=1, cpus=cpus) for i in (100, 101, 102)]
    d = host.started()
    d.wait_settled(100, 101, 102)
    vms[0].stop()
    vms[1].kill()
    retry(lambda: all(v["state"] == "gone" for i, v in d.vms().items() if i != "102"),
          "only VM 102 is left", 5)
    check("100" not in d.vms(), "VM 100 ended properly and is still listed")
    for vmid in (100, 101):
        d.wait_line(r"vm %d: ended" % vmid)
        check(not os.path.exists(os.path.join(d.run_dir, "%d.json" % vmid)),
              "the record of VM %d is left", vmid)
    check(d.settled(102), "VM 102 is disturbed")


def no_daemon(host):
    """without a daemon the client says so with exit status 3"""
    d = host.daemon()
    code, _, err = d.command("ps")
    check(code == 3 and err, "qmpin ps: %d %s", code, err)


if __name__ == "__main__":
    sys.exit(main([vm_that_was_there_first, vm_that_comes_later, no_stacking,
                   reasons, shapes,
                   threads, workers, text, vm_that_ends, no_daemon], Host))
