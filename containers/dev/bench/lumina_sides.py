"""Lumina's two sides for the bench: ours as the product runs it, and the official way, of equal weights."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from dev.bench import measuring, official_lumina
from proxytune.student.adapters import add_adapter
from proxytune.student.families.lumina.layout import PATCH, Grid, Layout
from proxytune.student.families.lumina.sampling import sample_tokens
from proxytune.student.families.lumina.training_batch import training_batch
from proxytune.student.families.lumina.transformer import Lumina, chameleon_config
from proxytune.student.families.lumina.vocabulary import Vocabulary
from proxytune.student.modules import bare
from proxytune.training.device import compute_dtype, default_device

# The recipe's, in lib/core/catalogue/data/models.json; both sides train the same adapter.
RANK = 16
# Pixels a code, and codes of the picture tokenizer, as in the model of 7B.
STRIDE, CODES = 16, 8192
# All ids besides codes and special ids; 57,000 as in the model of 7B would make a small model all vocabulary.
WORDS = 4096
# Of the README of Lumina-mGPT.
GUIDANCE, TOP_K = 4.0, 2000

Run = Callable[[], object]


def training(side: str, sizes: dict[str, int]) -> Run:
    """One optimizer step on a batch of pictures under one prompt; `side` is ours or reference."""
    lm, layout, grid, prompt = _model(sizes)
    codes = torch.randint(CODES, (sizes["batch"], grid.tokens), generator=torch.Generator().manual_seed(1))
    ids, labels = training_batch(layout, grid, [prompt] * sizes["batch"], codes)
    ids, labels = ids.to(lm.device), labels.to(lm.device)
    model = add_adapter(lm, rank=RANK, alpha=RANK).train()
    parameters = [value for value in model.parameters() if value.requires_grad]

    def loss() -> Tensor:
        inner = bare(model, Lumina)
        if side == "ours":
            return inner.loss(ids, labels)
        return official_lumina.train_loss(inner, ids, labels)

    return measuring.optimizer_step(parameters, loss)


def sampling(side: str, sizes: dict[str, int]) -> Run:
    """All codes of a batch of pictures under one prompt, with guidance."""
    lm, layout, grid, prompt = _model(sizes)
    lm.eval()
    prompts, seeds = [prompt] * sizes["batch"], range(sizes["batch"])
    if side == "ours":
        return lambda: sample_tokens(lm, layout, prompts, grid, seeds, guidance=GUIDANCE, top_k=TOP_K)
    return lambda: official_lumina.sample(lm, layout, prompts, grid, guidance=GUIDANCE, top_k=TOP_K)


def _model(sizes: dict[str, int]) -> tuple[Lumina, Layout, Grid, list[int]]:
    """A model of these sizes with fresh weights, the same every time; float32 on a CPU, bfloat16 on a GPU."""
    side = math.isqrt(sizes["image_tokens"])
    vocabulary = _vocabulary(grids=side * STRIDE // PATCH + 1)
    layout = Layout(vocabulary, STRIDE)
    grid = layout.grid(side * STRIDE, side * STRIDE)
    prompt = layout.prompt(range(CODES + 100, CODES + 100 + max(0, sizes["caption_tokens"] - 2)))
    device = default_device()
    torch.manual_seed(0)
    lm = Lumina(
        chameleon_config(
            {
                "vocab_size": CODES + WORDS,
                "hidden_size": sizes["dim"],
                # In the proportion of the model of 7B, 11008 to 4096.
                "intermediate_size": sizes["dim"] * 43 // 16,
                "num_hidden_layers": sizes["layers"],
                "num_attention_heads": sizes["heads"],
                "num_key_value_heads": sizes["heads"],
                "max_position_embeddings": len(prompt) + grid.block + 1,
                "vocabulary_map": vocabulary.names(),
            }
        )
    )
    return lm.to(device, compute_dtype(device)), layout, grid, prompt


def _vocabulary(grids: int) -> Vocabulary:
    """Codes from 4 on, as in the model of 7B, then the special ids; the rest are words."""
    after = 4 + CODES
    return Vocabulary(
        begin=0,
        codes=tuple(range(4, after)),
        end=after,
        start=after + 1,
        separator=after + 2,
        row_end=after + 3,
        grids=tuple(range(after + 4, after + 4 + grids)),
    )
