"""MaSC against the answers of the package masc-metric 0.3.0, on the small SigLIP 2 of this repository."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from masc_inputs import CASES, PROMPTS, SIZES, picture, subject_mask
from PIL import Image

from proxytune.contract.errors import ProxytuneError
from proxytune.metrics.masc import (
    Encoded,
    SiglipEncoder,
    identity,
    on_grid,
    prompt_following,
    scene_of,
    score,
)

MODEL = Path(__file__).parents[2] / "models" / "miniature" / "siglip-miniature"
OFFICIAL = json.loads((Path(__file__).parent / "fixtures" / "masc.json").read_text())


@pytest.fixture(scope="module")
def encoder() -> SiglipEncoder:
    return SiglipEncoder(MODEL, torch.device("cpu"))


def encode(encoder: SiglipEncoder, numbers: list[int]) -> list[Encoded]:
    masks = [subject_mask(number).astype(np.float32) / 255 for number in numbers]
    return encoder.images([picture(number) for number in numbers], masks)


def test_scores_are_those_of_the_package(encoder: SiglipEncoder) -> None:
    for (reference, image, prompt, category), (cp, pf) in zip(CASES, OFFICIAL["scores"], strict=True):
        encoded = encode(encoder, [reference, image])
        [text] = encoder.texts([scene_of(prompt, category)])
        assert identity(*encoded) == pytest.approx(cp, abs=1e-5)
        assert prompt_following(encoder, encoded[1], text) == pytest.approx(pf, abs=1e-5)


def test_prompts_lose_their_subject_as_in_the_package() -> None:
    assert [scene_of(*case) for case in PROMPTS] == OFFICIAL["texts"]


def test_scores_depend_neither_on_the_batch_nor_on_the_order(encoder: SiglipEncoder) -> None:
    numbers = list(range(len(SIZES)))
    [text] = encoder.texts(["on the beach"])
    alone = [encode(encoder, [number])[0] for number in numbers]
    together = encode(encoder, numbers[::-1])[::-1]
    for one, other in zip(alone, together, strict=True):
        first, second = (score(encoder, alone[:2], each, text) for each in (one, other))
        assert first == pytest.approx(second, abs=1e-5)


def test_an_image_that_is_all_subject_has_no_prompt_score_and_a_mask_without_one_no_identity(
    encoder: SiglipEncoder,
) -> None:
    image = picture(0)
    full, empty = encoder.images(
        [image, image], [np.ones((32, 32), np.float32), np.zeros((32, 32), np.float32)]
    )
    [text] = encoder.texts(["on the beach"])
    assert score(encoder, [empty], full, text) == (None, None)
    # A reference without a subject is left out of the mean.
    assert score(encoder, [empty, full], full, None) == (1.0, None)


def test_another_background_hardly_changes_the_identity_and_another_subject_does(
    encoder: SiglipEncoder,
) -> None:
    reference, same = encode(encoder, [0, 0])
    mask = subject_mask(0).astype(np.float32) / 255
    levels = np.array(picture(0))
    background = levels.copy()
    background[mask == 0] = np.random.default_rng(9).integers(0, 256, (int((mask == 0).sum()), 3))
    subject = levels.copy()
    subject[mask > 0] = (20, 220, 240)
    around, other = encoder.images([_image(background), _image(subject)], [mask, mask])
    scores = [identity(reference, one) for one in (same, around, other)]
    assert scores[0] == pytest.approx(1)
    assert None not in scores
    assert scores[2] < scores[1] < 1


def _image(levels: np.ndarray) -> Image.Image:
    return Image.fromarray(levels.astype(np.uint8))


def test_masks_of_any_size_cover_the_grid() -> None:
    mask = np.zeros((64, 32), np.float32)
    mask[:32] = 1
    assert on_grid(mask, (4, 2)).tolist() == [1, 1, 1, 1, 0, 0, 0, 0]


def test_a_folder_without_preprocessor_is_refused(tmp_path: Path) -> None:
    for file in MODEL.iterdir():
        if file.name != "preprocessor_config.json":
            (tmp_path / file.name).symlink_to(file)
    with pytest.raises(ProxytuneError, match="preprocessor_config") as caught:
        SiglipEncoder(tmp_path, torch.device("cpu"))
    assert caught.value.name == "ChannelMissing"
