"""The official files, converted once to a model folder.

Lumina-mGPT's own are safetensors and are taken as they are. The picture tokenizer is a pickle of Meta's,
which is read by torch's restricted unpickler and written as safetensors; no job ever reads a pickle.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file

from dev.conversion.llamagen import read
from proxytune.student.families.lumina.checkpoint import FAMILY, load_student
from proxytune.student.families.lumina.vq import VQGAN
from proxytune.student.families.lumina.vq_config import VQGANConfig
from proxytune.student.model_files import fill_strictly

# Of the training of the tokenizer, next to its weights.
_TRAINING_ONLY = "loss."


def convert(
    out: Path, *, lumina: Path, vqgan: Path, image_size: int, vq_config: VQGANConfig | None = None
) -> None:
    """Write a model folder from the official files, and read it back.

    Args:
        out: the model folder.
        lumina: the files of `Alpha-VLLM/Lumina-mGPT-7B-768`: config, safetensors, tokenizer.
        vqgan: `vqgan.ckpt` of Chameleon, which is gated.
        image_size: side in pixels that `lumina` was trained for; the shapes do not show it.
        vq_config: other sizes than the official ones.

    Raises:
        ProxytuneError: ModelMismatch, naming what does not fit.
    """
    vq_config = vq_config or VQGANConfig()
    weights = {
        name: value for name, value in read(vqgan).weights.items() if not name.startswith(_TRAINING_ONLY)
    }
    with torch.device("meta"):
        vq = VQGAN(vq_config)
    fill_strictly(vq, weights, vqgan)
    for part in ("transformer", "tokenizer"):
        (out / part).mkdir(parents=True, exist_ok=True)
    for file in sorted(lumina.iterdir()):
        part = "tokenizer" if "token" in file.name else "transformer"
        if file.suffix in (".json", ".safetensors"):
            shutil.copyfile(file, out / part / file.name)
    save_file(
        {name: value.float().contiguous() for name, value in vq.state_dict().items()}, out / "vq.safetensors"
    )
    facts = {"family": FAMILY, "image_size": image_size, "vq": vq_config.to_dict()}
    (out / "config.json").write_text(json.dumps(facts, indent=2) + "\n", "utf-8")
    load_student(out, image_size=image_size, dtype=torch.bfloat16)
