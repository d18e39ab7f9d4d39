"""The transformer: its loss against transformers' own model, and which layers carry the adapter."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch.nn import functional as F
from transformers import JanusForConditionalGeneration

from proxytune.student.adapters import add_adapter
from proxytune.student.families.janus.family import JanusFamily
from proxytune.student.families.janus.transformer import Janus
from proxytune.student.modules import bare

LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@pytest.fixture
def example(student):
    """Two images under prompts of different lengths."""
    codes = torch.randint(256, (2, 64), generator=torch.Generator().manual_seed(4))
    return [student.prompts.encode("a dog"), student.prompts.encode("an ohwx dog in the snow")], codes


def plain_loss(official, prompts, codes):
    """One image after the other, all logits at once."""
    losses = []
    for prompt, picture in zip(prompts, codes, strict=True):
        words = official.get_input_embeddings()(torch.tensor([prompt]))
        shown = official.prepare_embeddings_for_image_generation(picture[None, :-1])
        hidden = official.model.language_model(inputs_embeds=torch.cat([words, shown], dim=1))[0]
        logits = official.model.generation_head(hidden[0, len(prompt) - 1 :])
        losses.append(F.cross_entropy(logits, picture))
    return torch.stack(losses).mean()


def test_the_loss_is_the_mean_cross_entropy_of_the_tokens(student, official, example):
    ours, theirs = student.lm.loss(*example), plain_loss(official, *example)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)
    assert ours > 3


def test_the_gradients_equal_those_of_transformers(student, base, example):
    full = JanusForConditionalGeneration.from_pretrained(base).eval()
    names = (
        "model.language_model.layers.0.self_attn.q_proj.weight",
        "model.generation_head.vision_head.bias",
    )
    gradients = []
    for model, loss in ((student.lm, student.lm.loss(*example)), (full, plain_loss(full, *example))):
        loss.backward()
        gradients.append([model.get_parameter(name).grad for name in names])
    for one, other in zip(*gradients, strict=True):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-6)
        assert one.any()


def test_a_longer_prompt_in_the_batch_changes_no_loss(student, example):
    prompts, codes = example
    apart = [student.lm.loss(prompts[row : row + 1], codes[row : row + 1]).item() for row in range(2)]
    assert student.lm.loss(prompts, codes).item() == pytest.approx(sum(apart) / 2, rel=1e-5)


def test_the_adapter_is_on_the_language_model_alone_also_in_transformers_model(student, official, base):
    expected = {
        f"model.language_model.layers.{layer}.{part}.{name}"
        for layer in range(2)
        for name in LAYERS
        for part in ("self_attn" if name[0] in "qkvo" else "mlp",)
    }
    full = JanusForConditionalGeneration.from_pretrained(base)
    theirs = get_peft_model(full, LoraConfig(r=2, target_modules=student.lm.lora_targets))
    assert any("vision_model" in name and name.endswith("q_proj") for name, _ in official.named_modules())
    for model in (theirs, add_adapter(student.lm, rank=2, alpha=2)):
        carrying = {
            name for name, part in bare(model, torch.nn.Module).named_modules() if hasattr(part, "lora_A")
        }
        assert carrying == expected


def test_unused_parts_are_absent(student, official):
    ours, theirs = student.lm.state_dict(), official.state_dict()
    left = {name.split(".")[1] for name in theirs.keys() - ours.keys() if name != "lm_head.weight"}
    assert left == {"vision_model", "aligner", "vqmodel"}
    assert ours.keys() <= theirs.keys()


def test_recomputed_activations_change_no_number(student, example):
    model, results = add_adapter(student.lm, rank=2, alpha=2).train(), []
    for name, value in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(value, std=0.1)
    for recompute in (False, True):
        if recompute:
            JanusFamily().recompute_activations(bare(model, Janus))
        loss = bare(model, Janus).loss(*example)
        loss.backward()
        results.append([loss.detach(), *(p.grad.clone() for p in model.parameters() if p.requires_grad)])
        model.zero_grad()
    assert len(results[0]) == 1 + 2 * 2 * len(LAYERS)
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))
