#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/tutorial.md, typed into a shell as it stands: each command works, and shows what
the page says, but for its numbers."""
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

from daemon import BUILD
from runner import SLACK, Skip, check, main

PAGE = os.path.join(os.environ["QMPIN_SRC"], "docs", "tutorial.md")
LIST = r"[0-9][0-9,.-]*"


class Nothing:
    """The page starts what it needs; see that nothing of it is left."""

    def __init__(self):
        self.shell = None
        self.place = tempfile.mkdtemp(prefix="qmpin-tutorial-")

    def close(self, good=False):
        left = sorted(os.listdir(self.place)) if os.path.isdir(self.place) else []
        for path in glob.glob(os.path.join(self.place, "*", "vms", "*.pid")):
            with open(path, encoding="ascii") as f:
                os.kill(int(f.read()), signal.SIGKILL)
        if self.shell is not None:
            subprocess.run(["pkill", "-KILL", "-s", str(self.shell.pid)], check=False)
            self.shell.wait()
            self.shell = None
        shutil.rmtree(self.place, ignore_errors=True)
        check(not good or not left, "left behind: %s", left)

    def story(self):
        return ""


def steps():
    """[(command, expected lines)] of the page."""
    found = []
    with open(PAGE, encoding="utf-8") as f:
        lines = f.read().split("\n")
    for line in lines:
        if line.startswith("    $ "):
            found.append([line[6:], []])
        elif found and found[-1][0].endswith("\\") and not found[-1][1]:
            found[-1][0] += "\n" + line
        elif found and line.startswith("    "):
            found[-1][1].append(line[4:])
        elif found and line.startswith("#"):
            found.append(["", []])
    return [(c, e) for c, e in found if c]


def as_pattern(line):
    """Numbers and CPU lists match others, "..." what it likes, blanks any number."""
    parts = re.split(r"(\.\.\.|%s|\s+)" % LIST, line.strip())
    made = ""
    for part in parts:
        if part == "...":
            made += ".*"
        elif re.fullmatch(LIST, part):
            made += LIST
        elif part.isspace():
            made += r"\s+"
        else:
            made += re.escape(part)
    return made


def compare(command, expected, shown):
    """The expected lines in their order; "..." alone stands for any lines."""
    rest = [line for line in shown.split("\n") if line.strip()]
    free = False
    for line in (e for e in expected if e.strip()):
        if line.strip() == "...":
            free = True
            continue
        pattern = as_pattern(line)
        while free and rest and not re.fullmatch(pattern, rest[0].strip()):
            rest.pop(0)
        check(rest and re.fullmatch(pattern, rest[0].strip()),
              "$ %s\n  shows\n%s\n  and not\n  %s", command, shown, line)
        rest.pop(0)
        free = False
    check(free or not rest or not expected, "$ %s\n  shows also\n%s", command,
          "\n".join(rest))


def typed(host):
    """the tutorial's commands do what it says"""
    if os.geteuid() != 0 or len(os.sched_getaffinity(0)) < 2:
        raise Skip("needs root and two CPUs")
    env = dict(os.environ, PATH=os.path.join(BUILD, "src") + ":" + os.environ["PATH"],
               LC_ALL="C.UTF-8", TERM="dumb", TMPDIR=host.place)
    host.shell = subprocess.Popen(["bash", "--norc"], stdin=subprocess.PIPE, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  env=env, start_new_session=True)
    # kill %1 needs job control, which says more than the page would show
    host.shell.stdin.write("set -m\n")
    everything = steps()
    check(len(everything) > 15, "%d commands", len(everything))
    signal.alarm(int(60 * SLACK))
    for command, expected in everything:
        host.shell.stdin.write(command + "\necho \"~$?\"\n")
        host.shell.stdin.flush()
        shown = ""
        while not (end := re.search(r"^~(\d+)\n", shown, re.M)):
            line = host.shell.stdout.readline()
            check(line, "the shell ended at: %s", command)
            shown += line
        check(end.group(1) == "0" or "wait" in command, "$ %s\n  failed:\n%s", command,
              shown)
        said = re.sub(r"^\[1\].*\n", "", shown[:end.start()], flags=re.M)
        compare(command, expected, said)


if __name__ == "__main__":
    sys.exit(main([typed], Nothing))
