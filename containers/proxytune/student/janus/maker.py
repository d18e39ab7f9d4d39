"""Drawing with Janus: codes from the language model, pictures from the VQ decoder."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from proxytune.student.adapters import load_adapter, with_adapter
from proxytune.student.janus.checkpoint import load_student
from proxytune.student.janus.sampling import sample_codes
from proxytune.student.making import CodeMaker


class JanusMaker(CodeMaker):
    """What is particular to Janus; see `making.CodeMaker`."""

    def read(self, base: Path, dtype: torch.dtype, device: torch.device) -> int:
        """Read the model folder."""
        self._student = load_student(base, dtype=dtype, device=device)
        self._lm: nn.Module = self._student.lm
        return self._student.image_size

    def put_on(self, adapter: Path) -> None:
        """Put it on the language model."""
        self._lm = load_adapter(self._student.lm, adapter)

    def variant(self, name: str) -> AbstractContextManager[None]:
        """Switch the adapter on or off."""
        return with_adapter(self._lm, on=name == "tuned")

    def slots(self, prompt: str) -> int:
        """Ids before the picture."""
        return len(self._student.prompts.encode(prompt))

    def codes(self, prompts: list[str], seeds: list[int], settings: dict[str, Any]) -> Tensor:
        """Codes (len(prompts), codes a picture)."""
        encoder = self._student.prompts
        encoded = [encoder.encode(prompt) for prompt in prompts]
        free = [encoder.without_words(prompt) for prompt in encoded]
        return sample_codes(self._lm, encoded, free, seeds, **settings)

    def pixels(self, codes: Tensor) -> Tensor:
        """Pictures of codes."""
        pictures: Tensor = self._student.vq.decode(codes)
        return pictures
