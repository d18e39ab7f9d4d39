"""Measure teachers: training steps and pictures a second, ours and the plain way to do the same.

    python containers/dev/bench/teacher.py [--family sdxl|sd3|flux] [--scale tiny|small] [--batch B]
        [--pictures N --draw-batch B --draw-steps S --guidance G --turns T --threads N] [--json]

Both sides have the same weights and run in turns in one process; see measuring.py. teacher_sides.py
describes the plain way. Without --family all of them are measured, one after another. Run it on an idle
machine.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

# Before the libraries are loaded: their messages about loading are noise here.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")

import torch

from dev.bench import measuring, teacher_sides
from dev.bench.small_teachers import SCALES

# Optimizer steps a turn, so that a turn is long enough to be measured.
STEPS = 4


def measure(sizes: dict[str, Any], turns: int) -> dict[str, Any]:
    """Measure both activities of one family: units a second and MiB of both sides, and the ratios."""
    with teacher_sides.scratch() as name:
        folder = Path(name)
        teacher_sides.write_model(sizes["family"], sizes["scale"], folder)
        teacher_sides.write_adapter(folder, sizes)
        given = (folder, sizes)
        return {
            **sizes,
            "turns": turns,
            "machine": measuring.machine(),
            "training": _compare(teacher_sides.training, given, turns, sizes["steps"]),
            "plain_step_ms": {
                part: round(value, 1) for part, value in teacher_sides.parts(folder, sizes, turns).items()
            },
            "recomputed": _recomputed(folder, sizes, turns),
            "generation": _compare(teacher_sides.generation, given, turns, sizes["pictures"]),
        }


def _compare(make: Any, given: tuple[Any, ...], turns: int, units: int) -> dict[str, Any]:
    # Memory from before the models are loaded: what is freed early counts as freed, what stays counts.
    return measuring.compare_sides(make, "plain", given, turns=turns, units=units, whole=True)


def _recomputed(folder: Path, sizes: dict[str, Any], turns: int) -> dict[str, Any]:
    """Measure how many times as long a step takes that recomputes its activations."""
    kept, recomputed = (teacher_sides.training(side, folder, sizes) for side in ("ours", "recomputed"))
    compared = measuring.in_turns(kept, recomputed, turns)
    return {
        "ratio": round(compared.ratio, 2),
        "ratio_spread": [round(edge, 2) for edge in compared.spread],
    }


def table(result: dict[str, Any]) -> str:
    """Format the result for people."""
    parts = result["plain_step_ms"]
    title = (
        f"{result['family']}, {result['scale']}: training batch {result['batch']}; generating "
        f"{result['pictures']} pictures in batches of {result['draw_batch']}, {result['draw_steps']} steps, "
        f"guidance {result['guidance']}; steps and pictures a second"
    )
    step = 1000 / result["training"]["plain_per_second"]
    again, (low, high) = result["recomputed"]["ratio"], result["recomputed"]["ratio_spread"]
    return (
        f"{measuring.table(result, title, 'plain', ('training', 'generation'))}\n"
        f"of a plain step's {step:.0f} ms the texts take {parts['texts']:.0f}, the pictures "
        f"{parts['pictures']:.0f}\n"
        f"a step that recomputes its activations takes {again:.2f} times ({low:.2f}-{high:.2f}) "
        "as long as one that keeps them"
    )


def main(arguments: list[str]) -> int:
    """Measure and print; the return value is the exit code."""
    families = SCALES
    parser = argparse.ArgumentParser(description="Measure a teacher against the plain way.")
    parser.add_argument("--family", choices=sorted(families), help="default: all, one after another")
    parser.add_argument("--scale", choices=("tiny", "small"), default="small", help="default small")
    parser.add_argument("--guidance", type=float, default=5.0, help="default 5; 1 is none")
    defaults = {"batch": 1, "pictures": 4, "draw-batch": 4, "draw-steps": 4, "turns": 3, "threads": 2}
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=measuring.positive, default=default, help=f"default {default}")
    parser.add_argument("--json", action="store_true", help="print JSON, an object a line, instead of tables")
    given = vars(parser.parse_args(arguments))
    torch.set_num_threads(given["threads"])
    for family in [given["family"]] if given["family"] else sorted(families):
        names = ("scale", "batch", "pictures", "draw_batch", "draw_steps", "guidance")
        sizes = {"family": family, "steps": STEPS, **{name: given[name] for name in names}}
        result = measure(sizes, given["turns"])
        print(json.dumps(result) if given["json"] else table(result), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
