#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""qmpin doctor on the real daemon, without it, and with files that lie in wait."""
import json
import os
import subprocess
import sys

from daemon import QMPIN
from runner import SLACK, check, main
from vmhost import Host


def doctor(host, run_dir, *args, root=None):
    """(exit status, stdout, stderr)."""
    env = dict(os.environ)
    env.pop("QMPIN_ROOT", None)
    if root:
        env["QMPIN_ROOT"] = root
    p = subprocess.run([QMPIN, "--run-dir", run_dir, "doctor", *args], text=True, env=env,
                       stdin=subprocess.DEVNULL, capture_output=True, timeout=60 * SLACK)
    return p.returncode, p.stdout, p.stderr


def write(host, name, text):
    path = host.path("root", name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)
    return path


def line(out, name, level):
    """The lines of that name and level."""
    return [x for x in out.splitlines() if x.startswith("%-7s  %s: " % (level, name))]


def good(out):
    """The exit status where nothing else is a problem: root may lack a capability here."""
    return 1 if line(out, "capabilities", "problem") else 0


def with_daemon(host):
    """the daemon's lines come first, a restored VM and a newer configuration are told, -j
    says whose each is"""
    host.start_vm(100, vcpus=1, cpus=host.need_cpus(2))
    d = host.started()
    d.wait_settled(100)
    write(host, "proc/7/comm", "numad\n")
    root = host.path("root")
    code, out, err = doctor(host, d.run_dir, root=root)
    check(code == good(out) and not err, "%d %s%s", code, out, err)
    check(line(out, "daemon", "ok") and "placed 1 of 1 VM" in out, "%s", out)
    check(line(out, "vms", "ok"), "%s", out)
    check(any(x.endswith(": VM 100") for x in line(out, "qemu", "ok")), "%s", out)
    check(line(out, "numad", "warning"), "%s", out)
    check(" problems, " in out.splitlines()[-1] or good(out), "%s", out)
    reply, want = d.call("Doctor"), good(out)
    code, out, err = doctor(host, d.run_dir, "-j", root=root)
    told = json.loads(out)
    check(code == want and told.keys() == reply.keys() == {"checks"}, "%s", out)
    theirs = [c["name"] for c in told["checks"] if c["source"] == "qmpind"]
    check(theirs == [c["name"] for c in reply["checks"]], "%s", out)
    ours = [c["name"] for c in told["checks"] if c["source"] == "qmpin"]
    check("numad" in ours and theirs + ours == [c["name"] for c in told["checks"]],
          "%s", out)
    check(d.command("restore", "100")[0] == 0, "restore failed")
    d.configure("[qmpin]\nmode = float\n")
    _, out, _ = doctor(host, d.run_dir, root=root)
    check("VM 100: restored by hand" in out, "%s", out)
    check(line(out, "configuration", "warning"), "%s", out)
    d.reload()
    _, out, _ = doctor(host, d.run_dir, root=root)
    check(line(out, "configuration", "ok"), "%s", out)
    d.configure("[qmpin]\nmode = nonsense\n")
    d.reload()
    code, out, err = doctor(host, d.run_dir, root=root)
    check(code == 1 and line(out, "configuration", "problem"), "%d %s", code, out)
    code, out, _ = doctor(host, d.run_dir, "-j", root=root)
    check(code == 1 and json.loads(out), "-j: %d %s", code, out)


def without_daemon(host):
    """without a daemon the host and the VMs' configurations are looked at all the same,
    and nothing that lies in wait there is waited for or shown as it is"""
    root = host.path("root")
    write(host, "etc/pve/qemu-server/100.conf", "hookscript: local:snippets/pin.sh\n")
    write(host, "var/lib/vz/snippets/pin.sh", "taskset -acp 0-3 $PID\n")
    write(host, "etc/pve/qemu-server/101.conf", "hookscript: \x1b[31mred:x\n")
    write(host, "sys/devices/system/clocksource/clocksource0/current_clocksource",
          "hpet\n")
    os.mkfifo(host.path("root", "etc/pve/qemu-server/102.conf"))
    os.mkfifo(host.path("root", "etc/pve/storage.cfg"))
    code, out, err = doctor(host, host.path("run"), root=root)
    check(code == 3, "%d %s", code, out)
    check("is qmpind running?" in err, "%s", err)
    check(line(out, "daemon", "problem"), "%s", out)
    check("systemctl enable --now qmpind" in out, "%s", out)
    check(line(out, "clocksource", "warning"), "%s", out)
    check("VM 100: hookscript local:snippets/pin.sh has taskset in it" in out, "%s", out)
    check("VM 102: configuration is not read" in out, "%s", out)
    check("\x1b" not in out, "%r", out)
    code, out, err = doctor(host, host.path("run"), "-j", root=root)
    told = json.loads(out)["checks"]
    check(code == 3 and {c["source"] for c in told} == {"qmpin"}, "-j: %d %s", code, out)
    check([c["level"] for c in told if c["name"] == "daemon"] == ["problem"], "%s", out)


if __name__ == "__main__":
    sys.exit(main([with_daemon, without_daemon], Host))
