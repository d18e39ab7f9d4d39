"""Which part comes after which. The two lanes have nothing in common but the corpus and run side by side."""

from __future__ import annotations

import copy
import hashlib
import json
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dev.pretraining import caches
from dev.pretraining.corpus import Corpus, open_corpus
from dev.pretraining.loop import Lesson, store_of, train
from dev.pretraining.settings import Settings
from dev.pretraining.texts import all_captions
from proxytune.contract.signals import StopRequest

# The parts that a part is trained on the answers of.
NEEDS: dict[str, tuple[str, ...]] = {"teacher": ("vae",), "student": ("vq",)}

Say = Callable[[str], None]


class Pretraining:
    """One pretraining in its working folder.

    Args:
        work: holds the corpus, checkpoints, caches and results; whatever is whole there is not done again.
        dtype: to compute in. Weights are float32 always.
    """

    def __init__(
        self, work: Path, settings: Settings, dtype: torch.dtype, say: Say, stop: StopRequest
    ) -> None:
        self.work, self.settings, self.dtype = work, settings, dtype
        self._say, self._stop = say, stop
        self._corpus: Corpus | None = None
        self._lessons: dict[str, Lesson] = {}
        self._averaged: dict[str, Any] = {}

    @property
    def corpus(self) -> Corpus:
        """The corpus, which must have been drawn."""
        if self._corpus is None:
            self._corpus = open_corpus(self.work / "corpus", self.settings)
        return self._corpus

    def run(self, part: str) -> dict[str, Any]:
        """Train a part to its end, or read what was trained; see `loop.train` for what is returned."""
        state = train(
            part,
            self._lesson(part),
            self.settings.parts[part],
            store_of(self.work, part, self._hash(part)),
            self._stop,
            seed=self._seed(part),
            dtype=self.dtype,
            say=self._say,
        )
        facts = {name: state[name] for name in ("losses", "findings", "seconds")}
        # Of the whole process so far, in Linux's unit; an earlier part of the lane may have been the larger.
        facts["peak_bytes"] = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        (self.work / f"{part}.json").write_text(json.dumps(facts) + "\n", "utf-8")
        return state

    def trained(self, part: str) -> nn.Module:
        """The averaged weights of a part that is trained to its end, or is now; the caller may change it."""
        if part not in self._averaged:
            self._averaged[part] = self.run(part)["averaged"]
        module = copy.deepcopy(self._lesson(part).module)
        module.load_state_dict(self._averaged[part])
        return module.eval().requires_grad_(False)

    def write_models(self, out: Path) -> None:
        """Write all four model folders; every part must be trained to its end."""
        from dev.pretraining import folders

        teacher: Any = self.trained("teacher")
        _, shift, scale = self.latents()
        folders.write_teacher(out / "sdxl-miniature", self.trained("vae"), teacher, shift, scale)
        student: Any = self.trained("student")
        folders.write_student(out / "llamagen-miniature", self.trained("vq"), student)
        folders.write_clip(out / "clip-miniature", self.trained("clip"))
        folders.write_dino(out / "dino-miniature", self.trained("dino"))

    def latents(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """See `caches.latents_of`."""
        file = self.work / "latents.npy"
        return caches.latents_of(self.corpus, self.trained("vae"), file, self.dtype)

    def tokens(self) -> torch.Tensor:
        """See `caches.tokens_of`."""
        vq: Any = self.trained("vq")
        return caches.tokens_of(self.corpus, vq, self.work / "tokens.npy", self.dtype)

    def _lesson(self, part: str) -> Lesson:
        if part not in self._lessons:
            make = self._maker(part)
            # Last: what the part needs may have had to be made first, which draws numbers of its own.
            torch.manual_seed(self._seed(part))
            self._lessons[part] = make()
        return self._lessons[part]

    def _maker(self, part: str) -> Callable[[], Lesson]:
        """What makes the lesson, once everything that it is given is at hand."""
        corpus, batch = self.corpus, self.settings.parts[part].batch
        if part == "vae":
            from dev.pretraining.vae import VAELesson

            return lambda: VAELesson(corpus, batch)
        if part == "vq":
            from dev.pretraining.vq import VQLesson

            return lambda: VQLesson(corpus, batch, self.settings.parts[part].steps)
        if part in ("clip", "dino"):
            from dev.pretraining.encoders import ClipLesson, DinoLesson

            return lambda: (ClipLesson if part == "clip" else DinoLesson)(corpus, batch)
        captions = all_captions(self.settings.seed)
        if part == "teacher":
            from dev.pretraining.teacher import TeacherLesson

            latents = self.latents()[0]
            return lambda: TeacherLesson(corpus, latents, captions, batch)
        if part == "student":
            from dev.pretraining.student import StudentLesson

            tokens = self.tokens()
            return lambda: StudentLesson(corpus, tokens, captions, batch)
        raise ValueError(f"{part!r} given; allowed: {', '.join(self.settings.parts)}")

    def _seed(self, part: str) -> int:
        return 1000 * self.settings.seed + sorted(self.settings.parts).index(part)

    def _hash(self, part: str) -> str:
        """Of all that decides what the part becomes: other checkpoints must not be resumed."""
        decides = {
            **self.settings.to_dict(),
            "parts": [self.settings.to_dict()["parts"][name] for name in (*NEEDS.get(part, ()), part)],
            "dtype": str(self.dtype),
        }
        return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
