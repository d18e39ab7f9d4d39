"""Count the memory of a training step of every recipe of the catalogue, without any weights or GPU.

    python containers/dev/tools/activation_memory.py            compare with the table that is checked in
    python containers/dev/tools/activation_memory.py --write    measure all, some minutes, and write the table

Both print the table as docs/performance.md has it. Run it after a change of a recipe, a network or a library.
"""

from __future__ import annotations

import argparse
import os
import sys

# Before the libraries are loaded: their messages about loading are noise here.
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")

from dev.full_size.activations import Row, markdown, measure, names, read_table, write_table


def main(arguments: list[str]) -> int:
    """Measure, then compare or write; the return value is the exit code."""
    parser = argparse.ArgumentParser(description="Count the memory of every recipe's training step.")
    parser.add_argument("--write", action="store_true", help="write the table instead of comparing with it")
    given = parser.parse_args(arguments)
    rows = []
    for model, recipe in names():
        rows.append(measure(model, recipe))
        print(f"{rows[-1].name} measured", file=sys.stderr, flush=True)
    print(markdown(rows))
    if given.write:
        write_table(rows)
        return 0
    changed = differences(rows, read_table())
    print("\n".join(changed) or "as in the table", file=sys.stderr)
    return 1 if changed else 0


def differences(measured: list[Row], table: list[Row]) -> list[str]:
    """List the rows that differ from the table, a line each."""
    expected = {row.name: row for row in table}
    changed = [row for row in measured if row != expected.get(row.name)]
    lines = [f"{row.name} is {row}, the table has {expected.get(row.name)}" for row in changed]
    return [*lines, *(f"{name} has no recipe" for name in expected.keys() - {row.name for row in measured})]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
