"""How faithful the miniature's models become: `python containers/dev/bench/miniature.py [--use tuning]`.

Takes subjects of one use through the jobs of the road and prints the exact measures of every row. Settings
are to be chosen on the subjects for `tuning` only.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

from PIL import Image

from dev.customization import Customization, Drawn, Road
from dev.drawn_subjects.subjects import Subject, subject_named, subjects_for
from proxytune.drawn_world.ground_truth.measures import Exact, measure
from proxytune.drawn_world.render import SIZE

REPOSITORY = Path(__file__).parents[3]
CATALOGUE = REPOSITORY / "containers" / "dev" / "models.json"
MODELS = REPOSITORY / "containers" / "models" / "miniature"
ROWS = ("teacher", "student", "teacher-base", "student-base")


def main(arguments: list[str]) -> int:
    """Customize every subject and print its rows, then their mean; the return value is the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--use", choices=("demo", "tuning", "held-back"), default="tuning")
    parser.add_argument("--subjects", nargs="+", help="names, instead of all of a use")
    parser.add_argument("--preset", choices=("draft", "standard", "best"), default="standard")
    parser.add_argument("--proxies", type=int, default=150)
    parser.add_argument("--in-context", type=float, default=0.5, help="share of proxies that name a context")
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="ROLE.SETTING=JSON", help="other than the recipe's"
    )
    parser.add_argument("--models", type=Path, default=MODELS)
    parser.add_argument("--pictures", type=Path, help="folder for a sheet of each subject's pictures")
    given = parser.parse_args(arguments)
    settings = Customization(
        teacher=recipe("teacher", given.preset, given.set),
        student=recipe("student", given.preset, given.set),
        proxies=given.proxies,
        in_context=given.in_context,
    )
    subjects = [subject_named(name) for name in given.subjects] if given.subjects else subjects_for(given.use)
    print(f"{'':32}{'palette':>9}{'shape':>8}{'pattern':>9}{'category':>10}{'context':>9}")
    totals: dict[str, list[Exact]] = {row: [] for row in ROWS}
    for subject in subjects:
        began = time.monotonic()
        found = customize(subject, settings, given.models)
        for row in ROWS:
            scores = measure(found[row].pictures, subject.appearance, found[row].contexts)
            totals[row] += scores
            print(line(f"{subject.name} {row}", scores), flush=True)
        print(f"{subject.name}: {time.monotonic() - began:.0f} s", flush=True)
        if given.pictures:
            given.pictures.mkdir(parents=True, exist_ok=True)
            sheet(subject, found).save(given.pictures / f"{subject.name}.png")
    for row, scores in totals.items():
        print(line(f"all {row}", scores))
    return 0


def recipe(role: str, preset: str, changes: list[str]) -> dict[str, Any]:
    """The catalogue's recipe of the miniature's model in a role, with the changes meant for it."""
    model = {"teacher": "sdxl-miniature", "student": "llamagen-miniature"}[role]
    found: dict[str, Any] = json.loads(CATALOGUE.read_text("utf-8"))[model]["recipes"][preset]
    for change in changes:
        place, _, value = change.partition("=")
        owner, *path = place.split(".")
        if owner == role:
            inner = found
            for name in path[:-1]:
                inner = inner[name]
            inner[path[-1]] = json.loads(value)
    return found


def customize(subject: Subject, settings: Customization, models: Path) -> dict[str, Drawn]:
    """The subject's pictures of every row."""
    with tempfile.TemporaryDirectory() as work:
        return Road(models, Path(work), subject, settings).run()


def line(name: str, scores: list[Exact]) -> str:
    """Means of a row."""
    columns: tuple[tuple[str, list[float]], ...] = (
        ("9.1f", [one.palette for one in scores]),
        ("8.2f", [one.shape for one in scores]),
        ("9.2f", [float(one.pattern) for one in scores]),
        ("10.2f", [float(one.category) for one in scores]),
        ("9.2f", [float(bool(one.context)) for one in scores]),
    )
    return f"{name:32}" + "".join(format(sum(values) / len(values), form) for form, values in columns)


def sheet(subject: Subject, found: dict[str, Drawn], zoom: int = 3) -> Image.Image:
    """References above, then every row's pictures."""
    references = [Image.fromarray(picture.pixels) for picture in subject.references()]
    lines = [references, *(list(found[row].pictures) for row in ROWS)]
    side = SIZE * zoom
    whole = Image.new("RGB", (side * max(map(len, lines)), side * len(lines)), "white")
    for row, pictures in enumerate(lines):
        for column, picture in enumerate(pictures):
            whole.paste(picture.resize((side, side), Image.Resampling.NEAREST), (column * side, row * side))
    return whole


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
