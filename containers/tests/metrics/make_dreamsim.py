"""Make fixtures/dreamsim.json: the answers of the package dreamsim on small random weights.

It needs an environment of its own, as the package wants torchvision:

    python -m venv /tmp/dreamsim && /tmp/dreamsim/bin/pip install dreamsim==0.2.1 torchvision
    /tmp/dreamsim/bin/python make_dreamsim.py

The package's own code loads the weights, adds LoRA and computes. Only the width of its ViT and the source of
DINO are replaced, since it knows ViT-B and a download alone.
"""

# ruff: noqa: E402

from __future__ import annotations

import json
import tempfile
from functools import partial
from pathlib import Path

import torch

_register = torch.library.register_fake
# torchvision's operators are not needed, and those built for CUDA do not exist beside a torch for CPUs.
torch.library.register_fake = lambda op, *rest, **more: (
    (lambda function: function) if str(op).startswith("torchvision::") else _register(op, *rest, **more)
)

import dreamsim.model as package
from dreamsim.feature_extraction import extractor, load_clip_as_dino, load_open_clip_as_dino
from dreamsim.feature_extraction.vision_transformer import VisionTransformer
from dreamsim_inputs import (
    DEPTH,
    HEADS,
    PATCH,
    SIZES,
    WIDTH,
    adapter_config,
    encoder,
    image,
    lora,
)

HERE = Path(__file__).parent


def tensors(arrays: dict) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(value) for name, value in arrays.items()}


def vit(patch_size: int = PATCH) -> VisionTransformer:
    return VisionTransformer(
        patch_size=patch_size,
        embed_dim=WIDTH,
        depth=DEPTH,
        num_heads=HEADS,
        qkv_bias=True,
        norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
    )


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    for number, name in ((1, "clip_vitb16"), (2, "open_clip_vitb16")):
        torch.save({"state_dict": tensors(encoder(number))}, folder / f"{name}_pretrain.pth.tar")
    # The head, which the features are taken before.
    head = {f"module.head.mlp.{at}.{kind}": torch.zeros(1) for at in (0, 2, 4) for kind in ("weight", "bias")}
    torch.save(
        {"student": head | {"module.head.last_layer.weight": torch.zeros(1)}},
        folder / "dino_vitb16_pretrain.pth",
    )
    (folder / "ensemble_lora").mkdir()
    torch.save(tensors(lora()), folder / "ensemble_lora" / "adapter_model.bin")
    (folder / "ensemble_lora" / "adapter_config.json").write_text(json.dumps(adapter_config()))

    def hub(_repository: str, _name: str) -> VisionTransformer:
        model = vit()
        model.load_state_dict(tensors(encoder(0)))
        return model

    extractor.torch.hub.load = hub
    load_clip_as_dino.vit_base = load_open_clip_as_dino.vit_base = vit
    model, preprocess = package.dreamsim(device="cpu", cache_dir=str(folder))
    pictures = [preprocess(image(number)) for number in range(len(SIZES))]
    with torch.no_grad():
        distances = [[float(model(one, other)) for other in pictures] for one in pictures]
    answers = json.dumps({"distances": distances}, indent=1) + "\n"
    (HERE / "fixtures" / "dreamsim.json").write_text(answers, "utf-8")


if __name__ == "__main__":
    main()
