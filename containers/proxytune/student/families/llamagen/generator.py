"""Drawing with LlamaGen: tokens from the transformer, pictures from the VQ decoder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from proxytune.student.adapters import load_adapter
from proxytune.student.families.llamagen.adapter import merged
from proxytune.student.families.llamagen.captions import CaptionEncoder
from proxytune.student.families.llamagen.checkpoint import load_student
from proxytune.student.families.llamagen.sampling import sample_tokens
from proxytune.student.families.llamagen.transformer import trim_caption
from proxytune.student.token_generator import CodeMaker


class LlamaGenMaker(CodeMaker):
    """What is particular to LlamaGen; see `making.CodeMaker`."""

    def read(self, base: Path, dtype: torch.dtype, device: torch.device) -> int:
        """Read the model folder."""
        student = load_student(base, dtype=dtype, text_dtype=dtype, device=device)
        assert isinstance(student.captions, CaptionEncoder)
        self._vq, self._captions = student.vq, student.captions
        self._gpts = {"base": student.gpt}
        self._features: dict[str, Tensor] = {}
        return student.image_size

    def put_on(self, adapter: Path) -> None:
        """Make a second transformer that holds the adapter in its weights."""
        wrapped = load_adapter(self._gpts["base"], adapter)
        self._gpts["tuned"] = merged(wrapped)
        wrapped.unload()

    @contextmanager
    def variant(self, name: str) -> Iterator[None]:
        """Draw with this transformer."""
        self._gpt = self._gpts[name]
        yield

    def slots(self, prompt: str) -> int:
        """Slots of the caption: a batch of one length needs neither padding nor a mask."""
        return self._encode(prompt).shape[1]

    def codes(self, prompts: list[str], seeds: list[int], settings: dict[str, Any]) -> Tensor:
        """Tokens (len(prompts), block_size)."""
        captions = torch.cat([self._encode(prompt) for prompt in prompts])
        return sample_tokens(self._gpt, captions, None, seeds, **settings)

    def pixels(self, codes: Tensor) -> Tensor:
        """Pictures of tokens."""
        return self._vq.decode(codes)

    def _encode(self, prompt: str) -> Tensor:
        """The prompt's features without padding, (1, n, caption_dim)."""
        if prompt not in self._features:
            features, _ = trim_caption(*self._captions.encode([prompt]))
            self._features[prompt] = features
        return self._features[prompt]
