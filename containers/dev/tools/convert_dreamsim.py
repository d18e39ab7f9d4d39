"""Convert DreamSim's published files to one model folder of safetensors, as the evaluation reads it.

    python containers/dev/tools/convert_dreamsim.py --dino dino_vitbase16_pretrain.pth \
        --ensemble dreamsim_ensemble_checkpoint --out dreamsim-ensemble
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

from dev.conversion.dreamsim import convert
from proxytune.contract.errors import ProxytuneError


def main(arguments: list[str]) -> int:
    """Convert; the return value is the exit code, 1 when the files do not fit."""
    parser = argparse.ArgumentParser(description="Convert DreamSim's published files to a model folder.")
    parser.add_argument("--dino", type=Path, required=True, help="dino_vitbase16_pretrain.pth")
    parser.add_argument(
        "--ensemble", type=Path, required=True, help="the unpacked dreamsim_ensemble_checkpoint.zip"
    )
    parser.add_argument("--out", type=Path, required=True, help="the model folder, which is created")
    given = parser.parse_args(arguments)
    try:
        convert(
            given.out,
            dino=given.dino,
            clip=given.ensemble / "clip_vitb16_pretrain.pth.tar",
            open_clip=given.ensemble / "open_clip_vitb16_pretrain.pth.tar",
            lora=given.ensemble / "ensemble_lora",
        )
    except ProxytuneError as error:
        print(error, file=sys.stderr)
        return 1
    print(given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
