"""Fills the tables of the documents from committed samples: `make tables`. With --check it writes nothing and names what differs.

In a document a table stands between `<!-- table: KIND WORD... -->` and `<!-- end -->`; what is between them is made by the function
that KINDS names. The files results/NAME.md are made whole."""

import difflib
import os
import shlex
import sys
from pathlib import Path

sys.dont_write_bytecode = True

import batched
import executions
import h100
import phases
import side_by_side
import start
import table
import targets

KINDS = {
    "peers": side_by_side.write,
    "summary": side_by_side.summary,
    "bandwidth": side_by_side.bandwidth,
    "targets": targets.write,
    "own-targets": targets.own,
    "start": start.write,
    "batched": batched.write,
    "phases": phases.write,
    "h100": h100.write,
    "executions": executions.write,
    "claims": executions.claims,
    "engines": executions.engines,
}
BEGIN, END = "<!-- table: ", "<!-- end -->"


def filled(path):
    """The document as it should be."""
    text = path.read_text("utf-8")
    out, lines = [], iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        out.append(line)
        if not line.startswith(BEGIN):
            continue
        kind, *words = shlex.split(line.removeprefix(BEGIN).removesuffix("-->"))
        if kind not in KINDS:
            sys.exit(f"error: {path}:{number}: expected one of {', '.join(KINDS)}, found `{kind}`")
        if not any(following == END for _, following in lines):
            sys.exit(f"error: {path}:{number}: this table has no end\nhint: add a line `{END}`")
        to = lambda file: os.path.relpath(file, path.parent)
        try:
            made = KINDS[kind](to, *words)
        except (OSError, KeyError, TypeError, ValueError) as error:
            sys.exit(f"error: {path}:{number}: {type(error).__name__}: {error}\nhint: which samples or claims does this table name?")
        out += ["", *made, "", END]
    return "\n".join(out) + "\n"


def documents():
    """Every file with tables, and what should be in it."""
    root = executions.ROOT
    for path in [root / "README.md", *sorted((root / "docs").rglob("*.md")), root / "benches/peers/README.md"]:
        yield path, filled(path)
    for about in sorted(table.RESULTS.glob("*.json")):
        yield about.with_suffix(".md"), table.write(*table.load(about.stem))


def main(check):
    stale = []
    for path, wanted in documents():
        found = path.read_text("utf-8") if path.exists() else ""
        if found != wanted and check:
            name = os.path.relpath(path, executions.ROOT)
            stale.append(name)
            print("\n".join(difflib.unified_diff(found.splitlines(), wanted.splitlines(), name, "from the samples", lineterm="", n=0)))
        elif found != wanted:
            path.write_text(wanted, "utf-8")
            print(f"written: {os.path.relpath(path, executions.ROOT)}")
    if stale:
        sys.exit(f"error: {', '.join(stale)}: not what the committed samples give\nhint: make tables")


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit("usage: documents.py [--check]")
    main(check=bool(sys.argv[1:]))
