"""The card's figures: recomputed from the written files, they equal those of the training."""

import json

import numpy as np
import pytest
import torch

from dev.pretraining.card import FILE, write_card
from dev.pretraining.corpus import draw_corpus, draw_held_out, open_corpus
from dev.pretraining.quality import measure
from dev.pretraining.settings import trial


def test_held_out_pictures_rendered_alone_are_those_of_the_corpus(tmp_path, monkeypatch):
    monkeypatch.setattr("dev.pretraining.corpus.CHUNK", 80)
    draw_corpus(tmp_path, trial())
    whole, alone = open_corpus(tmp_path, trial()), draw_held_out(trial())
    assert len(alone) == len(alone.held_out) == 40
    np.testing.assert_array_equal(alone.pixels, whole.pixels[-40:])
    for name in ("masks", "category", "pattern", "context", "colours"):
        np.testing.assert_array_equal(getattr(alone, name), getattr(whole, name)[-40:])


@pytest.mark.slow
def test_the_figures_of_the_written_models_are_those_of_the_training(cut_off, tmp_path):
    pretraining, models = cut_off
    figures = measure(models, pretraining.settings, samples=1)
    found = {
        part: json.loads((pretraining.work / f"{part}.json").read_text("utf-8"))["findings"][-1]
        for part in pretraining.settings.parts
    }
    assert figures["vae_psnr"] == pytest.approx(found["vae"]["psnr"], abs=0.05)
    assert figures["vq_psnr"] == pytest.approx(found["vq"]["psnr"], abs=0.05)
    for error in ("velocity_error", "velocity_error_with_references"):
        assert figures[error] == pytest.approx(found["teacher"][error], rel=0.02)
    assert figures["cross_entropy"] == pytest.approx(found["student"]["cross_entropy"], rel=0.02)
    assert figures["retrieval"] == pytest.approx(found["dino"]["retrieval"], abs=0.051)
    for part in ("segmenter", "siglip"):
        for name, value in found[part].items():
            if name not in ("step", "seconds"):
                assert figures[f"{part}_{name}"] == pytest.approx(value, abs=0.06), (part, name)
    shares = {f"{who}_{what}" for who in ("clip", "teacher", "student") for what in ("category", "context")}
    assert all(0 <= figures[share] <= 1 for share in shares)

    write_card(models, pretraining.work, pretraining.settings, torch.float32, figures)
    card = json.loads((models / FILE).read_text("utf-8"))
    assert card["quality"].keys() == figures.keys()
    assert card["settings"]["parts"].keys() == card["seconds"].keys() == found.keys()
    assert sum(card["bytes"].values()) < 60e6
    (models / FILE).unlink()
