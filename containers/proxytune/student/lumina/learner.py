"""The Lumina student while it learns: a LoRA on the transformer, trained on the codes of the proxies.

What never changes is computed once: the ids of each prompt, and the codes of every proxy. The picture
tokenizer is freed before the first step.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.nn.utils.rnn import pad_sequence

from proxytune.student.adapters import add_adapter, bare, save_adapter
from proxytune.student.families import Lesson
from proxytune.student.llamagen.pictures import full_precision
from proxytune.student.lumina import memory
from proxytune.student.lumina.checkpoint import Student, load_student
from proxytune.student.lumina.layout import Grid, Layout
from proxytune.student.lumina.transformer import IGNORED, Lumina
from proxytune.student.lumina.vq import VQGAN
from proxytune.student.proxy_set import ProxySet
from proxytune.training.loop import LoopSettings

# Pictures tokenised at once; a fixed number, so that a resumed job rounds as the first attempt did.
TOKENISED_AT_ONCE = 4
# The official training's optimizer (xllmx finetune.py with exps/7B.sh).
BETAS, WEIGHT_DECAY, CLIP = (0.9, 0.95), 0.1, 4.0
# What fills short rows, officially; no label stands there.
PAD = 0


class LuminaLearner:
    """A `training.loop.Trainee` after `prepare`.

    Args:
        base: the model folder.
        size: side of the training picture in pixels; must be the model's own.
        device: where to train; bfloat16 on a GPU, float32 elsewhere.
    """

    def __init__(self, base: Path, size: int, device: torch.device) -> None:
        self._base, self._size, self._device = base, size, device
        self._dtype = torch.bfloat16 if device.type == "cuda" else torch.float32

    def prepare(self, proxies: ProxySet, lesson: Lesson) -> LuminaLearner:
        """Load the weights, encode prompts and proxies, put a fresh adapter on the transformer.

        The adapter's first values are drawn from torch's global state: seed that before.

        Raises:
            ProxytuneError: ModelMismatch, TokenWordUnusable.
        """
        self._proxies, self._lesson = proxies, lesson
        student = load_student(self._base, image_size=self._size, dtype=self._dtype, device=self._device)
        self._layout, self._grid = student.layout, student.grid
        self._prompts = self._encode_prompts(student)
        self._codes = tokenise(student.vq, proxies, self._device)
        lm = student.lm
        del student
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        self._model = add_adapter(lm, rank=lesson.rank, alpha=lesson.alpha)
        longest = max(len(prompt) for prompt in self._prompts) + self._grid.block + 1
        memory.fit(lm, lesson.batch_size, longest, self._device)
        self._model.train()
        return self

    def named_parameters(self) -> Iterable[tuple[str, Parameter]]:
        """The adapter's parameters."""
        return [(name, value) for name, value in self._model.named_parameters() if value.requires_grad]

    def loop_settings(self, *, steps: int, checkpoint_every: int, learning_rate: float) -> LoopSettings:
        """The official training's optimizer, with a constant learning rate."""
        return LoopSettings(
            steps=steps,
            checkpoint_every=checkpoint_every,
            learning_rate=learning_rate,
            seed=self._lesson.seed,
            betas=BETAS,
            weight_decay=WEIGHT_DECAY,
            clip=CLIP,
        )

    def loss(self, step: int, draws: torch.Generator) -> Tensor:
        """Loss of step `step`'s proxies under their prompts, some without: guidance needs them.

        The official training drops no prompts; a model that is tuned long would forget what pictures are
        without one, and guidance compares with that.
        """
        count = self._lesson.batch_size
        slots = range(step * count, (step + 1) * count)
        numbers = [self._proxies.picture_of(slot, self._lesson.seed) for slot in slots]
        dropped = (torch.rand(count, generator=draws) < self._lesson.caption_dropout).tolist()
        prompts = [
            [] if without else self._prompts[number] for number, without in zip(numbers, dropped, strict=True)
        ]
        ids, labels = training_batch(self._layout, self._grid, prompts, self._codes[numbers])
        return self._lumina().loss(ids.to(self._device), labels.to(self._device))

    def save(self, folder: Path) -> None:
        """Write the adapter and prove that reading it back gives the trained student.

        Raises:
            ProxytuneError: ModelMismatch when it does not.
        """
        ids, _ = training_batch(self._layout, self._grid, self._prompts[:1], self._codes[:1])
        ids = ids.to(self._device)
        self._model = save_adapter(self._model, folder, lambda lm: lm.hidden(ids))

    def _lumina(self) -> Lumina:
        return cast("Lumina", bare(self._model))

    def _encode_prompts(self, student: Student) -> list[list[int]]:
        """The ids before each proxy."""
        known: dict[str, list[int]] = {}
        for caption in dict.fromkeys([self._lesson.caption, *self._proxies.prompts]):
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


def tokenise(vq: VQGAN, proxies: ProxySet, device: torch.device) -> Tensor:
    """All proxies as (len(proxies), codes a picture) int64 on the CPU."""
    batches = []
    with full_precision():
        for start in range(0, len(proxies), TOKENISED_AT_ONCE):
            numbers = range(start, min(start + TOKENISED_AT_ONCE, len(proxies)))
            batches.append(vq.encode(proxies.pixels(numbers).to(device)).cpu())
    return torch.cat(batches)
