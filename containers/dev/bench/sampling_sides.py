"""Sampling by tiny students, before and after: full batches, merged adapters, a cache read in part.

The models are the catalogue's tiny ones. Their steps take about as long for every number of rows, as those of
the real models do on a GPU, which reads all weights for every token whatever it computes with them.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import nn

from dev import tiny_models
from proxytune.student import decoding
from proxytune.student.adapters import add_adapter
from proxytune.student.families.base import StudentFamily
from proxytune.student.families.llamagen import LlamaGen, LlamaGenConfig
from proxytune.student.families.llamagen.decoding import LlamaGenDecoder
from proxytune.student.families.registry import student_family
from proxytune.student.merging import MergedAdapter
from proxytune.student.sampling import SamplingSettings

CONTAINERS = Path(__file__).resolve().parents[2]
PROMPTS = CONTAINERS.parent / "lib" / "core" / "catalogue" / "data" / "prompts.json"
# Family -> its tiny model.
MODELS = {"llamagen": "llamagen-tiny", "lumina": "lumina-tiny", "janus": "janus-pro-1b-tiny"}
# Images of a batch and of a chunk of the real one (models.json).
BATCH = {"llamagen": 16, "lumina": 8, "janus": 16}
# As in the evaluation of a run.
IMAGES_PER_PROMPT = 4
SAMPLER: dict[str, Any] = {"guidance": 2.0, "temperature": 1.0, "top_k": 100, "top_p": 1.0}
RANK = 4
# An image of 512 pixels has so many tokens.
TOKENS = 1024
# Of which a batch of the cache's has fewer images, as attention is all of its work.
IMAGES = 4

Run = Callable[[], object]


def batches(side: str, family: str) -> Run:
    """All images of an evaluation, with the rows that a GPU computes; before, prompts of one length only.

    Prompts are made of as many letters, each of which tiny tokenizers read as a token, as the real ones have
    words.
    """
    student, model = _load(family)
    if side == "before":
        # Padded to their own length, so not at all.
        vars(student)["prompt_step"] = 1
    texts = json.loads(PROMPTS.read_text("utf-8"))["photographs"]["evaluation"]
    prompts = ["a" * (len(text.split()) + 1) for text in texts for _ in range(IMAGES_PER_PROMPT)]
    size = BATCH[family]
    chunks = [prompts[first : first + size] for first in range(0, len(prompts), size)]
    parts = [part for chunk in chunks for part in _alike(student, chunk)]

    def run() -> int:
        for part in parts:
            student.generate_tokens(model, part, range(len(part)), {**SAMPLER, "rows": size})
        return size * len(parts)

    return run


def adapter(side: str, family: str) -> Run:
    """One batch with an adapter: in the weights, or, before, in layers of its own."""
    student, model = _load(family)
    torch.manual_seed(0)
    wrapped: Any = add_adapter(model, rank=RANK, alpha=RANK)
    if side == "before":
        tuned: nn.Module = wrapped.eval()
    else:
        merged = MergedAdapter(wrapped)
        merged.switch(on=True)
        tuned = merged.model
    prompts = ["a photo of ohwx dog"] * BATCH[family]
    return partial(student.generate_tokens, tuned, prompts, range(len(prompts)), {**SAMPLER, "rows": None})


def cache(side: str, family: str) -> Run:
    """One batch of LlamaGen's with the tokens of 512 pixels; before, each attends to the whole cache."""
    assert family == "llamagen"
    torch.manual_seed(0)
    sizes = {"dim": 64, "n_layer": 2, "n_head": 4, "vocab_size": 256, "caption_dim": 32}
    gpt = LlamaGen(LlamaGenConfig(block_size=TOKENS, **sizes)).eval()
    nn.init.normal_(gpt.output.weight, std=0.2)
    captions, mask = torch.randn(IMAGES, 32, 32), torch.ones(IMAGES, 32)
    choose = SamplingSettings(**SAMPLER).chooser(range(IMAGES), TOKENS, torch.device("cpu"))
    step = decoding.WINDOW_STEP if side == "ours" else 32 + TOKENS

    @torch.no_grad()
    def run() -> None:
        with mock.patch.object(decoding, "WINDOW_STEP", step):
            guidance = SAMPLER["guidance"]
            decoding.decode(LlamaGenDecoder(gpt, captions, mask, guidance, attended="steps"), choose)

    return run


def _load(family: str) -> tuple[StudentFamily, nn.Module]:
    student = student_family(family)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "model"
        tiny_models.write(MODELS[family], folder)
        return student, student.load_model(folder, device=torch.device("cpu"))


def _alike(student: StudentFamily, prompts: Sequence[str]) -> Iterator[list[str]]:
    """Group prompts that share a batch."""
    groups: dict[int, list[str]] = {}
    for prompt in prompts:
        groups.setdefault(student.padded_length(prompt), []).append(prompt)
    yield from groups.values()
