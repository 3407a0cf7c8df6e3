# SPDX-License-Identifier: MIT
"""A terminal of so many columns, and what a program shows there."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios

from runner import SLACK, Failed, check, now

LIMIT_S = 30


def _read(master):
    """What there is; nothing at the end."""
    try:
        return os.read(master, 65536)
    except OSError:  # the other end is closed
        return b""


def on_terminal(argv, columns, until=None, status=(0,), cwd=None, errors=None, **env):
    """What it shows on a terminal with colours up to its end, or up to a match of until:
    then Ctrl-C ends it. Errors go there, too, or elsewhere."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8", **env}
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=slave,
                               stderr=slave if errors is None else errors, env=env,
                               cwd=cwd)
    os.close(slave)
    shown, end = b"", now() + LIMIT_S * SLACK
    while True:
        if not select.select([master], [], [], max(0, end - now()))[0]:
            process.kill()
            process.wait()
            os.close(master)
            raise Failed("%s goes on: %r" % (argv, shown))
        part = _read(master)
        if not part:
            break
        shown += part
        if until and re.search(until, shown):
            process.send_signal(signal.SIGINT)
            until, status = None, (0, -signal.SIGINT)
    os.close(master)
    code = process.wait(LIMIT_S * SLACK)
    check(code in status, "%s: status %d: %r", argv, code, shown)
    return shown.decode().replace("\r\n", "\n")
