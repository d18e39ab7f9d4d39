"""A student's model folder, as transformers saves Janus: what is read of it, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import JanusConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from proxytune.student.families.janus.prompts import PromptEncoder
from proxytune.student.families.janus.transformer import Janus
from proxytune.student.families.janus.vq import PictureTokenizer
from proxytune.student.model_files import (
    CONFIG_FILE,
    check_size,
    fill_strictly,
    mismatch,
    read_json,
    read_weights,
)

FAMILY = "janus"
_PICTURES = "model.vqmodel."
# What looks at pictures and what speaks.
_DO_NOT_DRAW = ("model.vision_model.", "model.aligner.", "lm_head.")


@dataclass
class Student:
    """Everything a Janus student consists of."""

    lm: Janus
    vq: PictureTokenizer
    prompts: PromptEncoder

    @property
    def image_size(self) -> int:
        """Side of its pictures in pixels."""
        return self.vq.size


def load_student(
    folder: Path,
    *,
    image_size: int | None = None,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
) -> Student:
    """Read a student from a model folder, all parts in eval mode.

    Args:
        folder: config.json, safetensors (whole or in parts) and tokenizer of `JanusForConditionalGeneration`,
            as `save_pretrained` writes them.
        image_size: the size wanted, in pixels; None takes the folder's.
        dtype: number format of the transformer. The picture tokenizer is always float32.

    Raises:
        ProxytuneError: `ModelMismatch`: the folder is incomplete, its weights do not fit its config key by
            key and shape by shape, its tokenizer is another model's, or it draws pictures of another size.
    """
    config = _config(folder)
    try:
        with torch.device("meta"):
            lm, vq = Janus(config), PictureTokenizer(config.vq_config)
    except (TypeError, ValueError) as error:
        raise _no_model(folder, error) from error
    check_size(image_size, vq.size)
    fill_strictly(lm, read_weights(folder, dtype, device, leave=(*_DO_NOT_DRAW, _PICTURES)), folder)
    pictures = read_weights(folder, torch.float32, device, only=_PICTURES, leave=_DO_NOT_DRAW)
    fill_strictly(vq, {key.removeprefix(_PICTURES): value for key, value in pictures.items()}, folder)
    # Its table is no part of a state dict and is still on the meta device.
    lm.model.language_model.rotary_emb = LlamaRotaryEmbedding(config.text_config)
    prompts = PromptEncoder.load(folder, int(config.text_config.vocab_size))
    return Student(lm.to(device).eval(), vq.to(device).eval(), prompts)


def _config(folder: Path) -> JanusConfig:
    from huggingface_hub.errors import StrictDataclassError

    values = read_json(folder / CONFIG_FILE)
    if values.get("model_type") != FAMILY:
        raise mismatch(
            f"{folder / CONFIG_FILE} is not that of a Janus student",
            given=f"model_type {values.get('model_type')!r}",
            allowed=repr(FAMILY),
            remedy="point to a folder that transformers wrote for Janus-Pro",
        )
    try:
        config: JanusConfig = JanusConfig.from_dict(values)
    except (TypeError, ValueError, StrictDataclassError) as error:
        raise _no_model(folder, error) from error
    return config


def _no_model(folder: Path, error: Exception) -> Exception:
    return mismatch(
        f"{folder / CONFIG_FILE} describes no model that can be built",
        given=str(error).strip().splitlines()[0],
        remedy="copy the model folder again, as it is published",
    )
