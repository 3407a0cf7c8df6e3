#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Configuration files as people and editors break them, one after the other, each taken in
by a reload of the service that runs. Of a bad one qmpind says which line, keeps every
setting it had, and moves no thread; a good one is in force. What is bad says the parser, by
`qmpin config check`; what must be, the mutation itself. Runs on the virtual host:
mutate.py SEED COUNT VMID..."""
import json
import os
import random
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "system"))
import varlink  # noqa: E402

FILE = "/etc/qmpin/qmpin.conf"
CONTROL = "/run/qmpin/io.qmpin"
TIMEOUT = 120
# Every setting that moves nobody: of a good file it must be told that it is in force.
BASE = """# What the lab says of this host.
[qmpin]
rebalance_gain_pct = 12
rebalance_dwell_s = 301
rebalance_moves_per_min = 3
dedicated_max_pct = 70
settle_ms = 11
guard_ms = 21
probe_burst_s = 2
description = opt ; who may edit a VM says no more
allow_dedicated = no
control_group = qmpin
log_level = info

[weights]
memory = 1
communication = 1.0

[vm 999]
mode = pin
smt = avoid
"""


def lines_of(text):
    return text.splitlines(keepends=True)


def with_line(rng, text, change, wanted):
    """One line of those that are wanted, changed."""
    lines = lines_of(text)
    at = rng.choice([i for i, line in enumerate(lines) if wanted(line)])
    lines[at] = change(lines[at])
    return "".join(lines)


def is_setting(line):
    return "=" in line and line[0] not in "#;["


def is_number(line):
    return is_setting(line) and line.split("=")[1].strip().isdigit()


def is_header(line):
    return line.startswith("[")


def value(text):
    return lambda line: "%s= %s\n" % (line.split("=")[0], text)


def flipped(rng, text):
    """A few bytes are others."""
    data = bytearray(text.encode())
    for _ in range(rng.randint(1, 3)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def cut(rng, text):
    """A file that was not written to its end."""
    return text[:rng.randrange(len(text))]


def swapped(rng, text):
    """Two lines change places."""
    lines = lines_of(text)
    a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[a], lines[b] = lines[b], lines[a]
    return "".join(lines)


def gone(rng, text):
    lines = lines_of(text)
    del lines[rng.randrange(len(lines))]
    return "".join(lines)


def anything(rng, text):
    """Bytes of all kinds in the middle."""
    at = rng.randrange(len(text))
    return text[:at].encode() + rng.randbytes(rng.randint(1, 40)) + text[at:].encode()


def set_anew(rng, text):
    """Another value, which has to be in force."""
    return with_line(rng, text, value(str(rng.randint(1, 60))),
                     lambda line: is_number(line) and "_" in line)


# What must be taken, what must be refused, and what may be either.
GOOD = [
    set_anew, set_anew,
    lambda r, t: t.replace("\n", "\r\n"),
    lambda r, t: "\ufeff" + t,
    lambda r, t: with_line(r, t, lambda line: "#" + line, is_setting),
    lambda r, t: with_line(r, t, lambda line: " \t" + line[:-1] + "  \n\n", is_setting),
    lambda r, t: with_line(r, t, lambda line: line + "colour = blue\n", is_setting),
    lambda r, t: with_line(r, t, lambda line: line.replace("=", ":"), is_setting),
]
BAD = [
    lambda r, t: with_line(r, t, value("ten"), is_number),
    lambda r, t: with_line(r, t, value("-1"), is_number),
    lambda r, t: with_line(r, t, value("9" * 30), is_number),
    lambda r, t: with_line(r, t, value(""), is_setting),
    lambda r, t: with_line(r, t, lambda line: line.replace("]", ""), is_header),
    lambda r, t: with_line(r, t, lambda line: line.replace("=", " "), is_setting),
    lambda r, t: with_line(r, t, lambda line: line * 2, is_setting),
    lambda r, t: with_line(r, t, lambda line: "x" * 5000 + line, is_setting),
    lambda r, t: with_line(r, t, lambda line: line[:-1] + "\0\n", is_setting),
    lambda r, t: with_line(r, t, lambda line: "[host]\n" + line, is_setting),
]
EITHER = [flipped, flipped, cut, swapped, gone, anything]


def mutation(rng, n):
    """(whether it must be good, None: either; bytes)"""
    kinds, good = ((BAD, False), (GOOD, True), (EITHER, None))[n % 3]
    text = rng.choice(kinds)(rng, BASE)
    return good, text if isinstance(text, bytes) else text.encode()


def put(data):
    with open(FILE + ".new", "wb") as f:
        f.write(data)
    os.rename(FILE + ".new", FILE)


def verdict():
    """What is wrong with the file, None: nothing. As somebody who asks before a reload."""
    p = subprocess.run(["qmpin", "config", "check", FILE], capture_output=True, timeout=TIMEOUT)
    return None if p.returncode == 0 else (p.stdout + p.stderr).decode()


def settings():
    return varlink.call(CONTROL, "io.qmpin.GetConfig", timeout=TIMEOUT)["settings"]


def values(of):
    return {(s["key"], s["value"]) for s in of}


def masks(vmids):
    found = {}
    for vmid in vmids:
        with open("/run/qemu-server/%s.pid" % vmid) as f:
            tasks = "/proc/%d/task" % int(f.read())
        for tid in os.listdir(tasks):
            found[int(tid)] = sorted(os.sched_getaffinity(int(tid)))
    return found


def moved(before, now):
    return [tid for tid, mask in before.items() if now.get(tid, mask) != mask]


def by_call():
    """Returns why it was refused, or None."""
    try:
        varlink.call(CONTROL, "io.qmpin.Reload", timeout=TIMEOUT)
    except varlink.Refused as e:
        return json.dumps(e.parameters)
    return None


def by_signal():
    """The same by systemctl reload: when it is over the daemon tells when it last was."""
    def last():
        said = varlink.call(CONTROL, "io.qmpin.GetStatus", timeout=TIMEOUT)["warnings"]
        return next((w for w in said if w.startswith("last reload failed: ")), None)

    def count():
        p = subprocess.run(["journalctl", "-u", "qmpind", "-o", "cat", "--no-pager"],
                           capture_output=True, text=True, check=True)
        return len(re.findall(r"(?m)^(?:reloaded|reload failed: .*)$", p.stdout))
    before, end = count(), time.monotonic() + TIMEOUT
    subprocess.run(["systemctl", "reload", "qmpind"], check=True)
    while count() == before:
        if time.monotonic() > end:
            return "nothing came of the signal"
        time.sleep(0.05)
    return last()


def in_force(text):
    """What is not as a file says that has no mistake, or None."""
    now = {s["key"]: str(s["value"]).split()[0] for s in settings() if s["value"]}
    wanted = re.findall(r"(?m)^[ \t]*(\w+)[ \t]*[=:][ \t]*(\w+)", text.split("[weights]")[0])
    return next(("%s is %s, not %s" % (key, now.get(key), word) for key, word in wanted
                 if now.get(key) != word and key != "colour"), None)


def one(rng, n, vmids):
    """Returns what is wrong about qmpind, or None, and whether the file was good."""
    must_be_good, data = mutation(rng, n)
    old, were = settings(), masks(vmids)
    put(data)
    wrong = verdict()
    said = (by_signal if n % 10 == 0 else by_call)()
    new = settings()
    if must_be_good is not None and must_be_good != (wrong is None):
        return "a good one is refused" if must_be_good else "a bad one is taken", False
    if (wrong is None) != (said is None):
        return "check says %s, qmpind %s" % (wrong, said), False
    if wrong is None:
        return in_force(data.decode()) if must_be_good else None, True
    line = re.search(re.escape(FILE) + r":(\d+): ", wrong)
    if not line or line.group(0) not in said:
        return "check says %s, qmpind %s" % (wrong, said), False
    if int(line.group(1)) > data.count(b"\n") + 1:
        return "there is no line %s" % line.group(1), False
    if new != old:
        return "settings have changed: %s" % (values(new) ^ values(old)), False
    if moved(were, masks(vmids)):
        return "threads have moved", False
    return None, False


def taken():
    """The file without a mistake is in force, line by line."""
    put(BASE.encode())
    return by_call() or in_force(BASE)


def main():
    seed, count, vmids = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    rng = random.Random(seed)
    began = time.monotonic()
    wrong = taken()
    if wrong:
        sys.exit("mutate.py: the file without a mistake: %s" % wrong)
    good = failed = 0
    for n in range(count):
        why, was_good = one(rng, n, vmids)
        good += was_good
        if why:
            failed += 1
            print("seed %d, file %d: %s" % (seed, n, why))
            with open(FILE, "rb") as f:
                print(f.read())
    wrong = taken()
    if wrong:
        sys.exit("mutate.py: afterwards: %s" % wrong)
    print("%d files, seed %d: %d good, %d bad, %d ms each" % (
        count, seed, good, count - good, (time.monotonic() - began) * 1000 / max(count, 1)))
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
