"""Which checkpoint of a teacher is handed on: the one most like the photos that still obeys and varies.

A teacher that trains too long draws the photos themselves: it looks best by likeness alone, no longer follows
a prompt, and gives the student a thousand times the same picture. So a checkpoint counts only while it keeps
a share of the untuned model's prompt following and of the photos' own diversity.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from proxytune.contract import schema
from proxytune.contract.folders import Folders
from proxytune.contract.names import CHANNELS, FILES
from proxytune.contract.progress import replace_file
from proxytune.metrics.encoders import ClipEncoder, DinoEncoder, Vectors
from proxytune.metrics.pictures import references
from proxytune.metrics.prompts import without
from proxytune.metrics.scores import among_themselves, to_prompts, to_references
from proxytune.teacher.validation import Sample, SampleBook


@dataclass(frozen=True)
class Point:
    """What the samples of one step show.

    Attributes:
        fidelity: mean DINO similarity to the photos.
        prompt: mean CLIP similarity of those in a context to their prompt; None without any.
        diversity: 1 less the mean DINO similarity of the others to each other; None of fewer than 2.
        each: every sample's own likeness, in one order at all steps; its mean is `fidelity`.
    """

    step: int
    fidelity: float
    prompt: float | None
    diversity: float | None
    each: tuple[float, ...]


@dataclass(frozen=True)
class Guards:
    """The least that a checkpoint must have; None demands nothing."""

    prompt: float | None
    diversity: float | None

    def held(self, point: Point) -> bool:
        """Whether a point has it."""
        return self.margin(point) >= 1

    def margin(self, point: Point) -> float:
        """How often it has what is demanded: below 1 where something is missing; of the scarcer of both."""
        pairs = ((point.prompt, self.prompt), (point.diversity, self.diversity))
        shares = [has / least for has, least in pairs if has is not None and least is not None and least > 0]
        return min(shares, default=1.0)


def choose(points: Sequence[Point], guards: Guards) -> tuple[Point, str]:
    """The chosen point and the reason in words.

    Args:
        points: by step, the untuned model's (step 0) among them; that one is never chosen.
    """
    trained = [point for point in points if point.step > 0]
    held = [point for point in trained if guards.held(point)]
    last = trained[-1].step
    if not held:
        best = max(trained, key=lambda point: (guards.margin(point), -point.step))
        return best, (
            f"step {best.step} of {last}: no checkpoint both follows prompts and varies enough "
            f"({_demands(guards)}); this one comes nearest to it ({_has(best)})"
        )
    most = max(held, key=lambda point: (point.fidelity, point.step))
    best = max((point for point in held if _as_alike(point, most)), key=lambda point: point.step)
    reason = f"step {best.step} of {last}: most like the photos (DINO {best.fidelity:.3f})"
    if best.step != most.step:
        reason = (
            f"step {best.step} of {last}: as far as {len(best.each)} samples tell it is as much like the "
            f"photos (DINO {best.fidelity:.3f}) as step {most.step} ({most.fidelity:.3f}), and trained "
            "longer; chosen"
        )
    if len(held) == len(trained):
        return (
            best,
            f"{reason} of all {len(trained)} checkpoints, which hold the guards ({_demands(guards)})",
        )
    reason += f" of the {len(held)} of {len(trained)} checkpoints that hold the guards ({_demands(guards)})"
    passed_over = max((point for point in trained if point not in held), key=lambda point: point.fidelity)
    if passed_over.fidelity > best.fidelity:
        reason += (
            f"; step {passed_over.step} is more alike (DINO {passed_over.fidelity:.3f}), but has only "
            f"{_has(passed_over)}"
        )
    return best, reason


def _as_alike(point: Point, most: Point) -> bool:
    """Whether a point is less alike than the most alike one by no more than the standard error of that.

    Samples of one seed are compared with each other. A few pictures scatter by far more than two checkpoints
    differ; without this an undertrained one would often be chosen by chance.
    """
    differences = np.subtract(most.each, point.each)
    if len(differences) < 2:
        return bool(differences.sum() <= 0)
    return bool(differences.mean() <= differences.std(ddof=1) / math.sqrt(len(differences)))


def _demands(guards: Guards) -> str:
    return _words(guards.prompt, guards.diversity, "at least ") or "nothing to demand"


def _has(point: Point) -> str:
    return _words(point.prompt, point.diversity, "")


def _words(prompt: float | None, diversity: float | None, before: str) -> str:
    pairs = (("CLIP-T", prompt), ("diversity", diversity))
    return ", ".join(f"{name} {before}{value:.3f}" for name, value in pairs if value is not None)


def choose_checkpoint(
    book: SampleBook, hyperparameters: Mapping[str, Any], folders: Folders, device: torch.device
) -> int:
    """Measure what the book holds, choose a step, and write choice.json beside the samples.

    Args:
        hyperparameters: those of stage teach, with `samples`.
        folders: channels references, clip, dino.

    Raises:
        ProxytuneError: ChannelMissing, ModelMismatch.
    """
    chosen = _chosen_before(book)
    if chosen is not None:
        return chosen
    asked = hyperparameters["samples"]
    clip, dino = (
        ClipEncoder(folders.channel(CHANNELS.clip), device),
        DinoEncoder(folders.channel(CHANNELS.dino), device),
    )
    found = references(folders.channel(CHANNELS.references))
    photos = dino.pictures([_opened(io.BytesIO(photo.read())) for photo in found])
    plain = {sample.prompt: without(hyperparameters["token_word"], sample.prompt) for sample in book.samples}
    texts = dict(zip(plain, clip.texts(list(plain.values())), strict=True))
    points = [_measured(book, step, photos, texts, clip, dino) for step in book.steps()]
    # Without the untuned model's samples (a file that came back broken) its prompts demand nothing.
    untuned = next((point.prompt for point in points if point.step == 0), None)
    guards = Guards(
        _share(asked["keep_prompt"], untuned), _share(asked["keep_diversity"], diversity_of(photos))
    )
    best, reason = choose(points, guards)
    record = {
        "version": 1,
        "chosen": best.step,
        "reason": reason,
        "guards": asdict(guards),
        "points": [_record(book, point, guards) for point in points],
    }
    wrong = schema.check("choice", record)
    if wrong is not None:
        raise ValueError(f"the choice does not fit its schema: {wrong}")
    replace_file(book.folder / FILES.choice, (json.dumps(record, indent=1) + "\n").encode("utf-8"))
    print(f"the adapter that is handed on: {reason}", flush=True)
    return best.step


def _chosen_before(book: SampleBook) -> int | None:
    """What an earlier attempt chose, which was cut off later; it has left the chosen adapter only."""
    try:
        record = json.loads((book.folder / FILES.choice).read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    step = int(record["chosen"]) if schema.check("choice", record) is None else None
    return step if step in book.steps() else None


def diversity_of(vectors: Vectors) -> float | None:
    """1 less the mean similarity of pictures (N, D) to each other; None of fewer than two."""
    if len(vectors) < 2:
        return None
    return round(1 - sum(among_themselves(vectors)) / len(vectors), 6)


def _measured(
    book: SampleBook,
    step: int,
    photos: Vectors,
    texts: Mapping[str, Vectors],
    clip: ClipEncoder,
    dino: DinoEncoder,
) -> Point:
    pictures = [_opened(book.file(step, sample)) for sample in book.samples]
    seen = dino.pictures(pictures)
    alone = [sample.number for sample in book.samples if not sample.in_context]
    in_context = [sample for sample in book.samples if sample.in_context]
    each = to_references(seen, photos)
    return Point(
        step,
        _mean(each),
        _obedience([pictures[sample.number] for sample in in_context], in_context, texts, clip),
        diversity_of(seen[alone]),
        tuple(each),
    )


def _obedience(
    pictures: list[Image.Image], samples: list[Sample], texts: Mapping[str, Vectors], clip: ClipEncoder
) -> float | None:
    if not samples:
        return None
    pairs = zip(clip.pictures(pictures), samples, strict=True)
    return _mean([to_prompts(seen[None], texts[sample.prompt][None])[0] for seen, sample in pairs])


def _record(book: SampleBook, point: Point, guards: Guards) -> dict[str, Any]:
    measured = asdict(point)
    each = measured.pop("each")
    return {
        **measured,
        "guarded": guards.held(point),
        "pictures": [
            {
                "prompt": sample.prompt,
                "seed": sample.seed,
                "fidelity": each[sample.number],
                "file": book.file(point.step, sample).relative_to(book.folder).as_posix(),
            }
            for sample in book.samples
        ],
    }


def _share(share: float, whole: float | None) -> float | None:
    # A share of nothing, or of less, would demand more than there was (encoders with random weights).
    return None if whole is None or whole <= 0 else round(share * whole, 6)


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 6)


def _opened(file: Path | io.BytesIO) -> Image.Image:
    with Image.open(file) as opened:
        return opened.convert("RGB")
