"""The report's comparison of its protocol with the papers', and the captions that it shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from make_run import make_run, with_validation
from report_page import page_of

from proxytune.contract.folders import Folders
from proxytune.contract.signals import StopRequest
from proxytune.evaluation.evaluate import evaluate
from proxytune.evaluation.report.protocol import EncoderInputs, protocol
from proxytune.metrics.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing

INPUTS = EncoderInputs(
    clip=Preprocessing(224, 224, IMAGENET_MEAN, IMAGENET_STD),
    dino=Preprocessing(256, 224, IMAGENET_MEAN, IMAGENET_STD),
)
LIVE = {
    "name": "live",
    "title": "DreamBooth’s prompts for live subjects",
    "source": "A file.",
    "chosenBy": "category",
}


def as_published(plan: dict[str, Any]) -> dict[str, Any]:
    """The plan of a run that is evaluated as DreamBooth's authors do, as far as one run can be."""
    entry = plan["prompts"]["evaluation"][0]
    plan["prompts"] |= {"evaluation": [entry] * 25, "evaluationList": dict(LIVE)}
    plan["samples"]["picturesPerPrompt"] = 4
    plan["models"]["dino"] |= {"id": "dino-vits16", "title": "DINO ViT-S/16"}
    for stage in plan["stages"]:
        if stage["stage"].startswith("sample-"):
            stage["size"] = 512
    return plan


def test_what_can_be_as_published_is_said_to_be(plan: dict[str, Any]) -> None:
    aspects = {aspect.title: aspect for aspect in protocol(as_published(plan), INPUTS, photos=5)}
    assert {title for title, aspect in aspects.items() if aspect.same is False} == {"Subjects"}
    assert {title for title, aspect in aspects.items() if aspect.same is None} == {"CLIP", "Text of CLIP-T"}
    assert aspects["Evaluation prompts"].here == "25 of DreamBooth’s prompts for live subjects"
    assert aspects["DINO"].here == "DINO ViT-S/16; shorter side 256 px, centre of 224 px"
    assert aspects["Size of the images"].here == "teacher 512 px, student 512 px"
    assert aspects["Subjects"].here == "one, a dog"


def student_size(plan: dict[str, Any]) -> None:
    next(stage for stage in plan["stages"] if stage["stage"] == "sample-student")["size"] = 768


@pytest.mark.parametrize(
    ("title", "change", "here"),
    [
        (
            "Evaluation prompts",
            lambda plan: plan["prompts"]["evaluation"].pop(),
            "24 of DreamBooth’s prompts",
        ),
        (
            "Evaluation prompts",
            lambda plan: plan["prompts"].pop("evaluationList"),
            "25 of prompts written for",
        ),
        ("Images of a prompt", lambda plan: plan["samples"].update(picturesPerPrompt=1), "1"),
        ("DINO", lambda plan: plan["models"]["dino"].update(id="dino-tiny"), "DINO ViT-S/16"),
        ("Size of the images", student_size, "teacher 512 px, student 768 px"),
        ("Teacher’s checkpoint", with_validation, "selected by its likeness"),
    ],
)
def test_a_difference_is_named(
    plan: dict[str, Any], title: str, change: Callable[[dict[str, Any]], object], here: str
) -> None:
    changed = as_published(plan)
    change(changed)
    differing = [aspect for aspect in protocol(changed, INPUTS, photos=5) if aspect.same is False]
    assert [aspect.title for aspect in differing] == ["Subjects", title]
    assert differing[1].here.startswith(here)


@pytest.mark.parametrize(("photos", "same"), [(3, False), (4, True), (6, True), (7, False)])
def test_photos_are_counted(plan: dict[str, Any], photos: int, same: bool) -> None:
    aspect = next(one for one in protocol(plan, INPUTS, photos) if one.title == "Photos of a subject")
    assert (aspect.same, aspect.here.split(",")[0]) == (same, str(photos))


def test_the_report_shows_protocol_and_captions_and_escapes_them(
    tmp_path: Path, plan: dict[str, Any], models: Path
) -> None:
    plan["prompts"]["evaluationList"] = dict(LIVE)
    folders: Folders = make_run(tmp_path, plan, models)
    photo = sorted(folders.channel("references").rglob("*.png"))[1]
    photo.with_suffix(".txt").write_text("a ohwx dog & <b>ball</b>\n")
    evaluate(folders, {"stage": "evaluate", "seed": 7}, StopRequest())
    page, source = page_of(folders), (folders.model / "index.html").read_text()
    for wanted in (
        "3 of DreamBooth’s prompts for live subjects",
        "Chosen by the category “dog”",
        "the last, of step",
        "a ohwx dog & <b>ball</b>",
        "A text below a photo is its caption",
    ):
        assert wanted in page.text
    assert "<b>ball" not in source
    # Subjects, prompts, images of each, their size and DINO differ; of CLIP and its text nothing is known.
    assert "4 of 11 aspects are as in DreamBooth, 5 differ, and on the other 2 its" in page.text


def test_without_captions_none_is_spoken_of(evaluated: Folders) -> None:
    assert "is its caption" not in page_of(evaluated).text
