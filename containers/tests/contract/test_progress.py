import json

import pytest

from proxytune.contract import schema
from proxytune.contract.progress import ProgressFile


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_it_fits_the_schema_and_has_rate_and_eta(tmp_path, monkeypatch):
    monkeypatch.setenv("TRAINING_JOB_NAME", "job-1")
    clock = Clock()
    progress = ProgressFile(tmp_path, "teach", 100, resumed_from=20, clock=clock)
    progress.write("loading", 20)
    clock.now = 50
    progress.restart_rate(20)
    clock.now = 55
    progress.write("training", 30, 0.5)
    record = json.loads((tmp_path / "progress.json").read_text())
    assert schema.check("progress", record) is None
    assert record["job"] == "job-1"
    assert record["resumed_from"] == 20
    assert record["rate"] == pytest.approx(2.0)
    assert record["eta_seconds"] == pytest.approx(35.0)
    assert record["peak_memory_mib"] > 10


def test_after_the_last_step_the_eta_is_unknown(tmp_path):
    clock = Clock()
    progress = ProgressFile(tmp_path, "teach", 4, clock=clock)
    progress.write("training", 2, 0.5)
    clock.now = 10
    progress.write("training", 4, 0.5)
    record = json.loads((tmp_path / "progress.json").read_text())
    assert record["rate"] == pytest.approx(0.2)
    assert record["eta_seconds"] is None


def test_before_the_first_step_rate_and_eta_are_unknown(tmp_path):
    ProgressFile(tmp_path, "learn", 10).write("loading", 0)
    record = json.loads((tmp_path / "progress.json").read_text())
    assert schema.check("progress", record) is None
    assert record["rate"] is None
    assert record["eta_seconds"] is None


def test_a_write_is_due_once_a_second(tmp_path):
    clock = Clock()
    progress = ProgressFile(tmp_path, "teach", 10, clock=clock)
    assert progress.due()
    progress.write("training", 1, 1.0)
    clock.now = 0.9
    assert not progress.due()
    clock.now = 1.0
    assert progress.due()


def test_a_reader_never_sees_a_partial_file(tmp_path):
    progress = ProgressFile(tmp_path, "teach", 10)
    progress.write("training", 1, 1.0)
    with (tmp_path / "progress.json").open() as reader:
        progress.write("training", 2, 1.0)
        assert json.loads(reader.read())["step"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["progress.json"]
