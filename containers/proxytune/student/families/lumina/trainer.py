"""The Lumina student while it learns: a LoRA on the transformer, trained on the codes of the proxies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from proxytune.student.families.lumina import memory
from proxytune.student.families.lumina.checkpoint import Student, load_student
from proxytune.student.families.lumina.layout import Grid, Layout
from proxytune.student.families.lumina.transformer import IGNORED, Lumina
from proxytune.student.lora_trainer import AdapterLearner, Optimizer, tokenise
from proxytune.student.modules import bare
from proxytune.training.transfer import to_device

# Pictures tokenised at once; a fixed number, so that a resumed job rounds as the first attempt did.
TOKENISED_AT_ONCE = 4
# What fills short rows, officially; no label stands there.
PAD = 0


class LuminaLearner(AdapterLearner):
    """What is particular to Lumina; see `learning.AdapterLearner`."""

    # The official training's (xllmx finetune.py with exps/7B.sh).
    optimizer = Optimizer(betas=(0.9, 0.95), weight_decay=0.1, clip=4.0)

    def load(self) -> Lumina:
        """Read the model folder; encode prompts and proxies."""
        student = load_student(self._base, image_size=self._size, dtype=self._dtype, device=self._device)
        self._layout, self._grid = student.layout, student.grid
        self._prompts = self._encode_prompts(student)
        self.proxy_codes = tokenise(student.vq.encode, self._proxies, self._device, at_once=TOKENISED_AT_ONCE)
        return student.lm

    def fit(self, model: nn.Module) -> None:
        """Recompute activations that would not fit."""
        longest = max(len(prompt) for prompt in self._prompts) + self._grid.block + 1
        memory.fit(cast("Lumina", model), self._lesson.batch_size, longest, self._device)

    def loss_of(self, numbers: Tensor, dropped: Tensor) -> Tensor:
        """Loss of some proxies under their prompts, or without.

        The official training drops no prompts; a model that is tuned long would forget what pictures are
        without one, and guidance compares with that.
        """
        pairs = zip(numbers.tolist(), dropped.tolist(), strict=True)
        prompts = [[] if without else self._prompts[number] for number, without in pairs]
        ids, labels = training_batch(self._layout, self._grid, prompts, self.proxy_codes[numbers])
        return self._lumina().loss(to_device(ids, self._device), labels)

    def probe(self) -> Callable[[Lumina], Tensor]:
        """What the layers make of the first proxy."""
        ids, _ = training_batch(self._layout, self._grid, self._prompts[:1], self.proxy_codes[:1])
        ids = ids.to(self._device)
        return lambda lm: lm.hidden(ids)

    def _lumina(self) -> Lumina:
        return cast("Lumina", bare(self._model))

    def _encode_prompts(self, student: Student) -> list[list[int]]:
        """The ids before each proxy."""
        known: dict[str, list[int]] = {}
        for caption in self.captions:
            student.prompts.check_word(self._lesson.token_word, caption)
            known[caption] = student.prompts.encode(caption, self._size, self._size)
        return [known[caption] for caption in self._proxies.prompts]


def training_batch(
    layout: Layout, grid: Grid, prompts: Sequence[Sequence[int]], codes: Tensor
) -> tuple[Tensor, Tensor]:
    """What some pictures are learnt from.

    Args:
        prompts: the ids before each picture; empty for one learnt without words.
        codes: (B, grid.codes).

    Returns:
        Ids and labels (B, S) int64: prompt, picture, separator, short rows padded on the right. The prompt
        has no labels.
    """
    blocks = layout.block(codes, grid)
    rows = [layout.sequence(prompt, block) for prompt, block in zip(prompts, blocks, strict=True)]
    labels = []
    for prompt, row in zip(prompts, rows, strict=True):
        wanted = row.clone()
        wanted[: len(prompt)] = IGNORED
        labels.append(wanted)
    return (
        pad_sequence(rows, batch_first=True, padding_value=PAD),
        pad_sequence(labels, batch_first=True, padding_value=IGNORED),
    )
