"""Measure how faithful the miniature's models become: `python containers/dev/bench/miniature.py`.

Runs the pipeline for the subjects of one use and prints the exact metrics of every row. Settings are to be
chosen on the subjects for `tuning` only: the recipes of the catalogue, or fields of the request with --set.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

from PIL import Image

from dev.drawn_subjects.export import export_subject
from dev.drawn_subjects.subjects import subject_named, subjects_for
from dev.pipeline import Pipeline
from proxytune.drawn_world.render import SIZE

MODELS = Path(__file__).parents[2] / "models" / "miniature"
ROWS = ("teacher", "student", "teacher-base", "student-base")
# Metrics of a row, and how their means are printed.
COLUMNS = {"palette": "9.1f", "shape": "8.2f", "pattern": "9.2f", "category": "10.2f", "context": "9.2f"}


def main(arguments: list[str]) -> int:
    """Customize every subject and print its rows, then their means; the return value is the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--use", choices=("demo", "tuning", "held-back"), default="tuning")
    parser.add_argument("--subjects", nargs="+", help="names, instead of all of a use")
    parser.add_argument("--preset", choices=("draft", "standard", "best"), default="standard")
    parser.add_argument("--proxies", type=int, default=150)
    parser.add_argument("--in-context", type=float, default=0.5, help="share of proxies that name a context")
    parser.add_argument(
        "--set",
        nargs="*",
        default=[],
        metavar="FIELD=JSON",
        help="other fields of subject.json, such as advanced.teach.steps=200",
    )
    parser.add_argument("--models", type=Path, default=MODELS)
    parser.add_argument("--pictures", type=Path, help="folder for a sheet of each subject's images")
    given = parser.parse_args(arguments)
    request = {"preset": given.preset, "proxies": given.proxies, "proxyContexts": given.in_context}
    for field in given.set:
        set_field(request, field)
    subjects = [subject_named(name) for name in given.subjects] if given.subjects else subjects_for(given.use)
    print(" " * 32 + "".join(f"{name:>{form.split('.')[0]}}" for name, form in COLUMNS.items()))
    measured: dict[str, list[dict[str, float]]] = {row: [] for row in ROWS}
    for subject in subjects:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            photos, work = Path(folder) / subject.name, Path(folder) / "work"
            export_subject(subject, photos, request)
            pipeline = Pipeline(given.models, work, photos)
            metrics = pipeline.run()
            if given.pictures:
                given.pictures.mkdir(parents=True, exist_ok=True)
                sheet(metrics, pipeline.page).save(given.pictures / f"{subject.name}.png")
        means = exact_means(metrics)
        for row in ROWS:
            measured[row].append(means[row])
            print(line(f"{subject.name} {row}", [means[row]]), flush=True)
        print(f"{subject.name}: {time.monotonic() - began:.0f} s", flush=True)
    for row, of_subjects in measured.items():
        print(line(f"all {row}", of_subjects))
    return 0


def set_field(request: dict[str, Any], field: str) -> None:
    """Set a field, `outer.inner=JSON`, in a request."""
    place, _, value = field.partition("=")
    *path, name = place.split(".")
    inner = request
    for outer in path:
        inner = inner.setdefault(outer, {})
    inner[name] = json.loads(value)


def exact_means(metrics: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Row to the mean of each exact metric."""
    return {
        row["name"]: {name: row["exact"][name]["mean"] for name in COLUMNS}
        for row in metrics["rows"]
        if row["name"] in ROWS
    }


def line(name: str, means: Sequence[dict[str, float]]) -> str:
    """Format the means of one or more subjects, which all have as many images."""
    columns = (sum(one[metric] for one in means) / len(means) for metric in COLUMNS)
    return f"{name:32}" + "".join(map(format, columns, COLUMNS.values()))


def sheet(metrics: dict[str, Any], page: Path, zoom: int = 3) -> Image.Image:
    """Arrange the references above the images of every row."""
    lines = [
        [Image.open(page / one["file"]) for one in metrics["pictures"] if one["row"] == row]
        for row in ("photos", *ROWS)
    ]
    return grid(lines, zoom)


def grid(lines: Sequence[Sequence[Image.Image]], zoom: int = 3) -> Image.Image:
    """Arrange lines of images, each enlarged as squares."""
    side = SIZE * zoom
    canvas = Image.new("RGB", (side * max(map(len, lines)), side * len(lines)), "white")
    for row, pictures in enumerate(lines):
        for column, picture in enumerate(pictures):
            canvas.paste(picture.resize((side, side), Image.Resampling.NEAREST), (column * side, row * side))
    return canvas


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
