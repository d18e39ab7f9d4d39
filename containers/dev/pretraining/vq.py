"""The student's picture tokenizer: its training losses, which the product's class lacks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dev.pretraining.autoencoding import (
    EVALUATED,
    in_batches,
    psnr,
    reconstruction_loss,
    squared,
)
from dev.pretraining.corpus import Corpus
from dev.pretraining.vae import weighted
from proxytune.student.families.llamagen import VQConfig, VQTokenizer

CODES = 1024
# Four pixels a token: 8 x 8 tokens a picture.
CONFIG = VQConfig(
    codebook_size=CODES, z_channels=128, ch=32, ch_mult=(1, 2, 4), num_res_blocks=1, norm_groups=8
)
# Weight of the pull of the latents to their codes relative to that of the codes to the latents (LlamaGen's
# 0.25), and of both relative to the reconstruction.
COMMITMENT, QUANTISATION = 0.25, 4.0
# Steps at which codes are seeded from latents, and between two searches for unused codes; for
# the share of the training in which codes are still reseeded.
SEEDED_AT, RESEEDED_EVERY, RESEEDED_UNTIL = 250, 200, 0.7
# Uses since the last search below which a code counts as dead.
FEW = 2


def make_vq() -> VQTokenizer:
    """A VQTokenizer with fresh weights."""
    vq: Any = VQTokenizer(CONFIG)
    made: VQTokenizer = vq.to(memory_format=torch.channels_last)
    return made


class VQTrainable:
    """A `loop.Trainable`. Until the codes are seeded it is a plain autoencoder of unit latents.

    The tokenizer's own usage buffer counts the codes' uses, so that it is in every checkpoint.
    """

    def __init__(self, corpus: Corpus, batch: int, steps: int) -> None:
        self._vq = make_vq()
        self.module: nn.Module = self._vq
        self._corpus, self._batch = corpus, batch
        # A trial of a few steps must see the codes too.
        self._seeded_at = min(SEEDED_AT, steps // 3)
        self._last_reseeding = int(RESEEDED_UNTIL * steps)

    def loss(self, step: int, rng: torch.Generator) -> Tensor:
        """Reconstruction, codes to latents, latents to codes; straight through the choice of codes."""
        if step == self._seeded_at:
            self._seed_codes(torch.arange(CODES), rng)
        elif self._seeded_at < step < self._last_reseeding and (step - self._seeded_at) % RESEEDED_EVERY == 0:
            self._seed_codes(torch.nonzero(self._uses() < FEW)[:, 0], rng)
        pictures = self._corpus.pictures(self._corpus.sample(self._batch, rng))
        latents = F.normalize(self._vq.latents(pictures).float(), dim=1)
        if step < self._seeded_at:
            return reconstruction_loss(self._decode(latents), pictures)
        codes, ids = self._nearest(latents)
        self._uses().index_add_(0, ids, torch.ones(len(ids)))
        pull = squared(codes, latents.detach()) + COMMITMENT * squared(latents, codes.detach())
        through = latents + (codes - latents).detach()
        return reconstruction_loss(self._decode(through), pictures) + QUANTISATION * pull

    def evaluate(self, module: nn.Module) -> dict[str, float]:
        """PSNR of held-out pictures through the product's own encode and decode, and how many codes occur."""
        assert isinstance(module, VQTokenizer)
        scores, counts, seen = [], [], []
        for numbers in in_batches(self._corpus.held_out[:EVALUATED]):
            pictures = self._corpus.pictures(numbers)
            ids = module.encode(pictures)
            scores.append(psnr(module.decode(ids), pictures))
            counts.append(len(numbers))
            seen.append(ids)
        return {"psnr": weighted(scores, counts), "codes": float(len(torch.cat(seen).unique()))}

    def _uses(self) -> Tensor:
        return self._vq.quantize.codebook_used[:CODES]

    def _decode(self, latents: Tensor) -> Tensor:
        decoded: Tensor = self._vq.decoder(self._vq.post_quant_conv(latents))
        return decoded

    def _nearest(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """The codes (B, dim, h, w) nearest to unit latents, with gradient, and their ids (N,)."""
        rows = latents.permute(0, 2, 3, 1)
        flat = rows.reshape(-1, rows.shape[-1])
        with torch.no_grad():
            ids = self._vq.quantize.nearest(flat.detach())
        codes = F.embedding(ids, self._vq.quantize.codes())
        return codes.view(rows.shape).permute(0, 3, 1, 2), ids

    @torch.no_grad()
    def _seed_codes(self, dead: Tensor, rng: torch.Generator) -> None:
        """Set codes to randomly chosen latents, and reset the counts."""
        pictures = self._corpus.pictures(self._corpus.sample(128, rng))
        latents = F.normalize(self._vq.latents(pictures).float(), dim=1)
        rows = latents.permute(0, 2, 3, 1).reshape(-1, latents.shape[1])
        chosen = torch.randperm(len(rows), generator=rng)[: len(dead)]
        self._vq.quantize.embedding.weight[dead] = rows[chosen]
        self._vq.quantize.codebook_used.zero_()
