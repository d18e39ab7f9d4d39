"""The LlamaGen student while it learns: a LoRA on the transformer, trained on the tokens of the proxies.

What never changes is computed once: the features of each caption, and the tokens of every proxy. The text
encoder and the picture tokenizer are freed before the first step.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import Parameter

from proxytune.student.adapters import add_adapter, save_adapter
from proxytune.student.families import Lesson
from proxytune.student.llamagen import memory, token_word
from proxytune.student.llamagen.captions import CaptionEncoder
from proxytune.student.llamagen.checkpoint import Student, load_student
from proxytune.student.llamagen.pictures import full_precision
from proxytune.student.llamagen.proxy_captions import ProxyCaptions
from proxytune.student.llamagen.sampling import bare
from proxytune.student.llamagen.vq import VQTokenizer
from proxytune.student.proxy_set import ProxySet
from proxytune.training import compiling
from proxytune.training.loop import LoopSettings

# Pictures tokenised at once; a fixed number, so that a resumed job rounds as the first attempt did.
TOKENISED_AT_ONCE = 16
# The official training's optimizer (LlamaGen train_t2i.py). Its weight decay is for tensors of two
# dimensions, which all of an adapter's are.
BETAS, WEIGHT_DECAY, CLIP = (0.9, 0.95), 0.05, 1.0


class LlamaGenLearner:
    """A `training.loop.Trainee` after `prepare`.

    Args:
        base: the model folder.
        size: side of the training picture in pixels; must be the model's own.
        device: where to train; bfloat16 on a GPU, float32 elsewhere.
    """

    def __init__(self, base: Path, size: int, device: torch.device) -> None:
        self._base, self._size, self._device = base, size, device
        self._dtype = torch.bfloat16 if device.type == "cuda" else torch.float32

    def prepare(self, proxies: ProxySet, lesson: Lesson) -> LlamaGenLearner:
        """Load the weights, encode captions and proxies, put a fresh adapter on the transformer.

        The adapter's first values are drawn from torch's global state: seed that before.

        Raises:
            ProxytuneError: ModelMismatch, TokenWordUnusable.
        """
        self._proxies, self._lesson = proxies, lesson
        student = load_student(
            self._base, image_size=self._size, dtype=self._dtype, text_dtype=self._dtype, device=self._device
        )
        self._captions = self._encode_captions(student)
        self._tokens = tokenise(student.vq, proxies, self._device)
        gpt = student.gpt
        del student
        self._free()
        self._model = add_adapter(gpt, rank=lesson.rank, alpha=lesson.alpha)
        memory.fit(gpt, lesson.batch_size, self._captions.longest, self._device)
        self._layers = list(gpt.layers)
        self._model.train()
        return self

    def named_parameters(self) -> Iterable[tuple[str, Parameter]]:
        """The adapter's parameters."""
        return [(name, value) for name, value in self._model.named_parameters() if value.requires_grad]

    def loop_settings(self, *, steps: int, checkpoint_every: int, learning_rate: float) -> LoopSettings:
        """The official training's optimizer, with a constant learning rate; long trainings are compiled."""
        if steps >= compiling.WORTHWHILE_STEPS and compiling.possible(self._device):
            compiling.compile_layers(self._layers)
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
        """Mean cross-entropy of step `step`'s proxies under their captions, some with the null caption."""
        count = self._lesson.batch_size
        slots = range(step * count, (step + 1) * count)
        numbers = torch.tensor([self._proxies.picture_of(slot, self._lesson.seed) for slot in slots])
        dropped = torch.rand(count, generator=draws) < self._lesson.caption_dropout
        return bare(self._model).loss(
            self._tokens[numbers].to(self._device),
            *self._captions.batch(numbers),
            drop_caption=dropped.to(self._device),
        )

    def save(self, folder: Path) -> None:
        """Write the adapter and prove that reading it back gives the trained student.

        Raises:
            ProxytuneError: ModelMismatch when it does not.
        """
        compiling.undo(self._layers)
        caption, _ = self._captions.batch(torch.tensor([0]))
        tokens = self._tokens[:1, :-1].to(self._device)
        self._model = save_adapter(self._model, folder, lambda gpt: gpt(tokens, caption))

    def _encode_captions(self, student: Student) -> ProxyCaptions:
        captions = student.captions
        assert isinstance(captions, CaptionEncoder)
        for caption in dict.fromkeys([self._lesson.caption, *self._proxies.prompts]):
            token_word.check(self._lesson.token_word, caption, captions)
        return ProxyCaptions.encode(self._proxies.prompts, captions)

    def _free(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.empty_cache()


def tokenise(vq: VQTokenizer, proxies: ProxySet, device: torch.device) -> Tensor:
    """All proxies as (len(proxies), tokens a picture) int64 on the CPU."""
    batches = []
    with full_precision():
        for start in range(0, len(proxies), TOKENISED_AT_ONCE):
            numbers = range(start, min(start + TOKENISED_AT_ONCE, len(proxies)))
            batches.append(vq.encode(proxies.pixels(numbers).to(device)).cpu())
    return torch.cat(batches)
