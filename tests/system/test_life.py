#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The life of a VM on a real QEMU: paused, suspended, rebooted, shut down, rolled back,
migrated, started again, replaced, crashed. After each step every thread's real mask is
looked at, also by a daemon that starts just then, and the log has nothing wrong."""
import json
import os
import re
import subprocess
import sys

from runner import check, main, now, pass_audit, retry
from vmhost import Host, MaskWatch, cpulist, cpus_of, mask, tids_of

PIN = "[qmpin]\nmode = pin\nadopt = now\n"
# No audit within a case: what is put right was seen by an event, or the count of threads.
NO_AUDIT = PIN + "audit_interval_ms = 60000\n"
# What a guest writes to the ICH9's registers where the firmware puts them.
PM1_CONTROL, SLEEP, POWER_OFF = "0x604", "0x2400", "0x2000"
WATCHED, PAUSED = ("watching", "yielded"), ("paused", "yielded")


def hmp(vm, line):
    """A command of the human monitor, which must have nothing to say."""
    said = vm.monitor.run("human-monitor-command", command_line=line)
    check(not said.strip(), "%s: %s", line, said)


def status_of(vm):
    return vm.monitor.run("query-status")["status"]


def reaches(vm, status):
    retry(lambda: status_of(vm) == status, "VM %d is %s" % (vm.id, status), 10)


def by_taskset(pid):
    """thread id -> CPUs, as an administrator would look."""
    out = subprocess.run(["taskset", "--all-tasks", "--cpu-list", "--pid", str(pid)],
                         text=True, capture_output=True).stdout
    return {int(t): cpus_of(c) for t, c in
            re.findall(r"^pid (\d+)'s current affinity list: (\S+)$", out, re.M)}


def wrong(vm, cpus, told):
    """What is not as it should be with VM's threads, told as the daemon does; or None."""
    real = by_taskset(vm.pid)
    threads = {t["tid"]: t for t in told["threads"]}
    vcpus = vm.vcpus()
    if told["pid"] != vm.pid:
        return "pid %s" % told["pid"]
    known = {t["index"]: t["tid"] for t in threads.values() if t["class"] == "vcpu"}
    if known != vcpus:
        return "vCPUs are %s, not %s" % (vcpus, known)
    for tid, has in real.items():
        t = threads.get(tid)
        if tid in vcpus.values() and len(has) != 1:
            return "vCPU thread %d has %s" % (tid, cpulist(has))
        if not has <= set(cpus):
            return "thread %d is outside the limit: %s" % (tid, cpulist(has))
        if t and t["class"] != "worker" and cpus_of(t["want"] or "") != has:
            return "thread %d: %s, wants %s" % (tid, cpulist(has), t["want"])
    counts = [sum(c in real.get(t, ()) for t in vcpus.values()) for c in cpus]
    if max(counts) - min(counts) > 1:
        return "vCPUs a CPU: %s" % counts
    return None


def right(d, vm, states=WATCHED, timeout=5.0):
    """Wait until the VM is in one of these states with every mask as it should be."""
    cpus = d.host.need_cpus(2)

    def look():
        told = d.vm(vm.id)
        check(told and told["state"] in states, "VM %d: %s", vm.id,
              told and told["state"])
        found = wrong(vm, cpus, told)
        check(not found, "VM %d: %s", vm.id, found)
        return True
    retry(look, "VM %d is right" % vm.id, timeout)


def stays_right(d, vm, states=WATCHED):
    """Right now, and by a daemon that is killed and starts again just now: no mask
    changes."""
    right(d, vm, states)
    watch = MaskWatch(list(vm.vcpus().values()) + [vm.pid])
    d.kill()
    d.start()
    right(d, vm, states)
    changes, _ = watch.stop()
    check(not changes, "a restart changed %s", "; ".join(changes))


def hears(d, vm):
    """Wait until the VM's events reach a daemon that has just started: a QEMU that dials
    in does so every five seconds."""
    d.wait_line(r"vm %d: its monitor is shared" % vm.id, 8, since=d.began)


def well(d, dead=()):
    """Nothing is wrong in the log, nothing was repaired; of sockets that dead VMs left a
    daemon that starts then says so, once."""
    found = [m.string for _, m in d.lines(r"warning|error|drift")]
    # a kernel may close the socket a moment after the process is no more
    expected = [re.escape("qmpind: warning: vm %d: %s: " % (vm.id, vm.qmp_path)) +
                r"(nobody listens on this socket|cannot watch process \d+: No such process)"
                for vm in dead]
    check(len(found) == len(expected) and all(map(re.fullmatch, expected, found)),
          "told: %s", found[:3])


def record_of(d, vmid):
    """The pid in the VM's record, or None."""
    try:
        with open(os.path.join(d.run_dir, "%d.json" % vmid)) as f:
            return json.load(f)["pid"]
    except FileNotFoundError:
        return None


def broken_and_mended(vm, cpus, event, limit_s=0.5):
    """A mask that is wrong when the event comes is right soon after: the event made the
    daemon look, since no audit does. Returns the time it took."""
    tid = vm.vcpus()[0]
    want = mask(tid)
    os.sched_setaffinity(tid, cpus)
    event()
    began = now()
    retry(lambda: mask(tid) == want, "vCPU 0 has %s again" % cpulist(want), limit_s,
          step=0.0005)
    return now() - began


def started(host, vmid=100, **more):
    more.setdefault("cpus", host.need_cpus(2))
    more.setdefault("guest", "ack")
    return host.start_vm(vmid, **more)


def paused(host):
    """paused: still placed, also what is plugged meanwhile; cont is answered at once"""
    vm = started(host, maxcpus=4)
    d = host.started(NO_AUDIT)
    right(d, vm)
    vm.monitor.run("stop")
    stays_right(d, vm, PAUSED)
    hears(d, vm)
    took = broken_and_mended(vm, host.need_cpus(2), lambda: vm.monitor.run("cont"))
    print("     cont to mask: %.1f ms" % (took * 1e3))
    right(d, vm)
    vm.monitor.run("stop")
    vm.plug()
    right(d, vm, PAUSED)
    vm.monitor.run("cont")
    right(d, vm)
    well(d)


def suspended(host):
    """suspended to RAM: still placed; it wakes up where it was"""
    vm = started(host)
    d = host.started(NO_AUDIT)
    right(d, vm)
    before = vm.masks()
    hmp(vm, "o /h %s %s" % (PM1_CONTROL, SLEEP))
    reaches(vm, "suspended")
    stays_right(d, vm, PAUSED)
    hears(d, vm)
    took = broken_and_mended(vm, host.need_cpus(2),
                             lambda: vm.monitor.run("system_wakeup"))
    print("     wakeup to mask: %.1f ms" % (took * 1e3))
    reaches(vm, "running")
    right(d, vm)
    check(vm.vcpu_masks() == {i: before[t] for i, t in vm.vcpus().items()}, "it moved")
    well(d)


def rebooted(host):
    """rebooted by the guest and by the host, with a plugged vCPU: nobody moves"""
    vm = started(host, maxcpus=4)
    d = host.started(NO_AUDIT)
    right(d, vm)
    vm.plug()
    right(d, vm)
    watch = MaskWatch(list(vm.vcpus().values()) + [vm.pid])
    for reset in (lambda: hmp(vm, "o /b 0xcf9 6"),
                  lambda: vm.monitor.run("system_reset")):
        since = now()
        reset()
        retry(lambda: vm.monitor.run("query-status") and
              vm.monitor.event("RESET", since), "the guest is reset")
        right(d, vm)
    changes, _ = watch.stop()
    check(not changes, "a reboot changed %s", "; ".join(changes))
    stays_right(d, vm)
    well(d)


def shut_down(host):
    """shut down under -no-shutdown: the process stays, and is as it was when it runs
    again"""
    vm = started(host, more=["-no-shutdown"])
    d = host.started(NO_AUDIT)
    right(d, vm)
    hmp(vm, "o /h %s %s" % (PM1_CONTROL, POWER_OFF))
    reaches(vm, "shutdown")
    stays_right(d, vm, PAUSED)
    vm.monitor.run("system_reset")
    vm.monitor.run("cont")
    right(d, vm)
    well(d)


def job(vm, command, **arguments):
    """A job that ends well."""
    vm.monitor.run(command, job_id="job", **arguments)

    def concluded():
        return [j for j in vm.monitor.run("query-jobs") if j["status"] == "concluded"]
    found = retry(concluded, "%s ends" % command, 20)
    check("error" not in found[0], "%s: %s", command, found[0].get("error"))
    vm.monitor.run("job-dismiss", id="job")


def add_disk(vm, path):
    """A disk that can hold snapshots."""
    m = vm.monitor
    job(vm, "blockdev-create", options={"driver": "file", "filename": path, "size": 0})
    m.run("blockdev-add", driver="file", filename=path, node_name="file")
    job(vm, "blockdev-create", options={"driver": "qcow2", "file": "file",
                                        "size": 1 << 20})
    m.run("blockdev-add", driver="qcow2", file="file", node_name="disk0")


def rolled_back(host):
    """a snapshot is taken and gone back to: nobody moves, not even once"""
    vm = started(host)
    add_disk(vm, host.path("disk.qcow2"))
    d = host.started(NO_AUDIT)
    right(d, vm)
    watch = MaskWatch(list(vm.vcpus().values()) + [vm.pid])
    job(vm, "snapshot-save", tag="before", vmstate="disk0", devices=["disk0"])
    right(d, vm)
    vm.monitor.run("stop")
    job(vm, "snapshot-load", tag="before", vmstate="disk0", devices=["disk0"])
    right(d, vm, PAUSED)
    vm.monitor.run("cont")
    right(d, vm)
    changes, _ = watch.stop()
    check(not changes, "it moved: %s", "; ".join(changes))
    took = broken_and_mended(vm, host.need_cpus(2),
                             lambda: hmp(vm, "stop") or hmp(vm, "cont"))
    print("     running again to mask: %.1f ms" % (took * 1e3))
    stays_right(d, vm)
    well(d)


def migrate(source, address):
    source.monitor.run("migrate", uri=address)

    def ended():
        status = source.monitor.run("query-migrate").get("status")
        check(status not in ("failed", "cancelled"), "migration: %s", status)
        return status == "completed"
    retry(ended, "the migration ends", 20)


def incoming(host, vmid, address, slot):
    """A QEMU that waits for a VM with a plugged vCPU, as Proxmox starts it."""
    device = ",".join([slot["driver"]] + ["%s=%s" % (k, v) for k, v in slot.items()
                                          if k != "driver"])
    vm = started(host, vmid, maxcpus=4, wait=False,
                 more=["-incoming", address, "-device", device])
    vm.vcpus()
    return vm


def migrated(host):
    """migrated with a plugged vCPU: placed while it waits, right when it runs, the source
    ends"""
    address = "unix:%s" % host.path("migration")
    source = started(host, maxcpus=4)
    d = host.started(NO_AUDIT)
    right(d, source)
    slot = source.slots()[0]
    source.plug()
    right(d, source)
    target = incoming(host, 101, address, slot)
    right(d, target, PAUSED)
    stays_right(d, source)
    stays_right(d, target, PAUSED)
    hears(d, target)
    tid, cpus = target.vcpus()[2], host.need_cpus(2)
    want = mask(tid)
    os.sched_setaffinity(tid, cpus)     # only RESUME makes the daemon look
    migrate(source, address)
    retry(lambda: target.monitor.run("query-status") and
          target.monitor.event("RESUME"), "the target runs", step=0.001)
    retry(lambda: mask(tid) == want, "vCPU 2 has %s again" % cpulist(want), 1)
    print("     RESUME to mask: %.1f ms" % (
        (now() - target.monitor.event("RESUME")) * 1e3))
    right(d, target)
    stays_right(d, source, PAUSED)
    check(status_of(source) == "postmigrate", "source is %s", status_of(source))
    source.stop()
    d.wait_line(r"vm 100: ended", since=d.began)
    retry(lambda: "100" not in d.vms() and record_of(d, 100) is None, "it is forgotten")
    stays_right(d, target)
    well(d)


def started_again(host):
    """stopped and started under its VMID, often: placed anew at once, the old record gone"""
    d = host.started(NO_AUDIT)
    took, pids = [], set()
    for ends in ("stop", "kill", "stop", "kill"):
        vm = started(host, guest="firmware")
        began = now()
        retry(vm.pinned, "VM 100 is pinned", 2)
        took.append(now() - began)
        right(d, vm)
        check(record_of(d, 100) == vm.pid, "the record is of %s", record_of(d, 100))
        pids.add(vm.pid)
        getattr(vm, ends)()
    check(len(pids) == 4, "pids %s", pids)
    retry(lambda: record_of(d, 100) is None, "the record is gone")
    print("     first answer to masks: %s ms" % ", ".join(
        "%.0f" % (t * 1e3) for t in took))
    well(d)


def another_vm(host):
    """the VMID goes to another VM, with the daemon there and while it is away: its own
    limit, its own vCPUs, nothing of the first"""
    cpus = host.need_cpus(2)
    d = host.started(NO_AUDIT)
    for away in (False, True):
        vm = started(host, vcpus=2, guest="firmware")
        right(d, vm)
        if away:
            d.kill()
        vm.stop()
        vm = started(host, vcpus=3, maxcpus=6, guest="firmware", cpus=cpus[:1])
        if away:
            d.start()
        retry(lambda: d.settled(100) and d.vm(100)["pid"] == vm.pid, "it is placed", 5)
        told = d.vm(100)
        check(told["limit"] == cpulist(cpus[:1]), "limit %s", told["limit"])
        check((told["vcpus"], told["vcpus_max"]) == (3, 6), "%s", told)
        check(set(by_taskset(vm.pid)) == {t["tid"] for t in told["threads"]}, "threads")
        check(all(m == set(cpus[:1]) for m in by_taskset(vm.pid).values()), "masks")
        check(record_of(d, 100) == vm.pid, "the record is of %s", record_of(d, 100))
        vm.stop()
        retry(lambda: record_of(d, 100) is None, "the record is gone")
    well(d)


def crashed(host):
    """killed: shown as gone, its socket and pidfile stay; a new one takes its place"""
    vm, other = started(host), started(host, 101)
    d = host.started(PIN)
    right(d, vm)
    right(d, other)
    vm.kill()
    retry(lambda: d.vm(100)["state"] == "gone" and record_of(d, 100) is None, "gone")
    well(d)
    d.kill()
    d.start()
    right(d, other)
    pass_audit()
    well(d, [vm])
    late = started(host)
    right(d, late)
    right(d, other)
    well(d, [vm])
    d.kill()
    late.kill()
    d.start()
    retry(lambda: record_of(d, 100) is None, "the record of one that died unseen is gone")
    right(d, other)
    well(d, [vm, late])


def iothreads(host):
    """threads for disks come and go: known as such, with the emulator"""
    vm = started(host)
    d = host.started(NO_AUDIT)
    right(d, vm)

    def listed():
        return {t["tid"] for t in d.vm(100)["threads"] if t["class"] == "iothread"}

    def real():
        return {t["thread-id"] for t in vm.monitor.run("query-iothreads")}
    for i in range(8):
        vm.monitor.run("object-add", qom_type="iothread", id="io%d" % i)
        if i % 3 == 2:
            vm.monitor.run("object-del", id="io%d" % (i - 1))
        if i % 4 == 3:
            retry(lambda: listed() == real(), "iothreads are known")
            right(d, vm)
    check(len(real()) == 6, "iothreads %s", real())
    stays_right(d, vm)
    for t in real():
        check(mask(t) == mask(vm.pid), "iothread %d has %s", t, cpulist(mask(t)))
    well(d)


def socket_removed(host):
    """the socket's file goes while the VM lives: still audited, and found again; a daemon
    that starts meanwhile does not touch it"""
    vm = started(host, maxcpus=4)
    d = host.started(PIN + "audit_interval_ms = 200\n")
    right(d, vm)
    limit = d.vm(100)["limit"]
    aside = host.path("aside")
    os.rename(vm.qmp_path, aside)
    p = vm.plug()
    retry(lambda: len(mask(p["tid"])) == 1, "the plugged vCPU has a CPU")
    took = broken_and_mended(vm, host.need_cpus(2), lambda: None, 2)
    print("     drift without a socket repaired after %.0f ms" % (took * 1e3))
    before = vm.masks()
    d.kill()
    d.start()
    pass_audit()
    check(d.vm(100) is None, "VM 100 is shown")
    check(record_of(d, 100) == vm.pid, "its record is lost")
    check(all(mask(t) in (m, None) for t, m in before.items()), "touched")
    os.rename(aside, vm.qmp_path)
    right(d, vm)
    check(all(mask(t) in (m, None) for t, m in before.items()), "moved")
    check(d.vm(100)["limit"] == limit, "limit %s", d.vm(100)["limit"])
    found = [m.string for _, m in d.lines(r"warning|error")]
    check(not found, "told: %s", found)
    os.unlink(vm.qmp_path)
    vm.stop()
    retry(lambda: "100" not in d.vms() and record_of(d, 100) is None, "it is forgotten")


def in_every_state(host):
    """a daemon that starts meets VMs in every state: all are placed but those it cannot
    find"""
    cpus = host.need_cpus(2)
    address = "unix:%s" % host.path("migration")
    make = {"paused": [], "suspended": [], "shutdown": ["-no-shutdown"],
            "postmigrate": [], "prelaunch": ["-S"]}
    vms = {state: started(host, 100 + i, wait=state == "prelaunch", more=more,
                          guest="firmware" if state == "prelaunch" else "ack")
           for i, (state, more) in enumerate(make.items())}
    vms["moved"] = started(host, 110, wait=False, more=["-incoming", address])
    vms["inmigrate"] = started(host, 111, wait=False, more=["-incoming", address + "2"])
    for state in ("paused", "suspended", "shutdown", "postmigrate"):
        vms[state].acknowledges()
    vms["paused"].monitor.run("stop")
    hmp(vms["suspended"], "o /h %s %s" % (PM1_CONTROL, SLEEP))
    hmp(vms["shutdown"], "o /h %s %s" % (PM1_CONTROL, POWER_OFF))
    vms["moved"].vcpus()
    migrate(vms["postmigrate"], address)
    lost = started(host, 112, guest="firmware")
    os.unlink(lost.qmp_path)
    dead = started(host, 113, guest="firmware")
    dead.kill()
    for state, vm in vms.items():
        reaches(vm, state if state != "moved" else "running")
    d = host.started(NO_AUDIT)
    for state, vm in vms.items():
        right(d, vm, WATCHED if state == "moved" else PAUSED)
    check(all(mask(t) == set(cpus) for t in tids_of(lost.pid)), "one was touched")
    check(not set(d.vms()) & {"112"}, "VM 112 is shown")
    well(d, [dead])


if __name__ == "__main__":
    sys.exit(main([paused, suspended, rebooted, shut_down, rolled_back, migrated,
                   started_again, another_vm, crashed, iothreads, socket_removed,
                   in_every_state], Host))
