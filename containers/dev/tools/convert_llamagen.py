"""Convert the official LlamaGen files to one model folder of safetensors, as the student reads it.

    python containers/dev/tools/convert_llamagen.py --gpt t2i_XL_stage2_512.pt --image-size 512 \
        --vq vq_ds16_t2i.pt --text flan-t5-xl --out llamagen-xl
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

from dev.conversion.llamagen import convert
from proxytune.contract.errors import ProxytuneError


def main(arguments: list[str]) -> int:
    """Convert; the return value is the exit code, 1 when the files do not fit."""
    parser = argparse.ArgumentParser(description="Convert the official LlamaGen files to a model folder.")
    parser.add_argument(
        "--gpt", type=Path, required=True, help="t2i_XL_stage1_256.pt or t2i_XL_stage2_512.pt"
    )
    parser.add_argument(
        "--image-size", type=int, required=True, help="what --gpt was trained for: 256 or 512"
    )
    parser.add_argument("--vq", type=Path, required=True, help="vq_ds16_t2i.pt")
    parser.add_argument("--text", type=Path, required=True, help="folder of google/flan-t5-xl")
    parser.add_argument("--out", type=Path, required=True, help="the model folder, which is created")
    given = parser.parse_args(arguments)
    try:
        convert(given.out, gpt=given.gpt, vq=given.vq, text=given.text, image_size=given.image_size)
    except ProxytuneError as error:
        print(error, file=sys.stderr)
        return 1
    print(given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
