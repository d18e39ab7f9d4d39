"""A student's model folder: how it is written, and the checks when it is read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file

from proxytune.student.families.llamagen.captions import CaptionEncoder
from proxytune.student.families.llamagen.config import LlamaGenConfig, VQConfig
from proxytune.student.families.llamagen.transformer import LlamaGen
from proxytune.student.families.llamagen.vq import VQTokenizer
from proxytune.student.model_files import (
    CONFIG_FILE,
    check_size,
    load_strictly,
    mismatch,
    not_buildable,
    read_facts,
)

FAMILY = "llamagen"
_GPT, _VQ = "gpt.safetensors", "vq.safetensors"
# Official checkpoints may carry the rotary table, which is computed here.
COMPUTED_HERE = frozenset({"freqs_cis"})


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
            raise mismatch(
                f"A model of {grid} x {grid} tokens does not generate images of this size",
                given=f"image_size {self.image_size}",
                allowed=f"{grid * self.vq.stride}: {grid} tokens of {self.vq.stride} pixels a side",
                remedy="use the weights of the stage trained at this size: both stages have the same shapes, "
                "so the wrong ones would load and generate noise",
            )
        if self.vq.config.codebook_size != self.gpt.config.vocab_size:
            raise mismatch(
                "The student's image tokenizer does not belong to its transformer",
                given=f"{self.vq.config.codebook_size} codes",
                allowed=f"the transformer's {self.gpt.config.vocab_size}",
                remedy="take both from the same model",
            )
        if self.captions is not None and self.captions.width != self.gpt.config.caption_dim:
            raise mismatch(
                "The student's text encoder does not belong to its transformer",
                given=f"features {self.captions.width} wide",
                allowed=f"{self.gpt.config.caption_dim}",
                remedy="take both from the same model",
            )


def save_student(folder: Path, student: Student) -> None:
    """Write a student into a model folder, which is created; files of those names are replaced.

    Weights keep their number format. The adapter of a peft-wrapped model is left out: save it with peft.
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
    (folder / CONFIG_FILE).write_text(json.dumps(facts, indent=2) + "\n", "utf-8")
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
        dtype: number format of the transformer. The image tokenizer is always float32, as officially.
        text_dtype: number format of the text encoder; None takes float32.
        device: where the parts are put.
        captions: whether to load the text encoder.

    Raises:
        ProxytuneError: `ModelMismatch`: the folder is incomplete, its weights do not fit its config key by
            key and shape by shape, its parts do not belong together, or it generates images of another size.
    """
    facts = read_facts(folder, FAMILY, ("image_size", "caption_max_length", "gpt", "vq"))
    check_size(image_size, facts["image_size"])
    try:
        with torch.device("meta"):
            gpt = LlamaGen(LlamaGenConfig.from_dict(facts["gpt"]))
            vq = VQTokenizer(VQConfig.from_dict(facts["vq"]))
    except (TypeError, ValueError) as error:
        remedy = "write the folder again with the version that wrote it, or import the model again"
        raise not_buildable(folder / CONFIG_FILE, error, remedy) from error
    load_strictly(gpt, folder / _GPT, dtype, computed=COMPUTED_HERE)
    load_strictly(vq, folder / _VQ, torch.float32)
    length = int(facts["caption_max_length"])
    encoder = (
        CaptionEncoder.load(folder, length, dtype=text_dtype or torch.float32, device=device)
        if captions
        else None
    )
    return Student(gpt.to(device).eval(), vq.to(device).eval(), encoder, int(facts["image_size"]))
