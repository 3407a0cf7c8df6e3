#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Modes in which VMs have cores for themselves, and what qmpin says of them."""
import sys

from runner import SLACK, Skip, check, main, retry
from test_topology import tree
from vmhost import Host, cpulist, cpus_of

SIBLINGS = "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list"
ADOPT = "[qmpin]\nadopt = now\n"


def two_cores(host):
    """Two CPUs of different cores, the first of which is nobody's alone."""
    cpus = host.need_cpus(2)
    with open(SIBLINGS % cpus[0]) as f:
        if cpus[0] != 0 or cpus[1] in cpus_of(f.read().strip()):
            raise Skip("needs CPUs 0 and 1 of different cores")
    return cpus


def all_on(vm, cpus):
    """Every thread that lasts: those of QEMU's pool are set when they have."""
    vcpus = set(vm.vcpus().values()) | {vm.pid}
    return all(m == set(cpus) for t, m in vm.masks().items() if t in vcpus)


def dedicated_comes_late(host):
    """a dedicated VM that comes late: the others leave its core, and return when it ends"""
    cpus = two_cores(host)
    others = [host.start_vm(i, vcpus=2, cpus=cpus) for i in (100, 101)]
    d = host.started(ADOPT + "[vm 102]\nmode = dedicated\n")
    d.wait_settled(100, 101)
    check(all(all_on(vm, cpus) for vm in others), "the others begin on both CPUs")
    late = host.start_vm(102, vcpus=1, cpus=cpus)
    retry(lambda: late.vcpu_masks() == {0: {cpus[1]}}, "it has a core of its own", 10)
    retry(lambda: all(all_on(vm, cpus[:1]) for vm in others), "the others have left", 5)
    left = [d.lines(r"^qmpind: vm %d: vCPUs 0-1 0-1 -> 0 " % i) for i in (100, 101)]
    (came, _), = d.lines(r"^qmpind: vm 102: vCPU 0 0-1 -> 1 ")
    check(all(at <= came for found in left for at, _ in found), "it came before they left")
    d.kill()
    d.start()
    d.wait_settled(100, 101, 102)
    check(late.vcpu_masks() == {0: {cpus[1]}} and all(all_on(vm, cpus[:1])
          for vm in others), "a restart moved something")
    late.stop()
    retry(lambda: all(all_on(vm, cpus) for vm in others), "they have returned", 10)
    (at, _), = d.lines(r"^qmpind: vm 100: vCPUs 0-1 0 -> 0-1 \(neighbours; ", d.began)
    check(at - d.lines(r"^qmpind: vm 102: ended", d.began)[0][0] < SLACK, "it took them long")


def cores(host):
    """mode core: each core of the guest has one of the host's"""
    cpus = two_cores(host)
    vm = host.start_vm(100, vcpus=2, cpus=cpus)
    d = host.started(ADOPT + "mode = core\n")
    d.wait_settled(100)
    masks = vm.vcpu_masks()
    check(masks[0] | masks[1] == set(cpus) and not masks[0] & masks[1], "%s", masks)
    passes = d.status()["passes"]
    d.configure(ADOPT + "mode = core\nrebalance = no\n[weights]\nmemory = 0.5\n")
    d.reload()
    retry(lambda: d.status()["passes"] > passes, "a pass after the reload", 5)
    check(vm.vcpu_masks() == masks, "a reload moved it")


def explained(host):
    """qmpin explain: an answer in words and as the interface declares it"""
    vm = host.start_vm(100, vcpus=2)
    cpus = host.need_cpus(2)
    d = host.started(ADOPT + "reserved_cpus = %d\n[vm 101]\nmode = off\n" % cpus[1])
    d.wait_settled(100)
    code, out, err = d.command("explain", "100")
    check(code == 0, "explain: %d, %s", code, err)
    check("VM 100 (test100) runs on CPUs %s" % cpulist(vm.masks()[vm.pid]) in out, "%s", out)
    check("in all\n" in out and "  appeared: " in out, "%s", out)
    reply = d.command_json("explain", "100")
    total = sum(t["ns"] for t in reply["chosen"]["terms"])
    check(abs(total - reply["chosen"]["total_ns"]) < 0.01, "terms: %s", reply["chosen"])
    host.start_vm(101, vcpus=1)
    retry(lambda: d.command("explain", "101")[2] ==
          "qmpin: VM 101 is not managed: mode off\n", "the reason is told", 5)
    code, _, err = d.command("explain", "103")
    check(code == 1 and "no VM 103" in err, "explain 103: %d, %s", code, err)


def imagined(host):
    """what would be done on a host of two nodes: dedicated and core beside a float VM"""
    for i in (100, 101, 102):
        host.start_vm(i, vcpus=2)
    d = host.started(ADOPT + "[vm 101]\nmode = dedicated\n[vm 102]\nmode = core\n",
                     "--topology", tree(host.path("tree")))

    def wants(vmid):
        return [cpus_of(t["want"]) for t in d.vm(vmid)["threads"]
                if t["class"] == "vcpu" and t["want"]]
    retry(lambda: all(len(wants(i)) == 2 for i in (100, 101, 102)), "there is a plan", 10)
    own = set().union(*wants(101))
    check(len(own) == 2 and 0 not in own, "dedicated to %s", own)
    for i in (100, 102):
        check(not own & set().union(*wants(i)), "vm %d: %s", i, wants(i))
    check([len(w) for w in wants(102)] == [1, 1], "cores: %s", wants(102))
    d.wait_line(r"^qmpind: vm 101: .*\(dry run; ")
    code, out, _ = d.command("explain", "101")
    check(code == 0 and "Its mode is dedicated (vm_section)." in out, "%s", out)


if __name__ == "__main__":
    sys.exit(main([dedicated_comes_late, cores, explained, imagined], Host))
