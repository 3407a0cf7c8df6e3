#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""qmpin restore gives back the masks that VMs had before qmpind, and keeps its word;
qmpin apply takes a VM up again."""
import os
import subprocess
import sys

from daemon import QMPIN, QMPIND
from runner import check, main, pass_audit, retry
from vmhost import Host, mask, taskset

IDS = (100, 101)
NOTE = "restored by hand"


def qmpin(d, *args):
    """(exit status, stdout, stderr) of the command line."""
    p = subprocess.run([QMPIN, "--run-dir", d.run_dir, *args], capture_output=True,
                       text=True, timeout=60, env=dict(os.environ, QMPIN_DAEMON=QMPIND))
    return p.returncode, p.stdout, p.stderr


def before_and_after(host):
    """Two VMs with the masks of their threads before the daemon comes; one thread of the
    first has a mask of its own."""
    cpus = host.need_cpus(2)
    vms = [host.start_vm(i, vcpus=2, cpus=cpus) for i in IDS]
    worker = [t for t in vms[0].masks() if t not in vms[0].vcpus().values()][-1]
    taskset(worker, cpus[:1])
    before = {t: m for vm in vms for t, m in vm.masks().items()}
    d = host.started()
    d.wait_settled(*IDS)
    return vms, before, d


def check_masks(vms, before):
    """Who lived before the daemon came has its mask again, who was born later what its VM
    had: the mask of its main thread."""
    for vm in vms:
        for tid, m in vm.masks().items():
            want = before.get(tid, before[vm.pid])
            check(m == want, "VM %d thread %d has %s, not %s", vm.id, tid, set(m),
                  set(want))


def left_alone(vms, before, d):
    pass_audit()
    check_masks(vms, before)
    for vm in vms:
        check(NOTE in (d.vm(vm.id)["note"] or ""), "VM %d: %s", vm.id, d.vm(vm.id))


def restored(host):
    """restore --all gives back every mask; restarts and drift change nothing; apply takes
    the VMs up again"""
    vms, before, d = before_and_after(host)
    check(any(mask(t) != m for t, m in before.items()), "nothing was pinned at all")
    code, out, err = qmpin(d, "restore", "--all")
    check(code == 0, "restore: %d %s", code, err)
    check("vm 100: vCPU" in out and "the mask it had before qmpind" in out, "%s", out)
    check_masks(vms, before)
    left_alone(vms, before, d)
    d.kill()
    d.start()
    left_alone(vms, before, d)
    d.reload()
    left_alone(vms, before, d)
    code, out, err = qmpin(d, "apply", "--dry-run", "100")
    check(code == 0 and "vm 100: vCPU" in out and "vm 101" not in out, "%s%s", out, err)
    check_masks(vms, before)
    code, out, err = qmpin(d, "apply", "100")
    check(code == 0 and "vm 100: vCPU" in out, "apply: %d %s%s", code, out, err)
    check(vms[0].pinned(), "apply has answered, but VM 100 has %s", vms[0].vcpu_masks())
    check(not d.vm(100)["note"], "VM 100 still says %s", d.vm(100)["note"])
    left_alone(vms[1:], before, d)
    code, out, err = qmpin(d, "apply", "--all")
    check(code == 0 and vms[1].pinned(), "apply --all: %d %s", code, err)
    code, out, err = qmpin(d, "apply", "--all")
    check(code == 0 and out == "" and "nothing was to be changed" in err, "%s", err)


def one_only(host):
    """restore of one VM leaves the other; a new vCPU of the restored one is left where it
    is born"""
    cpus = host.need_cpus(2)
    vms = [host.start_vm(i, vcpus=1, maxcpus=2, cpus=cpus) for i in IDS]
    before = {t: m for vm in vms for t, m in vm.masks().items()}
    d = host.started()
    d.wait_settled(*IDS)
    other = vms[1].masks()
    code, _, err = qmpin(d, "restore", "100")
    check(code == 0, "restore: %s", err)
    born = vms[0].plug()["tid"]
    left_alone(vms[:1], before, d)
    check(mask(born) == before[vms[0].pid], "the new vCPU has %s", mask(born))
    moved = [t for t, m in vms[1].masks().items() if t in other and m != other[t]]
    check(not moved, "threads %s of VM 101 were moved", moved)


def next_start(host):
    """a restored VM is placed again when it is started anew"""
    vms, before, d = before_and_after(host)
    check(qmpin(d, "restore", "100")[0] == 0, "restore failed")
    vms[0].kill()
    again = host.start_vm(100, vcpus=2, cpus=host.need_cpus(2))
    retry(lambda: again.pinned(), "the new QEMU is pinned", 5)
    check(not d.vm(100)["note"], "it still says %s", d.vm(100)["note"])


def offline(host):
    """without a daemon the records are enough; the next daemon leaves those VMs alone"""
    vms, before, d = before_and_after(host)
    d.stop()
    check(any(mask(t) != m for t, m in before.items()), "the end has changed masks")
    code, out, err = qmpin(d, "restore", "101")
    check(code == 0 and "restored 101" in out and "restored 100" not in out, "%s%s", out,
          err)
    check_masks(vms[1:], before)
    code, out, err = qmpin(d, "restore", "--all")
    check(code == 0 and "restored 100" in out, "%d %s%s", code, out, err)
    check_masks(vms, before)
    d.start()
    retry(lambda: all(NOTE in (d.vm(i)["note"] or "") for i in IDS), "they are known", 5)
    left_alone(vms, before, d)
    p = subprocess.run([QMPIND, "--run-dir", d.run_dir, "--restore", "all"],
                       capture_output=True, text=True)
    check(p.returncode == 1 and "qmpind is running" in p.stderr, "%s", p.stderr)


def dry(host):
    """a dry run restores and applies nothing, and says so"""
    vms, before, d = before_and_after(host)
    d.stop()
    placed = {t: m for vm in vms for t, m in vm.masks().items()}
    d.args.append("--dry-run")
    d.start()
    retry(lambda: d.vm(100)["threads"] or d.vm(100)["cpus"], "it is known", 5)
    for verb in ("restore", "apply"):
        code, _, err = qmpin(d, verb, "--all")
        check(code == 1 and "dry run" in err, "%s: %d %s", verb, code, err)
    check({t: mask(t) for t in placed} == placed, "a mask has changed")


def mistakes(host):
    """unknown VMs, no VMs and both are errors that say what to do"""
    vms, before, d = before_and_after(host)
    for verb in ("restore", "apply"):
        check(qmpin(d, verb, "999")[0] == 1, "%s of an unknown VM", verb)
        check(qmpin(d, verb)[0] == 2, "%s of nothing", verb)
        check(qmpin(d, verb, "--all", "100")[0] == 2, "%s of all and one", verb)
    check(vms[0].pinned(), "VM 100 was touched")
    d.stop()
    code, out, err = qmpin(d, "restore", "999")
    check(code == 0 and "nothing to restore" in err, "%d %s", code, err)


if __name__ == "__main__":
    sys.exit(main([restored, one_only, next_start, offline, dry, mistakes], Host))
