#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The JSON of every command is what is documented, the interface has only grown since
its first release, and systemd's own varlinkctl can use it."""
import contextlib
import glob
import json
import os
import re
import shutil
import subprocess
import sys

import varlink
from daemon import QMPIN, die_with_parent, interface
from runner import SLACK, SOURCE, Skip, check, main, retry
from vmhost import Host

IDL = os.path.join(SOURCE, "src", "ctl", "io.qmpin.varlink")
PAGE = os.path.join(SOURCE, "docs", "man", "qmpin.1.scd")
XML = os.path.join(SOURCE, "tests", "data", "latency", "two-packages.xml")
SCENARIO = os.path.join(SOURCE, "tests", "data", "plan", "what-if.jsonl")
CONFIG = "[qmpin]\nmode = pin\nadopt = now\nprobe = yes\n"

# What is asked of the daemon, by the commands as the page names them.
ASKED = {
    "status": [()], "ps": [(), ("100",), ("-v", "101")], "explain": [("100",)],
    "topology": [(), ("--topology", XML)], "metrics": [()], "doctor": [()],
    "config show": [(), ("--all",)], "heatmap": [(), ("--topology", XML)],
    "latency": [(), ("--topology", XML)], "apply --dry-run": [("--all",), ("100",)],
    "restore": [("100",)], "apply": [("100",), ("--all",)], "mode": [("100", "float")],
    "reload": [()], "release": [("--all",)], "monitor": [()],
    "probe": [("--budget", "0.3")]}
# What needs no daemon.
ALONE = {"version": [()], "config check": [("--config", "good"), ("--config", "bad")],
         "latency CPU": [("3", "--topology", XML)],
         "plan": [("--topology", XML), ("--topology", XML, SCENARIO)]}
# Commands without JSON.
TEXT_ONLY = {"help"}


def page():
    """(which method's reply or which type each command prints, the types) of qmpin(1)."""
    with open(PAGE, encoding="utf-8") as f:
        text = f.read().split("\n# JSON\n")[1].split("\n# ")[0]
    replies, others = re.findall(r"```\n(.*?)```", text, re.S)
    table, types = others.split("\n\n")
    words = {name: kind for line in replies.splitlines()
             for name, kind in re.findall(r"(\S+(?: \S+)*)  +(\w+)", line)}
    return words, dict(re.findall(r"^(\S+(?: \S+)?)  +(\w+)", table, re.M)), types


def qmpin(*args, status=(0,)):
    """(status, stdout)."""
    p = subprocess.run([QMPIN, *args], capture_output=True, text=True, timeout=60 * SLACK,
                       stdin=subprocess.DEVNULL, check=False)
    check(p.returncode in status, "%s: %d %s", args, p.returncode, p.stderr)
    return p.returncode, p.stdout


def first_line(d, command, *more):
    """The first line of what a command goes on to print."""
    with subprocess.Popen([QMPIN, "--run-dir", d.run_dir, command, *more],
                          stdout=subprocess.PIPE, text=True,
                          preexec_fn=die_with_parent) as p:
        line = p.stdout.readline()
        p.kill()
    return line


def asked_json(d, name, args):
    """The objects that the command prints, which are the same with json-pretty."""
    words = name.split() + list(args)
    if name == "monitor":
        return [json.loads(first_line(d, *words, "-j"))]
    status = (0, 1) if name == "doctor" else (0,)
    return [json.loads(qmpin("--run-dir", d.run_dir, *words, "-j", status=status)[1])]


def check_doctor(value):
    """Each check says whose it is; the rest is the reply."""
    for told in value["checks"]:
        check(told.pop("source") in ("qmpind", "qmpin"), "%s", told)


def of_daemon(host):
    """-j of every command is the reply that qmpin(1) names, member by member"""
    words, others, _ = page()
    check(words.keys() == ASKED.keys(), "%s", words.keys() ^ ASKED.keys())
    check(others.keys() == ALONE.keys(), "%s", others.keys() ^ ALONE.keys())
    names = re.findall(r"^  ([a-z]+) ", qmpin("help")[1].split("Commands:\n")[1]
                       .split("\n\n")[0], re.M)
    known = {name.split()[0] for name in words.keys() | others.keys()}
    check(set(names) == known | TEXT_ONLY, "%s", set(names) ^ (known | TEXT_ONLY))
    cpus = host.need_cpus(2)
    for vmid in (100, 101):
        host.start_vm(vmid, vcpus=1, maxcpus=2, cpus=cpus)
    d = host.started(CONFIG)
    d.wait_settled(100, 101)
    idl = interface()
    for name, calls in ASKED.items():
        for args in calls:
            for value in asked_json(d, name, args):
                if name == "doctor":
                    check_doctor(value)
                wrong = idl.mismatches(words[name], value)
                check(not wrong, "qmpin %s %s: %s", name, args, wrong)
    pretty = qmpin("--run-dir", d.run_dir, "topology", "--output-format", "json-pretty")[1]
    check(json.loads(pretty) == d.call("GetTopology") and "\n  " in pretty, "%s", pretty)


def alone(host):
    """-j of commands without a daemon is of the types that are in qmpin(1)"""
    _, others, types = page()
    described = varlink.Interface(types)
    for name, text in (("good", "[qmpin]\nunknown = 1\n"), ("bad", "[qmpin\n")):
        with open(host.path(name), "w") as f:
            f.write(text)
    seen = set()
    for name, calls in ALONE.items():
        for args in calls:
            words = name.replace(" CPU", "").split() + [
                host.path(a) if a in ("good", "bad") else a for a in args]
            kind = others[name] if SCENARIO not in args else "Placement"
            out = qmpin(*words, "-j", status=(1,) if "bad" in args else (0,))[1]
            check(out, "%s: nothing", words)
            for line in out.splitlines():
                wrong = described.mismatches(kind, json.loads(line))
                check(not wrong, "qmpin %s: %s", words, wrong)
            seen.add(kind)
    check(seen == described.types.keys(), "%s", seen ^ described.types.keys())
    run = ("--run-dir", host.path("run"))
    code, out = qmpin(*run, "doctor", "-j", status=(3,))
    check_doctor(json.loads(out))
    os.mkdir(host.path("conf"))
    out = qmpin(*run, "mode", "100", "off", "--permanent", "--config", host.path("conf"),
                "-j")[1]
    check(json.loads(out) == {}, "mode: %s", out)


BEFORE = """interface io.qmpin
type Way (one, two)
type Thing (a: int, b: ?[]Way, c: (x, y))
method Get(id: string) -> (thing: Thing)
error Gone(id: string)
"""
# What may be done to it, and what may not.
AFTER = (
    ("two)", "two, three)", 0), ("(x, y))", "(x, y), d: ?string)", 0),
    ("(id: string) ->", "(id: string, more: ?bool) ->", 0),
    ("a: int, ", "", 1), ("a: int", "a: float", 1), ("b: ?[]Way", "b: []Way", 1),
    ("one, ", "", 1), ("(x, y)", "(x)", 1), ("(x, y))", "(x, y), d: string)", 1),
    ("a: int, b: ?[]Way", "b: ?[]Way, a: int", 1), ("method Get", "method Fetch", 1),
    ("(id: string) ->", "(id: string, more: bool) ->", 1), ("error Gone", "error Went", 1))


def grown(host):
    """since each release the interface has only grown, and what is lost would be seen"""
    before = varlink.Interface(BEFORE)
    for old, new, lost in AFTER:
        losses = varlink.Interface(BEFORE.replace(old, new, 1)).losses(before)
        check(bool(losses) == bool(lost), "%s -> %s: %s", old, new, losses)
    released = glob.glob(os.path.join(SOURCE, "tests", "data", "ctl", "io.qmpin-*.varlink"))
    check(released, "no interface of a release is there")
    for path in released:
        with open(path, encoding="utf-8") as f:
            losses = interface().losses(varlink.Interface(f.read()))
        check(not losses, "%s: %s", os.path.basename(path), losses)


# -- varlinkctl

def varlinkctl():
    """How it is run: the host's own, or that in the chroot of Debian trixie."""
    if shutil.which("varlinkctl"):
        return ["varlinkctl"]
    root = os.path.join(os.path.dirname(os.environ.get("QMPIN_QEMU_10_0", "/none/")), "root")
    if not os.path.exists(root + "/usr/bin/varlinkctl"):
        raise Skip("no varlinkctl here, nor the chroot of tests/qemus that has one")
    loaders = glob.glob(root + "/usr/lib*/ld-linux*.so.*") + glob.glob(
        root + "/usr/lib/*-linux-gnu/ld-linux*.so.*")
    shared, = glob.glob(root + "/usr/lib/*-linux-gnu/systemd")
    return [loaders[0], "--library-path", "%s:%s" % (shared, os.path.dirname(shared)),
            root + "/usr/bin/varlinkctl"]


def ctl(*args, status=0):
    p = subprocess.run(varlinkctl() + list(args), capture_output=True, text=True,
                       timeout=60 * SLACK, stdin=subprocess.DEVNULL, check=False,
                       env=dict(os.environ, TERM="dumb", NO_COLOR="1"))
    check(p.returncode == status, "varlinkctl %s: %d %s", args, p.returncode, p.stderr)
    return p.stdout if status == 0 else p.stdout + p.stderr


def objects(text):
    """One JSON value a line, or one after the other."""
    decoder, values = json.JSONDecoder(), []
    text = text.replace("\x1e", "").strip()
    while text:
        value, end = decoder.raw_decode(text)
        values.append(value)
        text = text[end:].lstrip()
    return values


def described(text):
    with open(IDL, encoding="utf-8") as f:
        own = varlink.Interface(f.read())
    said = varlink.Interface(text)
    check(said.types == own.types and said.methods == own.methods, "it says %s", text)


def called(d, method, parameters="{}", more=False, socket_name="io.qmpin"):
    """The replies, each of which is as described."""
    values = objects(ctl(*(["--more"] if more else []), "--json=short", "call",
                         os.path.join(d.run_dir, socket_name), "io.qmpin." + method,
                         parameters))
    for value in values:
        wrong = interface().mismatches(method, value)
        check(not wrong, "%s: %s", method, wrong)
    return values


def check_monitor(d):
    """Decisions as they are taken, until it is ended."""
    argv = varlinkctl() + ["--more", "--json=short", "call",
                           os.path.join(d.run_dir, "io.qmpin.ro"), "io.qmpin.Monitor",
                           '{"id":"100","last":100}']
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True,
                          stdin=subprocess.DEVNULL, preexec_fn=die_with_parent) as p:
        seen = []
        with contextlib.ExitStack() as stack:
            stack.callback(p.kill)
            seen += objects(p.stdout.readline())
            check(d.command("mode", "100", "float")[0] == 0, "mode is refused")
            while seen[-1]["decision"]["cause"] != "mode":
                seen += objects(p.stdout.readline())
    for value in seen:
        wrong = interface().mismatches("Monitor", value)
        check(not wrong and value["decision"]["id"] == "100", "%s: %s", value, wrong)


def by_varlinkctl(host):
    """systemd's varlinkctl: info, introspect, call, errors, --more, validate-idl"""
    varlinkctl()
    described(ctl("validate-idl", IDL))
    cpus = host.need_cpus(2)
    host.start_vm(100, vcpus=1, cpus=cpus)
    d = host.started(CONFIG)
    d.wait_settled(100)
    path, read_only = (os.path.join(d.run_dir, x) for x in ("io.qmpin", "io.qmpin.ro"))
    info, = objects(ctl("--json=short", "info", path))
    check(info["product"] == "qmpind" and "io.qmpin" in info["interfaces"], "%s", info)
    described(ctl("introspect", read_only, "io.qmpin"))
    check(called(d, "GetStatus")[0]["vms"] == 1, "GetStatus")
    check(called(d, "ListVMs", '{"threads":true}')[0]["vms"][0]["id"] == "100", "ListVMs")
    said = ctl("call", path, "io.qmpin.Explain", '{"id":"999"}', status=1)
    check("io.qmpin.VMNotFound" in said, "%s", said)
    said = ctl("call", read_only, "io.qmpin.Reload", "{}", status=1)
    check("io.qmpin.NotPermitted" in said, "%s", said)
    check_monitor(d)
    steps = called(d, "Probe", '{"budget_s":0.3}', more=True)
    check([s["done"] for s in steps] == [False] * (len(steps) - 1) + [True], "%s", steps)


if __name__ == "__main__":
    sys.exit(main([grown, alone, of_daemon, by_varlinkctl], Host))
