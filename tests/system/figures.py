# SPDX-License-Identifier: MIT
"""Numbers of benchmarks: one JSON array of {name, unit, value, ratio, to} for all of them.

ratio is the value divided by that of an alternative in the same run, which to names; both
are null where there is none.
"""
import json


class Figures:
    def __init__(self):
        self.rows = []

    def add(self, name, value, unit, ratio=None, to=None):
        self.rows.append({"name": name, "unit": unit, "value": round(value, 4),
                          "ratio": None if ratio is None else round(ratio, 4), "to": to})

    def save(self, path):
        """Nothing without a path."""
        if path:
            with open(path, "w") as f:
                json.dump(self.rows, f, indent=1)
                f.write("\n")


def load(path):
    with open(path) as f:
        return json.load(f)
