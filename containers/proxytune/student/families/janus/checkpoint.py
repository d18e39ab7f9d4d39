"""A student's model folder, as transformers saves Janus, and the checks when it is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import JanusConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from proxytune.student.families.janus.prompts import PromptEncoder
from proxytune.student.families.janus.transformer import Janus
from proxytune.student.families.janus.vq import JanusTokenizer
from proxytune.student.model_files import (
    CONFIG_FILE,
    check_size,
    fill_strictly,
    mismatch,
    not_buildable,
    read_json,
    read_weights,
)

FAMILY = "janus"
_TOKENIZER = "model.vqmodel."
# The parts that read images and that write words.
_UNUSED = ("model.vision_model.", "model.aligner.", "lm_head.")
_REMEDY = "copy the model folder again, as it is published"


@dataclass
class Student:
    """Everything a Janus student consists of."""

    lm: Janus
    vq: JanusTokenizer
    prompts: PromptEncoder

    @property
    def image_size(self) -> int:
        """Side of its images in pixels."""
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
        folder: config.json, safetensors (one or several) and tokenizer of `JanusForConditionalGeneration`,
            as `save_pretrained` writes them.
        image_size: the size wanted, in pixels; None takes the folder's.
        dtype: number format of the transformer. The image tokenizer is always float32.

    Raises:
        ProxytuneError: `ModelMismatch`: the folder is incomplete, its weights do not fit its config key by
            key and shape by shape, its tokenizer is another model's, or it generates images of another size.
    """
    config = _config(folder)
    try:
        with torch.device("meta"):
            lm, vq = Janus(config), JanusTokenizer(config.vq_config)
    except (TypeError, ValueError) as error:
        raise not_buildable(folder / CONFIG_FILE, error, _REMEDY) from error
    check_size(image_size, vq.size)
    fill_strictly(lm, read_weights(folder, dtype, device, leave=(*_UNUSED, _TOKENIZER)), folder)
    tokenizer = read_weights(folder, torch.float32, device, only=_TOKENIZER, leave=_UNUSED)
    fill_strictly(vq, {key.removeprefix(_TOKENIZER): value for key, value in tokenizer.items()}, folder)
    # Its table is missing from state dicts and is still on the meta device.
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
        raise not_buildable(folder / CONFIG_FILE, error, _REMEDY) from error
    return config
