#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""qmpin heatmap -o: the picture as a browser shows it, pixel by pixel where it matters.

A stand-in for the daemon tells latencies and VMs, so that what must be seen is known.
"""
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import xml.etree.ElementTree as ET

from browser import ERROR_PAGE, Browser
from runner import BUILD, SLACK, check, main

QMPIN = os.path.join(BUILD, "src", "qmpin")
SVG = "{http://www.w3.org/2000/svg}"
NEAREST, FARTHEST = (0xfd, 0xe7, 0x25), (0x44, 0x01, 0x54)
# A page may take this long beyond what an empty one takes, where that takes no longer
# than EMPTY_S (0.6 to 0.8 on an idle machine); elsewhere in proportion.
LOAD_S = 1.0
EMPTY_S = 0.8


def group(cpu, n, size):
    """n CPUs, the second half siblings of the first, in groups of size."""
    return cpu % (n // 2) // (size // 2)


def latency(n):
    """What GetLatency says of such a host."""
    levels = levels_of(n)
    rows = [{"cpu": a, "ns": [0.0 if a == b else ns_of(a, b, n) for b in range(n)]}
            for a in range(n)]
    said = []
    for ns, size in levels:
        domains = {}
        for cpu in range(n):
            domains.setdefault(group(cpu, n, size), []).append(cpu)
        said.append({"latency_ns": ns, "confidence": 0.97, "domains": [
            {"cpus": ",".join(map(str, d))} for d in domains.values()]})
    return {"trusted": True, "source": "measured", "fingerprint": "0123456789abcdef",
            "measured": 1700000000000000, "tiers": said, "rows": rows}


def levels_of(n):
    """(ns, CPUs of a domain), near to far."""
    if n <= 8:
        return [(8.0, 2), (25.0, n)]
    return [(8.0, 2), (25.0, 8), (100.0, n // 2), (220.0, n)]


def ns_of(a, b, n):
    return next(ns for ns, size in levels_of(n) if group(a, n, size) == group(b, n, size))


def order(n):
    """CPUs as the picture has them: siblings side by side."""
    return [cpu for core in range(n // 2) for cpu in (core, core + n // 2)]


class StandIn:
    """Answers GetLatency and ListVMs on io.qmpin."""

    def __init__(self, run_dir, replies):
        self._replies = replies
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(os.path.join(run_dir, "io.qmpin"))
        self._socket.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            with client:
                self._answer(client)

    def _answer(self, client):
        buffered = b""
        while True:
            data = client.recv(65536)
            if not data:
                return
            buffered += data
            while b"\0" in buffered:
                text, buffered = buffered.split(b"\0", 1)
                method = json.loads(text)["method"].rpartition(".")[2]
                client.sendall(json.dumps({"parameters": self._replies[method]}).encode()
                               + b"\0")

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


class Desk:
    """A directory with a daemon's stand-in, and a browser."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="qmpin-heatmap-")
        self.browser = Browser(self.dir)
        self._stand_in = None
        self.said = ""

    def draw(self, reply, vms=None):
        """The file that qmpin has written, and its root element."""
        if self._stand_in:
            self._stand_in.close()
            os.unlink(os.path.join(self.dir, "io.qmpin"))
        self._stand_in = StandIn(self.dir, {"GetLatency": reply,
                                            "ListVMs": {"vms": vms or []}})
        path = os.path.join(self.dir, "map.svg")
        command = [QMPIN, "--run-dir", self.dir, "heatmap", "-o", path]
        p = subprocess.run(command + (["--affinity"] if vms else []), text=True,
                           capture_output=True, stdin=subprocess.DEVNULL,
                           timeout=30 * SLACK)
        self.said = p.stdout + p.stderr
        check(p.returncode == 0 and self.said == "", "status %d, %s", p.returncode,
              self.said)
        return path, ET.parse(path).getroot()

    def story(self):
        return self.said

    def close(self, good=False):
        if self._stand_in:
            self._stand_in.close()
            self._stand_in = None
        shutil.rmtree(self.dir, ignore_errors=True)


def size_of(root):
    size = int(root.get("width")), int(root.get("height"))
    check(root.get("viewBox") == "0 0 %d %d" % size, "viewBox %s", root.get("viewBox"))
    return size


def matrix_of(root, n):
    """(left, top, side of a cell)"""
    rect = root.find("%sg[@id='matrix']/%srect" % (SVG, SVG))
    check(int(rect.get("width")) % n == 0, "cells are no whole pixels")
    return int(rect.get("x")), int(rect.get("y")), int(rect.get("width")) // n


def near(a, b, slack=4):
    return all(abs(x - y) <= slack for x, y in zip(a, b))


def lightness(rgb):
    return 299 * rgb[0] + 587 * rgb[1] + 114 * rgb[2]


def colours_of(image, root, n):
    """ns -> colour, looked at for many pairs; all of one latency must agree."""
    left, top, cell = matrix_of(root, n)
    cpus, seen = order(n), {}
    step = n // 64 + 1 | 1
    # Not at the borders of the widest domains, which lie on the pairs beside them.
    edges = {0, 1, n // 2 - 1, n // 2, n // 2 + 1, n - 1} if n > 64 else set()
    for y in sorted(set(range(0, n, step)) | set(range(3, n, 8))):
        for x in sorted(set(range(0, n, step)) | {y ^ 1, min(y + 2, n - 1)}):
            if x == y or edges & {x, y} or n > 64 and (y % 8 in (0, 7) or x % 8 in (0, 7)):
                continue
            # Numbers are in the middle of a cell, borders at its edge.
            pixel = image.at(left + x * cell + cell // 4, top + y * cell + cell // 4)
            ns = ns_of(cpus[y], cpus[x], n)
            check(near(seen.setdefault(ns, pixel), pixel),
                  "%d CPUs: CPUs %d and %d (%g ns) are %s, others %s", n, cpus[y], cpus[x],
                  ns, pixel, seen[ns])
    return seen


def colours(image, root, n):
    """Pictures have the colours of their latencies."""
    seen = colours_of(image, root, n)
    want = [ns for ns, _ in levels_of(n)]
    check(sorted(seen) == want, "%d CPUs: seen %s", n, seen)
    check(near(seen[want[0]], NEAREST), "nearest is %s", seen[want[0]])
    if n > 4:
        check(near(seen[want[-1]], FARTHEST), "farthest is %s", seen[want[-1]])
    light = [lightness(seen[ns]) for ns in want]
    check(all(a - b > 15000 for a, b in zip(light, light[1:])),
          "%d CPUs: tiers look alike: %s", n, seen)


def words(dom, n):
    """The browser has read all of it: CPUs, legend, what pointers bring up."""
    check(ERROR_PAGE not in dom, "an error page: %s", dom[:500])
    for text in ("</svg>", "%d CPUs" % n,
                 "tier 1: 8.0 ns, %d domains of 2 CPUs" % (n // 2),
                 "all %d CPUs, confidence 97 %%" % n, ">%d</text>" % (n - 1), "measured"):
        check(text in dom, "%d CPUs: no '%s'", n, text)
    check(("CPUs 0 and %d: 8.0 ns" % (n // 2) in dom) == (n <= 64),
          "%d CPUs: a text for each pair", n)


def sizes(desk):
    """pictures of 4, 64 and 512 CPUs have the colours of their latencies, and all texts"""
    for n in (4, 64, 512):
        path, root = desk.draw(latency(n))
        check(os.path.getsize(path) < 2000000, "%d bytes", os.path.getsize(path))
        image, dom = desk.browser.shot(path, *size_of(root))
        colours(image, root, n)
        words(dom, n)


def quick(desk):
    """512 CPUs are shown within a second on an idle machine"""
    path, root = desk.draw(latency(512), [vm(i, "vm%d" % i, "0-7") for i in range(100)])
    empty = os.path.join(desk.dir, "empty.svg")
    with open(empty, "w") as f:
        f.write('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
    size = size_of(root)
    base, full = [], []
    while True:  # the best of three, unless one will do
        base.append(desk.browser.seconds(empty, *size))
        full.append(desk.browser.seconds(path, *size))
        took = min(full) - min(base)
        limit = LOAD_S * max(1, min(base) / EMPTY_S) * SLACK
        if took < limit or len(full) == 3:
            break
    print("  %d bytes, %.2f s more than an empty page's %.2f s" %
          (os.path.getsize(path), took, min(base)))
    check(took < limit, "%.2f s, at most %.2f", took, limit)


def no_result(desk):
    """a pair without result is no colour of the scale"""
    for n in (64, 512):
        reply = latency(n)
        # CPUs 2 to 5, which are far from 32 to 35 or so: a hole of many cells.
        for a in range(2, 6):
            for b in range(n // 4, n // 4 + 4):
                reply["rows"][a]["ns"][b] = reply["rows"][b]["ns"][a] = 0.0
        path, root = desk.draw(reply)
        image, dom = desk.browser.shot(path, *size_of(root))
        left, top, cell = matrix_of(root, n)
        cpus = order(n)
        y, x = cpus.index(3), cpus.index(n // 4 + 1)
        pixels = [image.at(left + x * cell + dx, top + y * cell + dy)
                  for dx in range(cell) for dy in range(cell)]
        # White and grey: a hole with stripes.
        check(all(max(p) - min(p) < 20 for p in pixels), "%d CPUs: %s", n, pixels)
        check("no result" in dom, "the legend does not tell")


def vm(number, name, cpus):
    return {"id": str(number), "vmid": number, "name": name, "pid": 1, "state": "watching",
            "mode": "auto", "mode_origin": "default", "share": "yield", "vcpus": 1,
            "vcpus_max": 1, "cpus": cpus, "nodes": None, "limit": "0-63",
            "memory_local_pct": None, "wait_pct": None, "repairs": 0, "last_move": None,
            "last_cause": None, "note": None, "threads": None}


def bands(desk):
    """a VM is a band of its colour beside its CPUs, and nowhere else"""
    n, cpus = 64, order(64)
    path, root = desk.draw(latency(n), [vm(100, "web", "0-3,32-35"), vm(101, None, "8"),
                                        vm(102, "db", "0-63")])
    image, _ = desk.browser.shot(path, *size_of(root))
    _, top, cell = matrix_of(root, n)
    for id_, its in (("100 web", {0, 1, 2, 3, 32, 33, 34, 35}), ("101", {8}),
                     ("102 db", set(range(n)))):
        group_ = next(g for g in root.iter(SVG + "g") if (g.findtext(SVG + "title") or "")
                      .startswith("VM %s:" % id_))
        fill = group_.get("fill")
        want = tuple(int(fill[i:i + 2], 16) for i in (1, 3, 5))
        x = int(group_.find(SVG + "rect").get("x")) + 1
        for at, cpu in enumerate(cpus):
            pixel = image.at(x, top + at * cell + 2)
            check(near(pixel, want) == (cpu in its), "VM %s at CPU %d: %s, its own is %s",
                  id_, cpu, pixel, want)


NASTY = ["</title><script>alert(1)</script>", "<![CDATA[", "]]>", "&amp;&lt;&#0;&nosuch;",
         "\"><g onload=\"x\">", "'onclick='", "\x01\x02\x1b[31m\x7f\x9b", "\u202eevil\u202c",
         "\ufffe\uffff", "a" * 5000, "\u00e9\u6f22\u5b57\U0001f600", "--><!--", "<?xml?>", "%s%n", ""]


def hostile(desk):
    """names cannot leave their place in the document"""
    reply = latency(4)
    reply["source"] = NASTY[0] + NASTY[7]
    path, root = desk.draw(reply, [vm(100 + i, name, "0-3") for i, name in
                                   enumerate(NASTY)])
    allowed = {"svg", "title", "style", "defs", "pattern", "rect", "path", "text", "g",
               "use", "linearGradient", "stop", "image"}
    tags = {e.tag.replace(SVG, "") for e in root.iter()}
    check(tags <= allowed, "elements: %s", tags - allowed)
    check(not [k for e in root.iter() for k in e.attrib if k.startswith("on")], "handlers")
    check(all(v.startswith(("#", "data:image/png;")) for e in root.iter()
              for k, v in e.attrib.items() if k.endswith("href")), "a reference outside")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    check(not [c for c in text if c < " " and c != "\n" or c in "\x7f\x9b\u202e\ufffe\uffff"],
          "characters that are not for print")
    dom = desk.browser.dom(path)
    check(ERROR_PAGE not in dom, "an error page: %s", dom[:500])
    check("\u00e9\u6f22\u5b57\U0001f600" in dom and "<script" not in dom, "the browser sees something else")


def dark(desk):
    """the page is dark where the desktop is, the matrix is as it was"""
    path, root = desk.draw(latency(64))
    size = size_of(root)
    light, dim = (desk.browser.shot(path, *size, dark=d)[0] for d in (False, True))
    check(lightness(light.at(1, 1)) > 240000 and lightness(dim.at(1, 1)) < 60000,
          "background %s and %s", light.at(1, 1), dim.at(1, 1))
    check(colours_of(light, root, 64) == colours_of(dim, root, 64), "other colours")


if __name__ == "__main__":
    sys.exit(main([sizes, quick, no_result, bands, hostile, dark], Desk))
