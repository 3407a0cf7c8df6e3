#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The man pages say what the programs do: every command, option, setting, method and
error is in them, and nothing else is."""
import glob
import os
import re
import shutil
import subprocess
import sys

from daemon import QMPIN, QMPIND
from runner import Skip, check, main

SOURCE = os.environ["QMPIN_SRC"]
OPTION = re.compile(r"(?<![\w-])(--?[a-zA-Z][a-z-]*)")


class Nothing:
    """The pages need no host."""

    def close(self, good=False):
        pass

    def story(self):
        return ""


def page(name):
    with open(os.path.join(SOURCE, "docs", "man", name + ".scd"), encoding="utf-8") as f:
        return f.read()


def bold(text):
    """What stands in bold: names of commands, options and settings."""
    return set(re.findall(r"(?<![\w*])\*([^*\n]+)\*", text))


def says(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=60,
                          check=True).stdout


def same(what, named, real):
    check(named == real, "%s: missing %s, too much %s", what, sorted(real - named),
          sorted(named - real))


def option_lines(text):
    """Options that a help text describes: at the begin of its lines."""
    found = set()
    for line in text.split("\n"):
        head = re.match(r" {2,6}((?:-\w, )?--?[\w-]+)", line)
        if head and not line.startswith("  --run-dir, "):
            found |= set(OPTION.findall(head.group(1)))
    return found


def commands(host):
    """qmpin(1) has each command with its operands, and each option"""
    overview = says(QMPIN, "help")
    block = overview.split("Commands:\n")[1].split("\n\n")[0]
    names = re.findall(r"^  ([a-z]+) ", block, re.M)
    check(len(names) > 10, "commands: %s", names)
    text = page("qmpin.1")
    same("qmpin(1), commands", set(re.findall(r"^\*qmpin ([a-z]+)\*", text, re.M)),
         set(names))
    options = option_lines(overview)
    for name in names:
        own = option_lines(says(QMPIN, "help", name)) - {"-h", "-V"}
        entry = re.search(r"^\*qmpin %s\*.*?(?=\n\n)" % name, text, re.M | re.S).group(0)
        check(own <= set(OPTION.findall(text)), "qmpin(1): %s: missing %s", name,
              sorted(own - set(OPTION.findall(text))))
        unknown = set(OPTION.findall(entry)) - own - option_lines(overview)
        check(not unknown, "qmpin(1): %s does not take %s", name, sorted(unknown))
        options |= own
    named = {o for b in bold(text) for o in OPTION.findall(b)}
    same("qmpin(1), options", named, options)


def daemon(host):
    """qmpind(8) has each option"""
    named = set(re.findall(r"^\*(--[a-z-]+)\*", page("qmpind.8"), re.M))
    same("qmpind(8), options", named, option_lines(says(QMPIND, "--help")))


def settings(host):
    """qmpin.conf(5) has each setting with its default"""
    with open(os.path.join(SOURCE, "contrib", "qmpin.conf"), encoding="utf-8") as f:
        sample = f.read()
    head, weights = sample.split("#[weights]")
    text = page("qmpin.conf.5")
    named = dict(re.findall(r"^\*([a-z_]+)\* = (\S.*)$", text, re.M))
    real = {key: "_%s_" % value if value else "(none)"
            for key, value in re.findall(r"^#([a-z_]+) = ?(.*)$", head, re.M)}
    same("qmpin.conf(5), settings", set(named.items()), set(real.items()))
    entries = re.findall(r"^\*([a-z_]+)\* = .*\n((?:\t.*\n)+)", text, re.M)
    named = {(span, key) for key, entry in entries
             for span in re.findall(r"\d+ to \d+ [^ .]+", " ".join(entry.split()))}
    same("qmpin.conf(5), ranges", named,
         set(re.findall(r"^# (\d+ to \d+ \S+)\n#([a-z_]+) =", head, re.M)))
    part = text.split("# [weights]")[1].split("\n# ")[0]
    same("qmpin.conf(5), weights", set(re.findall(r"^\*([a-z]+)\*$", part, re.M)),
         set(re.findall(r"^#([a-z]+) = 1$", weights, re.M)))
    modes = re.search(r"^# ([a-z |]+)\n#mode = ", sample, re.M).group(1)
    part = text.split("# MODES")[1].split("\n# ")[0]
    same("qmpin.conf(5), modes", set(re.findall(r"^\*([a-z]+)\*$", part, re.M)),
         set(modes.replace(" ", "").split("|")))


def journal(host):
    """qmpind(8) has each field of the journal, and each cause"""
    def source(name):
        with open(os.path.join(SOURCE, "src", "daemon", name), encoding="utf-8") as f:
            return f.read()

    part = page("qmpind.8").split("# JOURNAL")[1].split("\n# ")[0]
    same("qmpind(8), fields", set(re.findall(r"\*(QMPIN_[A-Z]+)\*", part)),
         set(re.findall(r'"(QMPIN_[A-Z]+)"', source("report.c"))))
    causes = part.split("*QMPIN_CAUSE*")[1].split("*QMPIN_REASON*")[0]
    same("qmpind(8), causes", set(re.findall(r"\*([^*]+)\*", " ".join(causes.split()))),
         set(re.findall(r'\[CAUSE_\w+\] = \{"([^"]+)"', source("cause.c"))))


def interface(host):
    """io.qmpin(7) has each method with its parameters, and each error"""
    with open(os.path.join(SOURCE, "src", "ctl", "io.qmpin.varlink"),
              encoding="utf-8") as f:
        idl = f.read()

    def described(kind):
        return {(name, tuple(re.findall(r"(\w+):", members)))
                for name, members in re.findall(r"^%s (\w+)\s?\((.*?)\)" % kind, idl, re.M)}

    text = page("io.qmpin.7")
    named = {(name, tuple(re.findall(r"_(\w+?)_(?=[,)]|$)", members)))
             for name, members in re.findall(r"^\*(\w+)\*\((.*)\)$", text, re.M)}
    same("io.qmpin(7)", named, described("method") | described("error"))


def constant(path, pattern):
    """The value of a constant of the source, which may be a product."""
    with open(os.path.join(SOURCE, "src", path), encoding="utf-8") as f:
        found = re.search(pattern + r"\D*?((?:\d+u? *(?:\*|<<)? *)+)", f.read())
    check(found, "%s: no %s", path, pattern)
    return eval(found.group(1).replace("u", ""))  # digits and operators only


def limits(host):
    """io.qmpin(7) has the limits that are kept"""
    clients, idle, half, stall, one, total = (
        constant("ctl/server.c", r"\.%s =" % name) for name in
        ("clients", "idle_ms", "half_ms", "stall_ms", "client_bytes", "total_bytes"))
    real = ["%d KiB" % (constant("ctl/varlink.h", "VARLINK_REQUEST_MAX") >> 10),
            "%d clients" % clients, "%d of whom" % (clients // 16),
            "%d min" % (idle / 60000), "%d s" % (half / 1000), "%d s" % (stall / 1000),
            "%d MiB" % (one >> 20), "%d MiB" % (total >> 20),
            "%d moves" % constant("daemon/telling.c", "MOVES_MAX")]
    text = page("io.qmpin.7").split("# LIMITS\n")[1].split("\n# ")[0]
    named = re.findall(r"\d+ (?:KiB|MiB|min|s|clients|of whom|moves)\b", text)
    check(named == real, "LIMITS has %s, not %s", named, real)


def messages(host):
    """what docs/troubleshooting.md says that qmpin says is in the source"""
    source = ""
    for path in glob.glob(os.path.join(SOURCE, "src", "*", "*.[ch]")):
        with open(path, encoding="utf-8") as f:
            source += re.sub(r'"\s*"', "", f.read())
    with open(os.path.join(SOURCE, "docs", "troubleshooting.md"), encoding="utf-8") as f:
        quoted = re.findall(r"^\| `([^`]+)` \|", f.read(), re.M)
    check(len(quoted) > 8, "messages: %s", quoted)
    missing = [m for m in quoted if m not in source]
    check(not missing, "docs/troubleshooting.md: nobody says %s", missing)


def rendered(host):
    """scdoc makes pages of them that mandoc has nothing against"""
    for tool in ("scdoc", "mandoc"):
        if shutil.which(tool) is None:
            raise Skip(tool + " is not installed")
    for name in ("qmpin.1", "qmpind.8", "qmpin.conf.5", "io.qmpin.7"):
        made = subprocess.run(["scdoc"], input=page(name), capture_output=True, text=True,
                              timeout=60, check=False)
        check(made.returncode == 0, "%s: %s", name, made.stderr)
        lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning"], input=made.stdout,
                              capture_output=True, text=True, timeout=60, check=False)
        # scdoc begins a paragraph everywhere
        told = [line for line in (lint.stdout + lint.stderr).split("\n")
                if line and "skipping paragraph macro" not in line]
        check(not told, "%s: %s", name, told)


if __name__ == "__main__":
    sys.exit(main([commands, daemon, journal, settings, interface, limits, messages, rendered], Nothing))
