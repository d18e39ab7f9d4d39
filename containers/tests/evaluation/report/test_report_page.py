from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from make_run import make_run, without_stand_ins
from report_page import page_of

from proxytune.contract.folders import Folders
from proxytune.contract.names import REPORT_SLOTS
from proxytune.contract.signals import StopRequest
from proxytune.evaluation.evaluate import evaluate
from proxytune.evaluation.report.scores import score_table


def evaluated_with(base: Path, plan: dict[str, Any], models: Path) -> Folders:
    folders = make_run(base, plan, models)
    evaluate(folders, {"stage": "evaluate", "seed": 7}, StopRequest())
    return folders


def test_every_image_is_a_file_of_the_report_with_an_alternative_text(evaluated: Folders) -> None:
    images = page_of(evaluated).all("img")
    # The first screen, 12 pairs of tuned and untuned, 4 photos, 24 proxies; with stand-ins no best and worst.
    assert len(images) == 4 + 24 + 4 + 24
    for image in images:
        assert (evaluated.model / image["src"]).is_file()
        assert image["alt"]
        assert int(image["width"]) > 0
        assert int(image["height"]) > 0


def test_every_link_except_those_to_licences_stays_in_the_report(evaluated: Folders) -> None:
    page = page_of(evaluated)
    anchors = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    for link in page.all("a"):
        target = link["href"]
        if target.startswith("#"):
            assert target[1:] in anchors
        elif target.startswith("https://"):
            assert link["rel"] == "noreferrer"
        else:
            assert (evaluated.model / target).is_file()


def test_the_page_has_the_slot_of_the_stages_once_and_one_script_that_its_policy_names(
    evaluated: Folders,
) -> None:
    text = (evaluated.model / "index.html").read_text()
    assert text.count(REPORT_SLOTS.stages) == 1
    assert text.count("<script") == 1
    script = text[text.index("<script>") + len("<script>") : text.index("</script>")]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in text


def test_the_page_shows_verdict_settings_versions_hashes_and_licences(
    evaluated: Folders, plan: dict[str, Any]
) -> None:
    text = page_of(evaluated).text
    metrics = json.loads((evaluated.model / "metrics.json").read_text())
    for wanted in (
        metrics["verdict"],
        metrics["evaluator"]["clip_sha256"],
        metrics["evaluator"]["versions"]["torch"],
        plan["models"]["student"]["licence"]["name"],
        "advanced.sample.prompts",
        "sampler.guidance",
        "a photo of a ohwx dog in deep snow",
        "All 24 are shown and scored.",
    ):
        assert wanted in text


def test_the_page_begins_with_what_to_do_next(evaluated: Folders) -> None:
    text = page_of(evaluated).text
    first, then = (text.index(head, text.index("Licences")) for head in ("What next", "Scores"))
    assert then > first
    for wanted in (
        'npx proxytune generate rex-0a1b2c3d "a photo of a {token} dog at sunset" -n 4 --of teacher',
        "aws s3 cp s3://proxytune-test/runs/rex-0a1b2c3d/jobs//output/model.tar.gz .",
        "load_lora_weights",
        "models/loras",
        # As stand-ins were used.
        "npm run demo",
    ):
        assert wanted in text[first:then]
    page = (evaluated.model / "index.html").read_text()
    assert [page.count(REPORT_SLOTS.job.format(stage=stage)) for stage in ("teach", "learn")] == [2, 1]


def test_the_address_to_notify_is_not_shown(evaluated: Folders, plan: dict[str, Any]) -> None:
    assert plan["request"]["notify"] not in (evaluated.model / "index.html").read_text()


def test_stand_ins_are_announced_at_the_top(evaluated: Folders) -> None:
    text = page_of(evaluated).text
    notice = text.index("These images show that the pipeline works, not the method’s quality.")
    assert notice < text.index("References")
    assert "random weights" in text


def test_the_first_screen_has_the_subject_and_the_same_prompt_by_three_models(evaluated: Folders) -> None:
    first = page_of(evaluated).all("img")[:4]
    prompt = "a photo of a ohwx dog at sunset"
    assert [image["alt"] for image in first] == [
        "A photo of rex",
        f"Untuned: {prompt}",
        f"Teacher: {prompt}",
        f"Student: {prompt}",
    ]
    # Of the student before it was tuned, and all of one seed.
    pictures = json.loads((evaluated.model / "metrics.json").read_text())["pictures"]
    by_file = {picture["file"]: picture for picture in pictures}
    shown = [by_file[image["src"]] for image in first[1:]]
    assert [picture["row"] for picture in shown] == ["student-base", "teacher", "student"]
    assert len({picture["seed"] for picture in shown}) == 1


def test_nothing_is_scored_where_stand_ins_took_part(evaluated: Folders) -> None:
    page = page_of(evaluated)
    classes = {attributes.get("class") for _, attributes in page.elements}
    assert not classes & {"scores encoders", "plain heat", "plain likeness", "kept", "extremes student"}
    assert not re.search(r"(DINO|CLIP-[IT]) [−0]", page.text)


def test_full_size_models_have_no_such_notice(tmp_path: Path, plan: dict[str, Any], models: Path) -> None:
    text = page_of(evaluated_with(tmp_path, without_stand_ins(plan), models)).text
    assert "not the method’s quality" not in text
    assert "npm run demo" not in text
    assert "--preset standard" in text
    assert re.search(r"DINO 0\.\d\d ", text)


def test_the_note_of_a_dataset_domain_and_proxies_in_contexts_are_shown(
    tmp_path: Path, plan: dict[str, Any], models: Path
) -> None:
    without = page_of(evaluated_with(tmp_path / "without", plan, models)).text
    plan["world"]["note"] = "This is a small drawn world."
    plan["proxiesInContext"] = 1
    plan["prompts"]["inContext"] = [{"prompt": "a ohwx dog in tall grass", "plain": "a dog in tall grass"}]
    noted = page_of(evaluated_with(tmp_path / "with", plan, models)).text
    for words in (
        "This is a small drawn world.",
        "requested in one of 1 contexts",
        "a ohwx dog in tall grass",
    ):
        assert (words in without, words in noted) == (False, True)
    assert noted.index("This is a small drawn world.") < noted.index("References")


def test_texts_of_the_user_are_escaped(tmp_path: Path, plan: dict[str, Any], models: Path) -> None:
    evil = f'"><script>alert(1)</script>{REPORT_SLOTS.stages}'
    plan["subject"] = evil
    plan["prompts"]["evaluation"][0]["prompt"] = evil
    folders = evaluated_with(tmp_path, plan, models)
    text = (folders.model / "index.html").read_text()
    assert text.count("<script") == 1
    assert text.count(REPORT_SLOTS.stages) == 1
    assert evil in page_of(folders).text


def test_a_single_photo_is_shown_without_a_score(tmp_path: Path, plan: dict[str, Any], models: Path) -> None:
    folders = make_run(tmp_path, plan, models)
    for file in sorted(folders.channel("references").iterdir())[1:]:
        file.unlink()
    evaluate(folders, {"stage": "evaluate", "seed": 7}, StopRequest())
    page = page_of(folders)
    assert "The 1 photo of the subject" in page.text
    assert "Reference 1 of 1: rex" in [image["alt"] for image in page.all("img")]


def test_a_bar_is_placed_on_its_axis_between_floor_and_ceiling() -> None:
    def row(name: str, mean: float) -> dict[str, Any]:
        score = {"mean": mean, "low": mean - 0.05, "high": mean + 0.05}
        return {"name": name, "pictures": 4, "clip_i": score, "clip_t": None, "dino": score}

    rows = [row("photos", 0.7), row("teacher-base", 0.2), row("student-base", 0.1)]
    rows += [row(name, 0.5) | {"clip_t": row("", 0.3)["dino"]} for name in ("proxies", "teacher", "student")]
    table = score_table(rows)
    assert table["measures"][0]["axis"] == (0.0, pytest.approx(0.8))
    cells = {entry["name"]: dict(entry["cells"]) for entry in table["rows"]}
    student = cells["student"]["dino"]
    assert (student.mean_at, student.floor_at, student.ceiling_at) == (62.5, 12.5, 87.5)
    assert (student.low_at, student.high_at, student.bar_from, student.bar_width) == (56.25, 68.75, 0, 62.5)
    assert cells["teacher"]["dino"].floor_at == 25
    assert cells["photos"]["dino"].ceiling_at is None
    assert cells["photos"]["clip_t"] is None
    assert cells["student"]["clip_t"].floor_at is None
