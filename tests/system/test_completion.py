#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Completion in bash, fish and zsh: commands, options, columns, VMs of a real daemon."""
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time

from daemon import QMPIN
from runner import SLACK, check, main
from vmhost import Host

SOURCE = os.path.join(os.environ["QMPIN_SRC"], "contrib", "completion")

# What is typed, and one of the words that then are offered; the last in full.
CASES = (("qmpin ex", {"explain"}),
         ("qmpin p", {"ps", "plan", "probe"}),
         ("qmpin help rele", {"release"}),
         ("qmpin ps --no", {"--no-heading"}),
         ("qmpin plan --to", {"--topology"}),
         ("qmpin --output-format json-", {"json-pretty"}),
         ("qmpin ps --columns no", {"nodes", "note"}),
         ("qmpin config ch", {"check"}),
         ("qmpin config check READ", {"README.md"}),
         ("qmpin ps ", {"100", "101"}),
         ("qmpin -j explain 10", {"100", "101"}),
         ("qmpin apply 100 10", {"100", "101"}),
         ("qmpin ps 100 ", set()))


def environment(d):
    return dict(os.environ, PATH=os.path.dirname(QMPIN) + ":" + os.environ["PATH"],
                QMPIN_RUN_DIR=d.run_dir, TERM="dumb", HOME=d.run_dir, LC_ALL="C.UTF-8")


def bash_words(d, line):
    words = line.split(" ")
    script = f"""source {SOURCE}/bash/qmpin
COMP_WORDS=({' '.join(repr(w) for w in words)}); COMP_CWORD={len(words) - 1}
_qmpin; printf '%s\\n' "${{COMPREPLY[@]}}\""""
    return subprocess.run(["bash", "--norc", "-c", script], env=environment(d),
                          capture_output=True, text=True, timeout=60)


def fish_words(d, line):
    script = f"source {SOURCE}/fish/qmpin.fish; complete -C '{line}'"
    return subprocess.run(["fish", "--no-config", "-c", script], env=environment(d),
                          capture_output=True, text=True, timeout=60)


def compare(shell, ask, d):
    if shutil.which(shell) is None:
        print(f"     {shell} is not installed")
        return
    for line, expected in CASES:
        p = ask(d, line)
        found = {w.split("\t")[0] for w in p.stdout.split("\n") if w}
        check(found == expected and p.stderr == "", "%s: '%s' offers %s %s", shell, line,
              found, p.stderr)


def until(fd, pattern, why):
    """What a terminal shows, up to a match."""
    shown = ""
    end = time.monotonic() + 5 * SLACK
    while not re.search(pattern, shown):
        ready = select.select([fd], [], [], max(0, end - time.monotonic()))[0]
        check(ready, "zsh: %s: shows %r", why, shown)
        shown += os.read(fd, 4096).decode(errors="replace")
    return shown


def in_zsh(d):
    """Typed and completed on a terminal."""
    if shutil.which("zsh") is None:
        print("     zsh is not installed")
        return
    pid, fd = pty.fork()
    if pid == 0:
        os.execvpe("zsh", ["zsh", "-f", "-i"], environment(d))
    try:
        os.write(fd, f"fpath=({SOURCE}/zsh $fpath); autoload -U compinit; compinit -u -D; "
                     "unsetopt zle_bracketed_paste prompt_cr; PROMPT='rea''dy> '\r"
                     .encode())
        until(fd, r"ready> ", "starts")
        for typed, completed in (("qmpin ex\t", r"qmpin explain "),
                                 ("qmpin ps --no-h\t", r"--no-heading "),
                                 ("qmpin ps --columns ori\t", r"origin "),
                                 ("qmpin ps \t\t", r"100[^\n]*\r?\n?[^\n]*101"),
                                 ("qmpin plan REA\t", r"README\.md ")):
            os.write(fd, typed.encode())
            until(fd, completed, typed)
            os.write(fd, b"\x15\r")  # clear the line, next prompt
            until(fd, r"ready> ", "goes on")
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(fd)


def completed(host):
    """commands, options, columns and VM ids are completed in each shell"""
    for i in (100, 101):
        host.start_vm(i, vcpus=1)
    d = host.started()
    d.wait_settled(100, 101)
    os.chdir(os.environ["QMPIN_SRC"])
    compare("bash", bash_words, d)
    compare("fish", fish_words, d)
    in_zsh(d)


if __name__ == "__main__":
    sys.exit(main([completed], Host))
