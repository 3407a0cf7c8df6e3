#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each way of sharing a monitor on each QEMU: it is used and told, others can do all they
want meanwhile, and what they plug is pinned."""
import json
import os
import shutil
import signal
import socket
import sys
import threading

from runner import Skip, check, main, retry
from sharing import (Rival, config, guard_of, monitors, plug_times, quantile, qemu,
                     run_rival, served, shared, start_vms, unharmed, wait_shared)
from vmhost import Host

# Longer than a tool would wait; a plugged vCPU must not have to.
PIN_MS = 5000


def used_by_another(host, d, vm, way):
    """Somebody stays for a while: told, and it is right again afterwards."""
    guest = Rival(host, [vm], "--hold-ms", 500)
    if way == "yield":
        retry(lambda: d.vm(vm.id)["state"] == "yielded", "VM %d is yielded" % vm.id, 3,
              step=0.001)
    unharmed(guest.wait(), "a client that stays")
    retry(lambda: d.vm(vm.id)["state"] == "watching", "VM %d is watched again" % vm.id, 3)


def odd_uses(host, vms):
    """Descriptors in all orders, long replies, refusals."""
    for order in ("with", "first", "last"):
        unharmed(run_rival(host, vms, "--getfd", order, "--count", 5),
                 "getfd, the descriptor %s" % order)
    unharmed(run_rival(host, vms, "--execute", "query-qmp-schema", "--count", 3,
                       "--rivals", 2), "long replies")
    refused = run_rival(host, vms, "--execute", "no-such-command", "--count", 2)
    check(all(w.startswith("error: ") for w in refused["reasons"]),
          "a refusal is lost: %s", refused["reasons"])


def hammered(host, d, vms, what):
    """Rivals all the time, and CPUs plugged by the human monitor's commands."""
    rivals = Rival(host, vms, "--rivals", 2, "--count", 0, "--jitter-ms", 20,
                   "--timeout-ms", 3000)
    plugs = run_rival(host, vms, "--plug", PIN_MS, "--count", 3, "--gap-ms", 20,
                      "--jitter-ms", 200)
    result = rivals.stop()
    unharmed(result, "rivals")
    unharmed(plugs, "plugging")
    took = plug_times(plugs)
    print("     %s: %d commands beside %d plugs, %d EAGAIN; reply to mask: median "
          "%.0f ms, max %.0f ms" % (what, result["commands"], len(took),
                                    result["eagain"] + plugs["eagain"],
                                    quantile(took, 0.5) * 1e3, max(took) * 1e3))
    d.wait_settled(*[vm.id for vm in vms])
    for vm in vms:
        check(vm.pinned(), "VM %d has %s", vm.id, vm.vcpu_masks())


def way_on(way, version):
    def run(host):
        qemu(version)
        vms = start_vms(host, version, range(100, 103), vcpus=2, maxcpus=8)
        d = host.started(config(way))
        expected = {"auto": "private" if version == "11.1" else "yield"}.get(way, way)
        wait_shared(d, expected, *[vm.id for vm in vms])
        check(d.vm(100)["note"] is None, "note %s", d.vm(100)["note"])
        used_by_another(host, d, vms[0], expected)
        odd_uses(host, vms)
        hammered(host, d, vms, "%s, %s" % (expected, version))
        check(all(shared(d, vm.id, expected) for vm in vms), "the way has changed: %s",
              [(vm["id"], vm["share"], vm["note"]) for vm in d.vms().values()])
        check(not d.lines(r"warning|error"), "told: %s", d.lines(r"warning|error")[:3])
    run.__doc__ = "%s on QEMU %s: nobody is disturbed, and what they plug is pinned" % (
        way, version)
    run.__name__ = "%s_%s" % (way, version.replace(".", "_"))
    return run


def brief_holds_nothing(host):
    """brief never keeps the monitor"""
    vms = start_vms(host, "7.2", [100])
    d = host.started(config("brief"))
    wait_shared(d, "brief", 100)
    result = run_rival(host, vms, "--look", "--count", 150, "--gap-ms", 10)
    unharmed(result, "rivals")
    check(result["held"] <= 5, "somebody was there %d times of 150", result["held"])


def private_leaves_it_free(host):
    """private leaves the VM's own socket to the others"""
    vms = start_vms(host, "11.1", [100])
    d = host.started(config("private"))
    wait_shared(d, "private", 100)
    check(monitors(vms[0]) == (["qmpin"], ["qmpin"]), "it has %s", monitors(vms[0]))
    result = run_rival(host, vms, "--look", "--count", 150, "--gap-ms", 10)
    unharmed(result, "rivals")
    # A busy QEMU still has the rival's last connection when the next one looks.
    check(result["held"] <= 5, "somebody was there %d times of 150", result["held"])


def too_old_for_private(host):
    """private is wished for, QEMU is too old: held less is told with its reason"""
    start_vms(host, "7.2", [100])
    d = host.started(config("private"))
    wait_shared(d, "yield", 100)
    _, line = d.wait_line(r"vm 100: its monitor is shared: yield \((.+)\)")
    print("     %s" % line.group(1))
    check(d.vm(100)["note"], "no note")
    check(len(d.lines(r"its monitor is shared")) == 1, "told more than once")
    code, out, _ = d.command("ps")
    check(code == 0 and "yield" in out, "ps says %s", out)


def without_permission(host, prefix, way, pattern):
    vms = start_vms(host, "7.2", [100])
    d = host.daemon(config("auto"))
    command = list(prefix) + d.command_line()
    d.command_line = lambda: command
    d.start()
    wait_shared(d, way, 100)
    check(bool(d.lines(pattern)) == (way == "brief"), "told: %s", d.log[-4:])
    result = run_rival(host, vms, "--look", "--count", 8, "--gap-ms", 350)
    unharmed(result, "rivals")
    print("     found held %d of 8 times, median %.1f ms" % (
        result["held"], result["median_us"] / 1e3))
    check((result["held"] >= 4) == (way == "yield"), "held %d times", result["held"])


def needs_root_and(*programs):
    if os.geteuid() != 0 or not all(map(shutil.which, programs)):
        raise Skip("needs root and %s" % " ".join(programs))


def queue_polled(host):
    """without CAP_SYS_PTRACE the kernel is asked who waits"""
    needs_root_and("setpriv")
    without_permission(host, ["setpriv", "--bounding-set", "-sys_ptrace"], "yield",
                       r"its monitor is shared: yield \(")


def queue_not_seen(host):
    """without CAP_SYS_PTRACE in another network namespace it is brief, told once"""
    needs_root_and("setpriv", "unshare")
    without_permission(host, ["unshare", "--net", "setpriv", "--bounding-set",
                              "-sys_ptrace"], "brief",
                       r"its monitor is shared: brief \(.+\)")


def nobody_waits_for_a_hanging_daemon(host):
    """a client is served though the daemon is stopped, by the guard"""
    vms = start_vms(host, "7.2", [100])
    d = host.started(config("yield"))
    wait_shared(d, "yield", 100)
    check(guard_of(d.pid), "no guard runs")
    check(len(served(vms[0].qmp_path)) == 1, "it is not held")
    d.process.send_signal(signal.SIGSTOP)
    try:
        result = run_rival(host, vms, "--timeout-ms", 1000)
        unharmed(result, "a rival of a stopped daemon")
        print("     served after %.1f ms" % (result["max_us"] / 1e3))
    finally:
        d.process.send_signal(signal.SIGCONT)
    wait_shared(d, "yield", 100)


class Liar(threading.Thread):
    """A monitor that answers each client's command with these bytes."""

    def __init__(self, path, answer):
        super().__init__(daemon=True)
        self.answer = answer
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(1)
        self.qmp_path = path
        self.start()

    def run(self):
        while True:
            s, _ = self.listener.accept()
            with s:
                s.sendall(b'{"QMP": {}}\r\n')
                asked = json.loads(s.recv(4096))["id"].encode()
                s.sendall(self.answer.replace(b"ID", asked))
                if b"\n" not in self.answer:
                    s.recv(4096)


def rival_sees(host):
    """a rival fails where Proxmox's tools would: ids, framing, time-outs"""
    wrong = {
        "reply without id": b'{"return": {}}\r\n',
        "reply with a foreign id": b'{"return": {}, "id": "1:1"}\r\n',
        "not an object a line": b'{"return": {}, "id": "ID"}{"event": "X"}\r\n',
        "two replies": b'{"return": {}, "id": "ID"}\n{"return": {}, "id": "ID"}\n',
        "error: no": b'{"error": {"class": "X", "desc": "no"}, "id": "ID"}\n',
        "timeout": b'{"return": {}, "id": "ID"}',
        "closed": b"\n",
    }
    for i, (why, answer) in enumerate(wrong.items()):
        liar = Liar(host.path("vm", "%d.qmp" % (200 + i)), answer)
        result = run_rival(host, [liar], "--timeout-ms", 200)
        check(result["reasons"] == {why: 1}, "%r gives %s", answer, result["reasons"])
    vm, = start_vms(host, "7.2", [100])
    with socket.socket(socket.AF_UNIX) as holder:
        holder.connect(vm.qmp_path)
        result = run_rival(host, [vm], "--timeout-ms", 200, "--rivals", 4, "--look")
    check(result["failed"] == 4 and result["held"] == 4 and result["eagain"] > 0,
          "a monitor that is never free gives %s", result)


if __name__ == "__main__":
    sys.exit(main([
        rival_sees,
        way_on("auto", "7.2"), way_on("yield", "10.0"), way_on("auto", "11.1"),
        way_on("yield", "11.1"), way_on("brief", "7.2"), way_on("proxy", "7.2"),
        way_on("proxy", "11.1"), brief_holds_nothing, private_leaves_it_free,
        too_old_for_private, queue_polled, queue_not_seen,
        nobody_waits_for_a_hanging_daemon], Host, limit_s=240))
