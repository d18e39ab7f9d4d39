"""A student's model folder: how it is written, and the checks when it is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers.models.chameleon.modeling_chameleon import ChameleonRotaryEmbedding

from proxytune.student.families.lumina.layout import Grid, Layout
from proxytune.student.families.lumina.prompts import PromptEncoder
from proxytune.student.families.lumina.transformer import Lumina, chameleon_config
from proxytune.student.families.lumina.vocabulary import Vocabulary
from proxytune.student.families.lumina.vq import VQGAN
from proxytune.student.families.lumina.vq_config import VQGANConfig
from proxytune.student.families.lumina.weights import expand_norms
from proxytune.student.model_files import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    check_size,
    fill_strictly,
    load_strictly,
    mismatch,
    not_buildable,
    read_facts,
    read_json,
    read_weights,
)

FAMILY = "lumina"
_TRANSFORMER, _VQ = "transformer", "vq.safetensors"
# Chameleon's checkpoints contain the encoder of its image tokenizer; ours is complete, in its own file.
_ELSEWHERE = ("model.vqmodel.", "model.rotary_emb.")
# The fields of a transformer's config.json for `chameleon_config`.
_CONFIG_FIELDS = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "hidden_act",
    "max_position_embeddings",
    "rms_norm_eps",
    "rope_parameters",
    "dropout",
    "z_loss_weight",
    "vocabulary_map",
)


@dataclass
class Student:
    """Everything a Lumina student consists of; `image_size` is in pixels, a square."""

    lm: Lumina
    vq: VQGAN
    prompts: PromptEncoder
    layout: Layout
    image_size: int

    def __post_init__(self) -> None:
        """Refuse parts that do not belong together.

        Raises:
            ProxytuneError: `ModelMismatch`.
        """
        codes = len(self.layout.vocabulary.codes)
        if self.vq.config.n_embed != codes or self.vq.stride != self.layout.stride:
            raise mismatch(
                "The student's image tokenizer does not belong to its transformer",
                given=f"{self.vq.config.n_embed} codes",
                allowed=f"the {codes} codes of the transformer's vocabulary",
                remedy="take both from the same model",
            )
        try:
            self.layout.grid(self.image_size, self.image_size)
        except ValueError as error:
            raise mismatch(
                "The student cannot generate images of its image_size",
                given=str(error),
                remedy=f"correct image_size in the folder's {CONFIG_FILE}",
            ) from error

    @property
    def grid(self) -> Grid:
        """The tokens of one image."""
        return self.layout.grid(self.image_size, self.image_size)


def save_student(folder: Path, student: Student) -> None:
    """Write a student into a model folder, which is created; files of those names are replaced.

    Weights keep their number format. The adapter of a peft-wrapped model is left out.
    """
    facts = {"family": FAMILY, "image_size": student.image_size, "vq": student.vq.config.to_dict()}
    config = {name: getattr(student.lm.config, name) for name in _CONFIG_FIELDS}
    (folder / _TRANSFORMER).mkdir(parents=True, exist_ok=True)
    for file, values in ((folder / CONFIG_FILE, facts), (folder / _TRANSFORMER / CONFIG_FILE, config)):
        file.write_text(json.dumps(values, indent=2) + "\n", "utf-8")
    _write(student.lm, folder / _TRANSFORMER / WEIGHTS_FILE)
    _write(student.vq, folder / _VQ)
    student.prompts.save(folder)


def load_student(
    folder: Path,
    *,
    image_size: int | None = None,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
) -> Student:
    """Read a student from a model folder, all parts in eval mode.

    Args:
        folder: `config.json`, `transformer/` with Lumina-mGPT's own config and safetensors (in one file or in
            parts, norms in the official or the expanded form), `vq.safetensors`, `tokenizer/`.
        image_size: the size wanted, in pixels; None takes the folder's.
        dtype: number format of the transformer. The image tokenizer is always float32.

    Raises:
        ProxytuneError: `ModelMismatch`: the folder is incomplete, its weights do not fit its configs key by
            key and shape by shape, its parts do not belong together, or it generates images of another size.
    """
    facts = read_facts(folder, FAMILY, ("image_size", "vq"))
    check_size(image_size, facts["image_size"])
    values = read_json(folder / _TRANSFORMER / CONFIG_FILE)
    try:
        config = chameleon_config(values)
        with torch.device("meta"):
            lm, vq = Lumina(config), VQGAN(VQGANConfig.from_dict(facts["vq"]))
    except (TypeError, ValueError) as error:
        raise not_buildable(
            folder / CONFIG_FILE, error, "convert the model again, from its own files"
        ) from error
    _fill(lm, folder / _TRANSFORMER, dtype, device)
    load_strictly(vq, folder / _VQ, torch.float32)
    layout = Layout(Vocabulary.from_names(values["vocabulary_map"]), vq.stride)
    prompts = PromptEncoder.load(folder, layout)
    return Student(lm.to(device).eval(), vq.to(device).eval(), prompts, layout, int(facts["image_size"]))


def _fill(lm: Lumina, folder: Path, dtype: torch.dtype, device: str | torch.device) -> None:
    """Give a transformer on the meta device its weights."""
    weights = read_weights(folder, dtype, device, leave=_ELSEWHERE)
    fill_strictly(lm, expand_norms(weights, lm.norm_heads), folder)
    # Its table is missing from state dicts and is still on the meta device.
    lm.model.rotary_emb = ChameleonRotaryEmbedding(lm.config)


def _write(model: nn.Module, file: Path) -> None:
    weights: Mapping[str, Tensor] = model.state_dict()
    save_file({key: value.contiguous() for key, value in weights.items()}, file, metadata={"format": "pt"})
