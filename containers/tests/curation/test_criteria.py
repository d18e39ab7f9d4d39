"""The classification of images whose right class is known, with the encoders of the miniature models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image
from scenes import curation_settings, in_all_contexts, references, true_pictures

from proxytune.curation.criteria import Classification, Limits, Texts, classify, limits_for
from proxytune.curation.embeddings import Embeddings
from proxytune.metrics.encoders import ClipEncoder, DinoEncoder
from proxytune.metrics.scores import among_themselves

CAR = "a car"


@pytest.fixture(scope="session")
def classified(clip: ClipEncoder, dino: DinoEncoder) -> Any:
    """Classify images with prompts against a subject's photos."""

    def embeddings(images: list[Image.Image]) -> Embeddings:
        return Embeddings(clip.pictures(images), dino.pictures(images))

    def run(
        images: list[Image.Image],
        prompts: list[str],
        *,
        photos: list[Image.Image] | None = None,
        category: str = CAR,
        unsafe: tuple[str, ...] = (),
        safe: tuple[str, ...] = (),
        **changes: Any,
    ) -> tuple[list[Classification], Limits]:
        own = embeddings(photos or references())
        limits = limits_for(curation_settings(**changes), own, clip.texts([category]))
        plain = sorted(set(prompts))
        texts = Texts(
            plain=dict(zip(plain, clip.texts(plain), strict=True)),
            unsafe=dict(zip(unsafe, clip.texts(unsafe), strict=True)),
            safe=clip.texts(safe) if safe else np.zeros((0, clip.texts([category]).shape[1])),
            scale=float(clip.model.logit_scale.exp()),
        )
        return classify(embeddings(images), prompts, own, texts, limits), limits

    return run


def reasons(result: Classification) -> list[str]:
    return [criterion for criterion, _ in result.reasons]


@pytest.mark.parametrize(
    ("name", "category"), [("demo-car", "car"), ("tuning-bear", "bear"), ("tuning-mug", "mug")]
)
def test_the_subject_is_kept_and_every_other_subject_is_dropped(
    classified: Any, name: str, category: str
) -> None:
    others = [other for other in ("demo-car", "tuning-bear", "tuning-mug", "tuning-fish") if other != name]
    images = in_all_contexts(name, 2) + [image for other in others for image in in_all_contexts(other)]
    prompts = [f"a {category}"] * len(images)
    results, limits = classified(
        images, prompts, photos=references(name), category=f"a {category}", prompt=None, duplicates=None
    )
    kept = [result.kept for result in results]
    assert kept == [True] * 12 + [False] * 18
    assert all(reasons(result) == ["fidelity"] for result in results[12:])
    assert f"at least {limits.fidelity:.3f} is required" in results[-1].reasons[0][1]


def test_an_image_in_the_wrong_context_is_dropped(classified: Any) -> None:
    right, wrong = true_pictures("at night")[0], true_pictures("on a sandy beach")[0]
    results, _ = classified([right, wrong], ["a car at night"] * 2, duplicates=None)
    assert [reasons(result) for result in results] == [[], ["prompt"]]
    assert "“a car at night”" in results[1].reasons[0][1]


def test_a_repeat_is_dropped_and_names_the_kept_image_it_repeats(classified: Any) -> None:
    lawn, night = true_pictures("on a green lawn")[0], true_pictures("at night")[0]
    pixels = np.asarray(lawn).copy()
    pixels[16, 8] += 9
    nearly = Image.fromarray(pixels)
    off = in_all_contexts("tuning-fish")[0]
    images = [lawn, off, night, lawn, nearly, off]
    results, _ = classified(images, [CAR] * len(images), prompt=None)
    assert [reasons(result) for result in results] == [
        [],
        ["fidelity"],
        [],
        ["duplicates"],
        ["duplicates"],
        # A dropped image cannot be repeated.
        ["fidelity"],
    ]
    assert [result.nearest[0] for result in (results[3], results[4])] == [0, 0]
    assert results[3].nearest[1] == 0 < results[4].nearest[1]
    assert [result.repeats for result in results] == [False, False, False, True, True, False]


def test_at_distance_zero_only_the_same_image_is_a_repeat(classified: Any) -> None:
    lawn = true_pictures("on a green lawn")[0]
    darker = Image.fromarray((np.asarray(lawn) * 0.99).astype(np.uint8))
    results, _ = classified([lawn, darker, lawn], [CAR] * 3, duplicates=0)
    assert [result.kept for result in results] == [True, True, False]


def test_a_result_never_depends_on_later_images(classified: Any) -> None:
    images = in_all_contexts("demo-car", 2) + in_all_contexts("tuning-mug")
    prompts = [CAR] * len(images)
    all_of_them, _ = classified(images, prompts)
    first, _ = classified(images[:7], prompts[:7])
    assert [reasons(result) for result in first] == [reasons(result) for result in all_of_them[:7]]


def test_an_image_like_an_unsafe_text_is_dropped_and_named(classified: Any) -> None:
    """The miniature CLIP knows no unsafe words, so a fish stands for one; the computation is the same."""
    images = [true_pictures("on a green lawn")[0], in_all_contexts("tuning-fish")[0]]
    safety = {"probability": 0.5, "unsafe": ["a fish", "a robot"], "safe": ["a mug"]}
    given = {"fidelity": None, "prompt": None, "duplicates": None, "safety": safety}
    results, _ = classified(images, [CAR] * 2, unsafe=("a fish", "a robot"), safe=("a mug",), **given)
    assert [reasons(result) for result in results] == [[], ["safety"]]
    assert results[1].unsafe[0] == "a fish"
    assert results[0].unsafe[1] < 0.5 <= results[1].unsafe[1]


def test_criteria_that_are_off_drop_nothing(classified: Any) -> None:
    images = [*in_all_contexts("tuning-fish"), *in_all_contexts("tuning-fish")]
    none = {"fidelity": None, "prompt": None, "duplicates": None}
    results, limits = classified(images, ["a car at night"] * len(images), **none)
    assert all(result.kept and result.unsafe is None for result in results)
    assert limits == Limits(None, None, None, None)


def test_limits_are_shares_of_the_photos_own_scores(classified: Any, dino: DinoEncoder) -> None:
    likeness = float(np.mean(among_themselves(dino.pictures(references()))))
    _, limits = classified(references()[:1], [CAR], fidelity=0.5, duplicates=0.25)
    assert limits.fidelity == pytest.approx(0.5 * likeness)
    assert limits.duplicates == pytest.approx(0.25 * (1 - likeness))


def test_a_single_photo_takes_the_likeness_of_its_domain(classified: Any) -> None:
    _, limits = classified(references()[:1], [CAR], photos=references()[:1], fidelity=0.5, likeness=0.9)
    assert limits.fidelity == pytest.approx(0.45)


def test_a_share_of_a_negative_score_is_below_it() -> None:
    """Only untrained encoders give one, and the photos themselves must pass."""
    vectors = np.array([[1.0, 0.0], [-0.8, 0.6]])
    photos = Embeddings(np.array([[1.0, 0.0]] * 2), vectors)
    limits = limits_for(curation_settings(fidelity=0.6, prompt=0.8), photos, np.array([[-0.6, 0.8]]))
    assert limits.fidelity == pytest.approx(-0.8 - 0.4 * 0.8)
    assert limits.prompt == pytest.approx(-0.6 - 0.2 * 0.6)
