"""Merging an adapter into the weights of a LlamaGen; `student.adapters` makes and stores adapters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from proxytune.student.families.llamagen.transformer import LlamaGen
from proxytune.student.modules import bare

if TYPE_CHECKING:
    from peft import PeftModel


@torch.no_grad()
def merge_adapter(model: PeftModel) -> LlamaGen:
    """Return a plain LlamaGen with the adapter in its weights; unadapted weights are shared with `model`.

    Sampling computes one slot per row, where the adapter's own products cost nearly as much as the weights'.
    The sum is made in float32 and rounded once to the weights' type.
    """
    from peft.tuners.lora import LoraLayer

    gpt = bare(model, LlamaGen)
    weights = {
        name.replace(".base_layer.", "."): value
        for name, value in gpt.state_dict().items()
        if ".lora_" not in name
    }
    for name, module in gpt.named_modules():
        if isinstance(module, LoraLayer):
            base: Tensor = module.get_base_layer().weight
            effect: Tensor = sum(module.get_delta_weight(active) for active in module.active_adapters)
            weights[f"{name}.weight"] = (base.float() + effect.float()).to(base.dtype)
    with torch.device("meta"):
        plain = LlamaGen(gpt.config)
    plain.load_state_dict(weights, strict=True, assign=True)
    return plain.requires_grad_(False).eval()
