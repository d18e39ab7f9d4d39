"""Measure students: tokens a second of training and sampling, ours and a reference of the official way.

    python containers/dev/bench/student.py --family llamagen|lumina [--dim D --layers N --heads H]
        [--image-tokens L --caption-tokens C --batch B --turns T --threads N] [--json]

Both sides have the same weights and run in turns in one process; see measuring.py. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from importlib import import_module
from typing import Any

import torch

from dev.bench import measuring

# The module of a family's two sides: training(side, sizes) and sampling(side, sizes).
FAMILIES = {"llamagen": "dev.bench.llamagen_sides", "lumina": "dev.bench.lumina_sides"}
ACTIVITIES = ("training", "sampling")


def measure(family: str, sizes: dict[str, int], turns: int) -> dict[str, Any]:
    """Measure both activities: tokens a second and MiB of both sides, and the ratios."""
    sides = import_module(FAMILIES[family])
    result: dict[str, Any] = {"family": family, **sizes, "turns": turns, "machine": measuring.machine()}
    tokens = sizes["batch"] * sizes["image_tokens"]
    for activity in ACTIVITIES:
        make = getattr(sides, activity)
        result[activity] = measuring.compare_sides(make, "reference", (sizes,), turns=turns, units=tokens)
    return result


def table(result: dict[str, Any]) -> str:
    """Format the result for people."""
    title = (
        f"{result['family']}: dim {result['dim']}, {result['layers']} layers, {result['heads']} heads, "
        f"{result['image_tokens']} image tokens, {result['caption_tokens']} caption tokens, "
        f"batch {result['batch']}; tokens a second"
    )
    return measuring.table(result, title, "reference", ACTIVITIES)


def main(arguments: list[str]) -> int:
    """Measure and print; the return value is the exit code."""
    parser = argparse.ArgumentParser(description="Measure a student against the official way.")
    parser.add_argument("--family", choices=sorted(FAMILIES), required=True)
    defaults = {"dim": 512, "layers": 8, "heads": 8, "image-tokens": 256, "caption-tokens": 9, "batch": 4}
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=measuring.positive, default=default, help=f"default {default}")
    parser.add_argument(
        "--turns", type=measuring.positive, default=5, help="measured turns of each side, default 5"
    )
    parser.add_argument("--threads", type=measuring.positive, default=2, help="CPU threads, default 2")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    given = vars(parser.parse_args(arguments))
    if math.isqrt(given["image_tokens"]) ** 2 != given["image_tokens"]:
        parser.error(f"--image-tokens {given['image_tokens']}: allowed are squares, such as 256 and 1024")
    if given["family"] == "lumina" and given["image_tokens"] % 4:
        parser.error(
            f"--image-tokens {given['image_tokens']}: allowed are squares of even numbers for lumina"
        )
    torch.set_num_threads(given["threads"])
    sizes = {name: given[name] for name in (name.replace("-", "_") for name in defaults)}
    result = measure(given["family"], sizes, given["turns"])
    print(json.dumps(result) if given["json"] else table(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
