#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What is known of a VM's memory: where it is, what QEMU binds, what was plugged. Pages
that move need several nodes: see tests/lab/memory.sh."""
import os
import sys

from runner import Skip, check, main, pass_audit, retry
from vmhost import Host


class BoundHost(Host):
    """VMs with a back end that is bound to node 0, and slots for more."""

    def command_line(self, vmid, vcpus, maxcpus, guest, pid_path):
        if not os.path.exists("/sys/devices/system/node/node0"):
            raise Skip("a kernel without NUMA nodes")
        cmd = super().command_line(vmid, vcpus, maxcpus, guest, pid_path)
        cmd[cmd.index("-m") + 1] = "64,slots=2,maxmem=1G"
        return cmd + ["-object", "memory-backend-ram,id=ram-node0,size=64M,prealloc=on,"
                      "host-nodes=0,policy=bind",
                      "-numa", "node,nodeid=0,cpus=0-%d,memdev=ram-node0" % (maxcpus - 1)]


def local(host):
    """memory that is in place is found, and shown as local on a host of one node"""
    host.start_vm(100)
    d = host.started()
    d.wait_settled(100)
    if os.path.exists("/sys/devices/system/node/node1"):
        raise Skip("a host of several nodes")
    retry(lambda: d.vm(100)["memory_local_pct"] == 100, "its memory is local", 15)
    check("100" in d.command("ps", "100")[1], "qmpin ps shows it")


def plugged(host):
    """a DIMM without host nodes beside memory that is bound is told once, and noted"""
    vm = host.start_vm(100)
    d = host.started()
    d.wait_settled(100)
    check(d.vm(100)["note"] is None, "note %s", d.vm(100)["note"])
    vm.monitor.run("object-add", **{"qom-type": "memory-backend-ram", "id": "mem-dimm0",
                                      "size": 128 << 20})
    vm.monitor.run("device_add", driver="pc-dimm", id="dimm0", memdev="mem-dimm0")
    # QMP is asked again: by another daemon, or when somebody has used the VM's monitor
    d.kill()
    d.start()
    d.wait_line(r"vm 100: 1 plugged DIMM has no host nodes", 15, since=d.began)
    retry(lambda: "DIMM" in (d.vm(100)["note"] or ""), "it is noted", 5)
    pass_audit()
    check(len(d.lines(r"plugged DIMM", since=d.began)) == 1, "told more than once")


def nothing_to_move(host):
    """memory = migrate moves nothing that is local, or bound"""
    host.start_vm(100)
    d = host.started("[qmpin]\nadopt = now\nmemory = migrate\naudit_interval_ms = 200\n")
    d.wait_settled(100)
    retry(lambda: (d.vm(100)["memory_local_pct"] or 0) > 0, "its memory is known", 15)
    pass_audit()
    check(not d.lines(r"of its memory"), "something was moved")


if __name__ == "__main__":
    sys.exit(main([local, plugged, nothing_to_move], BoundHost))
