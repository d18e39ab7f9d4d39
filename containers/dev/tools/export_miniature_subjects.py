"""Write subjects of the miniature as photo folders: `... export_miniature_subjects.py --out DIR`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dev.drawn_subjects.export import export_subject
from dev.drawn_subjects.subjects import SUBJECTS, subject_named


def main(arguments: list[str]) -> int:
    """Write the requested subjects; the return value is the exit code."""
    names = [subject.name for subject in SUBJECTS]
    parser = argparse.ArgumentParser(description="Write miniature subjects as a user's photo folders.")
    parser.add_argument("--out", type=Path, required=True, help="folder that gets one folder a subject")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    given = parser.parse_args(arguments)
    for name in given.only:
        export_subject(subject_named(name), given.out / name)
        print(given.out / name, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
