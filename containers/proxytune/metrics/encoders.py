"""The two encoders of the scores: CLIP (images and texts) and DINO (images).

Both compute in float32 on any device and return unit vectors, so that a cosine is a plain product. Both have
the SHA-256 of their weights (`sha256`), because scores of different weights cannot be compared.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from safetensors import SafetensorError
from transformers import CLIPModel, CLIPTokenizer, ViTModel

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.finite import finite
from proxytune.metrics.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing

Vectors = npt.NDArray[np.float64]
"""Shape (images or texts, dimensions); every row has length 1."""

# DINO's evaluation resizes to 256 and crops to 224; smaller models keep that ratio.
DINO_RESIZE_TO_CROP = 256 / 224


class ClipEncoder:
    """CLIP, from a folder in transformers' layout; images and texts are prepared as in the official code.

    Args:
        folder: config.json, *.safetensors, tokenizer files, preprocessor_config.json.
        device: computes the vectors.

    Raises:
        ProxytuneError: ChannelMissing when a file is missing, ModelMismatch when the weights are incomplete
            or the preprocessor's image size is not the model's.
    """

    def __init__(self, folder: Path, device: torch.device) -> None:
        self.sha256 = weights_sha256(folder)
        self.model = load_model(CLIPModel, folder).to(device)
        self.tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
        self.device = device
        self.preprocessing = _clip_preprocessing(folder, self.model.config.vision_config.image_size)

    def pictures(self, pictures: Sequence[Image.Image], batch_size: int = 32) -> Vectors:
        """Encode images, in order; raises as `_in_batches`."""
        return _in_batches(
            "CLIP",
            pictures,
            batch_size,
            lambda batch: (
                self.model.get_image_features(
                    pixel_values=_stack(batch, self.preprocessing, self.device)
                ).pooler_output
            ),
        )

    def texts(self, texts: Sequence[str], batch_size: int = 32) -> Vectors:
        """Encode texts, in order; each is truncated to the model's length.

        Raises as `_in_batches`.
        """
        return _in_batches("CLIP", texts, batch_size, self._text_features)

    def _text_features(self, batch: Sequence[str]) -> torch.Tensor:
        tokens = self.tokenizer(
            list(batch),
            padding=True,
            truncation=True,
            max_length=self.model.config.text_config.max_position_embeddings,
            return_tensors="pt",
        ).to(self.device)
        features = self.model.get_text_features(
            input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
        )
        return features.pooler_output


class DinoEncoder:
    """DINO, from a folder in transformers' ViT layout.

    An image's vector is that of the class token after the last norm, not of the pooler: transformers' pooler
    has no trained weights here.

    Args:
        folder: config.json and *.safetensors.
        device: computes the vectors.

    Raises:
        ProxytuneError: ChannelMissing when a file is missing, ModelMismatch when the weights are incomplete.
    """

    def __init__(self, folder: Path, device: torch.device) -> None:
        self.sha256 = weights_sha256(folder)
        self.model = load_model(ViTModel, folder, add_pooling_layer=False).to(device)
        self.device = device
        crop = int(self.model.config.image_size)
        self.preprocessing = Preprocessing(
            resize=round(crop * DINO_RESIZE_TO_CROP), crop=crop, mean=IMAGENET_MEAN, std=IMAGENET_STD
        )

    def pictures(self, pictures: Sequence[Image.Image], batch_size: int = 32) -> Vectors:
        """Encode images, in order; raises as `_in_batches`."""
        return _in_batches(
            "DINO",
            pictures,
            batch_size,
            lambda batch: self.model(
                pixel_values=_stack(batch, self.preprocessing, self.device)
            ).last_hidden_state[:, 0],
        )


def weights_sha256(folder: Path) -> str:
    """SHA-256 of the weights file; for several files, of the lines `<sha256>  <name>`, sorted by name.

    Raises:
        ProxytuneError: ChannelMissing when the folder holds no *.safetensors.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise ProxytuneError(
            "ChannelMissing",
            what="The model folder contains no weights",
            given=str(folder),
            allowed="config.json and *.safetensors, in transformers' layout",
            remedy="import the model again; convert older *.bin files to safetensors first",
        )
    digests = []
    for file in files:
        with file.open("rb") as stream:
            digests.append(hashlib.file_digest(stream, "sha256").hexdigest())
    if len(digests) == 1:
        return digests[0]
    lines = "".join(f"{digest}  {file.name}\n" for digest, file in zip(digests, files, strict=True))
    return hashlib.sha256(lines.encode()).hexdigest()


def load_model(model_class: Any, folder: Path, **options: Any) -> Any:
    """Load a model for inference; missing weights are refused, as transformers would randomize them."""
    require_file(folder / "config.json")
    try:
        model, info = model_class.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, output_loading_info=True, **options
        )
    except (RuntimeError, ValueError, OSError, SafetensorError) as error:
        raise ProxytuneError(
            "ModelMismatch",
            what=f"The weights cannot be loaded as {model_class.__name__}: {error}",
            given=str(folder),
            remedy="import the model again, in transformers' layout",
        ) from error
    missing = sorted(info["missing_keys"])
    if missing:
        raise ProxytuneError(
            "ModelMismatch",
            what=f"The weights lack {len(missing)} tensors of {model_class.__name__}",
            given=f"{folder}, without {', '.join(missing[:3])}",
            allowed="a complete set of weights, as scores of random weights are meaningless",
            remedy="import the model again",
        )
    return model.eval().requires_grad_(False)


def _clip_preprocessing(folder: Path, image_size: int) -> Preprocessing:
    file = folder / "preprocessor_config.json"
    require_file(file)
    settings = json.loads(file.read_text("utf-8"))
    resize, crop = _side(settings["size"]), _side(settings["crop_size"])
    if crop != image_size or resize < crop:
        raise ProxytuneError(
            "ModelMismatch",
            what="The image size in preprocessor_config.json does not fit the CLIP model",
            given=f"resize {resize}, crop {crop}",
            allowed=f"crop {image_size}, resize at least as much",
            remedy="import the model and its preprocessor from the same source",
        )
    return Preprocessing(
        resize=resize, crop=crop, mean=tuple(settings["image_mean"]), std=tuple(settings["image_std"])
    )


def _side(size: int | dict[str, int]) -> int:
    """Read a size: a number in older configurations, a dictionary in newer ones."""
    if isinstance(size, int):
        return size
    return int(size.get("shortest_edge") or size["height"])


def require_file(file: Path) -> None:
    """Check that a model folder has a file.

    Raises:
        ProxytuneError: ChannelMissing when it is missing.
    """
    if file.is_file():
        return
    raise ProxytuneError(
        "ChannelMissing",
        what=f"The model folder lacks {file.name}",
        given=str(file.parent),
        allowed="a complete folder in transformers' layout",
        remedy="import the model again",
    )


def _stack(
    pictures: Sequence[Image.Image], preprocessing: Preprocessing, device: torch.device
) -> torch.Tensor:
    return torch.stack([preprocessing(picture) for picture in pictures]).to(device)


def _in_batches(encoder: str, items: Sequence[Any], batch_size: int, encode: Any) -> Vectors:
    """Encode items in batches, as unit vectors.

    Raises:
        ProxytuneError: ModelNotFinite; a cosine of NaN would otherwise count as 1, the best score.
    """
    parts = []
    # cuDNN would otherwise compute the patch embedding in TF32, and a score would depend on the GPU.
    with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        for start in range(0, len(items), batch_size):
            batch = items[start : start + batch_size]
            of = f"a {type(batch[0]).__name__} among numbers {start} to {start + len(batch) - 1}"
            features = finite(encode(batch), f"encoder {encoder}", of).to("cpu", torch.float64)
            parts.append(torch.nn.functional.normalize(features, dim=-1).numpy())
    return np.concatenate(parts) if parts else np.zeros((0, 0))
