"""Event files for TensorBoard: what the report's curves show, a folder for each training.

`tensorboard --logdir FOLDER` shows them, with those of other runs next to them. They are written from the
records of the trainings, so an interrupted training has each step once. The records have no times: all events
have the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.summary_pb2 import Summary
from tensorboardX.record_writer import RecordWriter

from proxytune.contract.types.choice import Choice
from proxytune.contract.types.losses import Losses

FOLDER = "tensorboard"
# TensorBoard reads files with `tfevents` in their name.
FILE = "events.out.tfevents.0.proxytune"
VERSION = "brain.Event:2"


def write_events(report: Path, losses: Mapping[str, Losses], validation: Choice | None) -> None:
    """Write `tensorboard/<role>/events…` into the report's folder.

    Args:
        report: the folder.
        losses: by role.
        validation: of the teacher: its scores at every checkpoint.
    """
    for role, record in losses.items():
        scalars = [("loss", point["step"], point["loss"]) for point in record["points"]]
        if role == "teacher" and validation is not None:
            scalars += _of_validation(validation)
        _write(report / FOLDER / role, scalars)


def _of_validation(validation: Choice) -> list[tuple[str, int, float]]:
    return [
        (f"validation/{name}", point["step"], value)
        for point in validation["points"]
        for name, value in (
            ("similarity to the photos", point["fidelity"]),
            ("prompt following", point["prompt"]),
            ("diversity", point["diversity"]),
        )
        if value is not None
    ]


def _write(folder: Path, scalars: Iterable[tuple[str, int, float]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / FILE
    # The writer appends.
    file.unlink(missing_ok=True)
    writer = RecordWriter(str(file))
    writer.write(Event(file_version=VERSION).SerializeToString())
    for tag, step, value in scalars:
        summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
        writer.write(Event(step=step, summary=summary).SerializeToString())
    writer.close()
