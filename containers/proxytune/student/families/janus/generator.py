"""Drawing with Janus: codes from the language model, pictures from the VQ decoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from proxytune.student.families.janus.checkpoint import Student, load_student
from proxytune.student.families.janus.sampling import sample_codes
from proxytune.student.token_generator import SwitchedMaker


class JanusMaker(SwitchedMaker):
    """What is particular to Janus; see `making.SwitchedMaker`."""

    def student_of(self, base: Path, dtype: torch.dtype, device: torch.device) -> Student:
        """Read the model folder."""
        return load_student(base, dtype=dtype, device=device)

    def slots(self, prompt: str) -> int:
        """Ids before the picture."""
        return len(self.student.prompts.encode(prompt))

    def codes(self, prompts: list[str], seeds: list[int], settings: dict[str, Any]) -> Tensor:
        """Codes (len(prompts), codes a picture)."""
        encoder = self.student.prompts
        encoded = [encoder.encode(prompt) for prompt in prompts]
        free = [encoder.without_words(prompt) for prompt in encoded]
        return sample_codes(self.lm, encoded, free, seeds, **settings)

    def pixels(self, codes: Tensor) -> Tensor:
        """Pictures of codes."""
        pictures: Tensor = self.student.vq.decode(codes)
        return pictures
