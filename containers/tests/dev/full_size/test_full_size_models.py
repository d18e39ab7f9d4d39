"""The full-size models train and generate by the product's code: here with fewer, narrower layers."""

from dataclasses import dataclass

import pytest

from dev.bench.gpu import diffusion, precision, sampling, training
from dev.bench.gpu.bench import Bench
from dev.full_size import networks

# What is smaller than in the real networks; everything else is as there, vocabularies and texts included.
NARROW = {
    "sd3-medium": {"num_layers": 1, "num_attention_heads": 2, "caption_projection_dim": 128},
    "LLAMAGEN_XL": {"dim": 64, "n_layer": 1, "n_head": 2},
    "LLAMAGEN_VQ": {"ch": 32},
    "LUMINA_7B": {
        "hidden_size": 64,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
    },
    "LUMINA_VQ": {"ch": 32},
    "JANUS_TEXT": {
        "hidden_size": 64,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
    },
    "JANUS_VQ": {"projection_dim": 64, "image_token_embed_dim": 64, "base_channels": 32},
    "JANUS_VISION": {"projection_dim": 64, "image_size": 64},
}


@dataclass(frozen=True)
class Small(Bench):
    """A bench whose recipes have small images and batches."""

    def recipe(self, model):
        return {**super().recipe(model), "size": 64, "batchSize": 2, "drawBatch": 2}


@pytest.fixture
def bench(tmp_path, monkeypatch):
    for name, changes in NARROW.items():
        if name.isupper():
            monkeypatch.setattr(networks, name, {**getattr(networks, name), **changes})
    settings = {**networks.TEACHER_NETWORKS["sd3-medium"], **NARROW["sd3-medium"]}
    monkeypatch.setattr(networks, "TEACHER_NETWORKS", {"sd3-medium": settings})
    vae = {**networks.VAES["sd3-medium"], "block_out_channels": (32,) * 4, "layers_per_block": 1}
    monkeypatch.setattr(networks, "VAES", {"sd3-medium": vae})
    monkeypatch.setattr(training, "WARM_UP", 1)
    monkeypatch.setattr(training, "MEASURED", 1)
    return Small("test", tiny=False, folder=tmp_path, results=tmp_path / "out.jsonl")


def test_a_teacher_trains_and_generates(bench, monkeypatch):
    monkeypatch.setattr(diffusion, "LONG", 3)
    training.teacher_step(bench, "sd3-medium")
    diffusion.images(bench, "sd3-medium")
    assert len(bench.results.read_text().splitlines()) == 3


@pytest.mark.parametrize("model", ["llamagen-xl", "lumina-mgpt-7b", "janus-pro-1b"])
def test_a_student_trains_and_samples(bench, monkeypatch, model):
    monkeypatch.setattr(sampling, "SIZES", {"llamagen-xl": 64, "lumina-mgpt-7b": 64})
    training.student_step(bench, model)
    sampling.images(bench, model)
    assert len(bench.results.read_text().splitlines()) == 4


def test_a_students_losses_are_compared(bench, monkeypatch):
    monkeypatch.setattr(precision, "TEACHER", "sd3-medium")
    precision.losses(bench)
    assert len(bench.results.read_text().splitlines()) == 2
