"""The captions of the proxies as features: each distinct one encoded once, put together batch by batch.

As in the paper all proxies have one prompt, and then no batch holds padding: attention stays plain causal.
Prompts that name a context differ in length; such a batch is padded on the left to its longest caption, which
changes nothing for the others (see `trim_caption`).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from proxytune.student.families.llamagen.captions import CaptionEncoder
from proxytune.student.families.llamagen.transformer import trim_caption
from proxytune.training.transfer import to_device


class ProxyCaptions:
    """Features of the captions of images, by the index of the image.

    Args:
        features: of each distinct caption, (1, n, caption_dim), n its own.
        caption_of: for each image the index of its caption in `features`.
    """

    def __init__(self, features: Sequence[Tensor], caption_of: Sequence[int]) -> None:
        self._lengths = torch.tensor([one.shape[1] for one in features])
        self._caption_of = torch.tensor(caption_of)
        self.longest = int(self._lengths.max())
        self._features = torch.cat([_padded(one, self.longest) for one in features])

    @property
    def lengths(self) -> list[int]:
        """Slots of the caption of each image."""
        lengths: list[int] = self._lengths[self._caption_of].tolist()
        return lengths

    @classmethod
    def encode(cls, prompts: Sequence[str], captions: CaptionEncoder) -> ProxyCaptions:
        """Encode one prompt per image.

        One caption at a time, as generation does it: so the student is trained on exactly the features that
        it generates from, whatever other captions there are.
        """
        distinct = {prompt: index for index, prompt in enumerate(dict.fromkeys(prompts))}
        features = [trim_caption(*captions.encode([prompt]))[0] for prompt in distinct]
        return cls(features, [distinct[prompt] for prompt in prompts])

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the captions of some images.

        Args:
            indices: (B,) int64 on the CPU, of the images.

        Returns:
            Features (B, n, caption_dim) on the encoder's device, n the longest of them, left padded with
            zeros; and the mask (B, n), 1 for a valid slot, None when all are as long.
        """
        captions = self._caption_of[indices]
        lengths = self._lengths[captions]
        longest = int(lengths.max())
        # Cut before they are picked: most batches are shorter than the longest caption of all.
        features = self._features[:, -longest:][to_device(captions, self._features.device)]
        if bool((lengths == longest).all()):
            return features, None
        mask = (torch.arange(longest) >= longest - lengths[:, None]).long()
        return features, to_device(mask, features.device)


def _padded(features: Tensor, slots: int) -> Tensor:
    return F.pad(features, (0, 0, slots - features.shape[1], 0))
