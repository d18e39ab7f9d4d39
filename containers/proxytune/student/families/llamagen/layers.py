"""The parts of the LlamaGen transformer: norm, rotation, attention, feed-forward, caption embedder."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from proxytune.student.families.llamagen.config import LlamaGenConfig


class RMSNorm(nn.Module):
    """Root-mean-square norm, computed in float32 whatever the input's type."""

    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last dimension of (..., dim)."""
        wide = x.float()
        # Written as a product: the derivative of `square` rounds differently from the official code's.
        scaled = wide * torch.rsqrt((wide * wide).mean(dim=-1, keepdim=True) + self.eps)
        return scaled.type_as(x) * self.weight


def image_rotation(config: LlamaGenConfig) -> Tensor:
    """Return the 2-D rotary table of the image tokens, rows first.

    One half of a head turns with the token's row, the other with its column.

    Returns:
        (block_size, head_dim / 2, 2) float32 on the CPU (also under a meta device), cosine and sine.
    """
    half = config.head_dim // 2
    exponents = torch.arange(0, half, 2, device="cpu").float() / half
    positions = torch.arange(config.grid, device="cpu").float()
    angles = torch.outer(positions, 1.0 / config.rope_base**exponents)
    rows = angles[:, None].expand(-1, config.grid, -1)
    columns = angles[None, :].expand(config.grid, -1, -1)
    grid = torch.cat([rows, columns], dim=-1).flatten(0, 1)
    return torch.stack([grid.cos(), grid.sin()], dim=-1)


def rotate(x: Tensor, rotation: Tensor) -> Tensor:
    """Turn neighbouring pairs of each head by the slot's angles.

    Args:
        x: (B, S, heads, head_dim).
        rotation: (S, head_dim / 2, 2) float32.

    Returns:
        The same shape and type as `x`, computed in float32.
    """
    even, odd = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    cos, sin = rotation[None, :, None].unbind(-1)
    return torch.stack([even * cos - odd * sin, odd * cos + even * sin], dim=-1).flatten(-2).type_as(x)


@dataclass(frozen=True)
class LayerCache:
    """One layer's keys and values, (rows, kv_heads, length, head_dim), with the slots that are stored next.

    Attributes:
        places: (S,) int64 on the device, the slots of what is stored: the same operations serve every slot,
            as a CUDA graph needs it.
        window: attention is to this many slots; a mask excludes those among them that are not filled.
    """

    keys: Tensor
    values: Tensor
    places: Tensor
    window: int

    def store(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Store keys and values of the given slots; return those to attend to."""
        self.keys.index_copy_(2, self.places, keys)
        self.values.index_copy_(2, self.places, values)
        return self.keys[:, :, : self.window], self.values[:, :, : self.window]


class KVCache:
    """Keys and values of all layers, allocated once. It belongs to its caller: nothing stays on the model.

    Args:
        rows: sequences.
        length: slots a sequence, rounded up to a multiple of 8.
    """

    def __init__(
        self, config: LlamaGenConfig, rows: int, length: int, *, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.length = -(-length // 8) * 8  # as the official cache: the length decides how sums are rounded
        shape = (config.n_layer, 2, rows, config.kv_heads, self.length, config.head_dim)
        self._store = torch.zeros(shape, device=device, dtype=dtype)
        self._places = torch.zeros(0, dtype=torch.long, device=device)
        self._window = 0

    def aim(self, places: Tensor, window: int) -> None:
        """Let the next keys and values go to the slots `places` (S,), and attention to the first `window`."""
        self._places, self._window = places, window

    def layer(self, index: int) -> LayerCache:
        """Return layer `index`'s part."""
        return LayerCache(self._store[index, 0], self._store[index, 1], self._places, self._window)


class Attention(nn.Module):
    """Rotary self-attention with fused projections, grouped heads and an optional cache."""

    def __init__(self, config: LlamaGenConfig) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = config.n_head, config.kv_heads, config.head_dim
        self.wqkv = nn.Linear(config.dim, (self.heads + 2 * self.kv_heads) * self.head_dim, bias=False)
        self.wo = nn.Linear(config.dim, config.dim, bias=False)
        self.dropout = config.attn_dropout_p
        self.resid_dropout = nn.Dropout(config.resid_dropout_p)

    def forward(self, x: Tensor, rotation: Tensor, mask: Tensor | None, cache: LayerCache | None) -> Tensor:
        """Attend within (B, S, dim), with a cache also to the slots before them; see `LlamaGen.run`."""
        heads = self.wqkv(x).unflatten(-1, (-1, self.head_dim))
        turning = self.heads + self.kv_heads
        turned = rotate(heads[:, :, :turning], rotation).transpose(1, 2)
        query, key = turned.split([self.heads, self.kv_heads], dim=1)
        value = heads[:, :, turning:].transpose(1, 2)
        if cache is not None:
            key, value = cache.store(key, value)
        if self.kv_heads != self.heads:
            group = self.heads // self.kv_heads
            key, value = key.repeat_interleave(group, dim=1), value.repeat_interleave(group, dim=1)
        mixed = F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=mask,
            # A single slot comes after all that it attends to.
            is_causal=mask is None and x.shape[1] > 1,
            dropout_p=self.dropout if self.training else 0.0,
        )
        return self.resid_dropout(self.wo(mixed.transpose(1, 2).flatten(2)))


class FeedForward(nn.Module):
    """SwiGLU."""

    def __init__(self, config: LlamaGenConfig) -> None:
        super().__init__()
        self.w1 = nn.Linear(config.dim, config.ffn_dim, bias=False)
        self.w3 = nn.Linear(config.dim, config.ffn_dim, bias=False)
        self.w2 = nn.Linear(config.ffn_dim, config.dim, bias=False)
        self.ffn_dropout = nn.Dropout(config.ffn_dropout_p)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., dim) to (..., dim)."""
        return self.ffn_dropout(self.w2(F.silu(self.w1(x)) * self.w3(x)))


class DropPath(nn.Module):
    """Stochastic depth: in train mode a row's residual branch is left out with probability `rate`."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Zero complete rows of (B, S, dim) and scale the others up, so that the mean is kept."""
        if not self.training or self.rate == 0:
            return x
        kept = torch.rand(len(x), 1, 1, device=x.device) >= self.rate
        return x * kept / (1 - self.rate)


class Block(nn.Module):
    """One pre-norm layer."""

    def __init__(self, config: LlamaGenConfig, drop_path: float) -> None:
        super().__init__()
        self.attention = Attention(config)
        self.feed_forward = FeedForward(config)
        self.attention_norm = RMSNorm(config.dim, config.norm_eps)
        self.ffn_norm = RMSNorm(config.dim, config.norm_eps)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor, rotation: Tensor, mask: Tensor | None, cache: LayerCache | None) -> Tensor:
        """Map (B, S, dim) to (B, S, dim)."""
        x = x + self.drop_path(self.attention(self.attention_norm(x), rotation, mask, cache))
        return x + self.drop_path(self.feed_forward(self.ffn_norm(x)))


class CaptionProjection(nn.Module):
    """Two bias-free linear maps with a tanh-approximated GELU between them."""

    def __init__(self, config: LlamaGenConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.caption_dim, config.dim, bias=False)
        self.fc2 = nn.Linear(config.dim, config.dim, bias=False)

    def forward(self, caption: Tensor) -> Tensor:
        """Map (B, n, caption_dim) to (B, n, dim)."""
        return self.fc2(F.gelu(self.fc1(caption), approximate="tanh"))


class CaptionEmbedder(nn.Module):
    """Caption features, or the null caption in their place, projected to the model's width."""

    uncond_embedding: Tensor

    def __init__(self, config: LlamaGenConfig) -> None:
        super().__init__()
        self.cap_proj = CaptionProjection(config)
        null = torch.randn(config.cls_token_num, config.caption_dim) / config.caption_dim**0.5
        # A buffer, as in the official model: saved, but never trained.
        self.register_buffer("uncond_embedding", null)

    def null_caption(self, slots: int) -> Tensor:
        """Return the null caption for `slots` slots: the last rows, since captions are padded on the left."""
        return self.uncond_embedding[-slots:]

    def forward(self, caption: Tensor, drop_caption: Tensor | None = None) -> Tensor:
        """Map (B, n, caption_dim) to (B, n, dim); rows marked in `drop_caption` (B,) get the null caption."""
        caption = caption.to(self.uncond_embedding.dtype)
        if drop_caption is not None:
            dropped = drop_caption.bool()[:, None, None]
            caption = torch.where(dropped, self.null_caption(caption.shape[1]), caption)
        return self.cap_proj(caption)
