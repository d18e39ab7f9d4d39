"""The GPU bench runs every part, keeps what a failed part measured, and fits into twelve minutes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dev.bench.gpu import runner
from dev.bench.gpu.parts import MOST, PARTS, Part, total

SCRIPT = Path(__file__).resolve().parents[3] / "dev" / "bench" / "on_gpu.py"


def on_gpu(*arguments):
    return subprocess.run(
        [sys.executable, SCRIPT, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def lines_of(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The lines of a run of all parts on tiny models, by part."""
    file = tmp_path_factory.mktemp("bench") / "on-gpu.jsonl"
    ended = on_gpu("--tiny", "--out", file)
    lines = lines_of(file)
    assert ended.returncode == 0, [line for line in lines if line.get("outcome", "done") != "done"]
    assert on_gpu("--tiny", "--out", file).returncode == 0
    assert lines_of(file) == lines, "a second run repeats no part that was done"
    return {part.name: [line for line in lines if line["part"] == part.name] for part in PARTS}


@pytest.mark.parametrize("name", [part.name for part in PARTS])
def test_every_part_measures_something_and_ends_well(tiny, name):
    *measured, last = tiny[name]
    assert measured
    assert last["outcome"] == "done"


def test_a_step_is_measured_with_its_work_and_the_products_estimate(tiny):
    planned, recomputed, _ = tiny["flux-dev step"]
    assert planned["seconds_per_step"] > 0
    # Computing the forward pass once more is a third of a step's work with frozen weights, or half of it.
    assert 1.2 < recomputed["tflop_per_step"] / planned["tflop_per_step"] < 1.6
    assert planned["estimated_gib"]["all"] > 0
    for student in ("llamagen-xl step", "lumina-mgpt-7b step", "janus-pro-1b step"):
        assert tiny[student][0]["tflop_per_step"] > 0


def test_students_sample_all_tokens_of_a_batch(tiny):
    for name in ("llamagen-xl images", "lumina-mgpt-7b images", "janus-pro-1b images"):
        kinds = {line["kind"]: line for line in tiny[name][:-1]}
        assert kinds.keys() == {"first batch", "as the product samples", "step by step"}
        assert {(line["images"], line["tokens_per_image"]) for line in kinds.values()} == {(2, 64)}
        assert not kinds["step by step"]["captured"]


def test_the_training_is_stopped_and_resumed_bit_for_bit(tiny):
    repeated, stopped, resumed, _ = tiny["SIGTERM and resume"]
    assert repeated["bit_for_bit"]
    assert stopped["ended_with"] == 143
    assert (resumed["resumed_from"], resumed["bit_for_bit"]) == (3, True)


def test_a_training_without_memory_recomputes(tiny):
    training = tiny["out of memory"][0]
    assert (training["steps"], training["recomputed"]) == (3, True)


def test_smaller_batches_give_all_images(tiny):
    for line in tiny["out of memory"][1:3]:
        assert (line["images"], line["wanted"], line["batch_after"]) == (4, 4, 2)


def test_losses_in_bfloat16_are_near_those_in_float32(tiny):
    for line in tiny["bfloat16 and float32"][:-1]:
        assert line["bfloat16"] != line["float32"]
        assert 0 < line["largest_relative_difference"] < 0.01


def test_the_plan_names_every_part_and_fits_into_twelve_minutes():
    printed = on_gpu("--plan").stdout
    assert all(f"{part.seconds:5} s  {part.name}" in printed for part in PARTS)
    assert f"{total():5} s  in all" in printed
    assert total() <= MOST == 720


# Parts for the tests of the runner.


def crash(bench):
    bench.record(number=1)
    os.kill(os.getpid(), signal.SIGKILL)


def hang(bench):
    bench.record(number=2)
    time.sleep(3600)


def measure(bench, number):
    bench.record(number=number)


def part(name, **given):
    return Part(name, f"{__name__}:{name}", 1 if name == "hang" else 60, given)


def test_a_part_that_crashes_or_hangs_ends_alone_and_keeps_its_numbers(tmp_path):
    file = tmp_path / "out.jsonl"
    parts = [part("crash"), part("hang"), part("measure", number=3)]
    assert not runner.run_parts(parts, file, tiny=True, seconds=120)
    lines = lines_of(file)
    assert [line["number"] for line in lines if "number" in line] == [1, 2, 3]
    outcomes = {line["part"]: line["outcome"] for line in lines if "outcome" in line}
    assert outcomes == {"crash": "failed", "hang": "time limit", "measure": "done"}


def test_parts_without_time_are_skipped(tmp_path):
    file = tmp_path / "out.jsonl"
    assert not runner.run_parts([part("measure", number=1)], file, tiny=True, seconds=0)
    assert lines_of(file) == [{"part": "measure", "outcome": "skipped"}]
