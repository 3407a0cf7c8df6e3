#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What systemd is told: READY, STATUS, RELOADING, STOPPING and the watchdog's ticks."""
import os
import re
import signal
import sys

from runner import SLACK, check, main, now, retry
from vmhost import Host


def ready(host):
    """READY=1 within a second, before any VM answers; STATUS tells about VMs"""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=1, cpus=cpus)
    os.kill(vm.pid, signal.SIGSTOP)
    d = host.started()
    took = d.noted("READY", "1") - d.began
    print("     READY=1 after %.0f ms" % (took * 1e3))
    check(took < 1 * SLACK, "READY=1 took %.1f s", took)
    os.kill(vm.pid, signal.SIGCONT)
    d.wait_settled(100, timeout=20)
    retry(lambda: [f for _, f in d.notes if re.search(r"\b1\b", f.get("STATUS", ""))],
          "STATUS tells of one VM", 5)


def reloading(host):
    """SIGHUP: RELOADING=1 with its time, then READY=1"""
    d = host.started()
    since = now()
    os.kill(d.pid, signal.SIGHUP)
    retry(lambda: d.noted("READY", "1", since), "READY=1 after SIGHUP", 5)
    told = [f for at, f in d.notes if at >= since and f.get("RELOADING") == "1"]
    check(told, "no RELOADING=1: %s", d.notes)
    check(told[0].get("MONOTONIC_USEC", "").isdigit(), "no MONOTONIC_USEC: %s", told)
    check(d.noted("RELOADING", "1", since) <= d.noted("READY", "1", since), "order")


def stopping(host):
    """SIGTERM and SIGINT: STOPPING=1 and status 0"""
    d = host.daemon()
    for number in (signal.SIGTERM, signal.SIGINT):
        d.start()
        since = now()
        os.kill(d.pid, number)
        check(d.process.wait(5 * SLACK) == 0, "status %s", d.process.returncode)
        retry(lambda: d.noted("STOPPING", "1", since), "STOPPING=1", 2)
        d.kill()


def watchdog(host):
    """WATCHDOG=1 at least twice in each WATCHDOG_USEC, and only when it is asked for"""
    d = host.daemon("", env={"WATCHDOG_USEC": "1000000"})
    d.start()
    since = now()
    retry(lambda: sum(at >= since and "WATCHDOG" in f for at, f in list(d.notes)) >= 5,
          "five ticks", 4)
    took = now() - since
    check(took < 2.8 * SLACK, "five ticks took %.1f s", took)
    d.stop()
    d = host.started()
    retry(lambda: now() > d.began + 1.2, "a while")
    check(not d.noted("WATCHDOG"), "ticks nobody asked for")


def no_manager(host):
    """without NOTIFY_SOCKET, or with one that is not there, it runs as well"""
    for value in ("", "/nonexistent/notify", host.path("vm")):
        d = host.daemon("", "--dry-run")
        d.start(ready=False, notify_path=value)
        retry(lambda: answers(d), "it answers", 5)
        d.stop()


def answers(d):
    try:
        return d.status()
    except OSError:
        return None


if __name__ == "__main__":
    sys.exit(main([ready, reloading, stopping, watchdog, no_manager], Host))
