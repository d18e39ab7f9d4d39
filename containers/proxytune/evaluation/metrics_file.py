"""metrics.json and metrics.csv: the same numbers for programs and for spreadsheets.

metrics.csv has these columns:

    kind      `mean` (one line per row) or `picture` (one line per image)
    row       photos, teacher-base, student-base, proxies, teacher, student
    index     of an image: its index within its stage; of a photo: its position among the references
    prompt    of an image: that it was generated from; empty for photos
    seed      of an image: that it was generated with; empty for photos
    file      of an image: relative to the report's folder
    pictures  of a mean: the number of images
    clip_i, clip_t, dino                the score, or the mean of the scores
    <score>_low, <score>_high           of a mean: ends of its 95 % bootstrap interval; empty for one image
    nearest                             of an image: the position of the nearest reference by DINO
    nearest_dino                        the similarity to it, or the mean of these
    diversity                           1 minus DINO to the other images of the prompt, or the mean of these
    copies                              of a mean: the share of images that is nearer to a reference than any
                                        two references are to each other

in a run that is measured by MaSC, after these with their ends:

    masc_identity, masc_prompt          the scores, or their means; empty where there is none

in a run that is measured by DreamSim, after these with their ends:

    dreamsim                            the score, or the mean of the scores

and, where the request has the ground truth of its subject, after the others with their ends:

    palette, shape                      the exact measures of `exact`, or their means
    pattern, category, context          1 right, 0 wrong; of a mean: the share of right ones

A field that does not apply is empty.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from proxytune.contract import schema
from proxytune.contract.names import FILES
from proxytune.contract.plan_file import models_of
from proxytune.contract.progress import replace_file
from proxytune.contract.types.metrics import Metrics
from proxytune.contract.types.plan import Plan
from proxytune.evaluation.exact import EXACT
from proxytune.evaluation.likeness import likeness_of
from proxytune.evaluation.pictures import ScoredPicture
from proxytune.evaluation.rows import DREAMSIM, MASC, ROWS, SCORES, build_row, comparison
from proxytune.evaluation.verdict import verdict

LIKENESS = ("nearest_dino", "diversity")


def _with_ends(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{name}{end}" for name in names for end in ("", "_low", "_high"))


COLUMNS = (
    *("kind", "row", "index", "prompt", "seed", "file", "pictures"),
    *_with_ends((*SCORES, *LIKENESS)),
    *("nearest", "copies"),
)
EXACT_COLUMNS = _with_ends(EXACT)
MASC_COLUMNS = _with_ends(MASC)
DREAMSIM_COLUMNS = _with_ends((DREAMSIM,))


def build_metrics(
    plan: Plan,
    pictures: Sequence[ScoredPicture],
    evaluator: Mapping[str, Any],
    seed: int,
    extra: Mapping[str, Any] | None = None,
) -> Metrics:
    """Build the content of metrics.json, in the form of metrics.schema.json.

    Args:
        plan: of the run.
        pictures: all that were scored, in any order.
        evaluator: clip, dino, clip_sha256, dino_sha256, versions.
        seed: of the bootstrap.
        extra: fields of the schema that only some runs have.

    Raises:
        ValueError: the result does not fit the schema, which would be a bug.
    """
    ordered = sorted(pictures, key=lambda scored: (ROWS.index(scored.picture.row), scored.picture.index))
    members = {name: [scored for scored in ordered if scored.picture.row == name] for name in ROWS}
    between = max((scored.nearest[1] for scored in members["photos"]), default=None)
    rows = [build_row(name, members[name], seed, between) for name in ROWS if members[name]]
    compared = comparison(members["teacher"], members["student"], seed)
    metrics: Any = {
        "version": 1,
        "run": plan["runId"],
        "subject": plan["subject"],
        "category": plan["category"],
        "rows": rows,
        "pictures": [_picture(scored) for scored in ordered],
        "comparison": {
            name: None if difference is None else asdict(difference) for name, difference in compared.items()
        },
        "verdict": verdict(likeness_of(rows), compared, models_of(plan), members),
        "evaluator": dict(evaluator),
        **(extra or {}),
        "stages": [],
    }
    wrong = schema.check("metrics", metrics)
    if wrong is not None:
        raise ValueError(f"the metrics do not fit their schema: {wrong}")
    checked: Metrics = metrics
    return checked


def write_metrics(metrics: Metrics, report: Path) -> None:
    """Write metrics.json and metrics.csv into the report's folder, each atomically."""
    replace_file(report / FILES.metrics, (json.dumps(metrics, indent=1, ensure_ascii=False) + "\n").encode())
    replace_file(report / "metrics.csv", as_csv(metrics).encode())


def as_csv(metrics: Metrics) -> str:
    """Format the numbers of metrics.json as a table; the columns are described at the top of this file."""
    text = io.StringIO()
    has_exact = any("exact" in row for row in metrics["rows"])
    has_masc = any("masc_identity" in row for row in metrics["rows"])
    has_dreamsim = any(DREAMSIM in row for row in metrics["rows"])
    columns = (
        COLUMNS
        + (MASC_COLUMNS if has_masc else ())
        + (DREAMSIM_COLUMNS if has_dreamsim else ())
        + (EXACT_COLUMNS if has_exact else ())
    )
    table = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    table.writeheader()
    for row in metrics["rows"]:
        line = {"kind": "mean", "row": row["name"], "pictures": row["pictures"], "copies": row["copies"]}
        ends = _ends(row, (*SCORES, *LIKENESS, *MASC, DREAMSIM)) | _ends(row.get("exact", {}), EXACT)
        table.writerow(_without_none(line | ends))
    for picture in metrics["pictures"]:
        fields = {key: value for key, value in picture.items() if key != "exact"}
        right = {
            key: int(value) if isinstance(value, bool) else value
            for key, value in picture.get("exact", {}).items()
        }
        table.writerow({"kind": "picture", **fields, **right})
    return text.getvalue()


def _ends(means: Mapping[str, Any], names: Sequence[str]) -> dict[str, float]:
    """The means of a row and the ends of their intervals, under the names of the columns."""
    return {
        f"{name}{column}": means[name][end]
        for name in names
        if means.get(name) is not None
        for column, end in (("", "mean"), ("_low", "low"), ("_high", "high"))
    }


def _without_none(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}


def _picture(scored: ScoredPicture) -> dict[str, Any]:
    picture = scored.picture
    exact = {} if scored.exact is None else {"exact": asdict(scored.exact)}
    masc = {} if scored.masc is None else {name: getattr(scored, name) for name in MASC}
    dreamsim = {} if scored.dreamsim is None else {DREAMSIM: scored.dreamsim}
    return {
        "row": picture.row,
        "index": picture.index,
        "prompt": picture.prompt,
        "seed": picture.seed,
        "file": scored.view.file,
        "clip_i": scored.clip_i,
        "clip_t": scored.clip_t,
        "dino": scored.dino,
        **masc,
        **dreamsim,
        "nearest": scored.nearest[0],
        "nearest_dino": scored.nearest[1],
        "diversity": scored.diversity,
        **exact,
    }
