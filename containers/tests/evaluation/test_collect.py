from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from make_run import make_run

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.folders import Folders
from proxytune.evaluation.collect import collect
from proxytune.images import shard
from proxytune.metrics.prompts import without


def refused(folders: Folders, plan: dict[str, Any]) -> ProxytuneError:
    with pytest.raises(ProxytuneError) as caught:
        collect(folders, plan)
    return caught.value


def test_every_image_of_the_run_is_collected_once(folders: Folders, plan: dict[str, Any]) -> None:
    pictures = collect(folders, plan)
    assert Counter(picture.row for picture in pictures) == {
        "photos": 4,
        "proxies": 24,
        "teacher": 6,
        "teacher-base": 6,
        "student": 6,
        "student-base": 6,
    }
    assert len({(picture.row, picture.index) for picture in pictures}) == len(pictures)


def test_prompts_are_compared_without_the_token_word(folders: Folders, plan: dict[str, Any]) -> None:
    plain = {picture.row: (picture.prompt, picture.plain) for picture in collect(folders, plan)[::-1]}
    assert plain["proxies"] == ("a ohwx dog", "a dog")
    assert plain["student"] == ("a photo of a ohwx dog at sunset", "a photo of a dog at sunset")
    assert plain["photos"] == (None, None)


def test_proxies_in_a_context_keep_their_own_prompt(
    tmp_path: Path, plan: dict[str, Any], models: Path
) -> None:
    prompt = "a ohwx dog in tall grass"
    run = make_run(tmp_path / "in-context", plan | {"prompts": plan["prompts"] | {"proxy": prompt}}, models)
    assert f"'{prompt}', which is not in the plan" in str(refused(run, plan))
    plan["prompts"]["inContext"] = [{"prompt": prompt, "plain": "a dog in tall grass"}]
    proxies = {(picture.prompt, picture.plain) for picture in collect(run, plan) if picture.row == "proxies"}
    assert proxies == {(prompt, "a dog in tall grass")}


def test_the_token_word_is_removed_only_as_a_whole_word() -> None:
    assert without("ohwx", "a ohwx dog in ohwxland") == "a dog in ohwxland"


def test_teacher_student_and_their_bases_share_prompts_and_seeds(
    folders: Folders, plan: dict[str, Any]
) -> None:
    requests: dict[str, set[tuple[Any, Any]]] = {}
    for picture in collect(folders, plan):
        requests.setdefault(picture.row, set()).add((picture.prompt, picture.seed))
    assert requests["teacher"] == requests["student"]
    assert requests["teacher"] == requests["teacher-base"] == requests["student-base"]


def test_a_shard_generated_twice_counts_once(folders: Folders, plan: dict[str, Any]) -> None:
    first = folders.channel("samples-student") / "a1"
    shutil.copytree(first, first.with_name("a2"))
    assert len(collect(folders, plan)) == 52


def test_of_many_proxies_two_hundred_are_selected_evenly(
    tmp_path: Path, plan: dict[str, Any], models: Path
) -> None:
    plan["proxies"] = 210
    pictures = collect(make_run(tmp_path / "many", plan, models), plan)
    indexes = [picture.index for picture in pictures if picture.row == "proxies"]
    assert len(set(indexes)) == 200
    assert (indexes[0], indexes[-1]) == (0, 208)


def test_missing_samples_are_reported(folders: Folders, plan: dict[str, Any]) -> None:
    plan["samples"]["picturesPerPrompt"] = 3
    error = refused(folders, plan)
    assert error.name == "ShardInvalid"
    assert "2 images of row teacher for the prompt 'a photo of a ohwx dog at sunset'" in str(error)


def test_samples_of_another_stage_are_refused(folders: Folders, plan: dict[str, Any]) -> None:
    shutil.rmtree(folders.channel("samples-student"))
    shutil.copytree(folders.channel("samples-teacher"), folders.base / "input" / "data" / "samples-student")
    error = refused(folders, plan)
    assert error.name == "ShardInvalid"
    assert "stage sample-teacher" in str(error)


def test_samples_of_another_plan_are_refused(folders: Folders, plan: dict[str, Any]) -> None:
    plan["prompts"]["evaluation"][0]["prompt"] = "a ohwx dog on the moon"
    assert "which is not in the plan" in str(refused(folders, plan))


def test_missing_proxies_are_refused(folders: Folders, plan: dict[str, Any]) -> None:
    (folders.channel("proxies") / "a1" / "chunk-0001.json.out").unlink()
    assert refused(folders, plan).name == "ProxiesIncomplete"


def test_a_corrupt_shard_is_refused(folders: Folders, plan: dict[str, Any]) -> None:
    file = folders.channel("samples-teacher") / "a1" / "chunk-0000.json.out"
    content = bytearray(file.read_bytes())
    picture = shard.read(file)[0]
    content[picture.offset + 100] ^= 1
    file.write_bytes(content)
    assert refused(folders, plan).name == "ShardInvalid"


@pytest.mark.parametrize("channel", ["references", "proxies", "samples-teacher", "samples-student"])
def test_a_missing_channel_is_reported(channel: str, folders: Folders, plan: dict[str, Any]) -> None:
    shutil.rmtree(folders.channel(channel))
    error = refused(folders, plan)
    assert error.name == "ChannelMissing"
    assert channel in str(error)


def test_references_must_be_png(folders: Folders, plan: dict[str, Any]) -> None:
    for file in folders.channel("references").iterdir():
        file.rename(file.with_suffix(".gif"))
    assert refused(folders, plan).name == "ChannelMissing"
