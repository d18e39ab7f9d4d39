"""The Janus student while it learns: a LoRA on the language model, trained on the codes of the proxies."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from torch import Tensor, nn

from proxytune.student.families.janus import memory
from proxytune.student.families.janus.checkpoint import load_student
from proxytune.student.families.janus.transformer import Janus
from proxytune.student.lora_trainer import AdapterLearner, Optimizer, tokenise
from proxytune.student.modules import bare
from proxytune.training.transfer import to_device

# Pictures tokenised at once; a fixed number, so that a resumed job rounds as the first attempt did.
TOKENISED_AT_ONCE = 8


class JanusLearner(AdapterLearner):
    """What is particular to Janus; see `learning.AdapterLearner`."""

    # Betas and clipping of the official training, whose code is not published (arXiv 2410.13848); the weight
    # decay is LlamaGen's.
    optimizer = Optimizer(betas=(0.9, 0.95), weight_decay=0.05, clip=1.0)

    def load(self) -> Janus:
        """Read the model folder; encode prompts and proxies."""
        student = load_student(self._base, image_size=self._size, dtype=self._dtype, device=self._device)
        encoder, known = student.prompts, {}
        for caption in self.captions:
            encoder.check_word(self._lesson.token_word, caption)
            known[caption] = encoder.encode(caption)
        self._prompts = [known[caption] for caption in self._proxies.prompts]
        self._without_words = [encoder.without_words(prompt) for prompt in self._prompts]
        encode = student.vq.encode_pictures
        self.proxy_codes = tokenise(encode, self._proxies, self._device, at_once=TOKENISED_AT_ONCE)
        return student.lm

    def fit(self, model: nn.Module) -> None:
        """Recompute activations that would not fit."""
        longest = max(len(prompt) for prompt in self._prompts) + self.proxy_codes.shape[1] - 1
        memory.fit(cast("Janus", model), self._lesson.batch_size, longest, self._device)

    def loss_of(self, numbers: Tensor, dropped: Tensor) -> Tensor:
        """Loss of some proxies under their prompts, or under what stands for them without words."""
        prompts = [
            (self._without_words if without else self._prompts)[number]
            for number, without in zip(numbers.tolist(), dropped.tolist(), strict=True)
        ]
        lm = cast("Janus", bare(self._model))
        return lm.loss(prompts, to_device(self.proxy_codes[numbers], self._device))

    def probe(self) -> Callable[[Janus], Tensor]:
        """What the layers make of the first proxy."""
        prompts, codes = self._prompts[:1], self.proxy_codes[:1].to(self._device)
        return lambda lm: lm.hidden_before(prompts, codes)
