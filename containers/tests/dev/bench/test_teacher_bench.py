"""The bench of teachers: the plain way computes what ours computes, and the bench prints its measurements."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from dev.bench import teacher_sides
from dev.bench.small_teachers import SCALES

BENCH = Path(__file__).resolve().parents[3] / "dev" / "bench"

FAMILIES = sorted(SCALES)


def sizes_of(family, **changes):
    usual = {"scale": "tiny", "batch": 2, "steps": 1, "pictures": 3, "draw_batch": 2, "draw_steps": 2}
    return {"family": family, **usual, "guidance": 4.0, **changes}


@pytest.fixture(params=FAMILIES)
def measured(request, tmp_path):
    """A tiny model with photos and adapter, and the sizes of a short measurement."""
    sizes = sizes_of(request.param)
    teacher_sides.write_model(request.param, "tiny", tmp_path)
    teacher_sides.write_adapter(tmp_path, sizes)
    return tmp_path, sizes


def test_both_sides_train_and_generate_the_same(measured):
    folder, sizes = measured
    losses = []
    for side in (teacher_sides.OurTraining, teacher_sides.PlainTraining):
        made = side(folder, sizes)
        with torch.no_grad():
            for name, value in made.network.named_parameters():
                if value.requires_grad:
                    value.normal_(std=0.1, generator=torch.Generator().manual_seed(len(name)))
        rng = torch.Generator().manual_seed(5)
        losses.append([made.loss(step, rng).item() for step in range(3)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert len(set(losses[0])) == 3
    ours, plain = (
        np.stack([np.asarray(picture, np.int16) for picture in generate()])
        for generate in (teacher_sides.generation(side, folder, sizes) for side in ("ours", "plain"))
    )
    assert abs(ours - plain).max() <= 1
    assert ours.std() > 1


def test_the_plain_steps_parts_are_timed(measured):
    folder, sizes = measured
    parts = teacher_sides.parts(folder, sizes, 2)
    assert sorted(parts) == ["pictures", "texts"]
    assert all(value > 0 for value in parts.values())


def bench(*arguments):
    return subprocess.run(
        [sys.executable, BENCH / "teacher.py", *arguments], capture_output=True, text=True, check=False
    )


def test_the_bench_prints_both_sides_and_their_ratios():
    short = ("--scale", "tiny", "--turns", "1", "--pictures", "2", "--draw-steps", "1", "--threads", "1")
    done = bench("--family", "sd3", *short, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert (result["family"], result["pictures"], result["machine"]["threads"]) == ("sd3", 2, 1)
    assert result["recomputed"]["ratio_spread"] == [result["recomputed"]["ratio"]] * 2
    assert result["recomputed"]["ratio"] > 0
    for activity in ("training", "generation"):
        one = result[activity]
        assert one["ratio"] == pytest.approx(one["per_second"] / one["plain_per_second"], rel=0.1)
        # Torch and diffusers alone are larger than this.
        assert 20 < one["peak_mib"] < 2000
        assert 20 < one["plain_peak_mib"] < 2000


@pytest.mark.parametrize("wrong", [["--family", "none"], ["--batch", "0"], ["--scale", "huge"]])
def test_what_cannot_be_measured_is_refused_with_what_can(wrong):
    done = bench(*wrong)
    assert done.returncode == 2
    assert "allowed" in done.stderr or "choose from" in done.stderr
