"""Conversion of the official files to a model folder."""

import shutil

import pytest
import torch
from safetensors.torch import load_file

from dev.conversion.lumina import convert
from proxytune.contract.errors import ProxytuneError
from proxytune.student.families.lumina.checkpoint import load_student


@pytest.fixture
def files(tiny_model, tmp_path):
    """A tiny student, taken apart into what is published: a folder, and a pickle with its training's rest."""
    model, lumina = tiny_model("lumina-tiny"), tmp_path / "lumina"
    shutil.copytree(model / "transformer", lumina)
    shutil.copytree(model / "tokenizer", lumina, dirs_exist_ok=True)
    (lumina / "README.md").write_text("no part of a model")
    weights = {**load_file(model / "vq.safetensors"), "loss.discriminator.weight": torch.ones(3)}
    torch.save({"state_dict": weights, "epoch": 3}, tmp_path / "vqgan.ckpt")
    student = load_student(model)
    return student, {"lumina": lumina, "vqgan": tmp_path / "vqgan.ckpt", "vq_config": student.vq.config}


def test_the_folder_has_the_same_student(files, tmp_path):
    student, given = files
    convert(tmp_path / "out", image_size=64, **given)
    converted = load_student(tmp_path / "out")
    assert converted.image_size == 64
    for part in ("lm", "vq"):
        ours, theirs = (getattr(one, part).state_dict() for one in (student, converted))
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(value, theirs[name]) for name, value in ours.items())
    assert converted.prompts.encode("a dog", 64, 64) == student.prompts.encode("a dog", 64, 64)
    assert not list((tmp_path / "out").rglob("*.md"))


def test_weights_that_do_not_fit_are_refused(files, tmp_path):
    _, given = files
    torch.save({"state_dict": {"encoder.conv_in.weight": torch.ones(1)}}, given["vqgan"])
    with pytest.raises(ProxytuneError, match="missing") as refused:
        convert(tmp_path / "out", image_size=64, **given)
    assert refused.value.name == "ModelMismatch"
