"""Checks of the kind `lumina-lm`: logits, losses, gradients and greedy decoding of Lumina-mGPT."""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import Tensor

from dev.golden.findings import Finding, near, near_number, near_relative, parameters
from dev.golden.formula import fill
from dev.golden.transformers import check_tags, gradient_norms
from proxytune.student.families.lumina.layout import Grid, Layout
from proxytune.student.families.lumina.sampling import decode
from proxytune.student.families.lumina.transformer import Lumina, chameleon_config
from proxytune.student.families.lumina.vocabulary import Vocabulary
from proxytune.student.families.lumina.weights import expand_norms

_GREEDY = re.compile(r"greedy_cfg(?P<guidance>[\d.]+)")
_INPUTS = frozenset({"tokens", "labels"})
# Chameleon's own ids.
VOCABULARY = Vocabulary(
    begin=0,
    separator=8710,
    start=8197,
    end=8196,
    row_end=8803,
    grids=tuple(range(8804, 8804 + 65)),
    codes=tuple(range(4, 8196)),
)
LAYOUT = Layout(VOCABULARY, stride=16)


def scales(name: str, shape: tuple[int, ...]) -> tuple[float, float]:
    """Return the (scale, offset) of a tensor's formula."""
    if name.endswith("norm.weight"):
        return 0.1, 1.0
    if name.endswith("norm.bias"):
        return 0.05, 0.0
    if name == "lm_head.weight":
        return 0.5, 0.0
    if name == "model.embed_tokens.weight":
        return 0.3, 0.0
    return shape[-1] ** -0.5, 0.0


def golden_lm(config: dict[str, Any]) -> Lumina:
    """Build the golden model of a config: the official form's weights by formula, expanded; eval mode."""
    model = Lumina(chameleon_config({**config, "vocabulary_map": VOCABULARY.names()})).eval()
    shapes = official_shapes(model)
    weights = {name: fill(name, shape, *scales(name, shape)) for name, shape in shapes.items()}
    model.load_state_dict(expand_norms(weights, model.norm_heads), strict=True)
    return model


def official_shapes(model: Lumina) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the official form, in which one row of the norms serves all heads."""
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    return {name: (1, *shape[1:]) if _per_head(name) else shape for name, shape in shapes.items()}


def _per_head(name: str) -> bool:
    return "q_norm" in name or "k_norm" in name


def _official_gradient(name: str, gradient: Tensor) -> Tensor:
    """Return the gradient of the official row, which serves all heads: the sum of theirs."""
    return gradient.sum(dim=0) if _per_head(name) else gradient


def check_lumina_lm(facts: dict[str, Any], tensors: dict[str, Tensor]) -> list[Finding]:
    """Check every tag of a `lumina-lm` file.

    Raises:
        ValueError: a tag without config or inputs, or a tensor that no check reads.
    """
    tags = {tag: given for tag, given in facts.items() if tag != "source"}
    return check_tags(tags, tensors, _INPUTS, _check_tag)


def _check_tag(tag: str, facts: dict[str, Any], tensors: dict[str, Tensor]) -> list[Finding]:
    model = golden_lm(facts["config"])
    findings = parameters(f"{tag}.parameters", official_shapes(model), facts)
    findings += _check_training(tag, model, facts, tensors)
    # The text, between the begin and the separator.
    lengths = [2 + length for length in facts["prompt_lengths"]]
    prompts = [row[:length].tolist() for row, length in zip(tensors["tokens"], lengths, strict=True)]
    for name in sorted(tensors.keys() - _INPUTS - {"logits_columns", "logsumexp"}):
        greedy = _GREEDY.fullmatch(name)
        if greedy is None:
            raise ValueError(f"{tag}.{name} is a tensor that no check reads")
        error = greedy_shortfall(model, prompts, tensors[name], float(greedy["guidance"]))
        findings.append(Finding(f"{tag}.{name}", error, 1e-4))
    return findings


def _check_training(
    tag: str, model: Lumina, facts: dict[str, Any], tensors: dict[str, Tensor]
) -> list[Finding]:
    tokens, labels = tensors["tokens"].long(), tensors["labels"].long()
    findings = []
    with torch.no_grad():
        logits = model(tokens).logits
    if "logits_columns" in tensors:
        columns = logits[..., facts["columns"]]
        findings.append(near(f"{tag}.logits_columns", columns, tensors["logits_columns"]))
    if "logsumexp" in tensors:
        findings.append(near(f"{tag}.logsumexp", logits.logsumexp(dim=-1), tensors["logsumexp"]))
    model.train().zero_grad()
    total = model.loss(tokens, labels)
    total.backward()
    losses = {"loss": model.loss(tokens, labels, z_weight=0.0), "total": total}
    for name, value in losses.items():
        findings.append(near_number(f"{tag}.{name}", float(value.detach()), facts[name], 1e-5))
    # A mean of squares around a hundred: float32 does not hold it to 1e-5.
    z_loss = float(model.loss(tokens, labels, z_weight=1.0).detach() - losses["loss"].detach())
    findings.append(near_relative(f"{tag}.z_loss", z_loss, facts["z_loss"], 1e-6))
    findings += gradient_norms(tag, model.named_parameters(), facts, _official_gradient)
    model.eval()
    return findings


def greedy_shortfall(model: Lumina, prompts: list[list[int]], blocks: Tensor, guidance: float) -> float:
    """Measure the largest distance of a golden code's logit from the best logit in greedy decoding.

    The codes themselves need not be equal: the formula's rows of the output layer repeat, up to 1e-6, every
    1,493 rows. So each choice is one of a handful of codes that are equally likely up to rounding, and which
    of them wins differs between processors. Every golden code must be among them, at its place, after the
    golden codes before it; the header and the separators must be ours. Anything else is an infinite error.

    Args:
        blocks: (B, n) ids of the golden pictures, all of one size.
    """
    grids = torch.tensor(VOCABULARY.grids)
    sides = [int((grids == side).nonzero()[0, 0]) * 2 for side in blocks[0, 1:3]]
    grid = Grid(*sides)
    try:
        golden = LAYOUT.tokens(blocks.long(), grid)
    except ValueError:
        return float("inf")
    errors = []

    def choose(logits: Tensor, index: Tensor) -> Tensor:
        chosen = golden.index_select(1, index)[:, 0]
        errors.append(logits.amax(dim=-1) - logits.gather(1, chosen[:, None])[:, 0])
        return chosen

    decode(model, LAYOUT, prompts, grid, choose, guidance=guidance)
    return float(torch.stack(errors).max())
