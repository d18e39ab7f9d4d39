"""The losses of both trainings in the report and in TensorBoard's event files."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from make_run import make_run, with_validation, without_stand_ins
from tensorboardX.crc32c import crc32c
from tensorboardX.proto.event_pb2 import Event

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.folders import Folders
from proxytune.contract.signals import StopRequest
from proxytune.evaluation.evaluate import evaluate
from proxytune.evaluation.losses import loss_curves, read_losses
from proxytune.training.loss_history import LossHistory

EVENTS = "events.out.tfevents.0.proxytune"


def add_losses(folders: Folders, role: str, steps: int) -> dict[str, Any]:
    history = LossHistory(steps)
    history.add([2.0 / (step + 1) for step in range(steps)])
    history.write(folders.base / "input" / "data" / f"losses-{role}")
    return history.record()


def events_of(file: Path) -> list[Event]:
    """Read TensorFlow's records: length, its checksum, the event, its checksum."""

    def masked(content: bytes) -> int:
        crc = crc32c(content)
        return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF

    content, events = file.read_bytes(), []
    while content:
        (length, check) = struct.unpack("<QI", content[:12])
        assert check == masked(content[:8])
        event, (check,) = content[12 : 12 + length], struct.unpack("<I", content[12 + length : 16 + length])
        assert check == masked(event)
        events.append(Event.FromString(event))
        content = content[16 + length :]
    return events


def scalars(file: Path) -> dict[str, list[tuple[int, float]]]:
    first, *events = events_of(file)
    assert first.file_version == "brain.Event:2"
    found: dict[str, list[tuple[int, float]]] = {}
    for event in events:
        (value,) = event.summary.value
        found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def test_a_run_without_losses_has_no_curve_and_no_event_file(evaluated: Folders) -> None:
    assert "Loss of the" not in (evaluated.model / "index.html").read_text()
    assert not (evaluated.model / "tensorboard").exists()


def test_both_trainings_have_a_curve_and_an_event_file(
    tmp_path: Path, plan: dict[str, Any], models: Path
) -> None:
    folders = make_run(tmp_path, with_validation(without_stand_ins(plan)), models)
    records = {role: add_losses(folders, role, steps) for role, steps in (("teacher", 900), ("student", 60))}
    evaluate(folders, {"stage": "evaluate", "seed": 7}, StopRequest())
    page = (folders.model / "index.html").read_text()
    assert "Loss of the teacher" in page
    assert "means of 5 steps" in page
    assert "Loss of the student" in page
    for role, record in records.items():
        (name,) = [path.name for path in (folders.model / "tensorboard" / role).iterdir()]
        assert name == EVENTS
        found = scalars(folders.model / "tensorboard" / role / name)
        expected = [(point["step"], pytest.approx(point["loss"])) for point in record["points"]]
        assert found["loss"] == expected
    choice = json.loads((folders.model / "metrics.json").read_text())["choice"]
    of_teacher = scalars(folders.model / "tensorboard" / "teacher" / EVENTS)
    assert of_teacher["validation/similarity to the photos"] == [
        (point["step"], pytest.approx(point["fidelity"], abs=1e-6)) for point in choice["points"]
    ]


def test_the_curve_goes_through_the_points(folders: Folders) -> None:
    record = add_losses(folders, "student", 60)
    (curve,) = loss_curves(read_losses(folders))
    assert [(point["at"], point["value"]) for point in curve["points"]] == [
        (point["step"], point["loss"]) for point in record["points"]
    ]
    # The loss falls, so in the picture, whose vertical axis points down, y rises.
    heights = [point["y"] for point in curve["points"]]
    assert heights == sorted(heights)


def test_a_record_that_does_not_fit_is_refused_by_name(folders: Folders) -> None:
    add_losses(folders, "teacher", 4)
    (folders.base / "input" / "data" / "losses-teacher" / "losses.json").write_text('{"version": 2}')
    with pytest.raises(ProxytuneError, match="losses-teacher") as caught:
        read_losses(folders)
    assert caught.value.name == "ChannelMissing"
