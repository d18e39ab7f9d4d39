"""Differences between Lumina and transformers' Chameleon, and equality elsewhere."""

import pytest
import torch
from lumina_tiny import SIZES, VOCABULARY, tiny_lumina
from torch import nn
from torch.nn import functional as F
from transformers import ChameleonConfig, ChameleonForConditionalGeneration

from dev.golden.lumina_lm import official_shapes
from proxytune.student.families.lumina.family import LuminaFamily
from proxytune.student.families.lumina.transformer import Lumina, chameleon_config
from proxytune.student.families.lumina.weights import expand_norms


def test_7b_has_the_official_keys_and_size():
    with torch.device("meta"):
        model = Lumina(chameleon_config({"vocabulary_map": {"<image>": 8711}}))
    shapes = official_shapes(model)
    assert len(shapes) == 419
    assert sum(parameter.numel() for parameter in model.parameters()) == 7_013_666_816
    assert shapes["model.layers.31.self_attn.q_norm.weight"] == (1, 128)
    assert shapes["lm_head.weight"] == (65536, 4096)
    assert not [name for name in shapes if "vqmodel" in name]


def test_a_config_without_dropout_and_z_loss_gets_those_of_the_official_training():
    config = chameleon_config({"vocabulary_map": {"<image>": 8711}})
    assert (config.dropout, config.z_loss_weight) == (0.05, 1e-5)


@pytest.mark.parametrize(
    ("values", "words"), [({"swin_norm": True}, "swin_norm"), ({"vocabulary_map": None}, "missing")]
)
def test_configs_of_other_models_are_refused(values, words):
    with pytest.raises(ValueError, match=words):
        chameleon_config({**SIZES, **values})


class PerShardNorm(nn.Module):
    """The norm in the official form: a row for all heads of a shard, repeated when it is used."""

    def __init__(self, weight, bias, heads):
        super().__init__()
        self.weight, self.bias, self.heads = nn.Parameter(weight), nn.Parameter(bias), heads

    def forward(self, states):
        times = self.heads // len(self.weight)
        normed = F.layer_norm(states, states.shape[-1:], eps=1e-5)
        return normed * self.weight.repeat_interleave(times, 0) + self.bias.repeat_interleave(times, 0)


@pytest.mark.parametrize("shards", [1, 2])
def test_expanded_norms_compute_what_norms_per_shard_do(shards, sequences):
    official, ours = tiny_lumina(), tiny_lumina()
    random = torch.Generator().manual_seed(8)
    weights = dict(official.state_dict())
    for layer in official.model.layers:
        for name, heads in official.norm_heads.items():
            rows = torch.randn(2, shards, 8, generator=random)
            setattr(layer.self_attn, name, PerShardNorm(1 + 0.3 * rows[0], 0.3 * rows[1], heads))
            place = f"model.layers.{layer.self_attn.layer_idx}.self_attn.{name}"
            weights |= {f"{place}.weight": 1 + 0.3 * rows[0], f"{place}.bias": 0.3 * rows[1]}
    ours.load_state_dict(expand_norms(weights, ours.norm_heads), strict=True)
    ids, labels = sequences
    assert torch.allclose(ours(ids).logits, official(ids).logits, atol=1e-6)
    assert not torch.allclose(ours(ids).logits, tiny_lumina()(ids).logits, atol=1e-2)
    for model in (ours, official):
        model.loss(ids, labels).backward()
    mine, theirs = (model.model.layers[1].self_attn.q_norm.weight.grad for model in (ours, official))
    assert torch.allclose(mine.view(shards, -1, 8).sum(1), theirs, atol=1e-5)


def test_norms_that_no_head_can_share_are_left_for_strict_loading_to_refuse(lumina):
    weights = {"model.layers.0.self_attn.q_norm.weight": torch.ones(3, 8)}
    assert expand_norms(weights, lumina.norm_heads)["model.layers.0.self_attn.q_norm.weight"].shape == (3, 8)


def test_the_logits_of_image_codes_are_not_masked(lumina, sequences):
    ids, labels = sequences
    stock = ChameleonForConditionalGeneration(ChameleonConfig(**SIZES)).eval()
    stock.load_state_dict(lumina.state_dict(), strict=False)
    codes, others = list(VOCABULARY.codes), [i for i in range(90) if i not in VOCABULARY.codes]
    with torch.no_grad():
        trapped, ours = stock(ids).logits, lumina(ids).logits
    assert torch.all(trapped[..., codes] == torch.finfo(torch.float32).min)
    assert torch.equal(trapped[..., others], ours[..., others])
    assert ours[..., codes].abs().max() < 100
    assert lumina.loss(ids, labels) < 20
    assert stock(ids, labels=labels).loss > 1e30


@pytest.mark.parametrize("at_once", [1, 450, 2**22])
def test_the_fused_loss_equals_that_of_all_logits(lumina, sequences, monkeypatch, at_once):
    monkeypatch.setattr("proxytune.student.cross_entropy.AT_ONCE", at_once)
    ids, labels = sequences
    ours = lumina.loss(ids, labels)
    ours.backward()
    fused = {name: parameter.grad for name, parameter in lumina.named_parameters()}
    lumina.zero_grad()
    logits, wanted = lumina(ids).logits[:, :-1], labels[:, 1:]
    cross_entropy = F.cross_entropy(logits.flatten(0, 1), wanted.flatten())
    z_loss = logits.logsumexp(-1)[wanted != -100].square().mean()
    (cross_entropy + 0.01 * z_loss).backward()
    assert ours.item() == pytest.approx((cross_entropy + 0.01 * z_loss).item(), rel=1e-6)
    assert lumina.loss(ids, labels, z_weight=0.0).item() == pytest.approx(cross_entropy.item(), rel=1e-6)
    assert lumina(ids, labels=labels).loss.item() == pytest.approx(ours.item(), rel=1e-6)
    for name, parameter in lumina.named_parameters():
        assert torch.allclose(fused[name], parameter.grad, atol=1e-5 * parameter.grad.abs().max()), name


def test_padding_and_other_rows_change_no_row(lumina, sequences):
    ids, labels = sequences
    short = int((labels[0] != -100).nonzero().max()) + 1
    alone = lumina.loss(ids[:1, :short], labels[:1, :short])
    padded = lumina.loss(ids[:1], labels[:1])
    assert alone.item() == pytest.approx(padded.item(), rel=1e-6)


def test_dropout_acts_on_the_branches_in_training_only(sequences):
    ids, labels = sequences
    without, with_it = tiny_lumina(), tiny_lumina(dropout=0.5)
    assert torch.equal(without.loss(ids, labels), with_it.loss(ids, labels))
    assert torch.equal(without.train().loss(ids, labels), without.eval().loss(ids, labels))
    with_it.train()
    torch.manual_seed(1)
    first = with_it.loss(ids, labels)
    assert first != with_it.loss(ids, labels)
    torch.manual_seed(1)
    assert first == with_it.loss(ids, labels)
    # All of both branches dropped leaves the embedding alone.
    for layer in with_it.model.layers:
        layer.dropout = 1.0
    embedded = with_it.model.norm(with_it.model.embed_tokens(ids))
    assert torch.allclose(with_it.hidden(ids), embedded)


def test_recomputed_layers_give_the_same_gradients(sequences):
    ids, labels = sequences
    gradients = []
    for recompute in (False, True):
        model = tiny_lumina(dropout=0.3).train()
        if recompute:
            LuminaFamily().recompute_activations(model)
        torch.manual_seed(2)
        model.loss(ids, labels).backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))


def test_transformers_own_generation_runs_on_it(lumina, sequences):
    ids, _ = sequences
    torch.manual_seed(0)
    drawn = lumina.generate(
        ids[:1, :5],
        do_sample=True,
        max_new_tokens=12,
        cache_implementation="static",
        pad_token_id=0,
        eos_token_id=80,
    )
    assert set(drawn[0, 5:].tolist()) & set(VOCABULARY.codes)
