#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A monitor that misbehaves: fakeqmp.py BEHAVIOUR BASE [ARGUMENTS]

Serves BASE.qmp and writes its own process id to BASE.pid, as an honest QEMU would; what
it says is wrong in the way that BEHAVIOUR names. Runs until it is killed.
"""
import ctypes
import json
import os
import socket
import sys
import threading
import time

GREETING = {"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7},
                                "package": "fake"}, "capabilities": ["oob"]}}
FLOOD_BYTES = 100 << 20


def send(s, value):
    s.sendall(json.dumps(value).encode() + b"\r\n")


def vcpu(index, tid):
    return {"thread-id": tid, "cpu-index": index, "target": "x86_64",
            "qom-path": "/machine/unattached/device[%d]" % index,
            "props": {"core-id": index, "thread-id": 0, "socket-id": 0}}


def honest(command, vcpus):
    """What a well-behaved VM with these vCPUs would answer."""
    slots = [{"type": "fake-x86_64-cpu", "vcpus-count": 1, "props": {},
              "qom-path": "/machine"} for _ in vcpus or ()]
    return {"query-status": {"status": "running", "singlestep": False, "running": True},
            "query-cpus-fast": vcpus, "query-hotpluggable-cpus": slots,
            "query-iothreads": [], "query-name": {"name": "fake"},
            "query-memdev": [], "query-memory-devices": []}.get(command, {})


def serve(s, vcpus, on_command=None):
    """Answer commands; on_command(s, request) returns True when it has answered."""
    for line in s.makefile("rb"):
        try:
            request = json.loads(line)
        except ValueError:
            continue
        if on_command and on_command(s, request):
            continue
        send(s, {"return": honest(request.get("execute"), vcpus),
                 "id": request.get("id")})


def flood(s, piece):
    """100 MB of it; says how much the other side took."""
    sent = 0
    try:
        while sent < FLOOD_BYTES:
            s.sendall(piece)
            sent += len(piece)
    finally:
        with open(sys.argv[2] + ".sent.new", "w") as f:
            f.write("%d" % sent)
        os.rename(sys.argv[2] + ".sent.new", sys.argv[2] + ".sent")


def silent(s):
    s.recv(65536)
    while s.recv(65536):
        pass


def garbage(s):
    s.sendall(b"220 mail.example.org ESMTP\r\n")
    silent(s)


def binary(s):
    s.sendall(bytes(range(256)) * 16 + b"\n")
    silent(s)


def wrong_json(s):
    s.sendall(b'{"hello": "world"}\r\n[1, 2, 3]\r\n')
    silent(s)


def nested(s):
    s.sendall(b"[" * 200000 + b"\r\n")
    silent(s)


def flood_text(s):
    flood(s, b"x" * 65536)


def flood_before_greeting(s):
    flood(s, b'{"event": "RESET"}\r\n' * 4096)


def flood_objects(s):
    send(s, GREETING)
    flood(s, b"{}," * 21845)


def flood_reply(s):
    """A proper session whose answer never ends."""
    def answer(s, request):
        if request.get("execute") != "query-cpus-fast":
            return False
        s.sendall(b'{"return": [')
        flood(s, json.dumps(vcpu(0, os.getpid())).encode() + b",")
        return True

    send(s, GREETING)
    serve(s, [vcpu(0, os.getpid())], answer)


def flood_events(s):
    """A proper session with 100 MB of well-formed events."""
    event = json.dumps({"timestamp": {"seconds": 1, "microseconds": 2},
                        "event": "RESET",
                        "data": {"guest": True, "reason": "guest-reset"}})

    def answer(s, request):
        if request.get("execute") == "query-cpus-fast":
            flood(s, (event + "\r\n").encode() * 400)
        return False

    send(s, GREETING)
    serve(s, [], answer)


def half_reply(s):
    """Ends in the middle of a reply, process and all."""
    def answer(s, request):
        if request.get("execute") != "query-cpus-fast":
            return False
        s.sendall(b'{"return": [{"thread-id": %d, "pro' % os.getpid())
        os._exit(0)

    send(s, GREETING)
    serve(s, [], answer)


def no_reply(s):
    """Greets, and then never answers a query."""
    def answer(_s, request):
        return request.get("execute") != "qmp_capabilities"

    send(s, GREETING)
    serve(s, [], answer)


def wrong_id(s):
    def answer(s, request):
        send(s, {"return": {}, "id": "somebody else's"})
        return True

    send(s, GREETING)
    serve(s, [], answer)


def only_errors(s):
    def answer(s, request):
        if request.get("execute") == "qmp_capabilities":
            return False
        send(s, {"error": {"class": "GenericError", "desc": "no\x1b[31m \n way"},
                 "id": request.get("id")})
        return True

    send(s, GREETING)
    serve(s, [], answer)


def threads(s):
    """Proper QMP, but the vCPUs' thread ids are those on the command line."""
    send(s, GREETING)
    serve(s, [vcpu(i, int(t)) for i, t in enumerate(sys.argv[3:])])


def own_threads(s):
    """Proper QMP; its own main thread, twice, as vCPUs."""
    send(s, GREETING)
    serve(s, [vcpu(0, os.getpid()), vcpu(1, os.getpid())])


def vcpus_json(s):
    """Proper QMP; the answer to query-cpus-fast is the JSON on the command line."""
    send(s, GREETING)
    serve(s, json.loads(sys.argv[3]))


def bomb(s):
    """A million vCPUs."""
    send(s, GREETING)
    serve(s, [vcpu(i, os.getpid()) for i in range(50000)])


def drip(s):
    """A proper greeting, one byte each 100 ms."""
    for b in json.dumps(GREETING).encode():
        s.sendall(bytes([b]))
        s.settimeout(0.1)
        try:
            if not s.recv(65536):
                return
        except TimeoutError:
            pass


def moody(s):
    """Proper QMP, but every other observation is refused, and it asks for more."""
    refused = False

    def answer(s, request):
        nonlocal refused
        if request.get("execute") == "query-status":
            refused = not refused
            if refused:
                send(s, {"error": {"class": "GenericError", "desc": "not now"},
                         "id": request.get("id")})
            return refused
        if request.get("execute") == "query-name":
            send(s, {"timestamp": {"seconds": 1, "microseconds": 2},
                     "event": "RESUME"})
        return False

    send(s, GREETING)
    serve(s, [], answer)


def stubborn(s):
    """Proper QMP with one vCPU; another thread belongs to another user."""
    vcpus = []

    def run(as_user):
        if as_user:
            ctypes.CDLL(None).prctl(15, b"call_rcu", 0, 0, 0)  # one that stays
            ctypes.CDLL(None).syscall(117, 65534, 65534, 65534)  # this thread only
        else:
            vcpus.append(vcpu(0, threading.get_native_id()))
        threading.Event().wait()

    for as_user in (False, True):
        threading.Thread(target=run, args=(as_user,), daemon=True).start()
    while not vcpus:
        time.sleep(0.001)
    send(s, GREETING)
    serve(s, vcpus)


def late_threads(s):
    """Proper QMP; once it was asked, a thread comes whose name a terminal would obey."""
    def named():
        ctypes.CDLL(None).prctl(15, b"worker\x1b[m", 0, 0, 0)
        threading.Event().wait()

    def answer(_s, request):
        if request.get("execute") == "query-name" and threading.active_count() == 1:
            threading.Timer(0.5, threading.Thread(target=named).start).start()
        return False

    send(s, GREETING)
    serve(s, [], answer)


def cut(s):
    """Hangs up on the first command, as often as ARGUMENTS say; then proper QMP."""
    send(s, GREETING)
    if visits and visits.pop():
        s.makefile("rb").readline()
    else:
        serve(s, [])


# Of cut: one for each visit that it cuts short.
visits = [True] * int(sys.argv[3]) if sys.argv[1:2] == ["cut"] else []


def main():
    behaviour, base = globals()[sys.argv[1]], sys.argv[2]
    with open(base + ".pid", "w") as f:
        f.write("%d\n" % os.getpid())
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(base + ".new")
    listener.listen(1)
    os.rename(base + ".new", base + ".qmp")
    while True:
        s, _ = listener.accept()
        with s:
            try:
                behaviour(s)
            except OSError:
                pass


if __name__ == "__main__":
    main()
