# SPDX-License-Identifier: MIT
"""Runs the cases of a system test: one line a case, and nothing left behind.

A case is a function of a fresh Host; its first doc line is its name. Waiting is always
retry() for a condition with a deadline, never a bare sleep.
"""
import os
import signal
import sys
import time
import traceback

BUILD = os.environ.get("QMPIN_BUILD") or os.getcwd()
SOURCE = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                       "..", ".."))
# Slow machines and instrumented builds: all deadlines are multiplied.
SLACK = float(os.environ.get("QMPIN_TEST_SLACK", "1"))


class Failed(AssertionError):
    """A condition that did not hold; the text says which."""


class Skip(Exception):
    """The machine lacks what the case needs; the text says what."""


def now():
    return time.monotonic()


def check(condition, text, *args):
    if not condition:
        raise Failed(text % args if args else text)


def retry(condition, what, timeout=5.0, step=0.005):
    """Wait until condition() is true; its value. Failed conditions may raise Failed."""
    end = now() + timeout * SLACK
    while True:
        try:
            value, why = condition(), ""
        except Failed as e:
            value, why = None, ": %s" % e
        if value:
            return value
        if now() >= end:
            raise Failed("not within %.1f s: %s%s" % (timeout * SLACK, what, why))
        time.sleep(step)


def pass_time(seconds):
    """Let time go by in which nothing should happen; what did is looked for later."""
    time.sleep(seconds)


def pass_audit():
    """Long enough for every VM to be audited once (audit_interval_ms is 2000)."""
    pass_time(2.2)


def holds(condition, what, seconds):
    """The condition stays true all the time; for what must not happen."""
    end = now() + seconds
    while now() < end:
        check(condition(), what)
        time.sleep(0.01)


def _on_alarm(_signal, _frame):
    raise Failed("the test ran into its time limit")


def _on_term(_signal, _frame):
    raise KeyboardInterrupt


def _where(e):
    """The frames of the tests in which it happened, innermost first."""
    frames = traceback.extract_tb(e.__traceback__)
    return ", ".join("%s:%d" % (os.path.basename(f.filename), f.lineno)
                     for f in reversed(frames))


def _run_case(case, make_host):
    host = None
    began = now()
    try:
        host = make_host()
        case(host)
        host.close(good=True)
        print("PASS %s (%.1f s)" % (case.__doc__.split("\n")[0], now() - began))
        return True
    except Skip as e:
        print("SKIP %s: %s" % (case.__doc__.split("\n")[0], e))
        return None
    except Exception as e:
        kind = "" if isinstance(e, Failed) else type(e).__name__ + ": "
        print("FAIL %s: %s%s" % (case.__doc__.split("\n")[0], kind, e))
        print("  at %s" % _where(e))
        if host:
            print(host.story())
        return False
    finally:
        if host:
            host.close()
        sys.stdout.flush()


def main(cases, make_host, limit_s=180):
    """Run the cases, all or those whose function is named on the command line; with
    QMPIN_QUICK in the environment the first one only: the tarball's check shows that
    every file is there, after all cases have run in the tree."""
    if len(sys.argv) > 1:
        cases = [c for c in cases if c.__name__ in sys.argv[1:]]
    elif os.environ.get("QMPIN_QUICK"):
        cases = cases[:1]
    signal.signal(signal.SIGTERM, _on_term)
    signal.signal(signal.SIGALRM, _on_alarm)
    signal.alarm(int(limit_s * SLACK))
    try:
        results = [_run_case(case, make_host) for case in cases]
    except KeyboardInterrupt:
        print("interrupted")
        return 1
    finally:
        signal.alarm(0)
    if False in results:
        return 1
    return 0 if True in results else 77
