"""The report: an HTML page that needs nothing but its own folder.

The page loads nothing from outside and runs no script but its own, which copies commands and enlarges images;
its content security policy enforces that, and everything is readable without script. Time and
cost are known only after the evaluation, so the page has a slot for the stages, which the publish stage fills
with a table row per stage (columns: stage, instance, attempts, time, cost). The publish stage also puts the
names of the jobs that wrote the adapters into the slots of `next_steps`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from proxytune.contract.names import FILES, REPORT_SLOTS
from proxytune.contract.plan_file import curation_of, has_teacher, models_of, proxies_of, trains_on
from proxytune.contract.progress import replace_file
from proxytune.contract.types.metrics import Metrics
from proxytune.contract.types.plan import Plan
from proxytune.evaluation.likeness import likeness_of
from proxytune.evaluation.pictures import ScoredPicture, ShownPhoto
from proxytune.evaluation.report.by_prompt import prompt_map
from proxytune.evaluation.report.curation import ShownCuration, new_curve, reasons_table
from proxytune.evaluation.report.facts import licence_lines, planned_stages, settings
from proxytune.evaluation.report.likeness import comparisons, likeness_table
from proxytune.evaluation.report.next_steps import next_steps
from proxytune.evaluation.report.photo_warnings import PhotoWarning
from proxytune.evaluation.report.protocol import EncoderInputs, protocol
from proxytune.evaluation.report.scores import TRAINED_ON, exact_table, score_table, shares_kept
from proxytune.evaluation.validation import Validation, curves
from proxytune.evaluation.verdict import stand_ins

TEMPLATES = Path(__file__).parent / "templates"
EXTREMES = 4
"""Number of the best, and of the worst images that are shown."""


def write_report(
    plan: Plan,
    metrics: Metrics,
    references: Sequence[ShownPhoto],
    pictures: Sequence[ScoredPicture],
    report: Path,
    inputs: EncoderInputs,
    validation: Validation | None = None,
    curation: ShownCuration | None = None,
    warnings: Sequence[PhotoWarning] = (),
    losses: Sequence[dict[str, Any]] = (),
) -> Path:
    """Write index.html; the files of the images and the metrics are in the folder already.

    Args:
        plan: of the run.
        metrics: as `build_metrics` returns them.
        references: all of them; a single one has no score, but is shown.
        pictures: all scored images.
        report: the report's folder.
        inputs: of the encoders.
        validation: of the teacher, if the run has one.
        curation: if the run has one.
        warnings: of the inspection.
        losses: curves of the trainings.

    Returns:
        The page's file.
    """
    page = report / FILES.report_page
    replace_file(
        page,
        render(plan, metrics, references, pictures, inputs, validation, curation, warnings, losses).encode(),
    )
    return page


def render(
    plan: Plan,
    metrics: Metrics,
    references: Sequence[ShownPhoto],
    pictures: Sequence[ScoredPicture],
    inputs: EncoderInputs,
    validation: Validation | None = None,
    curation: ShownCuration | None = None,
    warnings: Sequence[PhotoWarning] = (),
    losses: Sequence[dict[str, Any]] = (),
) -> str:
    """Render the page."""
    rows = _by_row(pictures)
    prompts = side_by_side(plan, rows)
    script = (TEMPLATES / "report.js").read_text("utf-8")
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
        script=Markup(script),  # noqa: S704 - our own file
        script_hash=_policy_hash(script),
        stages_slot=Markup(REPORT_SLOTS.stages),
        plan=plan,
        metrics=metrics,
        stand_ins=stand_ins(models_of(plan)),
        references=references,
        warnings=warnings,
        losses=losses,
        table=score_table(metrics["rows"], trains_on(plan)),
        exact=exact_table(metrics["rows"], trains_on(plan)),
        validation=validation,
        curves=[] if validation is None else curves(validation.record),
        kept=shares_kept(metrics["rows"]),
        compared=comparisons(metrics["comparison"]),
        likeness=likeness_table(metrics["rows"]),
        by_prompt=prompt_map(plan, rows, likeness_of(metrics["rows"])),
        prompts=prompts,
        # Of the first prompt and seed, so that nobody can have picked them.
        first=next((entry for entry in prompts if entry["pairs"]), None),
        extremes=[
            {"row": name, "best": _best(rows[name]), "worst": _best(rows[name], worst=True)}
            for name in ("student", "teacher")
            if name in rows
        ],
        taught=has_teacher(plan),
        method_title=plan["method"]["title"] if "method" in plan else "",
        student_tuned=TRAINED_ON[trains_on(plan)],
        **_variations(plan),
        proxies=rows.get("proxies", []),
        protocol=protocol(plan, inputs, len(references)),
        evaluation_list=plan["prompts"].get("evaluationList"),
        **_curation(plan, curation),
        planned=planned_stages(plan),
        settings=settings(plan),
        licences=licence_lines(plan),
        next=next_steps(plan, metrics, len(references)),
    )


def _variations(plan: Plan) -> dict[str, Any]:
    """The template's input about the variations of the photos that a student was trained on, if it was."""
    for stage in plan["stages"]:
        if stage["kind"] == "training" and stage["hyperparameters"]["stage"] == "learn":
            count = stage["hyperparameters"].get("proxies") if trains_on(plan) == "augmented" else None
            return {"variations": count, "mirrored": stage["hyperparameters"].get("mirror", True)}
    raise ValueError(f"the plan of {plan['runId']} has no stage learn")


def _curation(plan: Plan, curation: ShownCuration | None) -> dict[str, Any]:
    """The template's input about the curation, and the number of proxies that the student was trained on."""
    if curation is None:
        return {"curation": None, "trained_on": proxies_of(plan)}
    asked = curation_of(plan)["adaptive"]
    return {
        "curation": curation,
        "trained_on": curation.record["kept"],
        "reasons": reasons_table(curation.record),
        "curve": None if asked is None else new_curve(curation.record, asked["newShare"]),
    }


def side_by_side(plan: Plan, rows: Mapping[str, Sequence[ScoredPicture]]) -> list[dict[str, Any]]:
    """For every evaluation prompt its seeds, and for every seed the images of all rows.

    A missing image (a prompt with fewer seeds in one row) is None.
    """
    by_request = {
        (scored.picture.prompt, scored.picture.seed, name): scored
        for name in ("teacher", "student", "teacher-base", "student-base")
        for scored in rows.get(name, [])
    }
    prompts = []
    for entry in plan["prompts"]["evaluation"]:
        prompt = entry["prompt"]
        seeds = sorted({seed for (of, seed, _) in by_request if of == prompt and seed is not None})
        pairs = [
            {"seed": seed}
            | {
                side: {
                    "tuned": by_request.get((prompt, seed, side)),
                    "base": by_request.get((prompt, seed, f"{side}-base")),
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
    # No image is among both the best and the worst.
    return ranked[: min(EXTREMES, len(ranked) // 2 or 1)]


def _policy_hash(script: str) -> str:
    """The hash by which a content security policy allows this script and no other."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def _by_row(pictures: Sequence[ScoredPicture]) -> dict[str, list[ScoredPicture]]:
    rows: dict[str, list[ScoredPicture]] = {}
    for scored in sorted(pictures, key=lambda scored: scored.picture.index):
        rows.setdefault(scored.picture.row, []).append(scored)
    return rows
