"""Checks of the kind `llamagen-gpt` (logits, loss, gradients, greedy tokens, filtered probabilities) and of
`xl-t2i.parameters` (names and shapes of the official GPT-XL).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from dev.golden.findings import Finding, equal, near, near_number, parameters, same_names
from dev.golden.formula import fill_model
from dev.golden.transformers import check_tags, gradient_norms
from proxytune.student.families.llamagen.config import LlamaGenConfig
from proxytune.student.families.llamagen.sampling import first_step_probabilities, sample_tokens
from proxytune.student.families.llamagen.transformer import LlamaGen

_GREEDY = re.compile(r"greedy_cfg(?P<guidance>[\d.]+)")
_FIRST_STEP = re.compile(
    r"first_step_probs(?:_cfg(?P<guidance>[\d.]+))?_t(?P<t>[\d.]+)_k(?P<k>\d+)_p(?P<p>[\d.]+)"
)
_INPUTS = frozenset({"cond", "cond_mask", "tokens"})


def scales(name: str, shape: tuple[int, ...]) -> tuple[float, float]:
    """Return the (scale, offset) of a GPT tensor's formula."""
    if name.endswith("norm.weight"):
        return 0.1, 1.0
    if name == "cls_embedding.uncond_embedding":
        return 0.2, 0.0
    if name == "output.weight":
        return 0.5, 0.0
    return shape[-1] ** -0.5, 0.0


def golden_gpt(config: dict[str, Any]) -> LlamaGen:
    """Build the golden model of a config: weights by formula, all dropouts 0, eval mode."""
    plain = replace(
        LlamaGenConfig.from_dict(config),
        token_dropout_p=0.0,
        attn_dropout_p=0.0,
        resid_dropout_p=0.0,
        ffn_dropout_p=0.0,
        drop_path_rate=0.0,
        class_dropout_prob=0.0,
    )
    model = LlamaGen(plain).eval()
    fill_model(model, scales)
    return model


def check_llamagen_gpt(facts: dict[str, Any], tensors: dict[str, Tensor]) -> list[Finding]:
    """Check every tag of a `llamagen-gpt` file.

    Raises:
        ValueError: a tag without config or inputs, or a tensor that no check reads.
    """
    return check_tags(facts, tensors, _INPUTS, _check_tag)


def check_xl_parameters(official: dict[str, Any]) -> list[Finding]:
    """Check that our GPT-XL has every key of the official one, each in its shape, and no other.

    Args:
        official: the shape of each key. An official checkpoint is loaded strictly against the same model.
    """
    with torch.device("meta"):
        model = LlamaGen(LlamaGenConfig())
    return [same_names("parameters", _shapes(model), official)]


def _shapes(model: LlamaGen) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def _check_tag(tag: str, facts: dict[str, Any], tensors: dict[str, Tensor]) -> list[Finding]:
    model = golden_gpt(facts["config"])
    findings = parameters(f"{tag}.parameters", _shapes(model), facts)
    caption = (tensors["cond"], tensors["cond_mask"])
    findings += _check_training(tag, model, caption, facts, tensors)
    for name in sorted(tensors.keys() - _INPUTS - {"train_logits"}):
        findings.append(_check_sampling(f"{tag}.{name}", name, model, caption, tensors[name]))
    return findings


def _check_training(
    tag: str,
    model: LlamaGen,
    caption: tuple[Tensor, Tensor],
    facts: dict[str, Any],
    tensors: dict[str, Tensor],
) -> list[Finding]:
    tokens = tensors["tokens"].long()
    model.train().zero_grad()
    loss = model.loss(tokens, *caption)
    loss.backward()
    findings = []
    if "train_logits" in tensors:
        with torch.no_grad():
            logits = model(tokens[:, :-1], *caption)
        findings.append(near(f"{tag}.train_logits", logits, tensors["train_logits"]))
    if "loss" in facts:
        findings.append(near_number(f"{tag}.loss", float(loss.detach()), facts["loss"], 1e-5))
    findings += gradient_norms(tag, model.named_parameters(), facts)
    model.eval()
    return findings


def _check_sampling(
    label: str, name: str, model: LlamaGen, caption: tuple[Tensor, Tensor], golden: Tensor
) -> Finding:
    # Not trimmed: where two tokens are equally likely up to rounding, only the official shapes choose alike.
    greedy, first = _GREEDY.fullmatch(name), _FIRST_STEP.fullmatch(name)
    if greedy:
        guidance, seeds = float(greedy["guidance"]), range(len(golden))
        tokens = sample_tokens(model, *caption, seeds, guidance=guidance, temperature=0, official=True)
        return equal(label, tokens, golden)
    if first:
        probabilities = first_step_probabilities(
            model,
            *caption,
            guidance=float(first["guidance"] or 7.5),
            temperature=float(first["t"]),
            top_k=int(first["k"]),
            top_p=float(first["p"]),
        )
        return near(label, probabilities, golden)
    raise ValueError(
        f"{label} is a tensor that no check reads; known: train_logits, greedy_cfg…, first_step_probs_…"
    )
