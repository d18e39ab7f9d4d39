"""The curate job as the container runs it, round after round, and how later stages read its result."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scenes import add_proxies, in_all_contexts, make_job, plan_of, true_pictures

from proxytune.contract import hyperparameters, schema
from proxytune.contract.errors import ProxytuneError
from proxytune.contract.folders import Folders
from proxytune.contract.signals import StopRequest
from proxytune.curation.curate import curate
from proxytune.images.curated import read_curated_proxies, read_curation

FIXTURE = Path(__file__).parent / "fixtures" / "curation.json"
STRINGS = {"stage": "curate", "family": "clip-dino", "model": "clip-miniature", "seed": "7", "round": "1"}
LAWN, NIGHT = true_pictures("on a green lawn")[0], true_pictures("at night")[0]
OWN = "a ohwx car"
PROXIES = [
    (LAWN, OWN),
    (NIGHT, "a ohwx car at night"),
    (LAWN, OWN),
    (in_all_contexts("tuning-fish")[0], OWN),
    (true_pictures("on a sandy beach")[0], "a ohwx car at night"),
    (true_pictures("in deep snow")[0], "a ohwx car in deep snow"),
    (LAWN, OWN),
    (LAWN, OWN),
]
WHY = [[], [], ["duplicates"], ["fidelity", "prompt"], ["prompt"], [], ["duplicates"], ["duplicates"]]


def run(folders: Folders, number: int = 1) -> dict[str, Any]:
    given = hyperparameters.parse({**STRINGS, "round": str(number)})
    curate(folders, given, StopRequest())
    return json.loads((folders.model / "curation.json").read_text())


def why(curation: dict[str, Any]) -> list[list[str]]:
    return [[reason["criterion"] for reason in picture["reasons"]] for picture in curation["pictures"]]


def test_the_fixture_fits_the_schema() -> None:
    assert schema.check("curation", json.loads(FIXTURE.read_text())) is None


def test_every_proxy_is_classified(tmp_path: Path) -> None:
    curation = run(make_job(tmp_path, plan_of(PROXIES), PROXIES))
    assert schema.check("curation", curation) is None
    assert why(curation) == WHY
    assert [picture["kept"] for picture in curation["pictures"]] == [not reasons for reasons in WHY]
    assert (curation["drawn"], curation["kept"], curation["adaptive"]) == (8, 3, None)
    assert curation["dropped"] == {"fidelity": 1, "prompt": 2, "duplicates": 3, "safety": 0}
    assert curation["limits"]["safety"] is None
    progress = json.loads((tmp_path / "checkpoints" / "progress.json").read_text())
    assert (progress["stage"], progress["phase"]) == ("curate", "kept 3 of 8")


def test_later_stages_read_kept_and_dropped_proxies(tmp_path: Path) -> None:
    folders = make_job(tmp_path, plan_of(PROXIES), PROXIES)
    run(folders)
    curated = read_curated_proxies(folders.channel("proxies"), folders.model)
    assert [picture.record.index for picture in curated.kept] == [0, 1, 5]
    assert [picture.record.index for picture in curated.dropped] == [2, 3, 4, 6, 7]


def test_rounds_give_the_same_result_as_a_single_pass(tmp_path: Path) -> None:
    adaptive = {"adaptive": {"reach": 0.4, "newShare": 0.1, "drift": 0.05}}
    plan = plan_of(PROXIES, rounds=[2, 4, 8], **adaptive)
    folders = make_job(tmp_path / "rounds", plan, PROXIES[:2])
    run(folders, 1)
    vectors = np.load(folders.checkpoints / "vectors.npz")["sha256"]
    assert len(vectors) == 2
    add_proxies(folders, PROXIES[2:4], 2)
    run(folders, 2)
    add_proxies(folders, PROXIES[4:], 4)
    last = run(folders, 3)
    single_pass = run(make_job(tmp_path / "once", plan, PROXIES), 3)
    assert last == single_pass
    assert [entry["drawn"] for entry in last["adaptive"]["rounds"]] == [2, 4, 8]
    assert why(last) == WHY


def test_a_later_job_encodes_nothing_twice(tmp_path: Path) -> None:
    """Vectors that an earlier job stored are used unchanged, those of other encoders are not."""
    folders = make_job(tmp_path, plan_of(PROXIES), PROXIES)
    first = run(folders)
    file = folders.checkpoints / "vectors.npz"
    stored = dict(np.load(file))
    place = list(stored["sha256"]).index(first["pictures"][3]["sha256"])
    stored["dino"][place] = stored["dino"][list(stored["sha256"]).index(first["pictures"][1]["sha256"])]
    np.savez(file, **stored)
    swapped = run(folders)["pictures"]
    assert swapped[3]["fidelity"] == swapped[1]["fidelity"] != first["pictures"][3]["fidelity"]
    np.savez(file, **{**stored, "evaluator": np.array("others")})
    assert run(folders) == first
    # A cosine of NaN would count as 1.
    stored["dino"][place] = np.nan
    np.savez(file, **stored)
    assert run(folders) == first


def packed(change: bytes) -> bytes:
    """An archive whose first entry has another compression method, or is encrypted."""
    buffer = io.BytesIO()
    np.savez(buffer, evaluator=np.array("x"))
    raw = buffer.getvalue()
    # Flags and compression of the entry in the central directory: bytes 8 to 11 (PKWARE's APPNOTE 4.3.12).
    at = raw.index(b"PK\x01\x02") + 8
    return raw[:at] + change + raw[at + 4 :]


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04 half a file", packed(b"\0\0\x63\0"), packed(b"\x01\0\0\0")],
    ids=["empty", "half", "unknown compression", "encrypted"],
)
def test_a_corrupt_file_of_vectors_is_computed_again(tmp_path: Path, content: bytes) -> None:
    folders = make_job(tmp_path, plan_of(PROXIES), PROXIES)
    folders.checkpoints.mkdir()
    (folders.checkpoints / "vectors.npz").write_bytes(content)
    assert why(run(folders)) == WHY


def test_a_round_with_gaps_is_refused(tmp_path: Path) -> None:
    folders = make_job(tmp_path, plan_of(PROXIES, rounds=[4, 8]), PROXIES[:2])
    with pytest.raises(ProxytuneError) as caught:
        run(folders)
    assert caught.value.name == "ProxiesIncomplete"


def test_other_images_than_those_curated_are_refused(tmp_path: Path) -> None:
    folders = make_job(tmp_path, plan_of(PROXIES), PROXIES)
    run(folders)
    shutil.rmtree(folders.channel("proxies"))
    (tmp_path / "input/data/proxies").mkdir()
    add_proxies(folders, [*PROXIES[:5], (NIGHT, OWN), *PROXIES[6:]], 0)
    with pytest.raises(ProxytuneError, match="is not the image that was curated"):
        read_curated_proxies(folders.channel("proxies"), folders.model)


@pytest.mark.parametrize("text", [None, "no JSON", '{"version": 1}'])
def test_an_unusable_curation_file_is_reported(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "curation.json").write_text(text)
    with pytest.raises(ProxytuneError) as caught:
        read_curation(tmp_path)
    assert caught.value.name == "ChannelMissing"
    assert "curation.json" in str(caught.value)
