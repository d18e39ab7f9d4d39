"""The sizes of Chameleon's image tokenizer, under the official field names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from proxytune.student.vq import VQSizes

# Fields of the official vqgan.yaml that do not matter to a tokenizer without attention at its resolutions.
_OFFICIAL_EXTRAS = frozenset(
    {"double_z", "resolution", "in_channels", "out_ch", "attn_resolutions", "dropout"}
)


@dataclass(frozen=True)
class VQGANConfig(VQSizes):
    """Sizes of the tokenizer; the defaults are the official ones (68.7 M parameters)."""

    n_embed: int = 8192
    embed_dim: int = 256

    @property
    def codebook_shape(self) -> tuple[int, int]:
        """Number of codes and their width."""
        return self.n_embed, self.embed_dim

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
        return cls.from_fields({name: value for name, value in given.items() if name not in _OFFICIAL_EXTRAS})
