"""The sizes of a LlamaGen GPT and of its image tokenizer, under the official field names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from proxytune.student.vq import VQSizes

# Fields of the official ModelArgs that a text-conditional model does not use.
_OFFICIAL_EXTRAS = frozenset({"num_classes", "max_batch_size", "max_seq_len"})
# Fields of the tokenizer's official ModelArgs that play no part in encoding and decoding.
_OFFICIAL_VQ_EXTRAS = frozenset(
    {"codebook_show_usage", "commit_loss_beta", "entropy_loss_ratio", "dropout_p"}
)


@dataclass(frozen=True)
class LlamaGenConfig:
    """Sizes and dropouts of a text-conditional LlamaGen GPT; the defaults are official GPT-XL at 512 px.

    `block_size` is the number of image tokens, (image_size / 16) squared: 256 at 256 px, 1024 at 512 px.
    Dropouts are the official training defaults (train_t2i.py); golden vectors set all of them to 0.
    """

    dim: int = 1280
    n_layer: int = 36
    n_head: int = 20
    n_kv_head: int | None = None
    multiple_of: int = 256
    ffn_dim_multiplier: float | None = None
    rope_base: float = 10000.0
    norm_eps: float = 1e-5
    initializer_range: float = 0.02
    token_dropout_p: float = 0.1
    attn_dropout_p: float = 0.0
    resid_dropout_p: float = 0.1
    ffn_dropout_p: float = 0.1
    drop_path_rate: float = 0.0
    class_dropout_prob: float = 0.1
    caption_dim: int = 2048
    vocab_size: int = 16384
    cls_token_num: int = 120
    block_size: int = 1024

    def __post_init__(self) -> None:
        """Refuse sizes that no LlamaGen can have.

        Raises:
            ValueError: naming the field, its value and what is allowed.
        """
        grid = math.isqrt(self.block_size)
        rules = (
            (
                self.block_size > 0 and grid * grid == self.block_size,
                "block_size",
                "a square number (grid x grid tokens)",
            ),
            (self.n_head > 0 and self.dim % self.n_head == 0, "n_head", f"a divisor of dim = {self.dim}"),
            (self.n_head % self.kv_heads == 0, "n_kv_head", f"a divisor of n_head = {self.n_head}"),
            (self.head_dim % 4 == 0, "dim", "n_head times a multiple of 4: rows and columns rotate in pairs"),
            (self.cls_token_num > 0, "cls_token_num", "at least 1"),
        )
        for holds, name, allowed in rules:
            if not holds:
                raise ValueError(f"{name} = {getattr(self, name)} cannot be a LlamaGen's; allowed: {allowed}")

    @property
    def kv_heads(self) -> int:
        """Number of key and value heads; fewer than `n_head` means grouped heads."""
        return self.n_kv_head or self.n_head

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.dim // self.n_head

    @property
    def grid(self) -> int:
        """Picture tokens along one side."""
        return math.isqrt(self.block_size)

    @property
    def ffn_dim(self) -> int:
        """Hidden width of the SwiGLU: 2/3 of 4 x dim, times the multiplier, rounded up to `multiple_of`."""
        width = int(2 * 4 * self.dim / 3)
        if self.ffn_dim_multiplier is not None:
            width = int(self.ffn_dim_multiplier * width)
        return -(-width // self.multiple_of) * self.multiple_of

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LlamaGenConfig:
        """Read a config from JSON values; the official fields without meaning here are skipped.

        Raises:
            ValueError: an unknown field, a class-conditional `model_type`, or a size that cannot be.
        """
        given = {name: value for name, value in values.items() if name not in _OFFICIAL_EXTRAS}
        kind = given.pop("model_type", "t2i")
        if kind != "t2i":
            raise ValueError(f"model_type = {kind!r} is not text-conditional; allowed: 't2i'")
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(given) - known)
        if unknown:
            raise ValueError(f"unknown model fields {unknown}; allowed: {sorted(known)}")
        return cls(**given)


@dataclass(frozen=True)
class VQConfig(VQSizes):
    """Sizes of a VQ tokenizer under the official field names; the defaults are VQ-16 (71.9 M parameters)."""

    codebook_size: int = 16384
    codebook_embed_dim: int = 8

    @property
    def codebook_shape(self) -> tuple[int, int]:
        """Number of codes and their width."""
        return self.codebook_size, self.codebook_embed_dim

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> VQConfig:
        """Read a config from JSON values; official fields that only training uses are skipped.

        Raises:
            ValueError: an unknown field, a codebook without normalization, an encoder and a decoder of
                different widths, or a width that cannot be.
        """
        given = {name: value for name, value in values.items() if name not in _OFFICIAL_VQ_EXTRAS}
        if not given.pop("codebook_l2_norm", True):
            raise ValueError("codebook_l2_norm = false given; allowed: true, as in every published tokenizer")
        encoder, decoder = given.pop("encoder_ch_mult", None), given.pop("decoder_ch_mult", None)
        if encoder is not None or decoder is not None:
            given["ch_mult"] = encoder or decoder
            if tuple(given["ch_mult"]) != tuple(decoder or encoder):
                raise ValueError(f"encoder_ch_mult {encoder}, decoder_ch_mult {decoder}; allowed: equal ones")
        return cls.from_fields(given)
