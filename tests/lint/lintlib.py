# SPDX-License-Identifier: MIT
"""What the lints share: the files of the project, exceptions, and the way each lint first
proves on a broken copy that it sees what it is there to see.

A lint is a script that calls main(check, plants): check(tree) returns findings, one line
each; a plant breaks a copy of the tree, and check must then say something that holds the
plant's words. A lint that looks at nothing fails.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SKIP = 77
FOLDERS = ("base", "topo", "place", "conf", "host", "probe", "qmp", "vm", "act", "pve", "ctl",
           "cli", "daemon")
LIB_DIRS = ("src", "tests", "docs", "contrib", "m4", ".ci")
SOURCES = {".c", ".h", ".py", ".mk", ".md", ".json", ".conf"}
NOT_OURS = {"autom4te.cache", "build-aux", "__pycache__", ".deps", "build"}


class Tree:
    """A source tree and, for lints that look at objects, the build made from it."""

    def __init__(self, root, build):
        self.root = Path(root)
        self.build = Path(build)
        self.looked_at = 0
        self.planted = set()
        self._exceptions = None
        self._used = set()

    def files(self):
        """Every file that is written by hand, relative to the root, sorted."""
        found = [p for p in self.root.iterdir() if p.is_file() and by_hand(p)]
        for top in LIB_DIRS:
            for folder, dirs, names in os.walk(self.root / top):
                dirs[:] = [d for d in dirs if d not in NOT_OURS]
                found += [Path(folder) / n for n in names if by_hand(Path(folder) / n)]
        return sorted(p.relative_to(self.root) for p in found)

    def c_files(self, *suffixes):
        suffixes = suffixes or (".c", ".h")
        found = [p for p in self.files() if p.suffix in suffixes and p.parts[0] in ("src", "tests")]
        self.looked_at += len(found)
        return found

    def text(self, path):
        # not read_text(): it would hide carriage returns
        return (self.root / path).read_bytes().decode(errors="surrogateescape")

    def lines(self, path):
        return self.text(path).split("\n")

    def exceptions(self):
        """{(lint, subject)} of tests/lint/exceptions; each entry must give a reason."""
        if self._exceptions is None:
            self._exceptions = set()
            path = self.root / "tests/lint/exceptions"
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if not line.strip() or line.startswith("#"):
                    continue
                fields = line.split(None, 2)
                if len(fields) < 3:
                    raise SystemExit(f"{path}:{number}: LINT SUBJECT REASON expected")
                self._exceptions.add((fields[0], fields[1]))
        return self._exceptions

    def excepted(self, lint, subject):
        """Ask only when there is something to except. An entry that ends in a slash covers
        all below it."""
        above = [subject[:i + 1] for i, c in enumerate(subject) if c == "/"]
        hits = {(lint, s) for s in [subject, *above]} & self.exceptions()
        self._used |= hits
        return bool(hits)

    def unused_exceptions(self, lint):
        """Only in a clone: a tarball lacks files that some are for."""
        if not (self.root / ".git").exists():
            return []
        return [f"tests/lint/exceptions: not needed: {lint} {subject}"
                for name, subject in sorted(self.exceptions() - self._used) if name == lint]

    def symbols(self):
        """One Symbol for each line nm has of the archives (sysv format)."""
        found = []
        for folder in FOLDERS:
            archive = self.build / f"src/lib{folder}.a"
            if archive.exists():
                found += symbols_of(folder, archive)
        self.looked_at += len(found)
        return found


_symbols = {}


def symbols_of(folder, archive):
    """Those of one archive, which is read again only when it is another one."""
    stat = archive.stat()
    key = folder, stat.st_mtime_ns, stat.st_size
    if key not in _symbols:
        found, member = [], None
        for line in run([tool("NM"), "-f", "sysv", str(archive)]).splitlines():
            head = re.match(r"(?:Symbols from|Undefined symbols from) .*\[(.*)\]:$", line)
            if head:
                member = head.group(1)
                continue
            f = [x.strip() for x in line.split("|")]
            if len(f) == 7 and f[0] != "Name":
                found.append(Symbol(folder, stem_of(member), f[0], f[2], f[6]))
        _symbols[key] = found
    return _symbols[key]


class Symbol:
    """kind: nm's letter; section: empty for undefined ones."""

    def __init__(self, folder, stem, name, kind, section):
        self.folder, self.stem, self.name = folder, stem, name
        self.kind, self.section = kind, section

    def source(self):
        return f"src/{self.folder}/{self.stem}.c"

    def exported(self):
        return self.kind.isupper() and self.kind != "U"


def by_hand(path):
    """Not generated in an in-tree build, not an editor's."""
    name = path.name
    if name in (".git", "configure", "aclocal.m4", "config.h", "config.h.in", "config.log",
                "config.status", "Makefile", "Makefile.in", "stamp-h1", ".dirstamp"):
        return False
    if path.suffix in (".o", ".a", ".log", ".trs", ".pyc", ".xz", ".gz", ".d") or name.endswith("~"):
        return False
    if path.is_symlink() or not path.is_file():
        return False
    if path.suffix in SOURCES:
        return True
    with open(path, "rb") as f:
        return not f.read(12).startswith((b"\x7fELF", b"/* Made from"))


def tool(variable):
    """The program configure found, or the usual name when run by hand."""
    return os.environ.get(variable) or variable.lower().replace("_", "-")


def run(argv):
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout


def stem_of(member):
    """libqmp_a-frame.o (per-target flags) and frame.o are both frame."""
    return re.sub(r"^\w+_a-", "", member).removesuffix(".o")


_said = {}


def ask(tree, argv, files, most=0):
    """What a program prints about files of the tree, (stdout, stderr); it is asked once about
    the same. most: the highest exit status that is no failure."""
    key = tuple(argv), tuple((str(p), tree.text(p)) for p in files)
    if key not in _said:
        p = subprocess.run([*argv, *map(str, files)], cwd=tree.root, text=True, check=False,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if not 0 <= p.returncode <= most:
            raise SystemExit(f"{argv[0]}: status {p.returncode}: {p.stderr}")
        _said[key] = p.stdout, p.stderr
    return _said[key]


def plain_build():
    return os.environ.get("QMPIN_PLAIN", "yes") == "yes"


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIP)


def write(tree, path, text, mode="w"):
    """For plants: put text into a file of the copy."""
    tree.planted.add(Path(path))
    path = tree.root / path
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, mode, encoding="utf-8") as f:
        f.write(text)


def replace(tree, path, old, new):
    text = tree.text(path)
    assert old in text, f"{path} no longer holds {old!r}"
    write(tree, path, text.replace(old, new, 1))


def plant_object(tree, folder, stem, source):
    """Compile a source into the copy's library of that folder."""
    write(tree, f"src/{folder}/{stem}.c", source)
    build = tree.build / "src"
    build.mkdir(parents=True, exist_ok=True)
    obj = build / f"{stem}.o"
    cc = tool("CC").split()
    subprocess.run(cc + ["-O2", "-fPIE", "-w", "-c", "-o", str(obj),
                         str(tree.root / f"src/{folder}/{stem}.c")], check=True)
    subprocess.run([tool("AR"), "cr", str(build / f"lib{folder}.a"), str(obj)], check=True)


def copy_tree(tree, where):
    """A writable copy of what the lints look at."""
    copy = Tree(where / "source", where / "build")
    for path in tree.files():
        target = copy.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(tree.root / path, target)
        if os.access(tree.root / path, os.X_OK):
            target.chmod(0o755)
    (copy.build / "src").mkdir(parents=True)
    copy_archives(tree, copy)
    return copy


def copy_archives(tree, copy):
    for archive in (tree.build / "src").glob("lib*.a"):
        shutil.copy2(archive, copy.build / "src" / archive.name)


def dig_up(tree, copy):
    """What was planted into the copy is as it was."""
    for path in copy.planted:
        if (tree.root / path).exists():
            shutil.copyfile(tree.root / path, copy.root / path)
        else:
            (copy.root / path).unlink()
    if any(path.suffix == ".c" for path in copy.planted):
        for archive in (copy.build / "src").glob("lib*.a"):
            archive.unlink()
        copy_archives(tree, copy)
    copy.planted = set()
    copy._exceptions = None


def self_test(tree, check, plants):
    failures = []
    with tempfile.TemporaryDirectory(prefix="qmpin-lint-") as where:
        copy = copy_tree(tree, Path(where))
        before = set(check(copy))
        for plant in plants:
            words = plant(copy)
            copy._exceptions = None
            new = [f for f in check(copy) if f not in before]
            seen = any(all(w in f for w in words) for f in new)
            print(f"planted {plant.__name__}: {'seen' if seen else 'NOT SEEN'}")
            if not seen:
                failures.append(f"the lint does not see what {plant.__name__} planted; it says {new}")
            dig_up(tree, copy)
    return failures


def main(check, plants):
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    here = Path(__file__).resolve().parent.parent.parent
    parser.add_argument("--root", default=os.environ.get("QMPIN_SRC", here))
    parser.add_argument("--build", default=os.environ.get("QMPIN_BUILD", here / "build"))
    parser.add_argument("--no-self-test", action="store_true", help="only look at the tree")
    args = parser.parse_args()
    tree = Tree(args.root, args.build)

    failures = [] if args.no_self_test else self_test(tree, check, plants)
    tree.looked_at = 0
    findings = check(tree)
    if plain_build():
        findings += tree.unused_exceptions(Path(sys.argv[0]).name)
    for line in findings:
        print(line)
    if tree.looked_at == 0:
        failures.append("nothing was looked at: wrong directory?")
    for line in failures:
        print(line, file=sys.stderr)
    if not findings and not failures:
        print(f"clean: looked at {tree.looked_at}")
    sys.exit(1 if findings or failures else 0)
