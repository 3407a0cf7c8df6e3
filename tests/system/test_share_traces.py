#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What sharing leaves in a QEMU: nothing that grows, nothing after a release; and who
comes to our own sockets without being asked."""
import os
import socket
import subprocess
import sys

from daemon import QMPIND, instrumented
from runner import SLACK, check, holds, main, now, retry
from sharing import (SOAK, Rival, config, fds, monitors, qemu, rss_kib, run_rival, served,
                     shared, sockets, start_vms, threads, unharmed, wait_shared)
from vmhost import Host

RSS_MAX_KIB = 64 << 10


def many(n):
    return max(1, int(n * SOAK))


def counted(vms):
    return {vm.id: (fds(vm.pid), threads(vm.pid)) for vm in vms}


def unchanged(vms, before, rounds, memory):
    """Descriptors and threads are those of before; memory is only told."""
    for vm in vms:
        vm.monitor.poll(0)
    retry(lambda: counted(vms) == before,
          "descriptors and threads are as before (%s, now %s)" % (before, counted(vms)),
          6)
    grown = sum(rss_kib(vm.pid) for vm in vms) - memory
    cycles = rounds * len(vms)
    print("     %d cycles: RSS of QEMU grew by %.1f KiB a cycle" % (
        cycles, grown / cycles))


def held_and_left(host):
    """holding and leaving a thousand times leaves nothing in QEMU or in the daemon"""
    vms = start_vms(host, "7.2", range(100, 108))
    before, memory = counted(vms), sum(rss_kib(vm.pid) for vm in vms)
    ids = [vm.id for vm in vms]
    d = host.started(config("yield"))
    wait_shared(d, "yield", *ids)
    ours = sockets(d.pid)
    rounds = many(12)
    for _ in range(rounds):
        unharmed(run_rival(host, vms), "rivals")
        retry(lambda: all(served(vm.qmp_path) for vm in vms), "all are held again", 3)
    wait_shared(d, "yield", *ids)
    retry(lambda: sockets(d.pid) <= ours, "the daemon has %d sockets again" % ours, 3)
    d.stop()
    unchanged(vms, before, rounds, memory)


def added_and_removed(host):
    """a private monitor added and removed again and again leaves nothing"""
    vms = start_vms(host, "11.1", range(100, 104))
    before = counted(vms)
    ids = [vm.id for vm in vms]
    d = host.started(config("private"))
    wait_shared(d, "private", *ids)
    memory = sum(rss_kib(vm.pid) for vm in vms)
    rounds = many(3)
    for _ in range(rounds):
        code, _, err = d.command("release", "--all")
        check(code == 0, "release --all ended with %d: %s", code, err)
        check(all(monitors(vm) == ([], []) for vm in vms), "left in QEMU")
        d.stop()
        d.start()
        wait_shared(d, "private", *ids)
    code, _, err = d.command("release", "--all")
    check(code == 0, "release --all ended with %d: %s", code, err)
    d.stop()
    check(all(monitors(vm) == ([], []) for vm in vms), "left in QEMU")
    unchanged(vms, before, rounds, memory)


def stays(host):
    """another way in the configuration leaves a private monitor where it is, and says so"""
    vms = start_vms(host, "11.1", [100])
    d = host.started(config("private"))
    wait_shared(d, "private", 100)
    d.configure(config("yield"))
    d.reload()
    retry(lambda: "stays" in (d.vm(100)["note"] or ""), "the note says that it stays", 5)
    wait_shared(d, "private", 100)
    check(monitors(vms[0]) == (["qmpin"], ["qmpin"]), "it has %s", monitors(vms[0]))


def released(host):
    """release takes away what was added, one VM or all, until the daemon starts again"""
    old = start_vms(host, "7.2", [100])
    new = start_vms(host, "11.1", [101, 102])
    d = host.started(config("auto"))
    wait_shared(d, "yield", 100)
    wait_shared(d, "private", 101, 102)
    for vmid in (101, 100):
        code, out, err = d.command("release", str(vmid))
        check(code == 0 and str(vmid) in out, "release ended with %d: %s%s", code, out,
              err)
        check(d.vm(vmid)["share"] == "brief", "VM %d is %s", vmid, d.vm(vmid)["share"])
        check(d.vm(vmid)["note"], "no note")
    check(monitors(new[0]) == ([], []), "left: %s", monitors(new[0]))
    check(d.vm(102)["share"] == "private", "the other one was released too")
    code, out, err = d.command("release", "--all")
    check(code == 0, "release --all ended with %d: %s", code, err)
    check(monitors(new[1]) == ([], []), "left: %s", monitors(new[1]))
    holds(lambda: not served(old[0].qmp_path) or d.vm(100)["state"] == "watching",
          "it is held", 0.5)
    check(run_rival(host, old + new, "--look", "--count", 20, "--gap-ms", 10)["held"] <= 4,
          "monitors are held after a release")
    plugged = new[0].vcpus()
    d.wait_settled(100, 101, 102)
    check(plugged, "no vCPUs")
    code, _, err = d.command("release", "999")
    check(code == 1, "an unknown VM: %d, %s", code, err)
    d.stop()
    d.start()
    wait_shared(d, "private", 101, 102)
    released_offline(host, d, old + new)


def released_offline(host, d, vms):
    """The same where no daemon runs: by name, of a VM that has ended, and of all."""
    def release(which):
        p = subprocess.run([QMPIND, "--vm-dir", host.path("vm"), "--run-dir", d.run_dir,
                            "--release", which], capture_output=True, text=True,
                           timeout=60)
        return p.returncode, p.stdout, p.stderr
    code, _, err = release("all")
    check(code == 1 and "qmpind is running" in err, "beside a daemon: %d %s", code, err)
    d.stop()
    code, out, err = release("102,999")
    check((code, out) == (0, "released 102\n"), "one: %d %s%s", code, out, err)
    check([monitors(vm) for vm in vms[1:]] == [(["qmpin"], ["qmpin"]), ([], [])],
          "left: %s", [monitors(vm) for vm in vms[1:]])
    vms[0].kill()
    code, out, err = release("all")
    check((code, sorted(out.split()[1::2])) == (0, ["101", "102"]), "all: %d %s%s", code,
          out, err)
    check(monitors(vms[1]) == ([], []), "left: %s", monitors(vms[1]))


def adopted(host):
    """a QEMU that an earlier daemon has prepared dials in; no second object is made"""
    vms = start_vms(host, "11.1", range(100, 103))
    d = host.started(config("auto"))
    wait_shared(d, "private", 100, 101, 102)
    d.kill()
    began = now()
    d.start()
    retry(lambda: all(d.vm(i)["state"] == "watching" for i in (100, 101, 102)),
          "all are watched", 3)
    seen = now()
    wait_shared(d, "private", 100, 101, 102)
    print("     watched after %.2f s, private again after %.2f s" % (
        seen - began, now() - began))
    check(now() - began < 8 * SLACK, "QEMU took long to dial in")
    for vm in vms:
        check(monitors(vm) == (["qmpin"], ["qmpin"]), "VM %d has %s", vm.id,
              monitors(vm))
    check(not d.lines(r"warning|error"), "told: %s", d.lines(r"warning|error")[:3])


def strangers(host):
    """who comes to monitor.sock without being a QEMU of ours is hung up on"""
    vms = start_vms(host, "11.1", [100])
    d = host.started(config("auto"))
    wait_shared(d, "private", 100)
    path = os.path.join(d.run_dir, "monitor.sock")
    check(os.stat(path).st_mode & 0o777 == 0o600, "mode %o", os.stat(path).st_mode)
    crowd = []
    for _ in range(100):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(0.5)
        try:
            s.connect(path)
            s.sendall(b'{"QMP": {"version": {"qemu": {"major": 99}}}}\r\n')
        except OSError:
            pass
        crowd.append(s)
    began = now()

    def hung_up(s):
        s.setblocking(False)
        try:
            return s.recv(100) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True
    retry(lambda: all(map(hung_up, crowd)), "all strangers are hung up on", 15)
    print("     100 strangers hung up on after %.1f s" % (now() - began))
    d.wait_line(r"monitor\.sock: ")
    lines = d.lines(r"monitor\.sock: ")
    check(len(lines) == 1, "told %d times", len(lines))
    check(shared(d, 100, "private"), "the VM has lost its monitor")
    check(monitors(vms[0]) == (["qmpin"], ["qmpin"]), "%s", monitors(vms[0]))


class Hostile:
    """Clients of a proxy that misbehave."""

    def __init__(self, path):
        self.path, self.open = path, []

    def connect(self):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(2)
        end = now() + 5
        while True:
            try:
                s.connect(self.path)
                break
            except BlockingIOError:
                check(now() < end, "no hostile client gets in")
        self.open.append(s)
        return s

    def send(self, data, fd_list=()):
        """A client that says this and stays."""
        s = self.connect()
        self.push(s, data, fd_list)
        return s

    @staticmethod
    def push(s, data, fd_list=()):
        try:
            if fd_list:
                socket.send_fds(s, [data[:1]], fd_list)
                data = data[1:]
            s.sendall(data)
        except OSError:
            pass  # dropped, as it deserves

    def leave(self):
        for s in self.open:
            s.close()
        self.open = []


CAPS = b'{"execute":"qmp_capabilities","id":1}'


def odd_ids(hostile):
    """Ids of every type, keys given twice, nonsense."""
    for value in (b"null", b"true", b"1e308", b"-1", b"[]", b'{"a":[1]}', b'""',
                  b'"' + b"x" * 70000 + b'"', b"[" * 1000 + b"]" * 1000):
        hostile.send(CAPS + b'{"execute":"query-name","id":' + value + b"}")
    for text in (b"\0\xff" * 1000, b"[]", b"7", b"}" * 100, b'{"execute":7}',
                 b'{"id":1,"id":2,"execute":"query-name","execute":"stop2"}',
                 b'{"exec-oob":"query-name"}', b'{"execute":"qmp_capabilities",'
                 b'"arguments":{"enable":["oob"]}}', b"GET / HTTP/1.1\r\n\r\n"):
        hostile.send(text)
    hostile.leave()


def half_lines(hostile):
    for _ in range(16):
        hostile.send(CAPS + b'{"execute":"query-na')
    hostile.leave()


def huge_lines(hostile):
    for filler in (b'{"execute":"' + b"x" * (10 << 20), b"[" * (10 << 20),
                   b'{"a":[' + b"{}," * (3 << 20), b"\n" * (10 << 20)):
        hostile.send(CAPS + filler)
    hostile.leave()


def crowds(hostile):
    for i in range(2000):
        s = hostile.connect()
        hostile.push(s, (b"", b"{", CAPS, b"x")[i % 4])
        if len(hostile.open) == 8:
            hostile.leave()
    hostile.leave()


def descriptors(hostile):
    null = os.open("/dev/null", os.O_RDWR)
    for _ in range(8):
        s = hostile.connect()
        for _ in range(30):
            hostile.push(s, b'{"execute":"query-name"}', [null] * 250)
    os.close(null)
    hostile.leave()


def slow_readers(hostile):
    """Long replies that are asked for and never read."""
    for _ in range(4):
        s = hostile.connect()
        hostile.push(s, CAPS)
        for _ in range(200):
            s.settimeout(0.05)
            hostile.push(s, b'{"execute":"query-qmp-schema"}')
    hostile.leave()


def hostile_clients(host):
    """clients of the proxy that misbehave cost only themselves"""
    vm, = start_vms(host, "7.2", [100])
    other, = start_vms(host, "7.2", [101])
    d = host.started(config("proxy"))
    wait_shared(d, "proxy", 100, 101)
    base = fds(vm.pid), sockets(d.pid)  # perhaps with a connection of this test
    rival = Rival(host, [vm, other], "--count", 0, "--gap-ms", 2, "--jitter-ms", 10,
                  "--timeout-ms", 3000)
    hostile = Hostile(vm.qmp_path)
    for attack in (odd_ids, half_lines, huge_lines, crowds, descriptors, slow_readers):
        began = now()
        attack(hostile)
        print("     %s: %.2f s, peak memory of the daemon %.1f MiB" % (
            attack.__name__, now() - began, d.memory_kib("VmHWM") / 1024))
    unharmed(rival.stop(), "a proper client")
    if not instrumented():
        check(d.memory_kib("VmHWM") < RSS_MAX_KIB, "%d KiB", d.memory_kib("VmHWM"))
    retry(lambda: fds(vm.pid) == base[0] and sockets(d.pid) <= base[1], "descriptors are as before (%s)"
          % (base,), 5)
    wait_shared(d, "proxy", 100, 101)


if __name__ == "__main__":
    qemu("7.2")
    sys.exit(main([held_and_left, added_and_removed, stays, released, adopted, strangers,
                   hostile_clients], Host, limit_s=240 if SOAK <= 1 else 7200))
