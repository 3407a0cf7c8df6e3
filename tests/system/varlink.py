# SPDX-License-Identifier: MIT
"""A varlink client, and a check of replies against the interface's own description.

Source: varlink.org; on the wire, JSON objects are each ended by a NUL byte.
"""
import json
import re
import socket


class Refused(Exception):
    """The service answered with an error."""

    def __init__(self, name, parameters):
        super().__init__("%s %s" % (name, json.dumps(parameters)))
        self.name = name
        self.parameters = parameters


def connected(path, timeout):
    """A socket on which send() works."""
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(timeout)
    try:
        s.connect(path)
    except OSError:
        s.close()
        raise
    return s


def send(s, method, parameters=None, more=False):
    request = {"method": method, "parameters": parameters or {}}
    if more:
        request["more"] = True
    s.sendall(json.dumps(request).encode() + b"\0")


def call(path, method, parameters=None, more=False, timeout=5.0):
    """The reply's parameters; with more the list of all replies' parameters."""
    with connected(path, timeout) as s:
        send(s, method, parameters, more)
        replies, buffered = [], b""
        while True:
            while b"\0" not in buffered:
                data = s.recv(65536)
                if not data:
                    raise ConnectionError("varlink service hung up")
                buffered += data
            text, buffered = buffered.split(b"\0", 1)
            reply = json.loads(text)
            if "error" in reply:
                raise Refused(reply["error"], reply.get("parameters"))
            replies.append(reply.get("parameters", {}))
            if not reply.get("continues"):
                return replies if more else replies[0]


class Interface:
    """Types and methods of a .varlink file; mismatches() compares values with them."""

    def __init__(self, text):
        text = re.sub(r"#.*", "", text)
        self._tokens = re.findall(r"->|\[\]|\[string\]|[A-Za-z_][\w.]*|[(),:?]", text)
        self.types, self.methods = {}, {}
        while self._tokens:
            word = self._tokens.pop(0)
            if word == "interface":
                self.name = self._tokens.pop(0)
            elif word in ("type", "error"):
                name = self._tokens.pop(0)
                self.types[name] = self._type()
            elif word == "method":
                name = self._tokens.pop(0)
                taken = self._type()
                self._take("->")
                self.methods[name] = (taken, self._type())
            else:
                raise ValueError("unexpected %r in the interface" % word)

    def _take(self, word):
        if self._tokens.pop(0) != word:
            raise ValueError("%r expected in the interface" % word)

    def _type(self):
        word = self._tokens.pop(0)
        if word in ("?", "[]", "[string]"):
            return word, self._type()
        if word != "(":
            return "name", word
        fields, words = {}, []
        while self._tokens[0] != ")":
            name = self._tokens.pop(0)
            if self._tokens[0] == ":":
                self._take(":")
                fields[name] = self._type()
            else:
                words.append(name)
            if self._tokens[0] == ",":
                self._take(",")
        self._take(")")
        return ("enum", words) if words else ("struct", fields)

    def mismatches(self, name, value):
        """What in a reply to the method, or in a value of the type, is not as described:
        a list of sentences."""
        wrong = []
        kind = self.methods[name][1] if name in self.methods else self.types[name]
        self._compare(kind, value, name, wrong)
        return wrong

    def losses(self, old):
        """What clients that know the old interface would miss in this one, or what it
        would ask of them that they do not know of: a list of sentences."""
        wrong = []
        for name, kind in old.types.items():
            self._follow(kind, self.types.get(name), name, wrong)
        for name, kinds in old.methods.items():
            now = self.methods.get(name, (None, None))
            for i, what in enumerate(("parameters", "reply")):
                self._follow(kinds[i], now[i], "%s's %s" % (name, what), wrong)
        return wrong

    def _follow(self, old, now, where, wrong):
        if now is None or now[0] != old[0]:
            wrong.append("%s is gone" % where if now is None else
                         "%s is another kind of type" % where)
        elif old[0] == "struct":
            names = list(now[1])
            for i, (name, kind) in enumerate(old[1].items()):
                self._follow(kind, now[1].get(name), "%s.%s" % (where, name), wrong)
                if names[i:i + 1] != [name]:
                    wrong.append("%s.%s is in another place" % (where, name))
            wrong += ["%s.%s is new, but not optional" % (where, name)
                      for name in names[len(old[1]):] if now[1][name][0] != "?"]
        elif old[0] == "enum":
            wrong += ["%s is never %s" % (where, word) for word in old[1]
                      if word not in now[1]]
        elif old[0] == "name":
            if old[1] != now[1]:
                wrong.append("%s is no %s" % (where, old[1]))
        else:
            self._follow(old[1], now[1], where, wrong)

    def _compare(self, kind, value, where, wrong):
        what, of = kind
        if what == "?":
            if value is not None:
                self._compare(of, value, where, wrong)
        elif what == "[]":
            if not isinstance(value, list):
                wrong.append("%s is no array" % where)
                return
            for i, item in enumerate(value):
                self._compare(of, item, "%s[%d]" % (where, i), wrong)
        elif what == "[string]":
            if not isinstance(value, dict):
                wrong.append("%s is no object" % where)
                return
            for name, item in value.items():
                self._compare(of, item, "%s[%s]" % (where, name), wrong)
        elif what == "enum":
            if value not in of:
                wrong.append("%s is %r, not one of %s" % (where, value, ", ".join(of)))
        elif what == "struct":
            self._compare_struct(of, value, where, wrong)
        elif of in self.types:
            self._compare(self.types[of], value, where, wrong)
        else:
            good = {"bool": (bool,), "int": (int,), "float": (int, float),
                    "string": (str,)}[of]
            if not isinstance(value, good) or (of != "bool"
                                               and isinstance(value, bool)):
                wrong.append("%s is %r, no %s" % (where, value, of))

    def _compare_struct(self, fields, value, where, wrong):
        if not isinstance(value, dict):
            wrong.append("%s is no object" % where)
            return
        for name in value.keys() - fields.keys():
            wrong.append("%s.%s is not in the interface" % (where, name))
        for name, kind in fields.items():
            if name in value:
                self._compare(kind, value[name], "%s.%s" % (where, name), wrong)
            elif kind[0] != "?":
                wrong.append("%s.%s is missing" % (where, name))
