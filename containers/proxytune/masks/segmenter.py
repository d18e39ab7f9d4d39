"""A CLIPSeg of transformers, which finds in an image what a prompt names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from transformers import CLIPSegForImageSegmentation, CLIPTokenizer

from proxytune.contract.finite import finite
from proxytune.masks.weights import Mask
from proxytune.metrics.encoders import load_model, weights_sha256
from proxytune.metrics.preprocessing import IMAGENET_MEAN, IMAGENET_STD


class Segmenter:
    """CLIPSeg, from a folder in transformers' layout. It computes in float32 on any device.

    As in transformers' own processor, an image is squeezed to the model's square. A pixel belongs to the
    subject where the model's logit is positive: it was trained with the cross-entropy of each pixel.

    Args:
        folder: config.json, *.safetensors, tokenizer files, preprocessor_config.json.
        device: computes the masks.

    Attributes:
        sha256: of the weights.

    Raises:
        ProxytuneError: ChannelMissing when a file is missing, ModelMismatch when the weights are incomplete.
    """

    def __init__(self, folder: Path, device: torch.device) -> None:
        self.sha256 = weights_sha256(folder)
        self._model: Any = load_model(CLIPSegForImageSegmentation, folder).to(device)
        self._tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
        self._device = device
        self._side = _side(folder, int(self._model.config.vision_config.image_size))

    def find(
        self,
        images: Sequence[Image.Image],
        prompt: str,
        *,
        side: int | None = None,
        batch_size: int = 8,
    ) -> list[Mask]:
        """Find what the prompt names in each image; each mask depends on its own image alone.

        Args:
            side: of the square masks; None gives each mask the size of its image.

        Raises:
            ProxytuneError: ModelNotFinite.
        """
        tokens = self._tokenizer(
            [prompt],
            truncation=True,
            max_length=self._model.config.text_config.max_position_embeddings,
            return_tensors="pt",
        ).to(self._device)
        masks = []
        for start in range(0, len(images), batch_size):
            batch = images[start : start + batch_size]
            for image, logits in zip(batch, self._logits(batch, tokens), strict=True):
                size = (image.height, image.width) if side is None else (side, side)
                scaled = F.interpolate(logits[None, None], size, mode="bilinear", align_corners=False)
                masks.append((scaled[0, 0] > 0).cpu().numpy())
        return masks

    def _logits(self, images: Sequence[Image.Image], tokens: Any) -> Tensor:
        """Compute (B, h, w) float32, above 0 for the subject."""
        pixels = torch.stack([self._prepared(image) for image in images]).to(self._device)
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            logits = self._model(
                pixel_values=pixels,
                input_ids=tokens["input_ids"].expand(len(images), -1),
                attention_mask=tokens["attention_mask"].expand(len(images), -1),
            ).logits
        checked = finite(logits, "segmenter CLIPSeg", f"{len(images)} images")
        return checked.reshape(len(images), *logits.shape[-2:]).float()

    def _prepared(self, image: Image.Image) -> Tensor:
        """Squeeze an image to the model's square, (3, side, side), normalised."""
        square = image.convert("RGB").resize((self._side, self._side), Image.Resampling.BILINEAR)
        levels = torch.from_numpy(np.array(square)).permute(2, 0, 1).float() / 255
        mean, deviation = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
        return (levels - mean) / deviation


def _side(folder: Path, trained: int) -> int:
    """Read the side that the processor gives images; the model's own where there is no such file.

    CIDAS' CLIPSeg reads images of 352 pixels, with positions interpolated from its 224.
    """
    file = folder / "preprocessor_config.json"
    if not file.is_file():
        return trained
    size = json.loads(file.read_text("utf-8")).get("size", trained)
    return int(size) if isinstance(size, int) else int(size.get("height") or size["shortest_edge"])
