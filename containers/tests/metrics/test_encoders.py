from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from corrupted import corrupted
from drawings import draw
from safetensors.torch import load_file, save_file

from proxytune.contract.errors import ProxytuneError
from proxytune.metrics.encoders import ClipEncoder, DinoEncoder, weights_sha256

CPU = torch.device("cpu")
PICTURES = [draw(seed, (50 + seed, 70)) for seed in range(7)]


@pytest.mark.parametrize("name", ["clip", "dino"])
def test_vectors_have_length_one_and_differ_between_images(name: str, request: pytest.FixtureRequest) -> None:
    vectors = request.getfixturevalue(name).pictures(PICTURES)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-12)
    cosines = vectors @ vectors.T
    assert cosines[~np.eye(len(PICTURES), dtype=bool)].max() < 0.999


@pytest.mark.parametrize("name", ["clip", "dino"])
def test_a_vector_does_not_depend_on_its_batch(name: str, request: pytest.FixtureRequest) -> None:
    encoder = request.getfixturevalue(name)
    together = encoder.pictures(PICTURES)
    for batch_size in (1, 3):
        np.testing.assert_allclose(encoder.pictures(PICTURES, batch_size), together, atol=2e-6)
    np.testing.assert_allclose(encoder.pictures(PICTURES[::-1])[::-1], together, atol=2e-6)


def test_a_text_vector_does_not_depend_on_its_neighbours(clip: ClipEncoder) -> None:
    texts = ["a dog", "a photo of a dog in deep snow", "a cat"]
    together = clip.texts(texts)
    np.testing.assert_allclose(np.concatenate([clip.texts([text]) for text in texts]), together, atol=2e-6)
    assert (together @ together.T)[0, 2] < 0.999


def test_a_text_longer_than_the_model_is_truncated(clip: ClipEncoder) -> None:
    long = "a " * 100
    assert clip.texts([long]).shape == (1, 24)
    np.testing.assert_allclose(clip.texts([long]), clip.texts([long + "b"]), atol=1e-9)


def test_clip_vectors_are_the_projected_features_of_the_model(clip: ClipEncoder) -> None:
    pixels = clip.preprocessing(PICTURES[0])[None]
    with torch.inference_mode():
        pooled = clip.model.vision_model(pixel_values=pixels).pooler_output
        expected = clip.model.visual_projection(pooled)[0].double()
    np.testing.assert_allclose(clip.pictures(PICTURES[:1])[0], expected / expected.norm(), atol=1e-6)


def test_dino_uses_the_class_token_and_the_official_ratio(dino: DinoEncoder) -> None:
    assert (dino.preprocessing.resize, dino.preprocessing.crop) == (37, 32)
    assert dino.model.pooler is None
    with torch.inference_mode():
        states = dino.model(pixel_values=dino.preprocessing(PICTURES[0])[None]).last_hidden_state
    expected = states[0, 0].double()
    np.testing.assert_allclose(dino.pictures(PICTURES[:1])[0], expected / expected.norm(), atol=1e-6)


def test_no_images_give_no_vectors(clip: ClipEncoder) -> None:
    assert len(clip.pictures([])) == 0


def test_the_hash_is_that_of_the_weights_file(models: Path, clip: ClipEncoder) -> None:
    bytes_ = (models / "clip" / "model.safetensors").read_bytes()
    assert clip.sha256 == hashlib.sha256(bytes_).hexdigest()


def test_the_hash_of_several_files_depends_on_each(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"one")
    (tmp_path / "b.safetensors").write_bytes(b"two")
    first = weights_sha256(tmp_path)
    (tmp_path / "b.safetensors").write_bytes(b"three")
    assert weights_sha256(tmp_path) != first


def test_incomplete_weights_are_refused(models: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(models / "dino", tmp_path / "dino")
    weights = load_file(folder / "model.safetensors")
    weights.pop("layernorm.weight")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ProxytuneError, match="lack 1 tensors of ViTModel") as caught:
        DinoEncoder(folder, CPU)
    assert caught.value.name == "ModelMismatch"


@pytest.mark.parametrize("file", ["model.safetensors", "preprocessor_config.json", "config.json"])
def test_a_folder_without_a_required_file_is_refused(file: str, models: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(models / "clip", tmp_path / "clip")
    (folder / file).unlink()
    with pytest.raises(ProxytuneError) as caught:
        ClipEncoder(folder, CPU)
    assert caught.value.name == "ChannelMissing"


def test_a_file_without_weights_is_refused(models: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(models / "dino", tmp_path / "dino")
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ProxytuneError, match="cannot be loaded as ViTModel") as caught:
        DinoEncoder(folder, CPU)
    assert caught.value.name == "ModelMismatch"


def test_a_preprocessor_of_the_wrong_size_is_refused(models: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(models / "clip", tmp_path / "clip")
    file = folder / "preprocessor_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"size": 64, "crop_size": 64}))
    with pytest.raises(ProxytuneError, match="resize 64, crop 64") as caught:
        ClipEncoder(folder, CPU)
    assert caught.value.name == "ModelMismatch"


@pytest.mark.parametrize(
    ("name", "kind", "tensor"),
    [
        ("clip", ClipEncoder, "visual_projection.weight"),
        ("clip", ClipEncoder, "text_projection.weight"),
        ("dino", DinoEncoder, "layernorm.bias"),
    ],
)
def test_corrupt_weights_are_refused_as_a_cosine_of_nan_would_count_as_1(
    models: Path, tmp_path: Path, name: str, kind: type, tensor: str
) -> None:
    encoder = kind(corrupted(models / name, tmp_path, "model.safetensors", tensor, float("nan")), CPU)
    with pytest.raises(ProxytuneError, match=f"encoder {name.upper()} .*float32") as caught:
        encoder.texts(["a dog"]) if tensor.startswith("text") else encoder.pictures(PICTURES)
    assert caught.value.name == "ModelNotFinite"
