#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Monitors, pidfiles and names that lie: told clearly, harmless, and nobody else waits.

Beside every liar a good VM starts and must be placed as if it were alone; a process
that the liars name stands by and must never be touched.
"""
import json
import os
import re
import socket
import sys

from daemon import instrumented
from runner import SLACK, check, main, now, pass_audit, pass_time, retry
from vmhost import Host, MaskWatch, mask

RSS_MAX_KIB = 64 << 10


def good_vm(host, d, what):
    """A VM starts and is placed, soon."""
    vm = host.start_vm(100, vcpus=2, cpus=host.need_cpus(2))
    began = now()
    d.wait_settled(100, timeout=3)
    took = now() - began
    print("     %s: the good VM is placed after %.0f ms" % (what, took * 1e3))
    check(vm.pinned(), "the good VM has %s", vm.vcpu_masks())


def told(d, what, vmid=200, timeout=12.0):
    """A line names the VM; it holds nothing a terminal would obey."""
    _, match = d.wait_line(r"^qmpind: (error: |warning: )?vm %d: .*" % vmid, timeout)
    print("     %s: %s" % (what, match.group(0)))
    for _, line in list(d.log):
        check(not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", line), "raw bytes in %r", line)


def liars(host, behaviours):
    """The whole course with misbehaving monitors as VMs from 200 on."""
    fakes = {200 + i: (host.fake(b, 200 + i), b) for i, b in enumerate(behaviours)}
    watch = MaskWatch([fake.pid for fake, _ in fakes.values()])
    d = host.started()
    good_vm(host, d, ", ".join(behaviours))
    for vmid, (_, behaviour) in fakes.items():
        told(d, behaviour, vmid)
    check(d.settled(100), "the good VM is disturbed")
    changes, _ = watch.stop()
    check(not changes, "a liar was pinned: %s", changes)
    if not instrumented():
        check(d.memory_kib("VmHWM") < RSS_MAX_KIB, "%d KiB", d.memory_kib("VmHWM"))
    return d


def together(name, text, *behaviours):
    def run(host):
        liars(host, behaviours)
    run.__doc__, run.__name__ = text, name
    return run


def silent_for_long(host):
    """never greets, greets by the byte, never answers, answers others: told once"""
    with open(host.path("vm", "301.pid"), "w") as f:
        f.write("garbage\n")
    host.start_vm(301, vcpus=1, pid_path=host.path("mon", "301.pid"))
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(host.path("vm", "302.qmp"))
    # Beside those that end after some seconds, trouble that comes back at every attempt.
    d = liars(host, ["silent", "drip", "no_reply", "wrong_id", "garbage"])
    for vmid in (204, 301, 302):
        lines = [m.string for _, m in d.lines(r"vm %d: " % vmid)]
        check(0 < len(lines) <= 2, "VM %d: %d lines, %s", vmid, len(lines), lines[:6])
    check(now() - d.began > 4, "not long enough to be told again")


def cut_short(host):
    """a session that ends before it is up is told of when the next one does, too"""
    host.fake("cut", 200, 1)
    host.fake("cut", 201, 2)
    d = host.started()
    d.wait_line(r"warning: vm 201: .*closed by the peer")
    for vmid in (200, 201):
        retry(lambda v=vmid: d.vm(v)["state"] == "watching", "VM %d is heard" % vmid, 10)
    check(not d.lines(r"warning: vm 200: "), "VM 200: %s", d.lines(r"warning: vm 200: "))


def flood(behaviour, text):
    def run(host):
        d = liars(host, [behaviour])
        sent = host.path("vm", "200.sent")
        if os.path.exists(sent):
            with open(sent) as f:
                print("     it took %.1f MB" % (int(f.read()) / 1e6))
        print("     peak memory of the daemon %.1f MiB"
              % (d.memory_kib("VmHWM") / 1024))
    run.__doc__, run.__name__ = text, behaviour
    return run


def flood_events(host):
    """100 MB of proper events: the others are served and the daemon answers"""
    fake = host.fake("flood_events", 200)
    d = host.started()
    good_vm(host, d, "flood_events")
    slowest, used, began = 0.0, d.cpu_ns(), now()
    sent = host.path("vm", "200.sent")
    while not os.path.exists(sent) and now() < began + 20 * SLACK:
        at = now()
        d.status()
        slowest = max(slowest, now() - at)
        pass_time(0.02)
    took, used = now() - began, (d.cpu_ns() - used) / 1e9
    check(os.path.exists(sent), "the flood does not end")
    with open(sent) as f:
        print("     it took %.1f MB in %.1f s, %.1f s of CPU, %.1f MiB" % (
            int(f.read()) / 1e6, took, used, d.memory_kib("VmHWM") / 1024))
    print("     slowest status reply meanwhile %.0f ms" % (slowest * 1e3))
    check(slowest < 0.5 * SLACK, "status took %.0f ms", slowest * 1e3)
    check(d.settled(100), "the good VM is disturbed")
    check(mask(fake.pid) == set(os.sched_getaffinity(0)), "the liar was pinned")
    if not instrumented():
        check(d.memory_kib("VmHWM") < RSS_MAX_KIB, "%d KiB", d.memory_kib("VmHWM"))


def foreign_threads(host):
    """thread ids of another process: nothing is pinned, theirs or the liar's"""
    victim = host.helper("sleep", "1000")
    neighbour = host.start_vm(300, vcpus=1, cpus=host.need_cpus(2)[1:])
    theirs = [victim.pid] + neighbour.tids()
    before = {t: mask(t) for t in theirs}
    fakes = [host.fake("threads", 200, victim.pid),
             host.fake("threads", 201, *neighbour.tids()),
             host.fake("threads", 202, os.getpid()), host.fake("threads", 203, 1)]
    watch = MaskWatch([victim.pid, os.getpid()] + [f.pid for f in fakes])
    d = host.started()
    good_vm(host, d, "foreign threads")
    for vmid in (200, 201, 202, 203):
        told(d, "foreign threads", vmid)
    d.wait_settled(300)
    pass_audit()
    changes, looks = watch.stop()
    check(not changes, "changed (%d looks): %s", looks, changes)
    for tid in neighbour.tids():
        check(mask(tid) <= before.get(tid, mask(tid)), "thread %d was widened", tid)


def odd_threads(host):
    """impossible answers to query-cpus-fast"""
    me = {"cpu-index": 0, "thread-id": 0, "props": {}}
    answers = [[dict(me, **{"thread-id": 0})], [dict(me, **{"thread-id": -1})],
               [dict(me, **{"thread-id": 2 ** 63})], [dict(me, **{"thread-id": "7"})],
               [{"cpu-index": 0}], [7], {}, None, "text",
               [dict(me, **{"cpu-index": -5, "thread-id": 5})]]
    for i, answer in enumerate(answers):
        host.fake("vcpus_json", 200 + i, json.dumps(answer))
    d = host.started()
    good_vm(host, d, "odd threads")
    for i in range(len(answers)):
        told(d, json.dumps(answers[i])[:40], 200 + i)
    check(d.settled(100), "the good VM is disturbed")


def dies(host):
    """a QEMU that ends in the middle of a reply, and leaves its socket"""
    host.fake("half_reply", 200)
    d = host.started()
    good_vm(host, d, "half a reply")
    told(d, "half a reply")


def pidfiles(host):
    """pidfiles: garbage, another process, an ended one, empty, huge, none"""
    cpus = host.need_cpus(2)
    victim = host.helper("sleep", "1000")
    ended = host.helper("true")
    ended.wait()
    texts = {200: "garbage\n", 201: "%d\n" % victim.pid, 202: "%d\n" % ended.pid,
             203: "", 204: "9" * 5000, 205: None, 206: "-1\n", 207: "1\n"}
    vms = {}
    for vmid, text in texts.items():
        if text is not None:
            with open(host.path("vm", "%d.pid" % vmid), "w") as f:
                f.write(text)
        vms[vmid] = host.start_vm(vmid, vcpus=2, cpus=cpus,
                                  pid_path=host.path("mon", "%d.pid" % vmid))
    watch = MaskWatch([victim.pid] + [t for vm in vms.values() for t in vm.tids()])
    d = host.started()
    good_vm(host, d, "pidfiles")
    for vmid, text in texts.items():
        told(d, "pidfile %r" % (text and text[:12]), vmid)
    changes, _ = watch.stop()
    check(not changes, "changed: %s", changes)
    with open(host.path("vm", "205.pid"), "w") as f:
        f.write("%d\n" % vms[205].pid)
    d.wait_settled(205, timeout=12)


def names(host):
    """names that are no VM's, a directory and a file in the place of a socket"""
    cpus = host.need_cpus(2)
    d = host.started()
    decoy = host.start_vm(104, vcpus=1, cpus=cpus)
    for name in ("-1.qmp", "99.qmp", "0100.qmp", "100.qmp.bak", "1000000000.qmp",
                 "x.qmp", ".qmp", "100.qmp~"):
        os.link(decoy.qmp_path, host.path("vm", name))
    os.mkdir(host.path("vm", "101.qmp"))
    with open(host.path("vm", "102.qmp"), "w") as f:
        f.write('{"QMP": {}}\n')
    os.symlink(decoy.qmp_path, host.path("vm", "103.qmp"))
    good_vm(host, d, "names")
    d.wait_settled(104)
    for vmid, vm in d.vms().items():
        check(vmid in ("100", "104") or vm["state"] != "watching", "VM %s", vm)


def directory_comes_late(host):
    """the directory of the VMs comes late, and comes back"""
    cpus = host.need_cpus(2)
    os.rmdir(host.path("vm"))
    d = host.started()
    os.mkdir(host.path("vm"))
    good_vm(host, d, "late directory")
    os.rename(host.path("vm"), host.path("vm.old"))
    os.mkdir(host.path("vm"))
    vm = host.start_vm(110, vcpus=1, cpus=cpus)
    d.wait_settled(110, timeout=5)
    check(vm.pinned(), "VM 110 has %s", vm.vcpu_masks())


def control_socket(host):
    """nonsense on the control socket costs only its sender"""
    d = host.started()
    path = os.path.join(d.run_dir, "io.qmpin")
    for text in (b"\0", b"{}\0", b"[]\0", b"nonsense\0", b'{"method": 5}\0',
                 b'{"method":"io.qmpin.NoSuch"}\0', b"[" * 100000 + b"\0",
                 b'{"method":"io.qmpin.ListVMs","parameters":{"id":7}}\0',
                 b'{"method":"io.qmpin.GetStatus"}'):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5 * SLACK)
            s.connect(path)
            s.sendall(text)
            if text.endswith(b"\0"):
                try:
                    s.recv(65536)
                except ConnectionError:
                    pass
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5 * SLACK)
        s.connect(path)
        try:
            for _ in range(1600):
                s.sendall(b"x" * 65536)
        except (ConnectionError, TimeoutError):
            pass
    many = []
    for _ in range(200):
        s = socket.socket(socket.AF_UNIX)
        s.setblocking(False)
        try:
            s.connect(path)
        except OSError:
            pass
        many.append(s)
    for s in many:
        s.close()
    good_vm(host, d, "control socket")
    if not instrumented():
        check(d.memory_kib("VmHWM") < RSS_MAX_KIB, "%d KiB", d.memory_kib("VmHWM"))


if __name__ == "__main__":
    sys.exit(main([
        together("nonsense", "another protocol, binary data, no greeting, brackets without "
                 "end, errors with escapes, its main thread as vCPUs", "garbage", "binary",
                 "wrong_json", "nested", "only_errors", "own_threads"),
        silent_for_long, cut_short,
        together("bomb", "has 50000 vCPUs", "bomb"),
        flood("flood_text", "100 MB of text instead of a greeting"),
        flood("flood_before_greeting", "100 MB of events instead of a greeting"),
        flood("flood_objects", "100 MB of empty objects"),
        flood("flood_reply", "a reply of 100 MB"),
        flood_events,
        foreign_threads, odd_threads, dies, pidfiles, names, directory_comes_late,
        control_socket], Host, limit_s=240))
