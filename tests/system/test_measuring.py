#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measured latencies: at start, from the file, on demand; bad files, failing programs,
and other hosts than this one. VMs are not disturbed by any of it."""
import glob
import json
import os
import signal
import socket
import subprocess
import sys
import time

import varlink
from daemon import interface
from runner import SLACK, SOURCE, Skip, check, holds, main, now, pass_time, retry
from vmhost import Host, allowed, put_file

PROBE = "[qmpin]\nmode = pin\nadopt = now\nprobe = yes\n"
KNOWN = r"latency: \d+ of \d+ pairs are known from earlier"
MEASURED = r"latency: measured \d+ of \d+ pairs in"


def need_two():
    if len(allowed()) < 2:
        raise Skip("needs 2 CPUs")


def kept(host):
    """The file of what was measured, or None."""
    found = glob.glob(host.path("state", "latency-*"))
    check(len(found) < 2, "files: %s", found)
    return found[0] if found else None


def content(path):
    with open(path, "rb") as f:
        return f.read()


def values(path):
    """What was measured. How certain that is may be judged anew from the same visits."""
    return [x for x in content(path).splitlines()
            if not x.startswith((b"# checksum", b"# measured", b"# confidence"))]


def most_visits(path):
    """How often the pair that was visited most was, with a result."""
    rows = [line.split()[3:] for line in content(path).splitlines()
            if line.startswith(b"# visits ")]
    return max((int(n) for row in rows for n in row), default=0)


def children(pid):
    """The probe, or what stands in for it: (pid, command line). The daemon's guard is a
    fork that runs no other program, as is what has not come to that yet."""
    found = []
    own = content("/proc/%d/cmdline" % pid)
    for task in glob.glob("/proc/%d/task/*/children" % pid):
        for child in content(task).decode().split():
            try:
                words = content("/proc/%s/cmdline" % child)
            except OSError:
                continue
            if words not in (own, b"") and b"qmpin-pve" not in words:
                found.append((int(child), words))
    return found


def is_over(d):
    return d.status()["latency"] in ("measured", "untrusted") and not children(d.pid)


def stays_over(d):
    """One child may follow another."""
    end = now() + 0.5
    while is_over(d):
        if now() > end:
            return True
    return False


def measured(host, config=PROBE, *args, **more):
    """A daemon that has measured all there is. While others keep the CPUs busy there are
    fewer results, or none, which is right; then it is tried again."""
    need_two()
    for _ in range(5):
        d = host.started(config, *args, **more)
        retry(lambda: is_over(d) and kept(host) and stays_over(d),
              "all is measured and kept", 30)
        if most_visits(kept(host)) >= 4:
            return d
        d.stop()
        os.unlink(kept(host))
    raise Skip("others keep the CPUs busy")


def stand_in(host, says="", then="exec cat 3>&1 >/dev/null"):
    """Another program instead of qmpin-probe; says without end that it lives."""
    path = host.path("stand-in")
    with open(path, "w") as f:
        f.write("#!/bin/sh\necho $$ >>'%s'\nprintf '%s'\n%s\n"
                % (host.path("starts"), says, then))
    os.chmod(path, 0o755)
    return {"QMPIN_PROBE": path}


def starts(host):
    try:
        with open(host.path("starts")) as f:
            return [int(line) for line in f]
    except FileNotFoundError:
        return []


def cold_start(host):
    """a host that is not known is measured, told about and kept, and VMs are placed"""
    need_two()
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=2, cpus=cpus)
    d = measured(host)
    d.wait_settled(100)
    check(vm.pinned(), "VM 100 has %s", vm.vcpu_masks())
    check(len(d.lines(MEASURED)) == 1, "told: %s", d.lines("latency"))
    check(not d.lines("warning|error"), "told: %s", d.lines("warning|error"))
    check(os.stat(kept(host)).st_mode & 0o022 == 0, "others may write the file")
    reply = d.call("GetLatency")
    wrong = interface().mismatches("GetLatency", reply)
    check(not wrong, "GetLatency: %s", wrong)
    check(reply["measured"], "not measured: %s", reply["source"])
    check(len(reply["rows"]) >= len(cpus), "rows: %s", reply["rows"])
    check(reply["rows"][0]["ns"][1] > 0, "row 0: %s", reply["rows"][0])
    check(reply["fingerprint"] in kept(host), "file %s", kept(host))


def restarted(host):
    """what is kept counts at once after a restart, and nothing is measured again"""
    d = measured(host)
    d.stop()  # what is known better by then is kept
    before = values(kept(host))
    second = int(time.time())
    retry(lambda: int(time.time()) > second, "the file would have another time")
    since = now()
    d.start()
    d.wait_line(KNOWN, since=since)
    retry(lambda: is_over(d), "the background is done", 10)
    check(not d.lines(MEASURED, since), "measured: %s", d.lines("latency", since))
    d.stop()
    check(values(kept(host)) == before, "other values were written")


def tampered(path):
    text = content(path)
    at = text.rindex(b",") + 1
    digit = b"7" if text[at:at + 1] != b"7" else b"8"
    with open(path, "wb") as f:
        f.write(text[:at] + digit + text[at + 1:])


def foreign(path):
    text = content(path).replace(path.rpartition("-")[2].encode(), b"00000000000000aa")
    with open(path, "wb") as f:
        f.write(signed(text))


def signed(text):
    """The text with the checksum that it should have (FNV-1a of what follows it)."""
    head, rest = text.split(b"# checksum ", 1)
    body = rest.split(b"\n", 1)[1]
    total = 0xcbf29ce484222325
    for byte in body:
        total = (total ^ byte) * 0x100000001b3 & (1 << 64) - 1
    return head + b"# checksum %016x\n" % total + body


def replaced_by_a_link(path):
    os.rename(path, path + ".old")
    os.symlink(path + ".old", path)


BAD = [
    ("cut short", lambda path: os.truncate(path, os.path.getsize(path) // 2)),
    ("empty", lambda path: os.truncate(path, 0)),
    ("changed", tampered),
    ("of another host", foreign),
    ("writable for all", lambda path: os.chmod(path, 0o666)),
    ("a link", replaced_by_a_link),
]


def bad_files(host):
    """a file of no use is told in one line, and all is measured afresh"""
    d = measured(host)
    for what, spoil in BAD:
        d.stop()
        spoil(kept(host))
        since = now()
        d.start()
        d.wait_line(r"warning: latency: .*: measured afresh", since=since)
        d.wait_line(MEASURED, 20, since=since)
        told = d.lines("warning", since)
        check(len(told) == 1, "%s: %s", what, told)
        retry(lambda: is_over(d), "%s: measured" % what, 20)
        old = kept_old(host)
        if old:
            os.unlink(old)
        d.stop()
        since = now()
        d.start()
        check(d.lines(KNOWN, since) or d.wait_line(KNOWN, since=since),
              "%s: nothing was kept", what)


def kept_old(host):
    found = glob.glob(host.path("state", "*.old"))
    return found[0] if found else None


def reloaded(host):
    """SIGHUP measures afresh, and moves nothing"""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=2, cpus=cpus)
    d = measured(host)
    d.wait_settled(100)
    masks = vm.masks()
    before = os.stat(kept(host)).st_mtime_ns
    d.reload()
    retry(lambda: os.stat(kept(host)).st_mtime_ns != before and is_over(d),
          "the file is new", 20)
    check(vm.masks() == masks, "masks changed")
    d.configure(PROBE.replace("yes", "no"))
    before = os.stat(kept(host)).st_mtime_ns
    d.reload()
    holds(lambda: not children(d.pid), "measured with probe = no", 0.5)
    check(os.stat(kept(host)).st_mtime_ns == before, "the file was written")


def cluster_conf(host, text):
    """/etc/pve/qmpin.conf; None: it goes."""
    os.makedirs(host.path("etc", "pve", "qemu-server"), exist_ok=True)
    put_file(host.path("etc", "pve", "qmpin.conf"), text)


def configured(host):
    """settings that come, change and go have nothing measured afresh; SIGHUP does"""
    need_two()
    heard = host.path("heard")
    stand = stand_in(host, then="exec cat 3>&1 >>'%s'" % heard)
    conf = host.path("etc", "qmpin")
    os.makedirs(conf)
    cluster_conf(host, "[qmpin]\nmode = float\n")
    d = host.started(PROBE, "--config", conf, env=stand)
    for n, text in enumerate(("[qmpin]\nmode = core\n", None)):
        retry(lambda: len(d.lines(r"/etc/pve/qmpin.conf is read")) > n, "it is read", 10)
        cluster_conf(host, text)
    d.wait_line(r"/etc/pve/qmpin.conf has gone", 10)
    code, _, err = d.command("mode", "100", "off", "--permanent", "--config", conf)
    check(code == 0, "mode: %s", err)
    check(len(starts(host)) == 1, "started %d times", len(starts(host)))
    cluster_conf(host, "[qmpin]\nprobe_cpus_pct = 20\n")
    retry(lambda: len(starts(host)) == 2, "it goes on by other settings", 10)
    d.reload()
    retry(lambda: len(starts(host)) == 3, "it is asked for", 10)
    retry(lambda: content(heard).count(b"go\n") == 3, "it measures", 5)


def child_killed(host):
    """a probe that is killed costs one line, and no CPU time"""
    d = host.started(PROBE, env=stand_in(host))
    retry(lambda: starts(host), "the probe runs")
    (pid, _), = retry(lambda: children(d.pid), "the probe runs")
    check(d.status()["latency"] == "measuring", "status: %s", d.status())
    os.kill(pid, signal.SIGKILL)
    d.wait_line(r"latency: qmpin-probe: it was killed by signal 9; tried again after 1 min")
    check(d.status()["latency"] == "model", "status: %s", d.status())
    check(any("qmpin-probe" in w for w in d.status()["warnings"]), "no warning")
    before = d.cpu_ns()
    pass_time(1)
    used = d.cpu_ns() - before
    check(used < 100e6 * SLACK, "%.0f ms of CPU time in a second", used / 1e6)
    check(len(starts(host)) == 1, "started %d times", len(starts(host)))
    check(len(d.lines("latency")) == 1, "told: %s", d.lines("latency"))


def bad_programs(host):
    """programs that are not there, end, or talk nonsense: one line each"""
    for env in ({"QMPIN_PROBE": "/nonexistent/qmpin-probe"},
                stand_in(host, then="exit 7"),
                stand_in(host, "result 99999999999\\n"),
                stand_in(host, "hello\\n"),
                {"QMPIN_PROBE": "/bin/true"}):
        d = host.started(PROBE, env=env)
        d.wait_line(r"warning: latency: qmpin-probe: .*; tried again after 1 min")
        check(d.status()["latency"] == "model", "status: %s", d.status())
        pass_time(0.3)
        check(len(d.lines("warning|error")) == 1, "told: %s", d.lines("warning|error"))
        d.stop()


def full_disk(host):
    """what cannot be kept is told once, and counts all the same"""
    if os.geteuid() != 0:
        raise Skip("needs root to mount")
    state = host.path("state")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=5", "none",
                       state], capture_output=True).returncode:
        raise Skip("may not mount")
    try:
        with open(os.path.join(state, "full"), "wb") as f:
            f.write(b"x" * 4096)
        need_two()
        d = host.started(PROBE)
        d.wait_line(r"warning: latency: .*kept in memory only")
        retry(lambda: is_over(d), "all is measured", 20)
        check(d.call("GetLatency")["measured"], "nothing is known")
        check(os.listdir(state) == ["full"], "left behind: %s", os.listdir(state))
        d.stop()
        check(len(d.lines("warning")) == 1, "told: %s", d.lines("warning"))
    finally:
        subprocess.run(["umount", state], check=True)


def refused(d, name, socket_name="io.qmpin", **parameters):
    try:
        reply = d.call("Probe", socket_name, **parameters)
    except varlink.Refused as e:
        check(e.name == "io.qmpin." + name, "%s: %s", parameters, e)
        return e.parameters
    check(False, "%s: not refused: %s", parameters, reply)


def asked(host):
    """Probe measures while the client waits, as a stream or not; bad wishes are refused"""
    d = measured(host)
    before = os.stat(kept(host)).st_mtime_ns
    for _ in range(5):  # busy CPUs have no result
        replies = d.call("Probe", more=True)
        for reply in replies:
            wrong = interface().mismatches("Probe", reply)
            check(not wrong, "Probe: %s", wrong)
        if replies[-1]["pairs"] and os.stat(kept(host)).st_mtime_ns != before:
            break
    check([r["done"] for r in replies] == [False] * (len(replies) - 1) + [True],
          "replies: %s", replies)
    check(replies[-1]["pairs"] == replies[-1]["pairs_total"] > 0, "%s", replies[-1])
    check(os.stat(kept(host)).st_mtime_ns != before, "nothing new is kept")
    reply = d.call("Probe", cpus="0-1", budget_s=2.5, exhaustive=True)
    check(reply["done"], "reply: %s", reply)
    for field, parameters in (("cpus", {"cpus": "0-"}), ("cpus", {"cpus": "0"}),
                              ("cpus", {"cpus": "0,2047"}), ("cpus", {"cpus": ""}),
                              ("budget_s", {"budget_s": -1}),
                              ("budget_s", {"budget_s": 1e9})):
        why = refused(d, "InvalidValue", **parameters)
        check(why["field"] == field and why["why"], "%s: %s", parameters, why)
    refused(d, "NotPermitted", "io.qmpin.ro")


def asked_unasked(host):
    """with probe = no nothing is measured until somebody asks"""
    need_two()
    d = host.started(PROBE.replace("yes", "no"))
    holds(lambda: not children(d.pid) and d.status()["latency"] == "model",
          "it measures", 0.5)
    check(d.call("Probe")["done"], "not done")
    check(kept(host) and is_over(d), "nothing is known: %s", d.status())


def ask(d, **parameters):
    """A client that waits for Probe; a socket."""
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(5 * SLACK)
    s.connect(os.path.join(d.run_dir, "io.qmpin"))
    s.sendall(json.dumps({"method": "io.qmpin.Probe", "more": True,
                          "parameters": parameters}).encode() + b"\0")
    return s


def client_gone(host):
    """the same wish is joined, another one is refused, what nobody waits for ends"""
    need_two()
    d = host.started(PROBE.replace("yes", "no"),
                     env=stand_in(host, "progress 1 2 1 3 half\\n"))
    first = ask(d, cpus="0-1")
    check(b"half" in first.recv(4096), "no progress")
    second = ask(d, cpus="0-1")
    refused(d, "Busy", cpus="0-1", exhaustive=True)
    refused(d, "Busy")
    (pid, _), = retry(lambda: children(d.pid), "the probe runs")
    first.close()
    holds(lambda: children(d.pid), "ended though somebody waits", 1.2)
    second.close()
    retry(lambda: not os.path.exists("/proc/%d" % pid), "the probe has ended", 3)
    check(d.status()["latency"] == "model", "status: %s", d.status())
    check(len(starts(host)) == 1, "started %d times", len(starts(host)))


def ended(host):
    """the daemon's end, by SIGTERM and by SIGKILL, ends what it has started"""
    d = host.started(PROBE, env=stand_in(host))
    for end in (d.stop, d.kill):
        (pid, _), = retry(lambda: children(d.pid), "the probe runs")
        end()
        retry(lambda: not os.path.exists("/proc/%d" % pid), "the probe has ended", 3)
        d.start()


def busy_cpus(host):
    """the probe is told where vCPUs are, and again when they are elsewhere"""
    cpus = host.need_cpus(2)
    heard = host.path("heard")
    d = host.started(PROBE, env=stand_in(host, then="exec cat 3>&1 >'%s'" % heard))
    retry(lambda: os.path.exists(heard) and content(heard).endswith(b"go\n"), "go")
    check(b"avoid \n" in content(heard), "told: %s", content(heard))
    host.start_vm(100, vcpus=1, cpus=cpus[:1])
    d.wait_settled(100)
    retry(lambda: content(heard).endswith(b"avoid %d\n" % cpus[0]), "avoid it", 3)


# -- another host than this one

def tree_of_9354(host):
    path = host.path("tree")
    synth = os.path.join(SOURCE, "tests", "topologies", "synth.py")
    subprocess.run([sys.executable, "-B", synth, "--preset", "amd-epyc-9354-nps4",
                    "--out", path], check=True, stdout=subprocess.DEVNULL)
    return path


def kept_for_9354(fingerprint, near):
    """A file for that host, 64 CPUs of 32 cores, in which near(a, b) are the cores of
    one node that are near each other."""
    def ns(a, b):
        if a % 32 == b % 32:
            return 9
        a, b = a % 32, b % 32
        return (25 if near(a, b) else 95) if a // 8 == b // 8 else 125
    lines = ["# qmpin latency 1", "# checksum 0", "# fingerprint " + fingerprint,
             "# host synthetic", "# measured 1700000000"]
    lines += ["# place %d %d %d %d %d 0" % (c, c % 32, c % 32, c % 32 // 4 * 4,
                                            c % 32 // 8) for c in range(64)]
    lines += ["# visits %d %s" % (c, "8" * c) for c in range(1, 64)]
    lines += ["# confidence %d %s" % (c, "o" * c) for c in range(1, 64)]
    lines += ["cpu," + ",".join(map(str, range(64)))]
    lines += ["%d,%s" % (c, ",".join(str(ns(c, b)) if b < c else "" for b in range(64)))
              for c in range(64)]
    return signed(("\n".join(lines) + "\n").encode())


def domains(d):
    reply = d.call("GetLatency")
    return reply, [[x["cpus"] for x in t["domains"]] for t in reply["tiers"]]


def vcpu_wants(d):
    """What is planned for VM 100's vCPUs; nothing yet: None."""
    wants = [t["want"] for t in d.vm(100)["threads"] if t["class"] == "vcpu"]
    return wants if wants and all(wants) else None


def other_host(host):
    """another host's latencies count when they are kept for it; it is never measured"""
    cpus = host.need_cpus(2)
    vm = host.start_vm(100, vcpus=2, cpus=cpus)
    masks = vm.masks()
    d = host.started(PROBE, "--topology", tree_of_9354(host),
                     env=stand_in(host))
    reply, by_firmware = domains(d)
    check(reply["source"] == "class model", "source: %s", reply["source"])
    check("0-3,32-35" in by_firmware[1], "tiers: %s", by_firmware)
    path = host.path("state", "latency-" + reply["fingerprint"])
    retry(lambda: vcpu_wants(d), "there is a plan")
    wants = vcpu_wants(d)

    def keep(near):
        with open(path + ".new", "wb") as f:
            f.write(kept_for_9354(reply["fingerprint"], near))
        os.chmod(path + ".new", 0o600)
        os.rename(path + ".new", path)
        d.reload()
        check(d.status()["latency"] == "measured", "status: %s %s", d.status(),
              d.lines("latency"))
    keep(lambda a, b: a // 4 == b // 4)
    check(domains(d)[1] == by_firmware, "other tiers: %s", domains(d)[1])
    check(not d.lines("firmware"), "told: %s", d.lines("firmware"))
    check(vcpu_wants(d) == wants, "the plan changed")
    keep(lambda a, b: a % 2 == b % 2)
    check("0,2,4,6,32,34,36,38" in domains(d)[1][1], "tiers: %s", domains(d)[1])
    check(len(d.lines("firmware's groups are not what was measured: l3 is denied")) == 1,
          "told: %s", d.lines("latency"))
    os.unlink(path)
    d.reload()
    check(d.status()["latency"] == "model", "status: %s", d.status())
    check(vm.masks() == masks, "masks changed here")
    check(not starts(host), "the probe was started")
    refused(d, "Failed")


if __name__ == "__main__":
    sys.exit(main([cold_start, restarted, bad_files, reloaded, configured, child_killed,
                   bad_programs, full_disk, asked, asked_unasked, client_gone, ended,
                   busy_cpus, other_host], Host))
