"""The first screen: the subject, and the same prompt by the untuned student, the teacher and the student."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from proxytune.contract.types.plan import Plan
from proxytune.evaluation.pictures import ScoredPicture, ShownPhoto


class FirstImages(NamedTuple):
    """The images of the first screen; a model without an image of the prompt has None."""

    prompt: str
    seed: int | None
    photo: ShownPhoto
    untuned: ScoredPicture | None
    teacher: ScoredPicture | None
    student: ScoredPicture | None


def first_images(
    plan: Plan, rows: Mapping[str, Sequence[ScoredPicture]], references: Sequence[ShownPhoto]
) -> FirstImages | None:
    """Select the images of the first prompt and seed, which nobody can call chosen.

    Args:
        plan: of the run.
        rows: scored images by the name of their row.
        references: the photos; the first one is shown.

    Returns:
        None if there is no photo, or no model has an image of any prompt.
    """
    for entry in plan["prompts"]["evaluation"]:
        of_prompt = {
            name: [one for one in rows.get(name, []) if one.picture.prompt == entry["prompt"]]
            for name in ("student-base", "teacher", "student")
        }
        seeds = [
            one.picture.seed
            for images in of_prompt.values()
            for one in images
            if one.picture.seed is not None
        ]
        if not seeds or not references:
            continue
        seed = min(seeds)
        chosen = {
            name: next((one for one in images if one.picture.seed == seed), None)
            for name, images in of_prompt.items()
        }
        return FirstImages(
            entry["prompt"],
            seed,
            references[0],
            chosen["student-base"],
            chosen["teacher"],
            chosen["student"],
        )
    return None


def script_hash(script: str) -> str:
    """Hash a script as a content security policy names it, so that no other script runs."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"
