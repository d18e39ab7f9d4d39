"""True masks of the corpus, in the forms that the parts with masks are trained on and judged by."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from dev.pretraining.corpus import Corpus


def masks_of(corpus: Corpus, numbers: Tensor) -> Tensor:
    """Masks of the subjects as (n, 32, 32) float: 1 where the subject covers most of a pixel, else 0."""
    return torch.from_numpy(corpus.masks[numbers.numpy()]).float()


def patch_shares(masks: Tensor, patch: int) -> Tensor:
    """Shares of the patches that a mask covers: (n, side, side) to (n, patches), row by row."""
    return F.avg_pool2d(masks[:, None], patch).flatten(1)


def overlap(found: Tensor, true: Tensor) -> Tensor:
    """Intersection over union of masks of 0 and 1: (n, h, w) twice to (n,); two empty masks overlap fully."""
    both, either = (found * true).sum(dim=(1, 2)), torch.maximum(found, true).sum(dim=(1, 2))
    return torch.where(either > 0, both / either.clamp(min=1), torch.ones_like(both))
