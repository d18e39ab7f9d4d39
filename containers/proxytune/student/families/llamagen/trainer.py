"""The LlamaGen student while it learns: a LoRA on the transformer, trained on the tokens of the proxies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from proxytune.student.families.llamagen import memory, token_word
from proxytune.student.families.llamagen.captions import CaptionEncoder
from proxytune.student.families.llamagen.checkpoint import Student, load_student
from proxytune.student.families.llamagen.proxy_captions import ProxyCaptions
from proxytune.student.families.llamagen.sampling import bare
from proxytune.student.families.llamagen.transformer import LlamaGen
from proxytune.student.lora_trainer import AdapterLearner, Optimizer, tokenise
from proxytune.training import compilation
from proxytune.training.loop import LoopSettings
from proxytune.training.transfer import to_device

# Pictures tokenised at once; a fixed number, so that a resumed job rounds as the first attempt did.
TOKENISED_AT_ONCE = 16


class LlamaGenLearner(AdapterLearner):
    """What is particular to LlamaGen; see `learning.AdapterLearner`."""

    # The official training's (LlamaGen train_t2i.py). Its weight decay is for tensors of two dimensions,
    # which all of an adapter's are.
    optimizer = Optimizer(betas=(0.9, 0.95), weight_decay=0.05, clip=1.0)

    def load(self) -> LlamaGen:
        """Read the model folder; compute the features of the captions and the tokens of the proxies."""
        student = load_student(
            self._base, image_size=self._size, dtype=self._dtype, text_dtype=self._dtype, device=self._device
        )
        self._captions = self._encode_captions(student)
        self.proxy_codes = tokenise(student.vq.encode, self._proxies, self._device, at_once=TOKENISED_AT_ONCE)
        self._layers = list(student.gpt.layers)
        return student.gpt

    def fit(self, model: nn.Module) -> None:
        """Recompute activations that would not fit."""
        gpt = cast("LlamaGen", model)
        memory.fit(gpt, self._lesson.batch_size, self._captions.longest, self._device)

    def loop_settings(self, *, steps: int, checkpoint_every: int, learning_rate: float) -> LoopSettings:
        """As every family's; long trainings are compiled."""
        if steps >= compilation.WORTHWHILE_STEPS and compilation.possible(self._device):
            compilation.compile_layers(self._layers)
        return super().loop_settings(
            steps=steps, checkpoint_every=checkpoint_every, learning_rate=learning_rate
        )

    def loss_of(self, numbers: Tensor, dropped: Tensor) -> Tensor:
        """Mean cross-entropy of some proxies under their captions, or under the null caption."""
        return bare(self._model).loss(
            to_device(self.proxy_codes[numbers], self._device),
            *self._captions.batch(numbers),
            drop_caption=to_device(dropped, self._device),
        )

    def save(self, folder: Path) -> None:
        """As every family's."""
        compilation.undo(self._layers)
        super().save(folder)

    def probe(self) -> Callable[[LlamaGen], Tensor]:
        """The logits of the first proxy."""
        caption, _ = self._captions.batch(torch.tensor([0]))
        tokens = self.proxy_codes[:1, :-1].to(self._device)
        return lambda gpt: gpt(tokens, caption)

    def _encode_captions(self, student: Student) -> ProxyCaptions:
        encoder = student.captions
        assert isinstance(encoder, CaptionEncoder)
        for caption in self.captions:
            token_word.check(self._lesson.token_word, caption, encoder)
        return ProxyCaptions.encode(self._proxies.prompts, encoder)
