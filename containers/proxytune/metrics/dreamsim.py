"""DreamSim: how alike two images look to people, by encoders tuned on their judgements (arXiv 2306.09344).

An image is squeezed to a square, read by three encoders, and their vectors are joined: DINO's class token
after the last block, before the norm, and the projected embeddings of two CLIPs. Minus their mean they are
compared by cosine; the paper's distance is 1 minus that. LoRA of the published weights is merged into the
encoders when they are converted (`dev/conversion/dreamsim.py`).

Equal to the package dreamsim 0.2.1 within 1e-5 (tests/metrics/test_dreamsim.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import CLIPVisionModelWithProjection, ViTModel

from proxytune.contract.finite import finite
from proxytune.metrics.encoders import Vectors, load_model, weights_sha256
from proxytune.metrics.preprocessing import IMAGENET_MEAN, IMAGENET_STD

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
"""Of the images that OpenAI's CLIP was trained on, as its preprocessing has them; OpenCLIP uses the same."""
PARTS = ("dino", "clip", "open-clip")
"""The folders of the encoders, in the order in which their vectors are joined."""


class DreamSimEncoder:
    """The three encoders, from a folder with one folder each in transformers' layout.

    Args:
        folder: dino (ViTModel), clip and open-clip (CLIPVisionModelWithProjection).
        device: computes the vectors.

    Raises:
        ProxytuneError: ChannelMissing when a file is missing, ModelMismatch when weights are incomplete.
    """

    def __init__(self, folder: Path, device: torch.device) -> None:
        self.device = device
        classes = {"dino": (ViTModel, {"add_pooling_layer": False})}
        self._models: dict[str, Any] = {}
        for part in PARTS:
            kind, options = classes.get(part, (CLIPVisionModelWithProjection, {}))
            self._models[part] = load_model(kind, folder / part, **options).to(device)
        lines = "".join(f"{weights_sha256(folder / part)}  {part}\n" for part in PARTS)
        self.sha256 = hashlib.sha256(lines.encode()).hexdigest()

    def pictures(self, pictures: Sequence[Image.Image], batch_size: int = 32) -> Vectors:
        """Encode images, in order: unit vectors, whose product is 1 minus the distance.

        Raises:
            ProxytuneError: ModelNotFinite.
        """
        parts = []
        # cuDNN could compute in TF32 otherwise, and a score would depend on the GPU.
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            for start in range(0, len(pictures), batch_size):
                parts.append(self._embed(pictures[start : start + batch_size]))
        return np.concatenate(parts) if parts else np.zeros((0, 0))

    def _embed(self, pictures: Sequence[Image.Image]) -> Vectors:
        joined = torch.cat([self._part(part, pictures) for part in PARTS], dim=-1)
        vectors = finite(joined, "encoder DreamSim", f"an image among {len(pictures)}").to(
            "cpu", torch.float64
        )
        centred = vectors - vectors.mean(dim=-1, keepdim=True)
        return torch.nn.functional.normalize(centred, dim=-1).numpy()

    def _part(self, part: str, pictures: Sequence[Image.Image]) -> Tensor:
        model = self._models[part]
        if part == "dino":
            side, mean, std = model.config.image_size, IMAGENET_MEAN, IMAGENET_STD
        else:
            side, mean, std = model.config.image_size, CLIP_MEAN, CLIP_STD
        pixels = torch.stack([squeezed(picture, side, mean, std) for picture in pictures]).to(self.device)
        if part == "dino":
            states = model(pixel_values=pixels, output_hidden_states=True).hidden_states
            return states[-1][:, 0]
        return model(pixel_values=pixels).image_embeds


def squeezed(
    picture: Image.Image, side: int, mean: tuple[float, float, float], std: tuple[float, float, float]
) -> Tensor:
    """Resize an image to a square, whatever its shape, and normalize it: float32 of shape (3, side, side)."""
    square = picture.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
    levels = torch.from_numpy(np.array(square)).permute(2, 0, 1).float() / 255
    return (levels - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
