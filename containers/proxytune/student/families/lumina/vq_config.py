"""The sizes of Chameleon's picture tokenizer, under the official field names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

# Fields of the official vqgan.yaml that say nothing about a tokenizer without attention at its resolutions.
_OFFICIAL_EXTRAS = frozenset(
    {"double_z", "resolution", "in_channels", "out_ch", "attn_resolutions", "dropout"}
)


@dataclass(frozen=True)
class VQGANConfig:
    """Sizes of the tokenizer; the defaults are the official ones (68.7 M parameters).

    The stride is 2 ** (levels - 1): five multipliers give 16. Widths must be multiples of `norm_groups`, the
    official 32, which narrower tokenizers lower.
    """

    n_embed: int = 8192
    embed_dim: int = 256
    z_channels: int = 256
    ch: int = 128
    ch_mult: tuple[int, ...] = (1, 1, 2, 2, 4)
    num_res_blocks: int = 2
    norm_groups: int = 32

    def __post_init__(self) -> None:
        """Refuse widths that the norm cannot divide.

        Raises:
            ValueError: naming the widths and what is allowed.
        """
        object.__setattr__(self, "ch_mult", tuple(self.ch_mult))
        uneven = [self.ch * factor for factor in self.ch_mult if self.ch * factor % self.norm_groups]
        if uneven or not self.ch_mult:
            raise ValueError(f"widths {uneven} given; allowed: multiples of norm_groups = {self.norm_groups}")

    @property
    def stride(self) -> int:
        """Pixels along one side of a code."""
        return 2 ** (len(self.ch_mult) - 1)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return {**asdict(self), "ch_mult": list(self.ch_mult)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> VQGANConfig:
        """Read a config from JSON values, also in the official form with its `ddconfig`.

        Raises:
            ValueError: attention at some resolution, an unknown field, or widths that cannot be.
        """
        given = {**values, **values.get("ddconfig", {})}
        given.pop("ddconfig", None)
        if given.get("attn_resolutions"):
            raise ValueError(f"attn_resolutions = {given['attn_resolutions']} given; allowed: none")
        if given.get("double_z"):
            raise ValueError("double_z = true given; allowed: false")
        kept = {name: value for name, value in given.items() if name not in _OFFICIAL_EXTRAS}
        known = {field.name for field in fields(cls)}
        unknown = sorted(kept.keys() - known)
        if unknown:
            raise ValueError(f"unknown tokenizer fields {unknown}; allowed: {sorted(known)}")
        return cls(**kept)
