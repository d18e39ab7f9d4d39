"""A frozen network in 8 or 4 bits: close to the original, smaller; its adapter trains and is read back."""

import numpy as np
import pytest
import torch
from jobs import StopBefore
from safetensors.torch import load_file
from teaching import (
    MODELS,
    family_of,
    full_size,
    photo_set,
    pixels,
    plain_picture,
    plain_pipeline,
    prepared,
    teach,
    trained,
)
from torch import nn

from dev.full_size.activations import read_table
from proxytune.teacher.lora_file import WEIGHTS_FILE
from proxytune.teacher.quantization import QuantizedLinear, levels, quantize, quantize_blocks, restore
from proxytune.training import compilation, memory


def weights(rows=64, columns=256):
    return 0.02 * torch.randn(rows, columns, generator=torch.Generator().manual_seed(1))


def test_the_levels_are_those_of_nf4():
    # From the paper's appendix.
    printed = [-1.0, -0.6961928, -0.5250731, -0.3949175, -0.2844414, -0.1847734, -0.0910500, 0.0]
    printed += [0.0795803, 0.1609302, 0.2461123, 0.3379152, 0.4407098, 0.5626170, 0.7229568, 1.0]
    assert levels().tolist() == pytest.approx(printed, abs=2e-6)


@pytest.mark.parametrize(("bits", "error"), [(8, 0.008), (4, 0.11)])
def test_restored_weights_are_close_and_take_a_half_or_a_quarter(bits, error):
    given = weights()
    codes, scales = quantize(given, bits)
    back = restore(codes, scales, levels(), torch.float32)
    assert back.shape == given.shape
    assert (back - given).norm() < error * given.norm()
    # The largest of each block is exact.
    assert torch.allclose(back.abs().amax(1), given.abs().amax(1), rtol=1e-6)
    assert codes.numel() * codes.element_size() == given.numel() * bits // 8
    assert torch.equal(restore(*quantize(back, bits), levels(), torch.float32), back)


@pytest.mark.parametrize("bits", [8, 4])
def test_a_layer_computes_with_restored_weights_in_both_passes(bits):
    plain = nn.Linear(256, 64)
    small = QuantizedLinear(plain, bits)
    with torch.no_grad():
        plain.weight.copy_(restore(small.weight, small.scales, small.table, torch.float32))
    inputs = [
        torch.randn(3, 256, generator=torch.Generator().manual_seed(2), requires_grad=True) for _ in "ab"
    ]
    outputs = [layer(each) for layer, each in zip((plain, small), inputs, strict=True)]
    assert torch.allclose(*outputs, atol=1e-6)
    for output in outputs:
        output.square().sum().backward()
    assert torch.allclose(inputs[0].grad, inputs[1].grad, atol=1e-5)


def test_codes_are_kept_for_the_backward_pass():
    small = QuantizedLinear(nn.Linear(256, 64), 4)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda value: kept.append(value) or value, lambda value: value
    ):
        small(torch.randn(3, 256, requires_grad=True)).sum()
    assert {(value.dtype, tuple(value.shape)) for value in kept} <= {
        (torch.uint8, (64, 128)),
        (torch.float32, (64, 2)),
        (torch.float32, (16,)),
    }


@pytest.mark.parametrize(("model", "bits"), [*((model, 8) for model in MODELS), ("flux-dev-tiny", 4)])
def test_an_adapter_on_such_a_network_trains_and_is_read_back(tiny_model, tmp_path, model, bits):
    base, photos = tiny_model(model), photo_set(tmp_path / "photos")
    full, small = prepared(base, photos), prepared(base, photos, bits=bits)
    quantized = [module for module in small.network.modules() if isinstance(module, QuantizedLinear)]
    assert quantized
    with torch.no_grad():
        losses = [float(each.loss(0, torch.Generator().manual_seed(1))) for each in (full, small)]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.02 if bits == 8 else 0.2)
    taught = trained(base, photos, steps=3, bits=bits)
    assert all(value.dtype == torch.float32 for _, value in taught.named_parameters())
    taught.save(tmp_path / "adapter")
    # Like any other: it fits the original network.
    assert all(
        value.dtype == torch.float32 for value in load_file(tmp_path / "adapter" / WEIGHTS_FILE).values()
    )


@pytest.mark.parametrize("bits", [8, 4])
def test_training_on_such_a_network_resumes_bit_for_bit_and_changes_diffusers_images(
    tiny_model, tmp_path, bits, capsys
):
    model = "sd3-medium-tiny"
    base = tiny_model(model)
    undisturbed = teach(tmp_path / "undisturbed", model, base, bits=str(bits))
    assert f"of the frozen network are stored in {bits} bits" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        teach(tmp_path / "disturbed", model, base, StopBefore(2), bits=str(bits))
    assert not list((tmp_path / "disturbed" / "model").iterdir())
    disturbed = teach(tmp_path / "disturbed", model, base)
    assert "resumed from the checkpoint of step 2" in capsys.readouterr().out
    ours, theirs = (load_file(folder / WEIGHTS_FILE) for folder in (disturbed, undisturbed))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    # With rounded weights another adapter is trained than with those of the model itself.
    unrounded = load_file(teach(tmp_path / "unrounded", model, base) / WEIGHTS_FILE)
    assert ours.keys() == unrounded.keys()
    assert not all(torch.equal(ours[name], unrounded[name]) for name in ours)

    plain = plain_pipeline(base)
    untuned = plain_picture(plain, 100, steps=2)
    plain.load_lora_weights(str(disturbed))
    assert np.abs(pixels([plain_picture(plain, 100, steps=2)]) - pixels([untuned])).max() > 5


@pytest.mark.parametrize(
    ("model", "bits", "gib"), [("flux-dev", 8, 24), ("flux-dev", 4, 16), ("sd3.5-large", 8, 24)]
)
def test_full_size_models_fit_on_smaller_cards(model, bits, gib):
    network, family = full_size(model), family_of(f"{model}-tiny")
    numbers = {name: value.numel() for name, value in network.named_parameters()}
    blocks = compilation.layers_of(network, family.blocks)
    # The layers that quantize_blocks would quantise; these models have no weights.
    layers = [module for block in blocks for module in block.modules() if type(module) is nn.Linear]
    quantized = sum(layer.weight.numel() for layer in layers)
    size = 2 * (sum(numbers.values()) - quantized) + quantized * (bits / 8 + 4 / 128)
    needed = next(row.recomputed_peak for row in read_table() if (row.model, row.size) == (model, 768))
    assert size + needed < memory.USABLE * gib * memory.GIB
    assert quantized > 0.9 * sum(numbers.values())


def test_other_layers_are_not_quantised(tiny_model, tmp_path):
    teacher = prepared(tiny_model("sdxl-tiny"), photo_set(tmp_path / "photos"))
    convolutions = [module for module in teacher.network.modules() if isinstance(module, nn.Conv2d)]
    quantize_blocks([teacher.network], 8)
    assert [module for module in teacher.network.modules() if isinstance(module, nn.Conv2d)] == convolutions
