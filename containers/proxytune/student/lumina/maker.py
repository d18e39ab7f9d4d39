"""Drawing with Lumina: codes from the transformer, pictures from the VQGAN's decoder."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from proxytune.student.adapters import load_adapter, with_adapter
from proxytune.student.lumina.checkpoint import load_student
from proxytune.student.lumina.sampling import sample_codes
from proxytune.student.making import CodeMaker


class LuminaMaker(CodeMaker):
    """What is particular to Lumina; see `making.CodeMaker`."""

    def read(self, base: Path, dtype: torch.dtype, device: torch.device) -> int:
        """Read the model folder."""
        self._student = load_student(base, dtype=dtype, device=device)
        self._lm: nn.Module = self._student.lm
        return self._student.image_size

    def put_on(self, adapter: Path) -> None:
        """Put it on the transformer."""
        self._lm = load_adapter(self._student.lm, adapter)

    def variant(self, name: str) -> AbstractContextManager[None]:
        """Switch the adapter on or off."""
        return with_adapter(self._lm, on=name == "tuned")

    def slots(self, prompt: str) -> int:
        """Ids before the header."""
        return len(self._encode(prompt))

    def codes(self, prompts: list[str], seeds: list[int], settings: dict[str, Any]) -> Tensor:
        """Codes (len(prompts), codes a picture)."""
        student = self._student
        encoded = [self._encode(prompt) for prompt in prompts]
        return sample_codes(self._lm, student.layout, encoded, student.grid, seeds, **settings)

    def pixels(self, codes: Tensor) -> Tensor:
        """Pictures of codes."""
        grid = self._student.grid
        return self._student.vq.decode(codes, (grid.rows, grid.columns))

    def _encode(self, prompt: str) -> list[int]:
        size = self._student.image_size
        return self._student.prompts.encode(prompt, size, size)
