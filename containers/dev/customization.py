"""A subject of the world through the jobs of the road, in this process and without a cloud.

Settings are chosen with it, and the held-back subjects are measured with it: the same `train` functions and
picture makers that a container runs, on folders like those that SageMaker gives it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from dev.drawn_subjects.captions import FRAMES, caption
from dev.drawn_subjects.export import export_subject
from dev.drawn_subjects.subjects import Subject
from proxytune.contract.folders import Folders
from proxytune.contract.signals import StopRequest
from proxytune.drawn_world.scene import CONTEXTS
from proxytune.generation.generator import PictureMaker
from proxytune.generation.rendering import draw_shard
from proxytune.images.chunk import Chunk, PictureRequest
from proxytune.student import trainer as student_trainer
from proxytune.student.families.llamagen.generator import LlamaGenMaker
from proxytune.teacher import trainer as teacher_trainer
from proxytune.teacher.families import registry as teachers

# The default of requests (lib/core/catalogue/token-word.ts).
TOKEN_WORD = "ohwx"
# Seeds of samples begin here, as in lib/core/plan/chunks.ts, so that no proxy repeats a sample's noise.
SAMPLE_SEEDS = 1_000_000

Recipe = Mapping[str, Any]


@dataclass(frozen=True)
class Customization:
    """What to do with a subject.

    Attributes:
        teacher, student: recipes, as the rows `sdxl-miniature` and `llamagen-miniature` of the catalogue have
            them.
        proxies: how many.
        in_context: share of the proxies whose prompt names a context.
        copies: pictures of each context that are drawn at the end, by each model.
    """

    teacher: Recipe
    student: Recipe
    proxies: int
    in_context: float
    copies: int = 4
    seed: int = 0


@dataclass(frozen=True)
class Drawn:
    """Pictures that a model was asked for, and the contexts in which."""

    pictures: Sequence[Image.Image]
    contexts: Sequence[str]


class Road:
    """The jobs of one subject, one after the other.

    Args:
        models: holds the folders of the four miniature models.
        work: where the jobs' folders are made; must be empty.
    """

    def __init__(self, models: Path, work: Path, subject: Subject, settings: Customization) -> None:
        self._models, self._work, self._subject, self._settings = models, work, subject, settings

    def run(self, say: Callable[[str], None] = lambda _: None) -> dict[str, Drawn]:
        """Pictures of teacher, student, teacher-base and student-base, with the same prompts and seeds."""
        self._teach()
        say("the teacher is trained")
        teacher = self._maker(teachers.picture_maker("sdxl"), "sdxl-miniature", "teach")
        self._synthesize(teacher)
        say("the proxies are drawn")
        self._learn()
        say("the student is trained")
        student = self._maker(LlamaGenMaker(), "llamagen-miniature", "learn")
        found = {}
        for role, maker in (("teacher", teacher), ("student", student)):
            for variant, row in (("tuned", role), ("base", f"{role}-base")):
                found[row] = self._sample(maker, role, variant)
        return found

    def _teach(self) -> None:
        references = self._work / "references"
        export_subject(self._subject, references)
        folders = self._job(
            "teach",
            base="sdxl-miniature",
            references=references / "photos",
            clip=self._models / "clip-miniature",
            dino=self._models / "dino-miniature",
        )
        recipe = self._settings.teacher
        prompts = [f"{frame} {self._named}" for frame in FRAMES]
        self._train(teacher_trainer.train, folders, recipe, "sdxl", prompts=prompts, **self._samples(recipe))

    def _samples(self, recipe: Recipe) -> dict[str, Any]:
        """What the teacher draws at its checkpoints, as lib/core/stages/teach-validation.ts plans it."""
        asked = recipe.get("samples")
        if asked is None:
            return {}
        return {
            "samples": {
                "subject": self._named,
                "pictures": asked["pictures"],
                "steps": recipe["sampler"]["steps"],
                "guidance": recipe["sampler"]["guidance"],
                "keep_prompt": asked["keepPrompt"],
                "keep_diversity": asked["keepDiversity"],
            },
            "sample_prompts": [f"{FRAMES[1]} {{s}}"]
            + [f"{FRAMES[1]} {{s}} {context}" for context in CONTEXTS[: asked["contexts"]]],
        }

    def _synthesize(self, maker: PictureMaker) -> None:
        settings = self._settings
        folder = self._work / "proxies"
        folder.mkdir()
        requests = [
            PictureRequest(number, self._proxy_prompt(number), settings.seed + number)
            for number in range(settings.proxies)
        ]
        chunk = self._chunk("synthesize", "tuned", settings.teacher, requests)
        (folder / "chunk-000000.json.out").write_bytes(draw_shard(maker, chunk, "sdxl-miniature"))

    def _learn(self) -> None:
        folders = self._job("learn", base="llamagen-miniature", proxies=self._work / "proxies")
        self._train(
            student_trainer.train,
            folders,
            self._settings.student,
            "llamagen",
            caption=f"{FRAMES[1]} {self._named}",
            caption_dropout=self._settings.student.get("captionDropout", 0.1),
            proxies=self._settings.proxies,
        )

    def _sample(self, maker: PictureMaker, role: str, variant: str) -> Drawn:
        settings = self._settings
        contexts = [context for context in CONTEXTS for _ in range(settings.copies)]
        requests = [
            PictureRequest(
                number,
                caption(self._subject.category, context, TOKEN_WORD),
                settings.seed + SAMPLE_SEEDS + number,
            )
            for number, context in enumerate(contexts)
        ]
        recipe = settings.teacher if role == "teacher" else settings.student
        return Drawn(maker.draw(self._chunk(f"sample-{role}", variant, recipe, requests)), contexts)

    @property
    def _named(self) -> str:
        return f"{TOKEN_WORD} {self._subject.category}"

    def _proxy_prompt(self, number: int) -> str:
        """Spread evenly, as lib/core/plan/chunks.ts does: the running share decides, contexts take turns."""
        share = self._settings.in_context
        before, now = int(number * share), int((number + 1) * share)
        where = f" {CONTEXTS[before % len(CONTEXTS)]}" if now > before else ""
        return f"{FRAMES[1]} {self._named}{where}"

    def _chunk(self, stage: str, variant: str, recipe: Recipe, requests: list[PictureRequest]) -> Chunk:
        sampler, batch = dict(recipe["sampler"]), recipe["drawBatch"]
        return Chunk(stage, 0, variant, recipe["size"], batch, sampler, tuple(requests))

    def _maker(self, maker: PictureMaker, model: str, job: str) -> PictureMaker:
        maker.load(self._models / model, self._work / job / "model", torch.device("cpu"))
        return maker

    def _job(self, name: str, base: str, **channels: Path) -> Folders:
        data = self._work / name / "input" / "data"
        data.mkdir(parents=True)
        for channel, folder in {"base": self._models / base, **channels}.items():
            (data / channel).symlink_to(folder.resolve())
        folders = Folders(self._work / name)
        folders.model.mkdir()
        return folders

    def _train(
        self, train: Callable[..., None], folders: Folders, recipe: Recipe, family: str, **rest: Any
    ) -> None:
        given = {
            "stage": folders.base.name,
            "family": family,
            "model": f"{family}-miniature",
            "seed": self._settings.seed,
            "rank": recipe["rank"],
            "alpha": recipe["alpha"],
            "learning_rate": recipe["learningRate"],
            "steps": recipe["steps"],
            "batch_size": recipe["batchSize"],
            "size": recipe["size"],
            "checkpoint_every": recipe["checkpointEvery"],
            "token_word": TOKEN_WORD,
            **({"adapted": recipe["adapted"]} if "adapted" in recipe else {}),
            **rest,
        }
        train(folders, given, StopRequest())
