"""A student's model folder: what is written, and what is refused when it is read."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from proxytune.contract.errors import ProxytuneError
from proxytune.student.llamagen.captions import CaptionEncoder
from proxytune.student.llamagen.config import LlamaGenConfig, VQConfig
from proxytune.student.llamagen.transformer import LlamaGen
from proxytune.student.llamagen.vq import VQTokenizer
from proxytune.student.modules import differences as differences

_log = logging.getLogger(__name__)

FAMILY = "llamagen"
_GPT, _VQ, _CONFIG = "gpt.safetensors", "vq.safetensors", "config.json"
# Official checkpoints may carry the rotary table, which is computed here.
_COMPUTED_HERE = frozenset({"freqs_cis"})


@dataclass
class Student:
    """Everything a LlamaGen student consists of.

    `captions` is None where text features are already at hand; `image_size` is in pixels, a square.
    """

    gpt: LlamaGen
    vq: VQTokenizer
    captions: CaptionEncoder | None
    image_size: int

    def __post_init__(self) -> None:
        """Refuse parts that do not belong together.

        Raises:
            ProxytuneError: `ModelMismatch`.
        """
        grid = self.gpt.config.grid
        if self.image_size != grid * self.vq.stride:
            raise _mismatch(
                f"A model of {grid} x {grid} tokens does not draw pictures of this size",
                given=f"image_size {self.image_size}",
                allowed=f"{grid * self.vq.stride}: {grid} tokens of {self.vq.stride} pixels a side",
                remedy="use the weights of the stage trained at this size: both stages have the same shapes, "
                "so the wrong ones would load and draw noise",
            )
        if self.vq.config.codebook_size != self.gpt.config.vocab_size:
            raise _mismatch(
                "The student's picture tokenizer does not belong to its transformer",
                given=f"{self.vq.config.codebook_size} codes",
                allowed=f"the transformer's {self.gpt.config.vocab_size}",
                remedy="take both from the same model",
            )
        if self.captions is not None and self.captions.width != self.gpt.config.caption_dim:
            raise _mismatch(
                "The student's text encoder does not belong to its transformer",
                given=f"features {self.captions.width} wide",
                allowed=f"{self.gpt.config.caption_dim}",
                remedy="take both from the same model",
            )


def save_student(folder: Path, student: Student) -> None:
    """Write a student into a model folder, which is created; files of those names are replaced.

    Weights keep their number format. The adapter of a peft-wrapped model is not written: save it with peft.
    """
    folder.mkdir(parents=True, exist_ok=True)
    length = student.gpt.config.cls_token_num if student.captions is None else student.captions.max_length
    facts = {
        "family": FAMILY,
        "image_size": student.image_size,
        "caption_max_length": length,
        "gpt": student.gpt.config.to_dict(),
        "vq": student.vq.config.to_dict(),
    }
    (folder / _CONFIG).write_text(json.dumps(facts, indent=2) + "\n", "utf-8")
    for name, model in ((_GPT, student.gpt), (_VQ, student.vq)):
        save_file({key: value.contiguous() for key, value in model.state_dict().items()}, folder / name)
    if student.captions is not None:
        student.captions.save(folder)


def load_student(
    folder: Path,
    *,
    image_size: int | None = None,
    dtype: torch.dtype = torch.float32,
    text_dtype: torch.dtype | None = None,
    device: str | torch.device = "cpu",
    captions: bool = True,
) -> Student:
    """Read a student from a model folder, all parts in eval mode.

    Args:
        folder: as `save_student` writes it.
        image_size: the size wanted, in pixels; None takes the folder's.
        dtype: number format of the transformer. The picture tokenizer is always float32, as officially.
        text_dtype: number format of the text encoder; None takes float32.
        device: where the parts are put.
        captions: whether to load the text encoder.

    Raises:
        ProxytuneError: `ModelMismatch`: the folder is incomplete, its weights do not fit its config key by
            key and shape by shape, its parts do not belong together, or it draws pictures of another size.
    """
    facts = _read_facts(folder)
    if image_size is not None and image_size != facts["image_size"]:
        raise _mismatch(
            "This model draws pictures of another size",
            given=f"image_size {image_size}",
            allowed=str(facts["image_size"]),
            remedy="ask for the model's own size, or import the weights of the stage trained at yours",
        )
    try:
        with torch.device("meta"):
            gpt = LlamaGen(LlamaGenConfig.from_dict(facts["gpt"]))
            vq = VQTokenizer(VQConfig.from_dict(facts["vq"]))
    except (TypeError, ValueError) as error:
        raise _mismatch(
            f"{folder / _CONFIG} describes no model that can be built",
            given=str(error),
            remedy="write the folder again with the version that wrote it, or import the model anew",
        ) from error
    load_strictly(gpt, folder / _GPT, dtype)
    load_strictly(vq, folder / _VQ, torch.float32)
    length = int(facts["caption_max_length"])
    encoder = (
        CaptionEncoder.load(folder, length, dtype=text_dtype or torch.float32, device=device)
        if captions
        else None
    )
    return Student(gpt.to(device).eval(), vq.to(device).eval(), encoder, int(facts["image_size"]))


def load_strictly(model: nn.Module, file: Path, dtype: torch.dtype) -> None:
    """Give a model (which may be on the meta device) the weights of a file, key by key.

    Raises:
        ProxytuneError: `ModelMismatch`; see `fill_strictly`.
    """
    try:
        weights = load_file(file)
    except (FileNotFoundError, SafetensorError) as error:
        raise _mismatch(
            f"The weights {file} cannot be read",
            given=str(error),
            remedy="copy the model folder again, whole",
        ) from error
    fill_strictly(model, {key: value.to(dtype) for key, value in weights.items()}, file)


def fill_strictly(model: nn.Module, weights: dict[str, Tensor], file: Path) -> None:
    """Give a model (which may be on the meta device) weights, key by key, as they are.

    Args:
        file: where they come from, for messages.

    Raises:
        ProxytuneError: `ModelMismatch`, naming up to three keys that are missing, unknown or misshapen.
    """
    for key in _COMPUTED_HERE & weights.keys():
        _log.warning("%s holds %s, which is computed here and passed over", file, key)
    weights = {key: value for key, value in weights.items() if key not in _COMPUTED_HERE}
    wrong = differences(model.state_dict(), weights)
    if wrong:
        raise _mismatch(
            f"The weights {file} do not fit their model",
            given="; ".join(wrong[:3]) + (f"; and {len(wrong) - 3} more" if len(wrong) > 3 else ""),
            allowed="exactly the model's keys and shapes",
            remedy=f"use the weights that belong to the sizes, which in a model folder stand in {_CONFIG}",
        )
    trained = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    model.load_state_dict(weights, strict=True, assign=True)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(trained[name])


def _read_facts(folder: Path) -> dict[str, Any]:
    path = folder / _CONFIG
    try:
        facts: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise _mismatch(
            f"The model folder has no readable {_CONFIG}",
            given=str(error),
            remedy="point to a folder that was written for a LlamaGen student",
        ) from error
    missing = sorted({"image_size", "caption_max_length", "gpt", "vq"} - facts.keys())
    if facts.get("family") != FAMILY or missing:
        raise _mismatch(
            f"{path} is not that of a LlamaGen student",
            given=f"family {facts.get('family')!r}, missing fields {missing}",
            allowed=f"family {FAMILY!r} with image_size, caption_max_length, gpt and vq",
            remedy="point to a folder that was written for a LlamaGen student",
        )
    return facts


def _mismatch(what: str, *, given: str, remedy: str, allowed: str | None = None) -> ProxytuneError:
    return ProxytuneError("ModelMismatch", what=what, given=given, allowed=allowed, remedy=remedy)
