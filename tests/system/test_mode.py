#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""qmpin mode: set by hand until the QEMU ends, or made permanent; qmpin config and qmpin
reload, by which that is seen."""
import os
import sys

from runner import check, main, pass_time, retry
from vmhost import Host, taskset

PIN = "[qmpin]\nmode = pin\nadopt = now\naudit_interval_ms = 200\n"


def placed(host):
    """VM 100, pinned by a daemon whose configuration is a directory with conf.d."""
    host.need_cpus(2)
    vm = host.start_vm(100, vcpus=2)
    d = host.started(PIN, "--config", host.dir)
    retry(vm.pinned, "VM 100 is pinned", 10)
    return vm, d


def origin(d):
    vm = d.vm(100)
    return vm["mode"], vm["mode_origin"]


def widen(host, vm):
    """Somebody else gives a vCPU both CPUs; returns it and them."""
    tid, both = vm.vcpus()[0], set(host.need_cpus(2))
    taskset(tid, both)
    return tid, both


def told(d, *words, status=0):
    """The command's standard output and error; it must end with that status."""
    code, out, err = d.command(*words)
    check(code == status, "qmpin %s: %d %s%s", " ".join(words), code, out, err)
    return out + err


def again(host, d, vm):
    """The VM's next QEMU, known to the daemon."""
    vm.kill()
    vm = host.start_vm(100, vcpus=2)
    retry(lambda: (d.vm(100) or {}).get("pid") == vm.pid and d.vm(100)["threads"],
          "the next QEMU is known", 10)
    return vm


def by_hand(host):
    """mode ID off: at once, over a kill of the daemon and reloads, until the QEMU ends"""
    vm, d = placed(host)
    before = vm.masks()
    check("until its QEMU ends" in told(d, "mode", "100", "off"), "what it does")
    check(origin(d) == ("off", "runtime"), "%s", origin(d))
    check({t: m for t, m in vm.masks().items() if t in before} == before, "off moved it")
    tid, both = widen(host, vm)
    pass_time(0.5)  # two audits
    d.kill()
    d.start()
    retry(lambda: origin(d) == ("off", "runtime"), "the next daemon knows", 10)
    d.reload()
    pass_time(0.5)  # two audits
    check(vm.masks()[tid] == both, "it is not left alone: %s", vm.vcpu_masks())
    told(d, "mode", "100", "--reset")
    check(origin(d) == ("pin", "config"), "%s", origin(d))
    retry(vm.pinned, "it is pinned again, as configured", 5)
    check("VM 100" in told(d, "explain", "100"), "it cannot be explained")
    told(d, "mode", "100", "observe")
    vm = again(host, d, vm)
    retry(vm.pinned, "the next QEMU is pinned, as configured", 5)
    check(origin(d) == ("pin", "config"), "%s", origin(d))


def permanent(host):
    """mode --permanent: over a restart of the daemon and of the VM, and back"""
    vm, d = placed(host)
    more = ("--permanent", "--config", host.dir)
    told(d, "mode", "100", "float")
    check("by the configuration" in told(d, "mode", "100", "off", *more), "what it does")
    path = host.path("conf.d", "90-qmpin-mode.conf")
    check(origin(d) == ("off", "vm_section"), "%s", origin(d))
    line = [s for s in d.command_json("config", "show")["settings"]
            if s["key"] == "vm 100.mode"]
    check(line and line[0]["value"] == "off" and line[0]["origin"].startswith(path),
          "config show: %s", line)
    d.kill()
    d.start()
    vm = again(host, d, vm)
    check(origin(d) == ("off", "vm_section"), "%s", origin(d))
    check(not vm.pinned(), "the next QEMU was pinned")
    with open(host.path("conf.d", "95-more.conf"), "w") as f:
        f.write("[vm 100]\nmode = core\n")
    err = told(d, "mode", "100", "pin", *more, status=1)
    check("95-more.conf:2: VM 100 has mode core" in err and "is as before" in err, "%s",
          err)
    with open(path) as f:
        check("mode = off" in f.read(), "the file is not as before")
    os.unlink(host.path("conf.d", "95-more.conf"))
    told(d, "mode", "100", "--reset", *more)
    check(origin(d) == ("pin", "config") and not os.path.exists(path), "%s", origin(d))
    retry(vm.pinned, "it is pinned, as configured", 5)


def reloads(host):
    """reload and config check: what is wrong is told with its line, the old file stays"""
    d = host.started(PIN, "--config", host.dir)
    os.mkdir(host.path("conf.d"))
    path = host.path("conf.d", "a.conf")
    for text, status, words in (
            ("[qmpin]\nmode = fast\n", 1, path + ":2: mode: "),
            ("[qmpin]\nmode = core\ncolour = red\n", 0, path + ":3: unknown key")):
        with open(path, "w") as f:
            f.write(text)
        for command in (("reload",), ("config", "check", host.dir)):
            said = told(d, *command, status=status)
            check(words in said, "qmpin %s: %s", " ".join(command), said)
        mode = told(d, "config", "show").splitlines()[1].split()[:3]
        check(mode == (["mode", "core", path + ":2"] if status == 0 else
                       ["mode", "pin", d.config_path + ":2"]), "%s", mode)
    said = told(d, "reload", "--run-dir", host.path("nowhere"), status=3)
    check("qmpin: " in said, "%s", said)


if __name__ == "__main__":
    sys.exit(main([by_hand, permanent, reloads], Host))
