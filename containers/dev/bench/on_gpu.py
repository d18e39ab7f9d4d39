"""Measure everything worth knowing from one GPU in twelve minutes, the most valuable first.

    python containers/dev/bench/on_gpu.py [--out FILE] [--only PART ...] [--minutes M] [--tiny]
    python containers/dev/bench/on_gpu.py --plan

The networks have their real size and random weights, made on the card: nothing is downloaded. Each part is a
process of its own with a time limit, and appends JSON lines to FILE as soon as it has a number, so that a
kill loses only what the part was measuring. Parts that FILE says were done are not run again.
`--tiny` runs every part on tiny models, on the CPU too: a test of this script.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

# Before the libraries are loaded. Asking the driver how many GPUs there are must not open one here, since
# forked processes could not use it again.
os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
os.environ.setdefault("TORCHDYNAMO_SUPPRESS_ERRORS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from dev.bench.gpu.parts import MOST, PARTS, Part, plan


def main(arguments: list[str]) -> int:
    """Run the parts; the return value is the exit code, 1 when one of them did not end well."""
    parser = argparse.ArgumentParser(description="Measure the product on one GPU.")
    names = [part.name for part in PARTS]
    parser.add_argument("--plan", action="store_true", help="print the parts and their time limits")
    parser.add_argument("--out", type=Path, default=Path("on-gpu.jsonl"), help="default on-gpu.jsonl")
    parser.add_argument("--only", nargs="+", choices=names, metavar="PART", help="default: all of them")
    parser.add_argument("--minutes", type=float, default=MOST / 60, help=f"default {MOST // 60}")
    parser.add_argument("--tiny", action="store_true", help="tiny models: a test of this script")
    given = parser.parse_args(arguments)
    if given.plan:
        print(plan())
        return 0
    parts = [part for part in PARTS if not given.only or part.name in given.only]
    return 0 if _run(parts, given.out, tiny=given.tiny, seconds=60 * given.minutes) else 1


def _run(parts: list[Part], results: Path, *, tiny: bool, seconds: float) -> bool:
    done = _done(results)
    parts = [part for part in parts if part.name not in done]
    if not parts:
        return True
    # Takes seconds, and --plan does not need it.
    import torch

    from dev.bench.gpu import runner

    if tiny:
        torch.set_num_threads(1)
    return runner.run_parts(parts, results, tiny=tiny, seconds=seconds)


def _done(results: Path) -> set[str]:
    """The parts that were done according to a file of results."""
    if not results.exists():
        return set()
    lines = [json.loads(line) for line in results.read_text("utf-8").splitlines()]
    return {line["part"] for line in lines if line.get("outcome") == "done"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
