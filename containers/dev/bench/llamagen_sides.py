"""LlamaGen's two sides for the bench: ours as the product runs it, and the official way, of equal weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from dev.bench import measuring, official_llamagen
from proxytune.student.adapters import add_adapter
from proxytune.student.families.llamagen import LlamaGen, LlamaGenConfig, sample_tokens
from proxytune.student.modules import bare
from proxytune.training.device import compute_dtype, default_device

# The recipe's, in lib/core/catalogue/data/models.json; both sides train the same adapter.
RANK = 16
# Width of flan-t5-xl's features, and the slots that the official code always fills.
CAPTION_WIDTH, OFFICIAL_SLOTS = 2048, 120
GUIDANCE, TOP_K = 7.5, 1000

Run = Callable[[], object]


def training(side: str, sizes: dict[str, int]) -> Run:
    """One optimizer step on a batch of pictures under one caption; `side` is ours or reference."""
    device, gpt = _model(sizes)
    features, mask, tokens = _inputs(gpt, sizes, device)
    model = add_adapter(gpt, rank=RANK, alpha=RANK).train()
    parameters = [value for value in model.parameters() if value.requires_grad]
    dropped = torch.zeros(sizes["batch"], dtype=torch.bool, device=device)
    slots = sizes["caption_tokens"]

    def loss() -> Tensor:
        if side == "ours":
            return bare(model, LlamaGen).loss(tokens, features[:, -slots:], drop_caption=dropped)
        return official_llamagen.train_loss(bare(model, LlamaGen), tokens, features, mask, dropped)

    return measuring.optimizer_step(parameters, loss)


def sampling(side: str, sizes: dict[str, int]) -> Run:
    """All tokens of a batch of pictures under one caption, with guidance."""
    device, gpt = _model(sizes)
    features, mask, _ = _inputs(gpt.eval(), sizes, device)
    slots, seeds = sizes["caption_tokens"], range(sizes["batch"])
    if side == "ours":
        return lambda: sample_tokens(gpt, features[:, -slots:], None, seeds, guidance=GUIDANCE, top_k=TOP_K)
    return lambda: official_llamagen.sample(gpt, features, mask, guidance=GUIDANCE, top_k=TOP_K)


def _model(sizes: dict[str, int]) -> tuple[torch.device, LlamaGen]:
    """A model of these sizes with fresh weights, the same every time; float32 on a CPU, bfloat16 on a GPU."""
    device = default_device()
    torch.manual_seed(0)
    gpt = LlamaGen(
        LlamaGenConfig(
            dim=sizes["dim"],
            n_layer=sizes["layers"],
            n_head=sizes["heads"],
            block_size=sizes["image_tokens"],
            caption_dim=CAPTION_WIDTH,
            cls_token_num=OFFICIAL_SLOTS,
        )
    )
    # Training starts from an all-zero output layer; trained models are drawn from.
    torch.nn.init.normal_(gpt.output.weight, std=0.02)
    return device, gpt.to(device, compute_dtype(device))


def _inputs(gpt: LlamaGen, sizes: dict[str, int], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """One caption for all pictures, left padded to the official slots, its mask, and picture tokens."""
    batch, slots = sizes["batch"], sizes["caption_tokens"]
    rng = torch.Generator().manual_seed(1)
    features = torch.zeros(1, OFFICIAL_SLOTS, CAPTION_WIDTH)
    features[:, -slots:] = torch.randn(1, slots, CAPTION_WIDTH, generator=rng) / 10
    mask = (torch.arange(OFFICIAL_SLOTS) >= OFFICIAL_SLOTS - slots).long()[None]
    tokens = torch.randint(gpt.config.vocab_size, (batch, gpt.config.block_size), generator=rng)
    wide: Any = features.to(device, gpt.output.weight.dtype).expand(batch, -1, -1)
    return wide, mask.expand(batch, -1).to(device), tokens.to(device)
