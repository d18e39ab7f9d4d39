"""LoRA adapters by peft on the official module names."""

import pytest
import torch
from llamagen_tiny import tiny_gpt
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file

from proxytune.student.families.llamagen import sample_tokens


def trained_adapter(padded, tokens, targets, steps=2):
    torch.manual_seed(0)
    base = tiny_gpt()
    model = get_peft_model(base, LoraConfig(r=4, lora_alpha=8, target_modules=targets)).train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = model.loss(tokens, *padded)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return model.eval(), losses


@pytest.mark.parametrize("targets", [["wqkv", "wo"], list(tiny_gpt().lora_targets)], ids=["attention", "all"])
def test_attach_train_save_reload(padded, tokens, tmp_path, targets):
    model, _ = trained_adapter(padded, tokens, targets)
    with torch.no_grad():
        tuned = model(tokens[:, :-1], *padded)
        plain = tiny_gpt()(tokens[:, :-1], *padded)
    assert (tuned - plain).abs().max() > 1e-2
    model.save_pretrained(tmp_path)
    keys = load_file(tmp_path / "adapter_model.safetensors").keys()
    assert len(keys) == 2 * 2 * len(targets)  # two layers, A and B
    assert "base_model.model.layers.0.attention.wqkv.lora_A.weight" in keys
    again = PeftModel.from_pretrained(tiny_gpt(), tmp_path).eval()
    with torch.no_grad():
        assert torch.equal(again(tokens[:, :-1], *padded), tuned)
    merged = again.merge_and_unload()
    with torch.no_grad():
        assert torch.allclose(merged(tokens[:, :-1], *padded), tuned, atol=1e-4)


def test_only_the_adapter_is_trained(padded, tokens):
    model, losses = trained_adapter(padded, tokens, list(tiny_gpt().lora_targets), steps=30)
    assert losses[-1] < 0.7 * losses[0]
    before = tiny_gpt().state_dict()
    for name, tensor in model.get_base_model().state_dict().items():
        if "lora_" not in name:
            assert torch.equal(tensor, before[name.replace(".base_layer", "")]), name


def test_sampling_uses_the_adapter_and_leaves_it_trainable(padded, tokens):
    model, _ = trained_adapter(padded, tokens, ["wqkv", "wo", "w1", "w2", "w3"], steps=30)
    model.train()
    drawn = sample_tokens(model, *padded, [1, 2, 3], guidance=2.0)
    assert model.training
    assert not torch.equal(drawn, sample_tokens(tiny_gpt(), *padded, [1, 2, 3], guidance=2.0))
    merged = model.merge_and_unload()
    assert torch.equal(sample_tokens(merged, *padded, [1, 2, 3], guidance=2.0), drawn)


def test_sampling_refuses_other_models(padded):
    with pytest.raises(TypeError, match="Linear given"):
        sample_tokens(torch.nn.Linear(2, 2), *padded, [1, 2, 3])
