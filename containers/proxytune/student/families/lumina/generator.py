"""Drawing with Lumina: codes from the transformer, pictures from the VQGAN's decoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from proxytune.student.families.lumina.checkpoint import Student, load_student
from proxytune.student.families.lumina.sampling import sample_codes
from proxytune.student.token_generator import SwitchedMaker


class LuminaMaker(SwitchedMaker):
    """What is particular to Lumina; see `making.SwitchedMaker`."""

    def student_of(self, base: Path, dtype: torch.dtype, device: torch.device) -> Student:
        """Read the model folder."""
        return load_student(base, dtype=dtype, device=device)

    def slots(self, prompt: str) -> int:
        """Ids before the header."""
        return len(self._encode(prompt))

    def codes(self, prompts: list[str], seeds: list[int], settings: dict[str, Any]) -> Tensor:
        """Codes (len(prompts), codes a picture)."""
        student = self.student
        encoded = [self._encode(prompt) for prompt in prompts]
        return sample_codes(self.lm, student.layout, encoded, student.grid, seeds, **settings)

    def pixels(self, codes: Tensor) -> Tensor:
        """Pictures of codes."""
        grid = self.student.grid
        return self.student.vq.decode(codes, (grid.rows, grid.columns))

    def _encode(self, prompt: str) -> list[int]:
        size = self.student.image_size
        return self.student.prompts.encode(prompt, size, size)
