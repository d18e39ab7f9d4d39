"""MaSC: the identity of the subject on its own region, and the prompt on the rest (arXiv 2605.22469).

Identity compares patches: for every patch of a photo's subject, the highest cosine to any patch of the image,
averaged. Prompt compares the image without its subject, pooled by the encoder's own attention head over the
remaining patches, with the prompt without its subject. So a right background cannot make up for a wrong
subject, nor the reverse. Both are in [-1, 1]; higher is better.

The encoder is SigLIP 2 with variable resolution (`google/siglip2-so400m-patch16-naflex` with 1024 patches in
the paper). Equal to the package masc-metric 0.3.0 within 1e-5 (tests/metrics/test_masc.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch.nn import functional
from transformers import AutoImageProcessor, AutoTokenizer, Siglip2Model

from proxytune.contract.finite import finite
from proxytune.metrics.encoders import load_model, require_file, weights_sha256

Mask = npt.NDArray[np.float32] | npt.NDArray[np.bool_]
"""Shape (height, width) of any size; 1 is the subject, 0 is not."""

SUBJECT_FROM = 0.5
"""Weight from which a patch belongs to the subject, as in the package."""


class Encoded(NamedTuple):
    """An image by its patches.

    Attributes:
        hidden: shape (patches, dimensions), the vision model's last state, float32.
        subject: shape (patches,), the share of each patch that the mask covers, 0 to 1.
    """

    hidden: torch.Tensor
    subject: torch.Tensor


class MascScore(NamedTuple):
    """Scores of an image.

    Attributes:
        identity: mean over the references; None where no mask of theirs has a patch.
        prompt: None where the subject fills the image, or there is no prompt.
    """

    identity: float | None
    prompt: float | None


class SiglipEncoder:
    """SigLIP 2 of variable resolution, from a folder in transformers' layout.

    Args:
        folder: config.json, *.safetensors, tokenizer files, preprocessor_config.json.
        device: computes the patches.
        patches: most that an image is read in; None reads as many as the folder says.

    Raises:
        ProxytuneError: ChannelMissing when a file is missing, ModelMismatch when the weights are incomplete.
    """

    def __init__(self, folder: Path, device: torch.device, patches: int | None = None) -> None:
        self.sha256 = weights_sha256(folder)
        self.model: Any = load_model(Siglip2Model, folder).to(device)
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.device = device
        # Not Siglip2Processor, whose default of 16 pixels a patch would win over the folder's.
        require_file(folder / "preprocessor_config.json")
        self.processor: Any = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
        if patches is not None:
            self.processor.max_num_patches = patches

    def images(self, images: Sequence[Image.Image], masks: Sequence[Mask]) -> list[Encoded]:
        """Encode images as one batch, each with its mask.

        Raises:
            ProxytuneError: ModelNotFinite.
        """
        inputs = self.processor([image.convert("RGB") for image in images], return_tensors="pt")
        attention, shapes = inputs["pixel_attention_mask"], inputs["spatial_shapes"]
        # cuDNN could compute in TF32 otherwise, and a score would depend on the GPU.
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            hidden = self.model.vision_model(
                pixel_values=inputs["pixel_values"].to(self.device),
                pixel_attention_mask=attention.to(self.device),
                spatial_shapes=shapes.to(self.device),
            ).last_hidden_state
        finite(hidden[attention > 0], "encoder SigLIP", f"an image among {len(images)}")
        return [
            Encoded(state[: rows * columns], on_grid(mask, (rows, columns)).to(self.device))
            for state, (rows, columns), mask in zip(hidden, shapes.tolist(), masks, strict=True)
        ]

    def texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Encode texts: shape (texts, dimensions), unit vectors.

        Each is padded to the length that the text model was trained with, on which its vector depends.
        """
        tokens = self.tokenizer(
            list(texts),
            padding="max_length",
            max_length=self.model.config.text_config.max_position_embeddings,
            truncation=True,
            return_tensors="pt",
        )["input_ids"].to(self.device)
        with torch.inference_mode():
            pooled = self.model.text_model(input_ids=tokens).pooler_output
        return functional.normalize(finite(pooled, "encoder SigLIP", "a text"), dim=-1)

    def pooled(self, encoded: Encoded, kept: torch.Tensor) -> torch.Tensor:
        """Pool some patches by the model's own head, as if the image had no others: shape (dimensions,).

        Args:
            encoded: the image.
            kept: shape (patches,), the patches that count; at least one.
        """
        head = self.model.vision_model.head
        patches = encoded.hidden[kept].unsqueeze(0)
        with torch.inference_mode():
            state = head.attention(head.probe, patches, patches)[0]
            pooled = state + head.mlp(head.layernorm(state))
        return functional.normalize(pooled[0, 0], dim=-1)


def identity(reference: Encoded, image: Encoded) -> float | None:
    """Score how well an image shows the subject of a reference; None where its mask has no patch."""
    subject = reference.hidden[reference.subject > SUBJECT_FROM]
    if len(subject) == 0:
        return None
    cosines = functional.normalize(subject, dim=-1) @ functional.normalize(image.hidden, dim=-1).T
    return _rounded(cosines.max(dim=-1).values.mean())


def prompt_following(encoder: SiglipEncoder, image: Encoded, text: torch.Tensor) -> float | None:
    """Score an image without its subject by a text's vector; None where the subject fills it."""
    around = image.subject < SUBJECT_FROM
    if not bool(around.any()):
        return None
    return _rounded(encoder.pooled(image, around) @ text)


def score(
    encoder: SiglipEncoder, references: Sequence[Encoded], image: Encoded, text: torch.Tensor | None
) -> MascScore:
    """Score an image by all references, and by its prompt if it has one."""
    known = [one for one in (identity(reference, image) for reference in references) if one is not None]
    return MascScore(
        round(sum(known) / len(known), 6) if known else None,
        None if text is None else prompt_following(encoder, image, text),
    )


def scene_of(prompt: str, category: str) -> str:
    """The prompt without its subject, which is the same in all prompts and would only be scored again.

    `a dog in the snow` becomes `in the snow`. Mentions with an article are removed; only where there is none,
    those without.
    """
    name = re.escape(category.strip())
    if not name:
        return " ".join(prompt.split())
    with_article = re.compile(rf"\b(?:a|an|the)\s+{name}\b", re.IGNORECASE)
    alone = re.compile(rf"\b{name}\b", re.IGNORECASE)
    mentions = with_article if with_article.search(prompt) else alone
    return " ".join(mentions.sub("", prompt).split())


def on_grid(mask: Mask, grid: tuple[int, int]) -> torch.Tensor:
    """The share of each patch that a mask covers: shape (rows x columns,), row by row."""
    values = torch.from_numpy(np.asarray(mask, np.float32))[None, None]
    return functional.interpolate(values, size=grid, mode="bilinear").clamp(0, 1).flatten()


def _rounded(value: torch.Tensor) -> float:
    return round(float(value), 6) + 0.0
