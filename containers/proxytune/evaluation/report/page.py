"""The report: one HTML page that needs nothing but its own folder.

The page holds no script and asks for nothing from outside; its content security policy enforces that.
It shows the slot for the stages: what the run took is known only after the evaluation, so the
publish stage puts one table row a stage there (columns: stage, instance, attempts, time, cost). It also puts
the names of the jobs that made the adapters into the slots of `next_steps`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from proxytune.contract.names import FILES, REPORT_SLOTS
from proxytune.contract.plan_file import curation_of, models_of
from proxytune.contract.progress import replace_file
from proxytune.contract.types.metrics import Metrics
from proxytune.contract.types.plan import Plan
from proxytune.evaluation.development import Development, curves
from proxytune.evaluation.pictures import ScoredPicture, View
from proxytune.evaluation.report.curation import Curated, new_curve, reasons_table
from proxytune.evaluation.report.facts import licence_lines, planned_stages, settings
from proxytune.evaluation.report.next_steps import next_steps
from proxytune.evaluation.report.scores import exact_table, score_table, shares_kept
from proxytune.evaluation.verdict import stand_ins

TEMPLATES = Path(__file__).parent / "templates"
EXTREMES = 4
"""How many of the best and of the worst pictures are shown."""


def write_report(
    plan: Plan,
    metrics: Metrics,
    references: Sequence[View],
    pictures: Sequence[ScoredPicture],
    report: Path,
    development: Development | None = None,
    curated: Curated | None = None,
) -> Path:
    """Write index.html; the pictures' files and the metrics already lie in the folder.

    Args:
        plan: of the run.
        metrics: as `build_metrics` returns them.
        references: all of them; a single one has no score, but is shown.
        pictures: all that were scored.
        report: the report's folder.
        development: the teacher's, where there were samples along the way.
        curated: the curation, where the run has one.

    Returns:
        The page's file.
    """
    page = report / FILES.report_page
    replace_file(page, render(plan, metrics, references, pictures, development, curated).encode())
    return page


def render(
    plan: Plan,
    metrics: Metrics,
    references: Sequence[View],
    pictures: Sequence[ScoredPicture],
    development: Development | None = None,
    curated: Curated | None = None,
) -> str:
    """The page's text."""
    rows = _by_row(pictures)
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        # Subjects, prompts and titles come from the user: everything is escaped.
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(
        style=Markup((TEMPLATES / "report.css").read_text("utf-8")),  # noqa: S704 - our own file
        stages_slot=Markup(REPORT_SLOTS.stages),
        plan=plan,
        metrics=metrics,
        stand_ins=stand_ins(models_of(plan)),
        references=references,
        table=score_table(metrics["rows"]),
        exact=exact_table(metrics["rows"]),
        development=development,
        curves=[] if development is None else curves(development.record),
        kept=shares_kept(metrics["rows"]),
        prompts=side_by_side(plan, rows),
        extremes=[
            {"row": name, "best": _best(rows[name]), "worst": _best(rows[name], worst=True)}
            for name in ("student", "teacher")
        ],
        proxies=rows["proxies"],
        **_curation(plan, curated),
        planned=planned_stages(plan),
        settings=settings(plan),
        licences=licence_lines(plan),
        next=next_steps(plan, metrics, len(references)),
    )


def _curation(plan: Plan, curated: Curated | None) -> dict[str, Any]:
    """What the template says of a curation, and how many proxies the student learnt from."""
    if curated is None:
        return {"curated": None, "learnt": plan["proxies"]}
    asked = curation_of(plan)["adaptive"]
    return {
        "curated": curated,
        "learnt": curated.record["kept"],
        "reasons": reasons_table(curated.record),
        "curve": None if asked is None else new_curve(curated.record, asked["newShare"]),
    }


def side_by_side(plan: Plan, rows: Mapping[str, Sequence[ScoredPicture]]) -> list[dict[str, Any]]:
    """For every evaluation prompt its seeds, and for every seed the pictures of all four rows.

    A picture that is missing (a prompt with fewer seeds in one row) is None.
    """
    found = {
        (scored.picture.prompt, scored.picture.seed, name): scored
        for name in ("teacher", "student", "teacher-base", "student-base")
        for scored in rows.get(name, [])
    }
    prompts = []
    for entry in plan["prompts"]["evaluation"]:
        prompt = entry["prompt"]
        seeds = sorted({seed for (of, seed, _) in found if of == prompt and seed is not None})
        pairs = [
            {"seed": seed}
            | {
                side: {
                    "tuned": found.get((prompt, seed, side)),
                    "base": found.get((prompt, seed, f"{side}-base")),
                }
                for side in ("teacher", "student")
            }
            for seed in seeds
        ]
        prompts.append({"prompt": prompt, "plain": entry["plain"], "pairs": pairs})
    return prompts


def _best(pictures: Sequence[ScoredPicture], worst: bool = False) -> list[ScoredPicture]:
    ranked = sorted(
        pictures, key=lambda scored: (scored.dino if worst else -scored.dino, scored.picture.index)
    )
    # Of few pictures none is both among the best and among the worst.
    return ranked[: min(EXTREMES, len(ranked) // 2 or 1)]


def _by_row(pictures: Sequence[ScoredPicture]) -> dict[str, list[ScoredPicture]]:
    rows: dict[str, list[ScoredPicture]] = {}
    for scored in sorted(pictures, key=lambda scored: scored.picture.index):
        rows.setdefault(scored.picture.row, []).append(scored)
    return rows
