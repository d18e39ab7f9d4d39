"""What to do after a run: commands and advice, from its plan and from what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from markupsafe import Markup

from proxytune.contract.names import FILES, LIMITS, REPORT_SLOTS
from proxytune.contract.plan_file import models_of
from proxytune.contract.types.metrics import Metrics
from proxytune.contract.types.plan import Plan
from proxytune.evaluation.verdict import learnt, stand_ins
from proxytune.metrics.scores import Score

LONGER = {"draft": "standard", "standard": "best"}
HALF = 0.5
"""The share of proxies in a context that docs/reference/subject.md names for photos that show few."""


def next_steps(plan: Plan, metrics: Metrics, photos: int) -> dict[str, Any]:
    """What the template next.html shows.

    Args:
        plan: of the run.
        metrics: as `build_metrics` returns them.
        photos: how many references there were.

    Returns:
        `prompt` and `filled` (a caption, with a place for the token word and with the word in it), `archives`
        (role -> key of the adapter's archive, with the slot for its job), `stand_ins` (whether no advice can
        be had from the scores) and `onward` (title, text and setting of each advice).
    """
    caption = f"a photo of a {{token}} {plan['category']} at sunset"
    return {
        "prompt": caption,
        "filled": caption.replace("{token}", plan["tokenWord"]),
        "archives": {
            role: Markup("runs/{}/jobs/{}/output/{}").format(  # noqa: S704 - format escapes
                plan["runId"],
                Markup(REPORT_SLOTS.job.format(stage=stage)),  # noqa: S704 - our own text
                FILES.adapter_archive,
            )
            for role, stage in (("teacher", "teach"), ("student", "learn"))
        },
        "stand_ins": bool(stand_ins(models_of(plan))),
        "onward": list(_onward(plan, metrics, photos)),
    }


def _onward(plan: Plan, metrics: Metrics, photos: int) -> Iterator[dict[str, str]]:
    """Advice in the order in which it is to be tried; nothing that the run did already."""
    teacher, student = learnt({row["name"]: Score(**row["dino"]) for row in metrics["rows"] if row["dino"]})
    if not teacher and photos < LIMITS.photos:
        yield {
            "title": "More photos",
            "text": f"The teacher saw {photos}. Others from other sides, in other light, before other "
            f"backgrounds are what it can learn from; up to {LIMITS.photos}. "
            "Of each, this says what is wrong:",
            "setting": "npx proxytune check DIR",
        }
    if plan["preset"] in LONGER:
        yield {
            "title": "A longer training",
            "text": "The next preset trains longer"
            + (" on more proxies" if plan["preset"] == "draft" else "")
            + ":",
            "setting": f"--preset {LONGER[plan['preset']]}",
        }
    elif not (teacher and student):
        yield _more_steps(plan, "learn" if teacher else "teach")
    if teacher and not student and plan["proxies"] < LIMITS.proxies:
        yield {
            "title": "More proxies",
            "text": f"The student learnt from {plan['proxies']}:",
            "setting": f"--proxies {min(LIMITS.proxies, 2 * plan['proxies'])}",
        }
    if teacher and not plan["request"].get("curation", False):
        yield {
            "title": "Curation",
            "text": "Where proxies miss the subject or repeat each other, such ones can be dropped:",
            "setting": "--curation",
        }
    if teacher and plan["proxiesInContext"] == 0:
        yield {
            "title": "Prompts that are not followed",
            "text": "Where pictures show the subject but not the place, half of the proxies can name one:",
            "setting": f"--set proxyContexts={HALF}",
        }


def _more_steps(plan: Plan, stage: Literal["teach", "learn"]) -> dict[str, str]:
    (steps,) = (
        job["hyperparameters"]["steps"]
        for job in plan["stages"]
        if job["kind"] == "training"
        and (job["hyperparameters"]["stage"] == "teach" or job["hyperparameters"]["stage"] == "learn")
        and job["stage"] == stage
    )
    return {
        "title": "A longer training",
        "text": f"This one had {steps} steps:",
        "setting": f"--set advanced.{stage}.steps={min(LIMITS.steps, 2 * steps)}",
    }
