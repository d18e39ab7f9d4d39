"""Measure what full batches, merged adapters and a cache read in parts gain in sampling: ratios of one run.

    python containers/dev/bench/sampling.py [--family llamagen|lumina|janus] [--turns T --threads N] [--json]

Both sides have the same weights and run in turns in one process; see measuring.py and sampling_sides.py.
Without --family all of them are measured, one after another. Processor time is counted, so that the machine
need not be idle.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from typing import Any

# Before the libraries are loaded: their messages about loading are noise here.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import torch

from dev.bench import measuring, sampling_sides

# What is measured of every family; the tokens of LlamaGen's graph alone attended to the whole cache.
ACTIVITIES = {
    "llamagen": ("batches", "adapter", "cache"),
    "lumina": ("batches", "adapter"),
    "janus": ("batches", "adapter"),
}


def measure(family: str, turns: int) -> dict[str, Any]:
    """Measure all activities of a family: processor seconds of both sides, and the ratios of their speeds."""
    result: dict[str, Any] = {"family": family, "turns": turns, "machine": measuring.machine()}
    for activity in ACTIVITIES[family]:
        make = getattr(sampling_sides, activity)
        sides = make("ours", family), make("before", family)
        compared = measuring.in_turns(*sides, turns, time.process_time)
        result[activity] = {
            "seconds": round(statistics.median(compared.ours), 3),
            "before_seconds": round(statistics.median(compared.reference), 3),
            "ratio": round(compared.ratio, 2),
            "ratio_spread": [round(edge, 2) for edge in compared.spread],
        }
    return result


def table(result: dict[str, Any]) -> str:
    """Format the result for people."""
    lines = [f"{result['family']}, tiny, {result['machine']['processor']}: processor seconds"]
    for activity in ACTIVITIES[result["family"]]:
        one = result[activity]
        low, high = one["ratio_spread"]
        lines.append(
            f"{activity:10}{one['seconds']:8.2f}, before {one['before_seconds']:.2f}: "
            f"{one['ratio']:.2f} times as fast ({low:.2f}-{high:.2f})"
        )
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Measure and print; the return value is the exit code."""
    parser = argparse.ArgumentParser(description="Measure the sampling of students before and after.")
    parser.add_argument("--family", choices=sorted(ACTIVITIES), help="default: all, one after another")
    parser.add_argument(
        "--turns", type=measuring.positive, default=3, help="measured turns of each side, default 3"
    )
    parser.add_argument("--threads", type=measuring.positive, default=1, help="CPU threads, default 1")
    parser.add_argument("--json", action="store_true", help="print JSON, an object a line, instead of tables")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    for family in [given.family] if given.family else sorted(ACTIVITIES):
        result = measure(family, given.turns)
        print(json.dumps(result) if given.json else table(result), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
