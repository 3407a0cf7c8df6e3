#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Configuration: good and bad, at start and on reload; modes; dry run."""
import os
import subprocess
import sys

from daemon import QMPIND
from runner import SLACK, check, holds, main, now, pass_audit, retry
from vmhost import Host, cpulist, cpus_of

PIN = "[qmpin]\nmode = pin\nadopt = now\n"


def run(*args):
    """The daemon with arguments that make it end at once."""
    p = subprocess.run([QMPIND] + list(args), text=True, capture_output=True,
                       stdin=subprocess.DEVNULL, timeout=10 * SLACK)
    return p.returncode, p.stdout + p.stderr


def check_config(host, text):
    d = host.daemon(text)
    return d.config_path, run("--check-config", "--config", d.config_path)


BAD = [     # name, text, line of the complaint, words it must hold
    ("bad word", "[qmpin]\nmode = fast\n", 2, "mode"),
    ("word of another key", "[qmpin]\nselect = opt\n", 2, "select"),
    ("factor out of range", "[weights]\nmemory = 100.5\n", 2, "memory"),
    ("no number", "[qmpin]\n\nsettle_ms = ten\n", 3, "settle_ms"),
    ("number with a tail", "[qmpin]\nsettle_ms = 10x\n", 2, "settle_ms"),
    ("negative number", "[qmpin]\nsettle_ms = -1\n", 2, "settle_ms"),
    ("huge number", "[qmpin]\naudit_interval_ms = 99999999999999999999\n", 2,
     "audit_interval_ms"),
    ("no value", "[qmpin]\nmode =\n", 2, "mode"),
    ("missing bracket", "[qmpin\nmode = pin\n", 1, ""),
    ("no section", "mode = pin\n", 1, ""),
    ("unknown section", "[qmpin]\n[host]\nmode = pin\n", 2, "host"),
    ("duplicate key", "[qmpin]\nmode = pin\nadopt = now\nmode = float\n", 4, "mode"),
    ("duplicate key in a VM's section",
     "[vm 100]\nmode = pin\nmode = off\n", 3, "mode"),
    ("bad word of a VM", "[vm 100]\nmode = pinn\n", 2, "mode"),
    ("bad id", "[vm ../../etc]\nmode = pin\n", 1, ""),
    ("over-long line", "[qmpin]\nmode = " + "x" * 100000 + "\n", 2, ""),
    ("bad CPU list", "[qmpin]\nreserved_cpus = 3-1\n", 2, "reserved_cpus"),
    ("no key", "[qmpin]\n= pin\n", 2, ""),
    ("neither key nor section", "[qmpin]\npin\n", 2, ""),
]


def good(host):
    """--check-config accepts what is good and says so"""
    for text in (PIN, "", "# nothing\n; at all\n\n", PIN + "[vm 100]\nmode = off\n",
                 "[qmpin]\r\nmode = pin\r\n", "[qmpin]\nmode=pin", "[vm 100]\n",
                 "[qmpin]\nreserved_cpus = 0-1,3\nlog_level = debug\n",
                 "[qmpin]\nmode = dedicated\n[weights]\nmemory = 0.5\n"):
        _, (code, said) = check_config(host, text)
        check(code == 0 and "configuration is valid" in said, "%r: %d %s", text, code,
              said)


def bad(host):
    """--check-config and a start refuse what is bad with file, line and status 78"""
    for name, text, line, word in BAD:
        path, (code, said) = check_config(host, text)
        check(code == 78, "%s: status %d, %s", name, code, said)
        at = "%s:%d" % (path, line)
        check(any(at in l and word in l for l in said.splitlines()),
              "%s: no %s %s in %r", name, at, word, said)
        check(len(said) < 2000, "%s: %d bytes are said", name, len(said))
    for _, text, line, _ in (BAD[0], BAD[9]):
        d = host.daemon(text)
        d.start(ready=False)
        check(d.process.wait(5 * SLACK) == 78, "status %s", d.process.returncode)
        d.wait_line(r"^qmpind: error: %s:%d" % (d.config_path, line))
        check(not d.noted("READY"), "it said READY")
        d.kill()


def missing_file(host):
    """a --config that is not there is refused; so are options and arguments unknown"""
    code, said = run("--check-config", "--config", host.path("no.conf"))
    check(code == 78 and "no.conf" in said, "%d %s", code, said)
    for args in (("--no-such-option",), ("argument",), ("--config",)):
        code, said = run(*args)
        check(code == 2 and said, "%s: %d %s", args, code, said)
    for option, word in (("--version", "qmpin"), ("--help", "--vm-dir")):
        code, said = run(option)
        check(code == 0 and word in said, "%s: %d %s", option, code, said)


def unknown_key(host):
    """an unknown key is a warning with file and line, and the rest counts"""
    text = PIN + "colour = blue\n[vm 100]\nflavour = sweet\naudit_interval_ms = 5\n"
    path, (code, said) = check_config(host, text)
    check(code == 0, "%d %s", code, said)
    for line, word in ((4, "colour"), (6, "flavour"), (7, "audit_interval_ms")):
        check(any("%s:%d" % (path, line) in l and word in l for l in said.splitlines()),
              "%s: %s", word, said)
    d = host.started(text)
    d.wait_line(r"^qmpind: warning: .*qmpin\.conf:4.*colour")
    check(any("colour" in w for w in d.status()["warnings"]), "status has no warning")


def bad_reload(host):
    """a bad file at SIGHUP: told, the old file goes on; a good one then counts"""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=2, cpus=cpus)
    d = host.started()
    d.wait_settled(100)
    before = vm.masks()
    d.configure("[qmpin]\nmode = off\nsettle_ms = ten\n")
    since = now()
    d.reload()
    d.wait_line(r"^qmpind: error: .*qmpin\.conf:3.*settle_ms", since=since)
    pass_audit()
    check(d.vm(100)["mode"] == "pin" and d.settled(100), "VM 100 is %s", d.vm(100))
    check(vm.masks() == before, "masks changed")
    check(d.status()["warnings"], "status does not tell that the file is bad")
    os.unlink(d.config_path)
    since = now()
    d.reload()
    d.wait_line(r"^qmpind: error: .*qmpin\.conf", since=since)
    d.configure(PIN)
    d.reload()
    check(not d.status()["warnings"], "warnings stay: %s", d.status()["warnings"])
    check(vm.masks() == before, "masks changed")


def float_to_pin(host):
    """a reload from float to pin, and from pin to off, applies at once"""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=2, cpus=cpus)
    d = host.started("[qmpin]\nmode = float\nadopt = now\n")
    d.wait_settled(100)
    d.configure(PIN)
    d.reload()
    retry(vm.pinned, "vCPUs are pinned", 2)
    d.wait_settled(100)
    pinned = vm.masks()
    d.configure("[qmpin]\nmode = off\n")
    d.reload()
    retry(lambda: d.vm(100)["mode"] == "off", "the mode is off", 2)
    pass_audit()
    check(vm.masks() == pinned, "off changed masks")


def untouched(host, config, *args):
    """A VM under a daemon that must not change anything; returns both."""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=2, maxcpus=4, guest="ack", cpus=cpus)
    before = vm.masks()
    d = host.started(config, *args)
    retry(lambda: d.vm(100) and d.vm(100)["state"] == "watching", "VM 100 is watched")
    vm.plug()
    pass_audit()
    holds(lambda: all(m == set(cpus) for m in vm.masks().values()),
          "a mask changed", 0.5)
    check(all(vm.masks().get(t, m) == m for t, m in before.items()), "a mask changed")
    check(not os.path.exists(os.path.join(d.run_dir, "100.json")), "a record was made")
    return vm, d


def off(host):
    """mode = off changes nothing and plans nothing"""
    _, d = untouched(host, "[qmpin]\nmode = off\nadopt = now\n")
    vm = d.vm(100)
    check(vm["mode"] == "off", "VM 100: %s", vm)
    check(all(t["want"] is None for t in vm["threads"]), "wants: %s", vm["threads"])


def observe(host):
    """mode = observe plans and tells but changes nothing"""
    _, d = untouched(host, "[qmpin]\nmode = observe\nadopt = now\n")
    vm = d.vm(100)
    check(vm["mode"] == "observe", "VM 100: %s", vm)
    check(any(t["want"] for t in vm["threads"]), "no plan: %s", vm["threads"])


def dry_run(host):
    """--dry-run tells the plan, in the log and in ps, and changes nothing"""
    _, d = untouched(host, PIN, "--dry-run")
    check(d.status()["dry_run"] is True, "status: %s", d.status())

    def vcpus():
        return [t for t in d.vm(100)["threads"] if t["class"] == "vcpu"]
    retry(lambda: len(vcpus()) == 3, "all three vCPUs are known", 5)
    for t in vcpus():
        check(t["want"] and len(cpus_of(t["want"])) == 1, "want of %s", t)
    d.wait_line(r"vm 100: vCPUs? .* -> .*\(dry run; ")


def one_vm(host):
    """[vm 100] mode = pin under mode = off: that VM only, and ps names the origin"""
    cpus = host.need_cpus(2)
    vms = [host.start_vm(i, vcpus=2, cpus=cpus) for i in (100, 101)]
    d = host.started("[qmpin]\nmode = off\nadopt = now\n[vm 100]\nmode = pin\n")
    d.wait_settled(100)
    retry(lambda: d.vm(101)["state"] == "watching", "VM 101 is watched", 5)
    check(vms[0].pinned(), "VM 100 has %s", vms[0].vcpu_masks())
    check(all(m == set(cpus) for m in vms[1].masks().values()), "VM 101 was touched")
    origins = d.vm(100)["mode_origin"], d.vm(101)["mode_origin"]
    check(origins == ("vm_section", "config"), "origins are %s", origins)


def reserved(host):
    """reserved_cpus are used for no vCPU"""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=2, cpus=cpus)
    d = host.started(PIN + "reserved_cpus = %d\n" % cpus[0])
    d.wait_settled(100)
    masks = vm.vcpu_masks()
    check(all(cpus[0] not in m for m in masks.values()), "vCPUs have %s", masks)
    check(d.vm(100)["limit"] == cpulist(cpus), "the limit is %s", d.vm(100)["limit"])


if __name__ == "__main__":
    sys.exit(main([good, bad, missing_file, unknown_key, bad_reload, float_to_pin, off,
                   observe, dry_run, one_vm, reserved], Host))
