#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Things go wrong while others use the monitors: the daemon, its guard, a QEMU or a VM is
stopped or killed at random moments. Nobody else's command may fail.

QMPIN_SOAK=30 makes 1000 kills of the 33 here, and so on (make soak-share); QMPIN_SEED
gives other moments.
"""
import os
import random
import signal
import socket
import sys

from runner import SLACK, check, main, now, retry
from sharing import (CUT, SOAK, Rival, config, cut_at, guard_of, most_at_once, pause,
                     plug_times, quantile, qemu, run_rival, shared, start_vms, unharmed,
                     wait_shared)
from vmhost import Host, mask

SEED = int(os.environ.get("QMPIN_SEED", "1"))
# Long beside the 20 ms after which the guard acts, short beside what tools wait.
STOPPED_S = 2.0
PATIENCE_MS = 1600


def many(n):
    return max(1, int(n * SOAK))


class Fleet:
    """VMs that are shared in all ways by one daemon, and rivals on each kind."""

    def __init__(self, host, ways, each=2, **more):
        self.host, self.vms, self.ways, self.rivals = host, {}, {}, {}
        first = 100
        for way, version in ways:
            ids = range(first, first + each)
            self.vms[way] = start_vms(host, version, ids, vcpus=2, maxcpus=6, **more)
            self.ways.update({i: way for i in ids})
            first += each
        self.daemon = host.daemon(config(ways=self.ways))

    def start(self):
        self.daemon.start()
        self.wait()

    def wait(self, timeout=10.0):
        for vmid, way in self.ways.items():
            wait_shared(self.daemon, way, vmid, timeout=timeout)

    def compete(self, *options):
        for way, vms in self.vms.items():
            self.rivals[way] = Rival(self.host, vms, "--count", 0, *options)

    def finish(self, excused):
        """End the rivals; excused: way -> function of a failure."""
        for way, rival in self.rivals.items():
            result = rival.stop()
            print("     %s: %d commands, %d failed, %d EAGAIN, p99 %.1f ms" % (
                way, result["commands"], result["failed"], result["eagain"],
                (result["p99_us"] or 0) / 1e3))
            unharmed(result, way, excused.get(way, lambda failure: False))
            check(most_at_once(result["failures"]) <= 2, "%s: more than one connection "
                  "of each rival was cut off at once: %s", way, result["failures"])
        self.rivals = {}


def all_ways():
    qemu("11.1")
    return [("yield", "7.2"), ("private", "11.1"), ("brief", "7.2"), ("proxy", "7.2")]


def orphans():
    """Guards whose daemon is gone."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % pid) as f:
                name, rest = f.read().rsplit(")", 1)
        except OSError:
            continue
        if name.endswith("(qmpin-guard") and rest.split()[1] == "1":
            found.append(int(pid))
    return found


def killed(host):
    """the daemon is killed at random moments, in every way of sharing"""
    dice, moments, took = random.Random(SEED), [], []
    fleet = Fleet(host, all_ways())
    before = set(orphans())
    fleet.start()
    fleet.compete("--rivals", 2, "--jitter-ms", 8, "--timeout-ms", 3000)
    for _ in range(many(33)):
        pause(dice, 0.4)
        moments.append(now())
        fleet.daemon.kill()
        pause(dice, 0.02)
        fleet.daemon.start()
    began = now()
    fleet.wait()
    took.append(now() - began)
    fleet.finish({"proxy": cut_at(moments)})
    print("     %d kills; all as wished %.2f s after the last start" % (
        len(moments), took[0]))
    left = set(orphans()) - before  # later ones are another test's
    retry(lambda: not left & set(orphans()), "the guards of dead daemons end", 3)


def stopped(host):
    """the daemon is stopped at random moments, and comes back"""
    qemu("11.1")
    dice = random.Random(SEED)
    fleet = Fleet(host, [("yield", "7.2"), ("private", "11.1")], each=4)
    fleet.start()
    fleet.compete("--gap-ms", 20, "--jitter-ms", 100, "--timeout-ms", PATIENCE_MS)
    d = fleet.daemon
    for _ in range(many(5)):
        pause(dice, 0.5)
        d.process.send_signal(signal.SIGSTOP)
        end = now() + STOPPED_S
        retry(lambda: now() >= end, "it is stopped for a while", 2)
        d.process.send_signal(signal.SIGCONT)
    fleet.finish({})
    fleet.wait()
    # What happened meanwhile is seen.
    d.process.send_signal(signal.SIGSTOP)
    vms = [fleet.vms["yield"][0], fleet.vms["private"][0]]
    plugs = run_rival(host, vms, "--plug", 1, "--timeout-ms", 1000)
    d.process.send_signal(signal.SIGCONT)
    unharmed(plugs, "plugging while it is stopped")
    for p in plugs["plugs"]:
        retry(lambda: len(mask(p["tid"])) == 1, "vCPU %d is pinned" % p["index"], 3)
    fleet.wait()


def guard_killed(host):
    """the guard is killed again and again: brief, then as before"""
    qemu("11.1")
    fleet = Fleet(host, [("yield", "7.2"), ("private", "11.1")])
    fleet.start()
    d = fleet.daemon
    fleet.compete("--gap-ms", 5, "--jitter-ms", 300, "--timeout-ms", 3000)
    for _ in range(3):
        old = guard_of(d.pid)
        check(old, "no guard runs")
        os.kill(old, signal.SIGKILL)
        retry(lambda: guard_of(d.pid) not in (None, old), "a new guard runs", 35)
        fleet.wait()
    check(d.lines(r"vm 100: its monitor is shared: brief"), "it was held unguarded")
    check(not d.lines(r"vm 102: its monitor is shared: (brief|yield)"),
          "the private one was given up")
    fleet.finish({})


def qemu_stopped(host):
    """a QEMU is stopped while its monitor is held: stalled, and no other VM waits"""
    qemu("11.1")
    fleet = Fleet(host, [("yield", "7.2"), ("private", "11.1")], each=2)
    fleet.start()
    d, frozen, others = fleet.daemon, [], []
    for vms in fleet.vms.values():
        frozen.append(vms[0])
        others.append(vms[1])
    # One in the moment when somebody has left it and we are not back, the other held.
    unharmed(run_rival(host, frozen[:1]), "a rival")
    for vm in frozen:
        vm.process.send_signal(signal.SIGSTOP)
    tried = run_rival(host, frozen, "--timeout-ms", 100)
    check(tried["failed"] == 2, "a stopped QEMU answers: %s", tried)
    plugs = run_rival(host, others, "--plug", 3000, "--count", 2)
    unharmed(plugs, "plugging other VMs")
    print("     other VMs meanwhile: plug to mask at most %.0f ms" % (
        max(plug_times(plugs)) * 1e3))
    retry(lambda: d.vm(frozen[0].id)["state"] == "stalled", "VM 100 is stalled", 12)
    for vm in others:
        check(d.vm(vm.id)["state"] == "watching", "VM %d is %s", vm.id, d.vm(vm.id))
    for vm in frozen:
        vm.process.send_signal(signal.SIGCONT)
    fleet.wait(timeout=40)


def refuses(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.setblocking(False)
        try:
            s.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            return True
        except BlockingIOError:
            pass
    return False


def reincarnation(host, way, version):
    host.qemu = qemu(version)
    cpus = host.need_cpus(2)
    vm, = start_vms(host, version, [100], vcpus=2)
    start_vms(host, version, [101])
    d = host.started(config(way))
    wait_shared(d, way, 100, 101)
    rival = Rival(host, [vm], "--count", 0, "--jitter-ms", 30, "--gone-ms", 5000)
    moments, refused, found = [], [], []
    for i in range(many(8)):
        moments.append(now())
        vm.kill()
        if i % 3 == 0:
            gone = now()
            retry(lambda: refuses(vm.qmp_path), "the dead VM's socket refuses", 1,
                  step=0.001)
            refused.append(now() - gone)
        vm = host.start_vm(100, vcpus=2, cpus=cpus, wait=False)
        vm.vcpus()
        began = now()
        retry(vm.pinned, "the new VM is pinned", 5)
        found.append(now() - began)
    print("     refused after at most %.1f ms; found and pinned: median %.0f ms, max "
          "%.0f ms" % (max(refused) * 1e3, quantile(found, 0.5) * 1e3,
                       max(found) * 1e3))
    check(max(refused) <= 0.1 * SLACK, "the socket of a dead VM accepted for %.0f ms",
          max(refused) * 1e3)
    wait_shared(d, way, 100, 101)
    unharmed(rival.stop(), "rivals of a VM that restarts", cut_at(moments, 0.2))
    check(not d.lines(r"error:"), "told: %s", d.lines(r"error:")[:3])


def restarted_yield(host):
    """a VM is killed and restarted under its id, shared by yielding"""
    reincarnation(host, "yield", "7.2")


def restarted_private(host):
    """a VM is killed and restarted under its id, with a private monitor"""
    reincarnation(host, "private", "11.1")


def restarted_proxy(host):
    """a VM is killed and restarted under its id, behind the proxy"""
    reincarnation(host, "proxy", "7.2")


def daemon_ends(host):
    """the daemon is ended and started in order: hardly a client of the proxy notices"""
    fleet = Fleet(host, all_ways())
    fleet.start()
    fleet.compete("--rivals", 2, "--jitter-ms", 8, "--timeout-ms", 3000)
    dice = random.Random(SEED)
    for _ in range(many(8)):
        pause(dice, 0.5)
        fleet.daemon.stop()
        fleet.daemon.start()
    fleet.wait()
    # A client that has connected but not yet spoken may be cut off.
    fleet.finish({"proxy": lambda failure: failure["why"] in CUT})
    check(all(shared(fleet.daemon, i, way) for i, way in fleet.ways.items()), "shares")


if __name__ == "__main__":
    sys.exit(main([
        killed, daemon_ends, stopped, guard_killed, qemu_stopped, restarted_yield,
        restarted_private, restarted_proxy], Host, limit_s=280 if SOAK <= 1 else 7200))
