#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""qmpin plan on hosts that are not this one: sysfs trees, XML, latencies, pipes and
terminals, the examples of README.md, wrong files, and how long a long scenario takes."""
import atexit
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile

from runner import BUILD, SLACK, SOURCE, check, main, now, retry
from terminal import on_terminal

QMPIN = os.path.join(BUILD, "src", "qmpin")
DATA = os.path.join("tests", "data")
XML = os.path.join(DATA, "latency", "two-packages.xml")
CSV = os.path.join(DATA, "latency", "two-packages.csv")
SCENARIO = os.path.join(DATA, "plan", "what-if.jsonl")
GOLDEN = os.path.join(DATA, "plan", "what-if.placement")
LIMIT_S = 60


class Place:
    """A directory of a case's own, and trees that all cases share."""
    trees = None

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="qmpin-plan-")

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)
        return self.path(name)

    def tree(self, preset):
        if Place.trees is None:
            Place.trees = tempfile.mkdtemp(prefix="qmpin-trees-")
            atexit.register(shutil.rmtree, Place.trees)
        path = os.path.join(Place.trees, preset)
        if not os.path.exists(path):
            synth = os.path.join(SOURCE, "tests", "topologies", "synth.py")
            subprocess.run([sys.executable, "-B", synth, "--preset", preset, "--out",
                            path], check=True, stdout=subprocess.DEVNULL)
        return path

    def close(self, good=False):
        shutil.rmtree(self.dir, ignore_errors=True)

    def story(self):
        return "  in %s" % self.dir


def plan(*args, text=None, status=0):
    """What qmpin plan prints, after it ended with that status: (out, err)."""
    r = subprocess.run([QMPIN, "plan", *args], input=text, cwd=SOURCE,
                       capture_output=True, text=True, timeout=LIMIT_S * SLACK)
    check(r.returncode == status, "status %d: %s", r.returncode, r.stderr)
    return r.stdout, r.stderr


def placements(*args, **how):
    return [json.loads(line)["vms"] for line in plan(*args, **how)[0].splitlines()]


def lines(*events):
    return "".join(json.dumps(e) + "\n" for e in events)


def start(vm, vcpus, **more):
    return dict(ev="start", vm=vm, vcpus=vcpus, **more)


# -- examples

def write_golden(name, text):
    """For those who have looked at it and found it right."""
    folder = os.environ.get("QMPIN_GOLDEN_OUT")
    if folder:
        with open(os.path.join(folder, name), "w") as f:
            f.write(text)


def examples(host):
    """the examples of README.md, of plans and of latencies, are what is shown"""
    with open(os.path.join(SOURCE, "README.md")) as f:
        blocks = re.findall(r"^    \$ (qmpin \w+ (?:.*\\\n)*.*)\n((?:    .*\n|\n)+)",
                            f.read(), re.M)
    check([b[0].split()[1] for b in blocks] == ["latency", "plan"], "examples: %s", blocks)
    for command, text in blocks:
        words = command.replace("\\\n", " ").split()
        want = re.sub("^    ", "", text, flags=re.M).strip()
        shown = on_terminal([QMPIN] + words[1:], 80, cwd=SOURCE, NO_COLOR="1").strip()
        write_golden("README." + words[1], re.sub("^(?=.)", "    ", shown, flags=re.M) + "\n")
        check(shown == want, "shown is\n%s", shown)


def golden(host):
    """the placements of a readable scenario, line by line"""
    out, err = plan("--topology", XML, SCENARIO)
    check(err == "", "says %s", err)
    write_golden(os.path.basename(GOLDEN), out)
    with open(os.path.join(SOURCE, GOLDEN)) as f:
        for number, (line, want) in enumerate(zip(out.splitlines(), f), 1):
            check(line == want.strip(), "line %d is\n%s", number, line)
    with open(os.path.join(SOURCE, SCENARIO)) as f:
        check(len(out.splitlines()) == len(f.read().splitlines()), "another number")


def readme_commands(host):
    """the commands of README.md about plans end well, on another host and on this one"""
    with open(os.path.join(SOURCE, "README.md")) as f:
        found = re.findall(r"^    (qmpin plan .*?) +#", f.read(), re.M)
    check(len(found) >= 4, "only %s", found)
    shutil.copy(os.path.join(SOURCE, XML), host.path("host.xml"))
    host.write("s.jsonl", lines(start(100, 1)))
    for command in found:
        r = subprocess.run([QMPIN] + command.split()[1:], cwd=host.dir,
                           capture_output=True, text=True, timeout=LIMIT_S * SLACK)
        check(r.returncode == 0 and r.stderr == "", "%s: %d, %s", command, r.returncode,
              r.stderr)
    check(os.path.exists(host.path("s.placement")), "-o makes no file")


# -- what people see

CROWD = (start(100, 4, mem_gib=8), start(101, 8, affinity="8-15"),
         start(102, 4, mode="pin"), start(103, 4, mode="dedicated"),
         start(104, 4, mode="observe", memnodes={"1": 4}), start(105, 8, cpulimit=2),
         start("a-vm-with-a-very-long-name", 2, vnuma=[[0], [1]], numa=1))


def widths(host):
    """every reason can be read whole at any width, and in a pipe it is in its VM's line"""
    path = host.write("s", lines(*CROWD))
    argv = ["--topology", host.tree("amd-epyc-9354-nps4"), path]
    out, err = plan(*argv, "--output-format", "text")
    piped = out[out.index("\nVM "):].splitlines()[1:]
    check(len(piped) == 1 + len(CROWD), "%d lines in a pipe", len(piped))
    whys = [line[piped[0].index("WHY"):].strip() for line in piped[1:]]
    check(any("that want 2.0" in why for why in whys), "the quota: %s", whys)
    check(any(why.startswith("would be on ") for why in whys), "observed: %s", whys)
    for columns in (80, 100, 120, 400):
        shown = on_terminal([QMPIN, "plan"] + argv, columns, cwd=SOURCE, NO_COLOR="1")
        check(max(map(len, shown.splitlines())) <= columns, "wider than %d", columns)
        words = " ".join(shown.split())
        for why in whys:
            check(" ".join(why.split()) in words, "%d columns lack: %s", columns, why)


# -- hosts

def trees(host):
    """sysfs trees of other hosts: CPUs of that host, inside the VM's limit"""
    for preset, cpus in (("amd-epyc-9354-nps4", 64), ("amd-epyc-7351p-nps4", 32),
                         ("amd-epyc-9654-2s-nps4", 384)):
        tree = host.tree(preset)
        text = lines(start(100, 4), start(101, 8, affinity="8-15"),
                     start(102, 2, mode="pin"), dict(ev="cpu_offline", cpu=9),
                     dict(ev="cpu_online", cpu=9))
        steps = placements("--topology", tree, "-", text=text)
        check(len(steps) == 5, "%s: %d lines", preset, len(steps))
        for vms in steps:
            for vm in vms.values():
                every = set(sum(vm["vcpus"], vm["emu"]))
                check(every <= set(range(cpus)), "%s: %s", preset, every)
        check(set(sum(steps[1]["101"]["vcpus"], [])) <= set(range(8, 16)), "the limit")
        check(9 not in sum(steps[3]["101"]["vcpus"], []), "CPU 9 is offline")
        check(all(len(m) == 1 for m in steps[4]["102"]["vcpus"]), "pin")
        shown = plan("--topology", tree)[0]
        check(shown.startswith("%d CPUs, " % cpus), "%s: %s", preset, shown)


def measured(host):
    """latencies of a file beside the tree, and CPUs that are offline in it"""
    text = lines(start(1, 4, affinity="0-7"), dict(ev="cpu_offline", cpu=3))
    steps = placements("--topology", XML, "--latency", CSV, "-", text=text)
    check(steps[0]["1"]["vcpus"][0] == list(range(8)), "not the group: %s", steps[0])
    check(3 not in steps[1]["1"]["vcpus"][0], "CPU 3 is offline")
    shown = plan("--topology", XML, "--latency", CSV)[0]
    check("(measured)" in shown, "shown: %s", shown)


def this_machine(host):
    """without --topology the host is this machine"""
    vms, = placements("--set", "mode=float", "-", text=lines(start(1, 1)))
    with open("/sys/devices/system/cpu/online") as f:
        last = int(re.split("[,-]", f.read().strip())[-1])
    check(vms["1"]["vcpus"][0][-1] <= last, "CPUs %s", vms["1"]["vcpus"])


# -- streams

def conversation(host):
    """events and answers one by one, through pipes"""
    process = subprocess.Popen([QMPIN, "plan", "--topology", XML, "-"], cwd=SOURCE,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    for vm in (1, 2, 3):
        process.stdin.write(lines(start(vm, 1)))
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        check(len(answer["vms"]) == vm, "after VM %d: %s", vm, answer)
    process.stdin.close()
    check(process.wait(LIMIT_S * SLACK) == 0, "status %d", process.returncode)
    process.stdout.close()


def interrupted(host):
    """Ctrl-C while it waits for more: no file, nothing left over"""
    out = host.path("out")
    process = subprocess.Popen([QMPIN, "plan", "--topology", XML, "-", "-o", out],
                               cwd=SOURCE, stdin=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    process.stdin.write(lines(start(1, 1)))
    process.stdin.flush()
    retry(lambda: any(os.path.getsize(host.path(n)) for n in os.listdir(host.dir)),
          "the first line is written")
    process.send_signal(signal.SIGINT)
    check(process.wait(LIMIT_S * SLACK) == 1, "status %d", process.returncode)
    process.stdin.close()
    check(os.listdir(host.dir) == [], "left: %s", os.listdir(host.dir))


# -- what is wrong

def wrong(host):
    """each kind of mistake: a line with file, line and VM; the rest is planned"""
    ends = ("{", "[]", "7", "\0", '{"ev":"stop"}', '{"ev":"jump","vm":1}',
            '{"ev":"start","vm":1}', '{"ev":"start","vm":1,"vcpus":"4"}',
            '{"ev":"start","vm":1,"vcpus":NaN}', '{"ev":"start","vm":1,"vcpus":1e999}',
            '{"ev":"stop","vm":1,"vm":1}', "[" * 100000,
            '{"ev":"start","vm":1,"vcpus":1,"affinity":"a"}')
    for text in ends:
        path = host.write("s", lines(start(7, 1)) + text + "\n" + lines(start(8, 1)))
        out, err = plan("--topology", XML, path, status=1)
        check(len(out.splitlines()) == 1, "%s: goes on", text)
        check(re.fullmatch("qmpin: %s:2: .+\n" % re.escape(path), err), "%s", err)
    left_out = (start(9, 0), start(9, 4097), start(9, 1, mem_gib=-1), start(7, 1),
                start(9, 1, mem_gib=1e30), dict(ev="stop", vm=9),
                dict(ev="hotplug", vm=7, vcpus=2), dict(ev="cpu_offline", cpu=32),
                dict(ev="cpu_online", cpu=1), dict(ev="host", t=-5),
                start(9, 1, vnuma=[[0]], hostnodes=[[0], [1]]))
    for event in left_out:
        path = host.write("s", lines(start(7, 1), event, start(8, 1)))
        out, err = plan("--topology", XML, path, status=5)
        check(re.fullmatch("qmpin: %s:2: .+\n" % re.escape(path), err), "%s", err)
        check(set(json.loads(out.splitlines()[2])["vms"]) == {"7", "8"}, "%s", out)


def contradictory(host):
    """VMs that cannot be placed run where they may and say why; the rest is planned"""
    for more in (dict(affinity=""), dict(affinity="100-107"),
                 dict(vnuma=[[0, 1], [1]], numa=1), dict(hostnodes=[[7]]),
                 dict(affinity="0-7", vnuma=[[0, 1]], hostnodes=[[1]])):
        text = lines(start(1, 2), start(2, 2, **more), start(3, 2))
        steps = placements("--topology", XML, "-", text=text)
        check(set(steps[2]) == {"1", "2", "3"}, "%s", more)
        vm = steps[2]["2"]
        check(len(vm["vcpus"]) == 2 and all(vm["vcpus"]) and vm["emu"], "%s: %s", more,
              vm)
        check(vm["why"] != "", "%s: no reason", more)
        check(len(steps[2]["3"]["vcpus"][0]) < 32, "%s: VM 3 has no place", more)


def usage(host):
    """the benchmark of placements tells its options"""
    bench = os.path.join(BUILD, "tests", "bench", "bench_place")
    r = subprocess.run([bench, "--help"], capture_output=True, text=True)
    check(r.returncode == 0 and r.stderr == "", "%d: %s", r.returncode, r.stderr)
    check("--hosts NAME" in r.stdout and "--help" in r.stdout, "%s", r.stdout)
    r = subprocess.run([bench, "--fast"], capture_output=True, text=True)
    check(r.returncode == 2 and "--hosts NAME" in r.stderr and r.stdout == "", "%s",
          r.stderr)


# -- time

def long_scenario(seed, n):
    rng, live, events = random.Random(seed), {}, []
    for i in range(n):
        if live and rng.random() < 0.45:
            vm = rng.choice(sorted(live))
            if live[vm] == 0 or rng.random() < 0.7:
                del live[vm]
                events.append(dict(ev="stop", vm=vm))
            else:
                live[vm] += 1
                events.append(dict(ev="hotplug", vm=vm, vcpus=live[vm]))
        else:
            live[100 + i] = rng.choice((1, 2, 4, 8, 16))
            events.append(start(100 + i, live[100 + i], maxvcpus=32,
                                mem_gib=rng.choice((2, 8, 32))))
    return lines(*events)


def thousand_events(host):
    """1000 events on 64 and on 384 CPUs: a line each, in a time that is printed"""
    scenario = host.write("long", long_scenario(1, 1000))
    for preset in ("amd-epyc-9354-nps4", "amd-epyc-9654-2s-nps4"):
        tree, out = host.tree(preset), host.path("out")
        began = now()
        plan("--topology", tree, scenario, "-o", out)
        took = now() - began
        with open(out) as f:
            first, n = f.readline(), 1 + sum(1 for _ in f)
        check(n == 1000 and list(json.loads(first)["vms"]) == ["100"], "%d lines", n)
        print("  %s: 1000 events in %.2f s, %.0f MB" % (preset, took,
                                                       os.path.getsize(out) / 1e6))
        check(took < LIMIT_S * SLACK, "%.1f s", took)


if __name__ == "__main__":
    sys.exit(main([examples, golden, readme_commands, widths, trees, measured, this_machine, conversation,
                   interrupted, wrong, contradictory, usage, thousand_events], Place))
