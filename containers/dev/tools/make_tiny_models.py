"""Make the tiny models: `python containers/dev/tools/make_tiny_models.py --out DIR [--only ID ...]`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
# Tensor sums depend on the number of threads; the same weights must come out everywhere.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from dev import tiny_models


def main(arguments: list[str]) -> int:
    """Write the requested models; the return value is the exit code."""
    parser = argparse.ArgumentParser(description="Make tiny models with seeded random weights.")
    parser.add_argument("--out", type=Path, required=True, help="folder that gets one folder a model")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=sorted(tiny_models.MODELS),
        default=list(tiny_models.MODELS),
        metavar="ID",
    )
    given = parser.parse_args(arguments)
    for model in given.only:
        began = time.monotonic()
        tiny_models.write(model, given.out / model)
        print(f"{given.out / model}  {time.monotonic() - began:.1f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
