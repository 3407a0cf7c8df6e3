#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""--topology: plans for another host and changes nothing on this one."""
import os
import sys

from runner import SLACK, check, holds, main, pass_audit, retry
from vmhost import Host, cpulist, cpus_of

NODES, CPUS_A_NODE = 2, 4


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write("%s\n" % text)


def bits(cpus):
    return "%08x" % sum(1 << c for c in cpus)


def tree(root):
    """The sysfs tree of a host with two nodes of four CPUs, one L3 each."""
    base = os.path.join(root, "sys/devices/system")
    every = range(NODES * CPUS_A_NODE)
    for name in ("online", "possible", "present"):
        write("%s/cpu/%s" % (base, name), cpulist(every))
    for node in range(NODES):
        mine = range(node * CPUS_A_NODE, (node + 1) * CPUS_A_NODE)
        for cpu in mine:
            write_cpu("%s/cpu/cpu%d" % (base, cpu), cpu, node, mine)
        here = "%s/node/node%d" % (base, node)
        write(here + "/cpulist", cpulist(mine))
        write(here + "/cpumap", bits(mine))
        write(here + "/distance", " ".join("10" if n == node else "20"
                                           for n in range(NODES)))
        write(here + "/meminfo", "Node %d MemTotal: 16777216 kB\n"
              "Node %d MemFree: 8388608 kB" % (node, node))
    for name in ("online", "possible", "has_cpu", "has_memory", "has_normal_memory"):
        write("%s/node/%s" % (base, name), cpulist(range(NODES)))
    return root


def write_cpu(base, cpu, node, siblings):
    topology = {"physical_package_id": node, "core_id": cpu % CPUS_A_NODE}
    for name, cpus in (("thread_siblings", [cpu]), ("core_cpus", [cpu]),
                       ("core_siblings", siblings), ("package_cpus", siblings)):
        topology[name], topology[name + "_list"] = bits(cpus), cpulist(cpus)
    for name, value in topology.items():
        write("%s/topology/%s" % (base, name), value)
    for name, value in (("level", 3), ("type", "Unified"), ("size", "16384K"),
                        ("shared_cpu_map", bits(siblings)),
                        ("shared_cpu_list", cpulist(siblings))):
        write("%s/cache/index0/%s" % (base, name), value)


def foreign_host(host):
    """a tree of another host: what would be done there, and nothing here"""
    cpus = host.need_cpus(2)
    vms = [host.start_vm(i, vcpus=2, cpus=cpus) for i in (100, 101)]
    before = [vm.masks() for vm in vms]
    path = tree(host.path("tree"))
    d = host.started("[qmpin]\nmode = pin\nadopt = now\n", "--topology", path)
    check(d.status()["dry_run"] is True, "--topology does not imply --dry-run")
    retry(lambda: [v["state"] for v in d.vms().values()] == ["watching"] * 2,
          "both are watched")
    wants = retry(lambda: [t["want"] for v in d.vms().values() for t in v["threads"]
                           if t["class"] == "vcpu" and t["want"]], "there is a plan")
    check(len(wants) == 4, "wants are %s", wants)
    for want in wants:
        check(cpus_of(want) <= set(range(NODES * CPUS_A_NODE)), "want %s", want)
    pass_audit()
    holds(lambda: [vm.masks() for vm in vms] == before, "a mask changed here", 0.3)


def refused(host):
    """what is no topology: status 1 and a message that names it"""
    os.mkdir(host.path("empty"))
    write(host.path("text"), "hello")
    write(host.path("broken.xml"), "<?xml version=\"1.0\"?>\n<topology>")
    locked = tree(host.path("locked"))
    os.unlink(locked + "/sys/devices/system/cpu/online")
    os.symlink("online", locked + "/sys/devices/system/cpu/online")
    for name in ("missing", "empty", "text", "broken.xml", "locked"):
        d = host.daemon("", "--topology", host.path(name))
        d.start(ready=False)
        code = d.process.wait(5 * SLACK)
        if name == "locked" and code < 0:
            check(False, "%s: ended by signal %d", name, -code)
        check(code == 1, "%s: status %d", name, code)
        d.wait_line(r"^qmpind: error: .*%s" % name)
        d.kill()


if __name__ == "__main__":
    sys.exit(main([foreign_host, refused], Host))
