"""One batch of pictures being drawn by a transformer of transformers': cache, masks, positions, guidance.

LlamaGen's own transformer has its own decoder (`llamagen.decoding`), with the official shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from transformers.cache_utils import Cache

from proxytune.student.cache import WindowCache

# From inputs (rows, S, ...), mask (rows, 1, S, places), positions (rows, S) and cache to (rows, S, width).
Run = Callable[[Tensor, Tensor, Tensor, Cache], Tensor]


def padded(rows: Sequence[Sequence[int]], filler: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Rows of ids filled on the left.

    Returns:
        (rows, longest) int64, and (rows,) how many ids of each are filler: what `Decoder` takes as padding.
    """
    longest = max(len(row) for row in rows)
    ids = [[filler] * (longest - len(row)) + list(row) for row in rows]
    return torch.tensor(ids, device=device), torch.tensor([longest - len(row) for row in rows], device=device)


class Decoder:
    """A batch on its way; gone when the batch is done.

    Guided, there are two rows a picture: first all that know the prompt, then all that do not. Each row
    counts its own positions from 0; shorter rows are padded on the left.

    Args:
        run: the transformer, up to and with its last norm.
        layers: how many layers keep keys and values.
        padding: (rows,) places at the beginning of each row that hold nothing.
        length: places of a row in all, padding and everything that will be fed included.
        guidance: 1 means that there are no rows without prompt.
    """

    def __init__(self, run: Run, *, layers: int, padding: Tensor, length: int, guidance: float) -> None:
        self._run, self.guidance = run, guidance
        self.rows = len(padding)
        self.pictures = self.rows if guidance == 1.0 else self.rows // 2
        self._cache = WindowCache(layers, length)
        places = torch.arange(length, device=padding.device)
        # Which places may be attended to, once they are filled.
        self._open = places >= padding[:, None]
        self._positions = (places - padding[:, None]).clamp(min=0)
        self._filled = 0

    def feed(self, inputs: Tensor) -> Tensor:
        """Run (rows, S, ...) inputs; return what the model makes of the last ones, (rows, width)."""
        start, self._filled = self._filled, self._filled + inputs.shape[1]
        window = self._cache.window(self._filled)
        places = torch.arange(window, device=inputs.device)
        queries = torch.arange(start, self._filled, device=inputs.device)[:, None]
        # A padded query attends to itself, since a row that attends to nothing is no number.
        mask = (self._open[:, None, :window] & (places <= queries)) | (places == queries)
        positions = self._positions[:, start : self._filled]
        return self._run(inputs, mask[:, None], positions, self._cache)[:, -1]

    def for_all_rows(self, chosen: Tensor) -> Tensor:
        """What was chosen for each picture (pictures, ...), for each row: without prompt the same."""
        return chosen.repeat(self.rows // self.pictures, *[1] * (chosen.dim() - 1))

    def guided(self, logits: Tensor) -> Tensor:
        """(pictures, codes) of (rows, codes)."""
        if self.rows == self.pictures:
            return logits
        conditional, free = logits.split(self.pictures)
        return free + self.guidance * (conditional - free)
