# SPDX-License-Identifier: MIT
"""Chromium without a window: what a picture looks like and what it says.

A fresh profile each time, nothing is fetched; screenshots are read here, so that no
library for images is needed.
"""
import os
import shutil
import struct
import subprocess
import zlib

from runner import SLACK, Failed, Skip, check, now

NAMES = ("chromium", "chromium-browser", "google-chrome")
ERROR_PAGE = "This page contains the following errors"


class Image:
    """Pixels of a PNG file of 8 bits a channel, not interlaced."""

    def __init__(self, path):
        with open(path, "rb") as f:
            data = f.read()
        check(data[:8] == b"\x89PNG\r\n\x1a\n", "%s is no PNG", path)
        at, packed = 8, b""
        while at < len(data):
            size, kind = struct.unpack(">I4s", data[at:at + 8])
            body = data[at + 8:at + 8 + size]
            if kind == b"IHDR":
                self.width, self.height, depth, colour = struct.unpack(">IIBB", body[:10])
            elif kind == b"IDAT":
                packed += body
            at += 12 + size
        check(depth == 8 and colour in (2, 6), "unexpected kind of PNG")
        self._channels = 3 if colour == 2 else 4
        self._rows = self._unfilter(zlib.decompress(packed))

    def _unfilter(self, raw):
        """Undo the prediction of each row (RFC 2083, section 6)."""
        step, size = self._channels, self.width * self._channels
        above, rows = bytearray(size), []
        for y in range(self.height):
            kind = raw[y * (size + 1)]
            row = bytearray(raw[y * (size + 1) + 1:(y + 1) * (size + 1)])
            if kind == 2:
                row = bytearray((a + b) & 255 for a, b in zip(row, above))
            elif kind:
                for i in range(size):
                    left = row[i - step] if i >= step else 0
                    corner = above[i - step] if i >= step else 0
                    row[i] = (row[i] + self._guess(kind, left, above[i], corner)) & 255
            rows.append(row)
            above = row
        return rows

    @staticmethod
    def _guess(kind, left, up, corner):
        if kind == 1:
            return left
        if kind == 3:
            return (left + up) // 2
        a, b, c = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
        return left if a <= b and a <= c else up if b <= c else corner

    def at(self, x, y):
        """(red, green, blue)"""
        x = int(x) * self._channels
        return tuple(self._rows[int(y)][x:x + 3])


class Browser:
    """Runs Chromium on files; work is a directory for its profile and pictures."""

    def __init__(self, work):
        self._program = next(filter(None, map(shutil.which, NAMES)), None)
        if not self._program:
            raise Skip("no Chromium (Debian package chromium)")
        self._work = work
        self._runs = 0

    def _run(self, path, *options):
        self._runs += 1
        profile = os.path.join(self._work, "profile%d" % self._runs)
        # Its sandbox needs rights that a test's surroundings may not give; what is
        # opened is our own.
        command = [self._program, "--headless", "--no-sandbox", "--disable-gpu",
                   "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
                   "--disable-background-networking", "--user-data-dir=" + profile]
        began = now()
        try:
            p = subprocess.run(command + list(options) + ["file://" + path],
                               stdin=subprocess.DEVNULL, capture_output=True,
                               timeout=60 * SLACK, env=dict(os.environ, HOME=self._work))
        except subprocess.TimeoutExpired:
            raise Failed("Chromium did not end on %s" % path)
        finally:
            shutil.rmtree(profile, ignore_errors=True)
        check(p.returncode == 0, "Chromium: status %d, %s", p.returncode,
              p.stderr.decode(errors="replace")[-500:])
        return p.stdout.decode(errors="replace"), now() - began

    def shot(self, path, width, height, dark=False):
        """(Image, the document as the browser understood it)"""
        png = os.path.join(self._work, "shot%d.png" % self._runs)
        options = ["--screenshot=" + png, "--window-size=%d,%d" % (width, height),
                   "--dump-dom"]
        if dark:
            options.append("--blink-settings=preferredColorScheme=0")
        dom = self._run(path, *options)[0]
        return Image(png), dom

    def dom(self, path):
        """The document as the browser understood it."""
        return self._run(path, "--dump-dom")[0]

    def seconds(self, path, width, height):
        """How long the browser takes to show it, start and end included."""
        png = os.path.join(self._work, "timed.png")
        return self._run(path, "--screenshot=" + png,
                         "--window-size=%d,%d" % (width, height))[1]
