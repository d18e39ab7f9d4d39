"""The segmenter: its masks, its prompts, and its folder as transformers' own classes read it."""

import math

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPSegForImageSegmentation, CLIPSegProcessor

from dev.pretraining import segmenter
from dev.pretraining.encoder_folders import write_segmenter
from dev.pretraining.masks import masks_of, overlap, patch_shares
from dev.pretraining.positions import sine_positions
from dev.pretraining.segmenter import SegmenterTrainable, _mask_error, _prompts_by_category, seen
from proxytune.drawn_world.appearance import CATEGORIES

# Share of the logits' deviation that rounding to float16's eleven bits may change.
HALF = 0.01


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    torch.manual_seed(3)
    module = segmenter.make_segmenter()
    folder = tmp_path_factory.mktemp("segmenter")
    write_segmenter(folder, module)
    return module, folder


def square(side, left):
    mask = torch.zeros(1, 8, 8)
    mask[0, :side, left : left + side] = 1
    return mask


def test_the_overlap_is_the_intersection_over_the_union():
    found = torch.cat([square(4, 0), square(4, 0), square(4, 0), torch.zeros(2, 8, 8)])
    true = torch.cat([square(4, 0), square(4, 2), square(4, 4), square(4, 0), torch.zeros(1, 8, 8)])
    torch.testing.assert_close(overlap(found, true), torch.tensor([1, 8 / 24, 0, 0, 1]))


def test_shares_of_patches_are_in_the_order_of_the_patches():
    shares = patch_shares(square(2, 4), 4)
    torch.testing.assert_close(shares, torch.tensor([[0, 0.25, 0, 0]]))


def test_no_two_places_of_a_grid_have_the_same_first_position():
    positions = sine_positions(8, 96)
    assert positions.shape == (64, 96)
    distances = torch.cdist(positions, positions) + 100 * torch.eye(64)
    assert distances.min() > 1
    # Neighbours are nearer to each other than places far apart.
    assert distances[0, 1] < distances[0, 3]
    assert distances[0, 8] == pytest.approx(float(distances[0, 1]))


def test_prompts_name_their_category_and_no_other():
    by_category = _prompts_by_category()
    for category, prompts in zip(CATEGORIES, by_category, strict=True):
        assert prompts[:2] == [f"a photo of a {category}", category]
        assert f"a {category} at night" in prompts
        for prompt in prompts:
            assert [word for word in prompt.split() if word in CATEGORIES] == [category]


def test_the_error_is_that_of_masks_that_are_wrong():
    shown = torch.cat([square(4, 0), square(4, 2)])
    right = torch.cat([20 * square(4, 0) - 10, torch.full((1, 8, 8), -10.0)])
    assert float(_mask_error(right, shown, 1, 1.0)) < 0.01
    everything = torch.full((2, 8, 8), 10.0)
    # The first image misses 3/4 of its overlap and 10 logits on 3/4 of its pixels; the second finds all of an
    # object that the prompt does not name, and costs 10 logits on every pixel.
    assert float(_mask_error(everything, shown, 1, 1.0)) == pytest.approx((0.75 + 7.5 + 1 + 10) / 2, abs=0.01)
    assert float(_mask_error(everything, shown, 1, 0.0)) == pytest.approx(0.75 + 7.5, abs=0.01)


def test_the_stock_processor_passes_images_on_as_the_training_does(written, corpus):
    processor = CLIPSegProcessor.from_pretrained(written[1], local_files_only=True)
    numbers = torch.arange(3)
    images = [Image.fromarray(corpus.pixels[number]) for number in range(3)]
    pixels = processor(images=images, return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(pixels, seen(corpus, numbers), atol=1e-5, rtol=1e-5)


def test_the_stock_classes_compute_the_masks_that_were_trained(written, corpus):
    module, folder = written
    stock = CLIPSegForImageSegmentation.from_pretrained(folder, local_files_only=True).float()
    processor = CLIPSegProcessor.from_pretrained(folder, local_files_only=True)
    prompts = ["a mug", "a photo of a fish at night", "robot"]
    images = [Image.fromarray(corpus.pixels[number]) for number in range(3)]
    # Shorter prompts are padded to the longest only: the text's vector must not depend on it.
    inputs = processor(text=prompts, images=images, padding=True, return_tensors="pt")
    trainable = SegmenterTrainable(corpus, 2)
    with torch.no_grad():
        theirs, exact = stock(**inputs).logits, module.eval()(**inputs).logits
        states, _ = trainable._image_states(module, seen(corpus, torch.arange(3)))
        ours = module.decoder(states, trainable._conditions(module, prompts)).logits
    assert theirs.shape == (3, 32, 32)
    torch.testing.assert_close(exact, ours, atol=1e-3, rtol=1e-3)
    assert float((theirs - ours).std()) < HALF * float(ours.std())


def test_images_of_any_size_are_read(written):
    _, folder = written
    stock = CLIPSegForImageSegmentation.from_pretrained(folder, local_files_only=True).float()
    processor = CLIPSegProcessor.from_pretrained(folder, local_files_only=True)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (48, 90, 3), np.uint8))
    inputs = processor(text=["a mug"], images=[image], return_tensors="pt")
    assert stock(**inputs).logits.shape[-2:] == (32, 32)


def test_absent_things_count_once_the_patches_name_what_they_show(corpus, monkeypatch):
    assert segmenter._known(torch.full((5,), math.log(6))) == pytest.approx(0, abs=1e-6)
    assert segmenter._known(torch.full((5,), 3.0)) == 0
    assert segmenter._known(torch.zeros(5)) == 1
    torch.manual_seed(0)
    trainable = SegmenterTrainable(corpus, 6)
    weights, errors = [], []
    error = segmenter._mask_error
    monkeypatch.setattr(segmenter, "_mask_error", lambda *given: weights.append(given[-1]) or error(*given))
    monkeypatch.setattr(segmenter, "_known", lambda given: errors.append(given) or 0.25)
    trainable.loss(0, torch.Generator().manual_seed(0))
    assert weights == [0.25]
    # Of patches that show the subject alone: a fresh layer names none of them.
    assert 6 < len(errors[0]) < 6 * 64
    assert float(errors[0].mean()) == pytest.approx(math.log(7), abs=0.7)


def test_a_step_teaches_text_image_and_decoder(corpus):
    torch.manual_seed(0)
    trainable = SegmenterTrainable(corpus, 6)
    trainable.loss(0, torch.Generator().manual_seed(0)).backward()
    taught = {name for name, value in trainable.module.named_parameters() if value.grad is not None}
    for part in ("clip.text_model", "clip.vision_model", "clip.text_projection", "decoder.film_mul"):
        assert any(name.startswith(part) for name in taught), part


def test_the_evaluation_is_of_the_masks_and_of_wrong_prompts(corpus, monkeypatch):
    trainable = SegmenterTrainable(corpus, 2)
    numbers = corpus.held_out
    calls = iter((masks_of(corpus, numbers), masks_of(corpus, numbers), torch.zeros(len(numbers), 32, 32)))
    monkeypatch.setattr(trainable, "_marked", lambda *given: next(calls))
    with torch.no_grad():
        figures = trainable.evaluate(trainable.module)
    assert figures.pop("category") <= 1
    assert figures == {"overlap": 1, "softened_overlap": 1, "empty_when_absent": 1}
