"""A compiled teacher computes the same; traced here, since kernels are only compiled on a GPU."""

import numpy as np
import pytest
import torch
from jobs import write_photos
from safetensors.torch import load_file
from teaching import photo_set, prepared, teach
from torch._dynamo.utils import counters

from proxytune.masks.photo_masks import PhotoMask
from proxytune.teacher.config import ValidationImage
from proxytune.teacher.lora_file import WEIGHTS_FILE
from proxytune.teacher.photos import PhotoSet
from proxytune.training import compilation

SAMPLER = {"steps": 1, "guidance": 3.0}


@pytest.fixture(autouse=True)
def _fresh():
    torch._dynamo.reset()
    counters.clear()
    yield
    torch._dynamo.reset()


def gradients(teacher, step):
    loss = teacher.loss(step, torch.Generator().manual_seed(1))
    loss.backward()
    values = [value.grad.clone() for _, value in teacher.named_parameters()]
    for _, value in teacher.named_parameters():
        value.grad = None
    return torch.cat([loss.detach().view(1), *(value.flatten() for value in values)])


@pytest.mark.parametrize("model", ["sdxl-tiny", "sd3.5-large-tiny", "flux-dev-tiny"])
def test_compiled_blocks_change_no_gradient_and_generation_compiles_nothing(tiny_model, tmp_path, model):
    photos = photo_set(tmp_path / "photos")
    plain, compiled = (
        prepared(tiny_model(model), photos, validation_prompts=("a ohwx dog",)) for _ in range(2)
    )
    compiled.compile(backend="eager")
    assert torch.allclose(gradients(compiled, 0), gradients(plain, 0), atol=1e-5)
    graphs = counters["stats"]["unique_graphs"]
    assert graphs > 0
    image = ValidationImage(0, "a ohwx dog", in_context=False, seed=5)
    pictures = [
        np.asarray(each.generate_images([image], SAMPLER)[0], dtype=int) for each in (plain, compiled)
    ]
    assert np.abs(pictures[0] - pictures[1]).max() <= 1
    assert torch.allclose(gradients(compiled, 1), gradients(plain, 1), atol=1e-5)
    # One shape: nothing was compiled for generation, nor again afterwards.
    assert counters["stats"]["unique_graphs"] == graphs
    compiled.save(tmp_path / "adapter")
    assert (tmp_path / "adapter" / WEIGHTS_FILE).is_file()


def test_a_masked_training_is_compiled_once_with_and_once_without_the_adapter(tiny_model, tmp_path):
    """The untuned network, which is the target outside of the subject, is the same blocks without it."""
    sizes = ((96, 64), (70, 100), (64, 64))
    write_photos(tmp_path, sizes)
    masks = [np.arange(width)[None].repeat(height, 0) < width // 2 for width, height in sizes]
    photos = PhotoSet(tmp_path, 64, masks=[PhotoMask(mask, "file", 0.5) for mask in masks])
    plain, compiled = (prepared(tiny_model("sd3-medium-tiny"), photos) for _ in range(2))
    for teacher in (plain, compiled):
        random = torch.Generator().manual_seed(3)
        for _, value in teacher.named_parameters():
            value.data += 0.05 * torch.randn(value.shape, generator=random)
    compiled.compile(backend="eager")
    assert torch.allclose(gradients(compiled, 0), gradients(plain, 0), atol=1e-5)
    graphs = counters["stats"]["unique_graphs"]
    assert torch.allclose(gradients(compiled, 1), gradients(plain, 1), atol=1e-5)
    assert counters["stats"]["unique_graphs"] == graphs > 0


def test_a_long_training_is_compiled_and_gives_the_same_adapter(tiny_model, tmp_path, monkeypatch):
    base, real = tiny_model("sd3-medium-tiny"), compilation.compile_layers

    def taught(name, *, possible=True, worthwhile=4):
        monkeypatch.setattr(compilation, "possible", lambda device: possible)
        monkeypatch.setattr(compilation, "WORTHWHILE_STEPS", worthwhile)
        before = counters["stats"]["unique_graphs"]
        adapter = load_file(teach(tmp_path / name, base.name, base) / WEIGHTS_FILE)
        return adapter, counters["stats"]["unique_graphs"] - before

    monkeypatch.setattr(compilation, "compile_layers", lambda layers, **_: real(layers, backend="eager"))
    plain, none = taught("impossible", possible=False)
    short, still_none = taught("short", worthwhile=5)
    compiled, graphs = taught("long")
    assert (none, still_none) == (0, 0)
    assert graphs >= 1
    assert all(torch.equal(short[name], value) for name, value in plain.items())
    assert all(torch.allclose(compiled[name], value, atol=1e-4) for name, value in plain.items())
