"""The order of the parts. Two workers share nothing but the corpus and run side by side."""

from __future__ import annotations

import copy
import hashlib
import json
import resource
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dev.pretraining import caches
from dev.pretraining.corpus import Corpus, open_corpus
from dev.pretraining.loop import Trainable, store_of, train
from dev.pretraining.settings import Settings
from dev.pretraining.texts import all_captions
from proxytune.contract.signals import StopRequest

# The parts on whose output a part is trained.
NEEDS: dict[str, tuple[str, ...]] = {"teacher": ("vae",), "student": ("vq",)}

Log = Callable[[str], None]


class Pretraining:
    """One pretraining in its working folder.

    Args:
        work: holds the corpus, checkpoints, caches and results; whatever is complete there is not done again.
        dtype: to compute in. Weights are float32 always.
    """

    def __init__(
        self, work: Path, settings: Settings, dtype: torch.dtype, log: Log, stop: StopRequest
    ) -> None:
        self.work, self.settings, self.dtype = work, settings, dtype
        self._log, self._stop = log, stop
        self._corpus: Corpus | None = None
        self._trainables: dict[str, Trainable] = {}
        self._averaged: dict[str, Any] = {}

    @property
    def corpus(self) -> Corpus:
        """The corpus, which must have been drawn."""
        if self._corpus is None:
            self._corpus = open_corpus(self.work / "corpus", self.settings)
        return self._corpus

    def run(self, part: str) -> dict[str, Any]:
        """Train a part to its end, or read its result; `loop.train` describes the return value."""
        state = train(
            part,
            self._trainable(part),
            self.settings.parts[part],
            store_of(self.work, part, self._hash(part)),
            self._stop,
            seed=self._seed(part),
            dtype=self.dtype,
            log=self._log,
        )
        facts = {name: state[name] for name in ("losses", "findings", "seconds")}
        # Of the whole process so far, in Linux's unit; an earlier part may have needed more.
        facts["peak_bytes"] = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        (self.work / f"{part}.json").write_text(json.dumps(facts) + "\n", "utf-8")
        return state

    def trained(self, part: str) -> nn.Module:
        """Return the averaged weights of a part, trained now if need be; the caller may change them."""
        if part not in self._averaged:
            self._averaged[part] = self.run(part)["averaged"]
        module = copy.deepcopy(self._trainable(part).module)
        module.load_state_dict(self._averaged[part])
        return module.eval().requires_grad_(False)

    def write_models(self, out: Path) -> None:
        """Write all model folders; every part must be trained to its end."""
        from dev.pretraining import encoder_folders, folders

        teacher: Any = self.trained("teacher")
        _, shift, scale = self.latents()
        folders.write_teacher(out / "sdxl-miniature", self.trained("vae"), teacher, shift, scale)
        folders.write_references(out / "ip-adapter-miniature", teacher)
        student: Any = self.trained("student")
        folders.write_student(out / "llamagen-miniature", self.trained("vq"), student)
        folders.write_clip(out / "clip-miniature", self.trained("clip"))
        folders.write_dino(out / "dino-miniature", self.trained("dino"))
        encoder_folders.write_segmenter(out / "clipseg-miniature", self.trained("segmenter"))
        encoder_folders.write_siglip(out / "siglip-miniature", self.trained("siglip"))

    def latents(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """See `caches.latents_of`."""
        file = self.work / "latents.npy"
        return caches.latents_of(self.corpus, self.trained("vae"), file, self.dtype)

    def tokens(self) -> torch.Tensor:
        """See `caches.tokens_of`."""
        vq: Any = self.trained("vq")
        return caches.tokens_of(self.corpus, vq, self.work / "tokens.npy", self.dtype)

    def _trainable(self, part: str) -> Trainable:
        if part not in self._trainables:
            make = self._constructor(part)
            # Last: what the part needs may have had to be made first, which uses random numbers of its own.
            torch.manual_seed(self._seed(part))
            self._trainables[part] = make()
        return self._trainables[part]

    def _constructor(self, part: str) -> Callable[[], Trainable]:
        """Prepare the inputs of a part; the return value constructs its trainable."""
        corpus, batch = self.corpus, self.settings.parts[part].batch
        if part == "vae":
            from dev.pretraining.vae import VAETrainable

            return lambda: VAETrainable(corpus, batch)
        if part == "vq":
            from dev.pretraining.vq import VQTrainable

            return lambda: VQTrainable(corpus, batch, self.settings.parts[part].steps)
        if part in ("clip", "dino"):
            from dev.pretraining.encoders import ClipTrainable, DinoTrainable

            return lambda: (ClipTrainable if part == "clip" else DinoTrainable)(corpus, batch)
        if part == "segmenter":
            from dev.pretraining.segmenter import SegmenterTrainable

            return lambda: SegmenterTrainable(corpus, batch)
        if part == "siglip":
            from dev.pretraining.siglip import SiglipTrainable

            return lambda: SiglipTrainable(corpus, batch)
        captions = all_captions(self.settings.seed)
        if part == "teacher":
            from dev.pretraining.teacher import TeacherTrainable

            latents = self.latents()[0]
            return lambda: TeacherTrainable(corpus, latents, captions, batch)
        if part == "student":
            from dev.pretraining.student import StudentTrainable

            tokens = self.tokens()
            return lambda: StudentTrainable(corpus, tokens, captions, batch)
        raise ValueError(f"{part!r} given; allowed: {', '.join(self.settings.parts)}")

    def _seed(self, part: str) -> int:
        # By the name alone: a part that is added later changes no other part's random numbers.
        return 1000 * self.settings.seed + zlib.crc32(part.encode())

    def _hash(self, part: str) -> str:
        """Hash all that decides the part's weights: no other checkpoint may be resumed."""
        decides = {
            **self.settings.to_dict(),
            "parts": [self.settings.to_dict()["parts"][name] for name in (*NEEDS.get(part, ()), part)],
            "dtype": str(self.dtype),
        }
        return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
