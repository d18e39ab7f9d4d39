"""Verdicts on pictures whose right verdict is known, by the encoders that come with the miniature world."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image
from scenes import asked, in_all_contexts, references, true_pictures

from proxytune.curation.criteria import Limits, Texts, Verdict, judge, limits_for
from proxytune.curation.measured import Measured
from proxytune.metrics.encoders import ClipEncoder, DinoEncoder
from proxytune.metrics.scores import among_themselves

CAR = "a car"


@pytest.fixture(scope="session")
def verdicts_on(clip: ClipEncoder, dino: DinoEncoder) -> Any:
    """Judge pictures with prompts against a subject's photos."""

    def measured(images: list[Image.Image]) -> Measured:
        return Measured(clip.pictures(images), dino.pictures(images))

    def run(
        images: list[Image.Image],
        prompts: list[str],
        *,
        photos: list[Image.Image] | None = None,
        category: str = CAR,
        unsafe: tuple[str, ...] = (),
        safe: tuple[str, ...] = (),
        **changes: Any,
    ) -> tuple[list[Verdict], Limits]:
        own = measured(photos or references())
        limits = limits_for(asked(**changes), own, clip.texts([category]))
        plain = sorted(set(prompts))
        texts = Texts(
            plain=dict(zip(plain, clip.texts(plain), strict=True)),
            unsafe=dict(zip(unsafe, clip.texts(unsafe), strict=True)),
            safe=clip.texts(safe) if safe else np.zeros((0, clip.texts([category]).shape[1])),
            scale=float(clip.model.logit_scale.exp()),
        )
        return judge(measured(images), prompts, own, texts, limits), limits

    return run


def reasons(verdict: Verdict) -> list[str]:
    return [criterion for criterion, _ in verdict.reasons]


@pytest.mark.parametrize(
    ("name", "category"), [("demo-car", "car"), ("tuning-bear", "bear"), ("tuning-mug", "mug")]
)
def test_the_subject_is_kept_and_every_other_is_dropped(verdicts_on: Any, name: str, category: str) -> None:
    others = [other for other in ("demo-car", "tuning-bear", "tuning-mug", "tuning-fish") if other != name]
    images = in_all_contexts(name, 2) + [image for other in others for image in in_all_contexts(other)]
    prompts = [f"a {category}"] * len(images)
    verdicts, limits = verdicts_on(
        images, prompts, photos=references(name), category=f"a {category}", prompt=None, duplicates=None
    )
    kept = [verdict.kept for verdict in verdicts]
    assert kept == [True] * 12 + [False] * 18
    assert all(reasons(verdict) == ["fidelity"] for verdict in verdicts[12:])
    assert f"at least {limits.fidelity:.3f} is wanted" in verdicts[-1].reasons[0][1]


def test_a_picture_in_another_context_than_its_prompt_names_is_dropped(verdicts_on: Any) -> None:
    right, wrong = true_pictures("at night")[0], true_pictures("on a sandy beach")[0]
    verdicts, _ = verdicts_on([right, wrong], ["a car at night"] * 2, duplicates=None)
    assert [reasons(verdict) for verdict in verdicts] == [[], ["prompt"]]
    assert "“a car at night”" in verdicts[1].reasons[0][1]


def test_a_repeat_is_dropped_and_names_the_kept_one_it_repeats(verdicts_on: Any) -> None:
    lawn, night = true_pictures("on a green lawn")[0], true_pictures("at night")[0]
    pixels = np.asarray(lawn).copy()
    pixels[16, 8] += 9
    nearly = Image.fromarray(pixels)
    off = in_all_contexts("tuning-fish")[0]
    images = [lawn, off, night, lawn, nearly, off]
    verdicts, _ = verdicts_on(images, [CAR] * len(images), prompt=None)
    assert [reasons(verdict) for verdict in verdicts] == [
        [],
        ["fidelity"],
        [],
        ["duplicates"],
        ["duplicates"],
        # What is dropped is nothing that could be repeated.
        ["fidelity"],
    ]
    assert [verdict.nearest[0] for verdict in (verdicts[3], verdicts[4])] == [0, 0]
    assert verdicts[3].nearest[1] == 0 < verdicts[4].nearest[1]
    assert [verdict.repeats for verdict in verdicts] == [False, False, False, True, True, False]


def test_only_the_same_picture_is_a_repeat_at_zero(verdicts_on: Any) -> None:
    lawn = true_pictures("on a green lawn")[0]
    darker = Image.fromarray((np.asarray(lawn) * 0.99).astype(np.uint8))
    verdicts, _ = verdicts_on([lawn, darker, lawn], [CAR] * 3, duplicates=0)
    assert [verdict.kept for verdict in verdicts] == [True, True, False]


def test_a_verdict_never_depends_on_later_pictures(verdicts_on: Any) -> None:
    images = in_all_contexts("demo-car", 2) + in_all_contexts("tuning-mug")
    prompts = [CAR] * len(images)
    all_of_them, _ = verdicts_on(images, prompts)
    first, _ = verdicts_on(images[:7], prompts[:7])
    assert [reasons(verdict) for verdict in first] == [reasons(verdict) for verdict in all_of_them[:7]]


def test_what_looks_like_an_unsafe_text_is_dropped_and_named(verdicts_on: Any) -> None:
    """The miniature CLIP knows no unsafe words, so a fish plays one: the same sum over the same encoder."""
    images = [true_pictures("on a green lawn")[0], in_all_contexts("tuning-fish")[0]]
    safety = {"probability": 0.5, "unsafe": ["a fish", "a robot"], "safe": ["a house"]}
    given = {"fidelity": None, "prompt": None, "duplicates": None, "safety": safety}
    verdicts, _ = verdicts_on(images, [CAR] * 2, unsafe=("a fish", "a robot"), safe=("a house",), **given)
    assert [reasons(verdict) for verdict in verdicts] == [[], ["safety"]]
    assert verdicts[1].unsafe[0] == "a fish"
    assert verdicts[0].unsafe[1] < 0.5 <= verdicts[1].unsafe[1]


def test_nothing_is_dropped_for_what_was_not_asked(verdicts_on: Any) -> None:
    images = [*in_all_contexts("tuning-fish"), *in_all_contexts("tuning-fish")]
    none = {"fidelity": None, "prompt": None, "duplicates": None}
    verdicts, limits = verdicts_on(images, ["a car at night"] * len(images), **none)
    assert all(verdict.kept and verdict.unsafe is None for verdict in verdicts)
    assert limits == Limits(None, None, None, None)


def test_limits_are_shares_of_what_the_photos_score(verdicts_on: Any, dino: DinoEncoder) -> None:
    likeness = float(np.mean(among_themselves(dino.pictures(references()))))
    _, limits = verdicts_on(references()[:1], [CAR], fidelity=0.5, duplicates=0.25)
    assert limits.fidelity == pytest.approx(0.5 * likeness)
    assert limits.duplicates == pytest.approx(0.25 * (1 - likeness))


def test_a_single_photo_takes_the_likeness_of_its_world(verdicts_on: Any) -> None:
    _, limits = verdicts_on(references()[:1], [CAR], photos=references()[:1], fidelity=0.5, likeness=0.9)
    assert limits.fidelity == pytest.approx(0.45)


def test_a_share_of_a_negative_score_lies_below_it() -> None:
    """Only encoders without training give one, and their own photos must pass."""
    vectors = np.array([[1.0, 0.0], [-0.8, 0.6]])
    photos = Measured(np.array([[1.0, 0.0]] * 2), vectors)
    limits = limits_for(asked(fidelity=0.6, prompt=0.8), photos, np.array([[-0.6, 0.8]]))
    assert limits.fidelity == pytest.approx(-0.8 - 0.4 * 0.8)
    assert limits.prompt == pytest.approx(-0.6 - 0.2 * 0.6)
