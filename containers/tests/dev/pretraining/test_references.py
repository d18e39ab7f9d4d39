"""The teacher's adapter for references, as stock diffusers reads it."""

import numpy as np
import pytest
import torch
from PIL import Image

from dev.bench.references import reference_pipeline
from dev.pretraining.corpus import VIEWS
from dev.pretraining.references import MOST, encoder_pixels, sample_kept, sample_references

# float16 keeps eleven bits.
HALF = 5e-3


def test_references_are_the_other_views_of_the_same_appearance(corpus):
    numbers = torch.tensor([0, 5, 10, 239])
    others = corpus.others(numbers)
    assert others.tolist() == [[1, 2, 3], [6, 7, 4], [11, 8, 9], [236, 237, 238]]
    for number, row in zip(numbers.tolist(), others.tolist(), strict=True):
        assert (corpus.colours[row] == corpus.colours[number]).all()
    rng, counts = torch.Generator().manual_seed(0), set()
    for _ in range(30):
        pixels = sample_references(corpus, numbers, rng)
        counts.add(pixels.shape[1])
        assert pixels.shape == (4, pixels.shape[1], 3, 32, 32)
    assert counts == set(range(1, MOST + 1))
    assert MOST == VIEWS - 1


def test_guidance_learns_from_pictures_with_neither_caption_nor_references():
    captioned, referenced = sample_kept(20_000, torch.Generator().manual_seed(0))
    shares = [
        (captioned & referenced, 0.8),
        (captioned & ~referenced, 0.05),
        (~captioned & referenced, 0.05),
        (~captioned & ~referenced, 0.1),
    ]
    for found, share in shares:
        assert float(found.float().mean()) == pytest.approx(share, abs=0.01)


@pytest.mark.slow
def test_stock_diffusers_computes_what_was_trained(cut_off):
    pretraining, models = cut_off
    module, corpus = pretraining.trained("teacher"), pretraining.corpus
    pipeline = reference_pipeline(models)
    photos = [Image.fromarray(corpus.pixels[number]) for number in range(3)]
    pixels = encoder_pixels(corpus, torch.arange(3))[None]
    read = pipeline.feature_extractor(photos, return_tensors="pt").pixel_values
    torch.testing.assert_close(read, pixels[0], atol=1e-5, rtol=0)

    rng = torch.Generator().manual_seed(0)
    noisy, states = torch.randn(1, 8, 8, 8, generator=rng), torch.randn(1, 24, 128, generator=rng)
    conditions = {"text_embeds": torch.randn(1, 64, generator=rng), "time_ids": torch.zeros(1, 6)}
    embeddings = pipeline.prepare_ip_adapter_image_embeds([photos], None, "cpu", 1, False)
    with torch.no_grad():
        theirs = pipeline.unet(
            noisy, 10, states, added_cond_kwargs={**conditions, "image_embeds": embeddings}
        )[0]
        unet, adapter = module["unet"], module["references"]
        adapter.attach(unet)
        ours = unet(noisy, 10, (states, [adapter.tokens(pixels)]), added_cond_kwargs=conditions)[0]
        adapter.detach(unet)
        without = unet(noisy, 10, states, added_cond_kwargs=conditions)[0]
    torch.testing.assert_close(theirs, ours, atol=HALF, rtol=HALF)
    # References that had no effect would pass the comparison.
    assert float((without - ours).abs().max()) > 20 * HALF


@pytest.mark.slow
def test_no_references_are_zeros_for_stock_diffusers_too(cut_off):
    pretraining, models = cut_off
    module, pipeline = pretraining.trained("teacher"), reference_pipeline(models)
    photo = Image.fromarray(pretraining.corpus.pixels[0])
    (both,) = pipeline.prepare_ip_adapter_image_embeds([[photo]], None, "cpu", 1, True)
    nothing = torch.zeros(1, 1, 3, 32, 32)
    with torch.no_grad():
        theirs = pipeline.unet.encoder_hid_proj([both[:1]])[0]
        torch.testing.assert_close(theirs, module["references"].tokens(nothing), atol=HALF, rtol=HALF)
    assert np.isfinite(theirs.numpy()).all()
