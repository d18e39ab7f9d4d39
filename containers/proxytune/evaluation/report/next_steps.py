"""The next steps after a run: commands and advice, from its plan and its scores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from markupsafe import Markup

from proxytune.contract.names import FILES, LIMITS, REPORT_SLOTS
from proxytune.contract.plan_file import has_teacher, models_of, proxies_of
from proxytune.contract.types.metrics import Metrics
from proxytune.contract.types.plan import Plan
from proxytune.evaluation.likeness import likeness_of
from proxytune.evaluation.verdict import stand_ins

LONGER = {"draft": "standard", "standard": "best"}
# Images of a prompt that give an interval.
ENOUGH = 4
HALF = 0.5
"""The share of proxies in a context that docs/reference/subject.md recommends for photos in few contexts."""


def next_steps(plan: Plan, metrics: Metrics, photos: int) -> dict[str, Any]:
    """Compute the input of the template next.html.

    Args:
        plan: of the run.
        metrics: as `build_metrics` returns them.
        photos: number of references.

    Returns:
        `prompt` and `filled` (a prompt, with a placeholder for the token word and with the word), `archives`
        (role -> key of the adapter's archive, with the slot for its job), `stand_ins` (True when the
        scores are meaningless) and `advice` (title, text and setting of each).
    """
    prompt = f"a photo of a {{token}} {plan['category']} at sunset"
    return {
        "prompt": prompt,
        "filled": prompt.replace("{token}", plan["tokenWord"]),
        "archives": {
            role: Markup("runs/{}/jobs/{}/output/{}").format(  # noqa: S704 - format escapes
                plan["runId"],
                Markup(REPORT_SLOTS.job.format(stage=stage)),  # noqa: S704 - our own text
                FILES.adapter_archive,
            )
            for role, stage in (("teacher", "teach"), ("student", "learn"))
            if role in plan["models"]
        },
        "stand_ins": bool(stand_ins(models_of(plan))),
        "advice": list(_advice(plan, metrics, photos)),
    }


def _advice(plan: Plan, metrics: Metrics, photos: int) -> Iterator[dict[str, str]]:
    """Advice in the order in which to try it, without what the run did already."""
    likeness = likeness_of(metrics["rows"])
    if not likeness.has_enough_images():
        yield {
            "title": "More samples",
            "text": "One image of each model shows nothing. Generate more of each prompt:",
            "setting": f"--set advanced.sample.picturesPerPrompt={ENOUGH}",
        }
        return
    if not has_teacher(plan):
        yield from _without_teacher(plan, likeness.learnt("student"))
        return
    teacher, student = likeness.learnt("teacher"), likeness.learnt("student")
    if not teacher and photos < LIMITS.photos:
        yield {
            "title": "More photos",
            "text": f"The teacher was trained on {photos}. Add photos from other sides, in other light and "
            f"with other backgrounds, up to {LIMITS.photos}. This command checks each of them:",
            "setting": "npx proxytune check DIR",
        }
    if plan["preset"] in LONGER:
        yield {
            "title": "Longer training",
            "text": "The next preset trains longer"
            + (" on more proxies" if plan["preset"] == "draft" else "")
            + ":",
            "setting": f"--preset {LONGER[plan['preset']]}",
        }
    elif not (teacher and student):
        yield _more_steps(plan, "learn" if teacher else "teach")
    if teacher and not student and proxies_of(plan) < LIMITS.proxies:
        yield {
            "title": "More proxies",
            "text": f"The student was trained on {proxies_of(plan)}:",
            "setting": f"--proxies {min(LIMITS.proxies, 2 * proxies_of(plan))}",
        }
    if teacher and not plan["request"].get("curation", False):
        yield {
            "title": "Curation",
            "text": "If proxies miss the subject or repeat each other, the curation drops them:",
            "setting": "--curation",
        }
    if teacher and plan["proxiesInContext"] == 0:
        yield {
            "title": "Proxies in contexts",
            "text": "If images show the subject but not the place, generate half of the proxies in contexts:",
            "setting": f"--set proxyContexts={HALF}",
        }


def _without_teacher(plan: Plan, learnt: bool) -> Iterator[dict[str, str]]:
    yield {
        "title": "Proxies" if learnt else "Proxies instead of photos",
        "text": "Compare with a student that is tuned on a teacher’s proxies:"
        if learnt
        else "So few images often break an autoregressive model. A teacher’s proxies are many:",
        "setting": "--method proxy",
    }
    if plan["preset"] in LONGER:
        yield {
            "title": "Longer training",
            "text": "The next preset trains longer:",
            "setting": f"--preset {LONGER[plan['preset']]}",
        }
    elif not learnt:
        yield _more_steps(plan, "learn")


def _more_steps(plan: Plan, stage: Literal["teach", "learn"]) -> dict[str, str]:
    (steps,) = (
        job["hyperparameters"]["steps"]
        for job in plan["stages"]
        if job["kind"] == "training"
        and (job["hyperparameters"]["stage"] == "teach" or job["hyperparameters"]["stage"] == "learn")
        and job["stage"] == stage
    )
    return {
        "title": "Longer training",
        "text": f"This training had {steps} steps:",
        "setting": f"--set advanced.{stage}.steps={min(LIMITS.steps, 2 * steps)}",
    }
