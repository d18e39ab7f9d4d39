"""Convert the official Lumina-mGPT files and Chameleon's picture tokenizer to one model folder.

    python containers/dev/tools/convert_lumina.py --lumina Lumina-mGPT-7B-768 --image-size 768 \
        --vqgan vqgan.ckpt --out lumina-mgpt-7b
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

from dev.conversion.lumina import convert
from proxytune.contract.errors import ProxytuneError


def main(arguments: list[str]) -> int:
    """Convert; the return value is the exit code, 1 when the files do not fit."""
    parser = argparse.ArgumentParser(description="Convert the official Lumina-mGPT files to a model folder.")
    parser.add_argument("--lumina", type=Path, required=True, help="folder of Alpha-VLLM/Lumina-mGPT-7B-768")
    parser.add_argument("--image-size", type=int, required=True, help="what it was trained for, such as 768")
    parser.add_argument(
        "--vqgan", type=Path, required=True, help="vqgan.ckpt of facebook/chameleon-7b (gated)"
    )
    parser.add_argument("--out", type=Path, required=True, help="the model folder, which is created")
    given = parser.parse_args(arguments)
    try:
        convert(given.out, lumina=given.lumina, vqgan=given.vqgan, image_size=given.image_size)
    except ProxytuneError as error:
        print(error, file=sys.stderr)
        return 1
    print(given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
