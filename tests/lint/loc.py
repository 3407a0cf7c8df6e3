# SPDX-License-Identifier: MIT
"""Lines of code per folder: files, lines that hold code, comment lines and their share."""

import sys
from collections import defaultdict

from lintlib import Tree


def count(text):
    """(lines with code, lines with only comment)."""
    code = comment = 0
    inside = False
    for line in (raw.strip() for raw in text.split("\n")):
        if not line:
            continue
        if inside or line.startswith(("/*", "//", "#!")):
            comment += 1
            inside = (inside or line.startswith("/*")) and "*/" not in line
        else:
            code += 1
    return code, comment


def main():
    tree = Tree(sys.argv[1], ".")
    sums = defaultdict(lambda: [0, 0, 0])
    for path in tree.c_files():
        code, comment = count(tree.text(path))
        for name in (str(path.parent), f"{path.parts[0]} in all"):
            sums[name] = [a + b for a, b in zip(sums[name], (1, code, comment))]
    print(f"{'folder':<16} {'files':>6} {'code':>7} {'comment':>8}")
    for name, (files, code, comment) in sorted(sums.items()):
        share = 100 * comment / max(code + comment, 1)
        print(f"{name:<16} {files:>6} {code:>7} {comment:>8} {share:4.0f} %")


main()
