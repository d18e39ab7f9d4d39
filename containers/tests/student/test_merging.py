"""Adapters merged into the weights of every family's model, and taken out again."""

import pytest
import torch
from peft.tuners.lora import LoraLayer
from students import CPU, TINY, prepared, proxy_set

from proxytune.student.adapters import add_adapter
from proxytune.student.families import registry
from proxytune.student.merging import MergedAdapter
from proxytune.student.tuning.proof import evaluate_probe


@pytest.fixture(scope="module", params=sorted(registry.FAMILIES))
def family(request):
    return request.param


@pytest.fixture(scope="module")
def base(family, tiny_model):
    return tiny_model(TINY[family])


def with_adapter(family, base, dtype=torch.float32):
    """A model whose adapter has an effect; alpha / rank is 3."""
    wrapped = add_adapter(
        registry.student_family(family).load_model(base, dtype=dtype, device=CPU), rank=4, alpha=12
    )
    generator = torch.Generator().manual_seed(8)
    with torch.no_grad():
        for name, value in wrapped.named_parameters():
            if "lora_" in name:
                value.normal_(std=0.2, generator=generator)
    return wrapped


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_a_merged_model_computes_as_with_the_adapter_but_has_no_layers_of_it(family, base, tmp_path):
    probe = prepared(family, base, proxy_set(tmp_path)).probe()
    wrapped = with_adapter(family, base)
    tuned, kind = evaluate_probe(wrapped, probe), type(wrapped.get_base_model())
    merged = MergedAdapter(wrapped)
    plain = evaluate_probe(merged.model, probe)
    merged.switch(on=True)
    assert type(merged.model) is kind
    assert not [each for each in merged.model.modules() if isinstance(each, LoraLayer)]
    change = (tuned - plain).abs().max()
    assert change > 0.1
    assert (evaluate_probe(merged.model, probe) - tuned).abs().max() < 1e-3 * change


@pytest.mark.parametrize(("dtype", "roundings"), [(torch.float32, 4), (torch.bfloat16, 0.51)], ids=str)
def test_the_weights_are_the_sum_rounded_once_and_afterwards_what_they_were(family, base, dtype, roundings):
    wrapped = with_adapter(family, base, dtype)
    adapter = {
        name.removeprefix("base_model.model."): (
            layer.lora_A["default"].weight.double(),
            layer.lora_B["default"].weight.double(),
        )
        for name, layer in wrapped.named_modules()
        if isinstance(layer, LoraLayer)
    }
    assert len(adapter) >= 8
    merged = MergedAdapter(wrapped)
    before = weights(merged.model)
    untouched = registry.student_family(family).load_model(base, dtype=dtype, device=CPU)
    assert all(torch.equal(value, before[name]) for name, value in untouched.state_dict().items())
    merged.switch(on=True)
    after = weights(merged.model)
    for name, (a, b) in adapter.items():
        wanted = before.pop(f"{name}.weight").double() + 3 * b @ a
        given = after.pop(f"{name}.weight")
        assert given.dtype == dtype
        # A bfloat16 is rounded once; the float32 sum before it, of four products, a few times.
        assert (given.double() - wanted).abs().max() <= roundings * torch.finfo(
            dtype
        ).eps * wanted.abs().max()
    # Everything else is left alone.
    assert all(torch.equal(value, before[name]) for name, value in after.items())
    tuned, untuned = weights(merged.model), weights(untouched)
    for on in (False, True, False):
        merged.switch(on=on)
        expected = tuned if on else untuned
        assert all(torch.equal(value, expected[name]) for name, value in merged.model.state_dict().items())
