"""DreamSim: equal to its package, from files in the published layout; independent of batch and order."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from dreamsim_inputs import SIZES, adapter_config, encoder, image, lora
from safetensors.torch import save_file

from dev.conversion.dreamsim import convert
from proxytune.contract.errors import ProxytuneError
from proxytune.metrics.dreamsim import DreamSimEncoder

ANSWERS = json.loads((Path(__file__).parent / "fixtures" / "dreamsim.json").read_text())["distances"]
IMAGES = [image(number) for number in range(len(SIZES))]


def tensors(arrays):
    return {name: torch.from_numpy(value) for name, value in arrays.items()}


def write_published(folder: Path, *, safe: bool = False, strength: float = 1.0) -> dict[str, Path]:
    """Write small weights under the names of the release; returns `convert`'s arguments."""
    files = {
        "dino": folder / "dino_vitbase16_pretrain.pth",
        "clip": folder / "clip_vitb16_pretrain.pth.tar",
        "open_clip": folder / "open_clip_vitb16_pretrain.pth.tar",
    }
    for number, (name, file) in enumerate(files.items()):
        state = tensors(encoder(number))
        torch.save(state if name == "dino" else {"state_dict": state}, file)
    adapter = folder / "ensemble_lora"
    adapter.mkdir()
    layers = {name: value * (strength if "lora_B" in name else 1) for name, value in tensors(lora()).items()}
    if safe:
        save_file(layers, adapter / "adapter_model.safetensors")
    else:
        torch.save(layers, adapter / "adapter_model.bin")
    (adapter / "adapter_config.json").write_text(json.dumps(adapter_config()))
    return {**files, "lora": adapter}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dreamsim") / "model"
    convert(out, **write_published(tmp_path_factory.mktemp("published")))
    return out


@pytest.fixture(scope="module")
def vectors(folder: Path) -> np.ndarray:
    return DreamSimEncoder(folder, torch.device("cpu")).pictures(IMAGES)


def test_distances_equal_those_of_the_package(vectors):
    assert 1 - vectors @ vectors.T == pytest.approx(np.array(ANSWERS), abs=1e-5)
    # Images differ, so that equal answers mean something.
    assert np.array(ANSWERS)[np.triu_indices(len(IMAGES), 1)].min() > 0.05


def test_they_do_not_depend_on_batch_or_order(folder, vectors):
    encoder = DreamSimEncoder(folder, torch.device("cpu"))
    assert encoder.pictures(IMAGES, 1) == pytest.approx(vectors, abs=1e-6)
    assert encoder.pictures(IMAGES[::-1], 3) == pytest.approx(vectors[::-1], abs=1e-6)
    assert encoder.pictures([]).shape == (0, 0)


def test_lora_is_merged_from_either_of_pefts_files(tmp_path, vectors):
    (tmp_path / "safe").mkdir()
    convert(tmp_path / "model", **write_published(tmp_path / "safe", safe=True))
    again = DreamSimEncoder(tmp_path / "model", torch.device("cpu"))
    assert again.pictures(IMAGES) == pytest.approx(vectors, abs=1e-6)
    (tmp_path / "none").mkdir()
    convert(tmp_path / "without", **write_published(tmp_path / "none", strength=0.0))
    without = DreamSimEncoder(tmp_path / "without", torch.device("cpu"))
    assert np.abs(without.pictures(IMAGES) @ vectors.T - vectors @ vectors.T).max() > 0.01
    assert without.sha256 != again.sha256


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda files: files["clip"].write_bytes(b"none"), "cannot be read"),
        (lambda files: torch.save({"weight": torch.zeros(1)}, files["dino"]), "no patch_embed.proj.weight"),
        (lambda files: (files["lora"] / "adapter_model.bin").unlink(), "adapter_model.bin"),
        (
            lambda files: torch.save(
                {
                    name: value[:, :3] if "lora_A" in name else value
                    for name, value in tensors(lora()).items()
                },
                files["lora"] / "adapter_model.bin",
            ),
            "fits no weight",
        ),
    ],
)
def test_other_files_are_refused_by_name(tmp_path, change, words):
    files = write_published(tmp_path)
    change(files)
    with pytest.raises(ProxytuneError, match=words) as caught:
        convert(tmp_path / "model", **files)
    assert caught.value.name == "ModelMismatch"


def test_a_folder_without_one_of_the_encoders_is_refused(folder, tmp_path):
    (tmp_path / "dino").symlink_to(folder / "dino")
    with pytest.raises(ProxytuneError) as caught:
        DreamSimEncoder(tmp_path, torch.device("cpu"))
    assert caught.value.name == "ChannelMissing"
