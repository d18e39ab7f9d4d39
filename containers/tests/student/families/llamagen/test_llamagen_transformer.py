"""The transformer: caption slots, masks, dropout, loss."""

import copy

import pytest
import torch
from llamagen_tiny import tiny_gpt
from torch import nn

from proxytune.student.families.llamagen import LlamaGenConfig, trim_caption


def test_the_content_of_padded_slots_has_no_effect(gpt, padded, tokens):
    features, mask = padded
    noisy = torch.where(mask[:, :, None].bool(), features, torch.randn_like(features) * 100)
    assert torch.equal(gpt(tokens[:, :-1], features, mask), gpt(tokens[:, :-1], noisy, mask))


def test_a_token_sees_only_those_before_it(gpt, padded, tokens):
    changed = tokens.clone()
    changed[:, 9] = (changed[:, 9] + 1) % 64
    before, after = gpt(tokens[:, :-1], *padded), gpt(changed[:, :-1], *padded)
    assert torch.equal(before[:, :10], after[:, :10])
    assert (before[:, 10:] - after[:, 10:]).abs().amax(dim=(0, 2)).min() > 1e-3


def test_captions_matter(gpt, padded, tokens):
    features, mask = padded
    assert not torch.allclose(
        gpt(tokens[:, :-1], features, mask), gpt(tokens[:, :-1], -features, mask), atol=1e-2
    )


def gradients(model, tokens, features, mask, drop):
    model.zero_grad()
    model.loss(tokens, features, mask, drop).backward()
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


@pytest.mark.parametrize(
    "rows", [slice(0, 3), slice(1, 2)], ids=["mixed lengths", "one length: no mask left"]
)
def test_trimming_changes_neither_logits_nor_gradients(gpt, padded, tokens, rows):
    features, mask, tokens = padded[0][rows], padded[1][rows], tokens[rows]
    trimmed, trimmed_mask = trim_caption(features, mask)
    assert trimmed.shape[1] == int(mask.sum(dim=1).max()) < features.shape[1]
    assert (trimmed_mask is None) == (len(tokens) == 1)
    drop = torch.arange(len(tokens)) % 2 == 0
    whole = gpt(tokens[:, :-1], features, mask, drop)
    short = gpt(tokens[:, :-1], trimmed, trimmed_mask, drop)
    assert (whole - short).abs().max() < 2e-5
    theirs = gradients(gpt, tokens, trimmed, trimmed_mask, drop)
    for name, gradient in gradients(gpt, tokens, features, mask, drop).items():
        assert (gradient - theirs[name]).abs().max() < 2e-5, name


def test_trimming_refuses_what_it_cannot_trim(padded):
    features, mask = padded
    with pytest.raises(ValueError, match="at least one"):
        trim_caption(features, mask * torch.tensor([[1], [0], [1]]))
    with pytest.raises(ValueError, match="padding on the left only"):
        trim_caption(features, mask.flip(1))
    assert trim_caption(features, None)[1] is None


def test_grouped_heads_equal_repeated_ones(padded, tokens):
    grouped, full = tiny_gpt(n_kv_head=2), tiny_gpt()
    weights = grouped.state_dict()
    for name in list(weights):
        if name.endswith("wqkv.weight"):
            query, key, value = weights[name].split([48, 24, 24])
            repeated = [
                part.view(2, 12, 48).repeat_interleave(2, dim=0).reshape(48, 48) for part in (key, value)
            ]
            weights[name] = torch.cat([query, *repeated])
    full.load_state_dict(weights, strict=True)
    assert torch.allclose(grouped(tokens[:, :-1], *padded), full(tokens[:, :-1], *padded), atol=1e-6)


def test_a_dropped_caption_is_the_null_caption_under_the_same_mask(gpt, padded, tokens):
    features, mask = padded
    null = gpt.cls_embedding.uncond_embedding.expand_as(features)
    dropped = gpt(tokens[:, :-1], features, mask, torch.tensor([True, False, True]))
    assert torch.equal(dropped[[0, 2]], gpt(tokens[:, :-1], null, mask)[[0, 2]])
    assert torch.equal(dropped[1], gpt(tokens[:, :-1], features, mask)[1])


def test_captions_are_dropped_at_random_in_train_mode_only(padded, tokens):
    model = tiny_gpt(class_dropout_prob=0.25, token_dropout_p=0.0, resid_dropout_p=0.0, ffn_dropout_p=0.0)
    features, mask = padded[0][:1].expand(400, -1, -1), padded[1][:1].expand(400, -1)
    many = tokens[:1, :2].expand(400, -1)
    torch.manual_seed(0)
    first = model(many, features, mask)[:, -1]
    assert (first - first[0]).abs().max() < 1e-5
    drawn = model.train()(many, features, mask)[:, -1]
    dropped = ((drawn - first).abs().amax(dim=1) > 1e-3).float().mean().item()
    assert 0.17 < dropped < 0.33  # 400 draws at 0.25: three and a half standard deviations


@pytest.mark.parametrize(
    "which", ["token_dropout_p", "resid_dropout_p", "ffn_dropout_p", "attn_dropout_p", "drop_path_rate"]
)
def test_each_dropout_works_in_train_mode_only(padded, tokens, which):
    none = dict.fromkeys(
        ["token_dropout_p", "resid_dropout_p", "ffn_dropout_p", "attn_dropout_p", "class_dropout_prob"], 0.0
    )
    model, plain = tiny_gpt(**{**none, which: 0.5}), tiny_gpt(**none)
    inputs = (tokens[:, :-1], *padded)
    assert torch.equal(model(*inputs), plain(*inputs))
    assert torch.equal(plain.train()(*inputs), plain.eval()(*inputs))
    torch.manual_seed(0)
    assert not torch.allclose(model.train()(*inputs), model(*inputs))


def test_loss_is_the_mean_cross_entropy_of_valid_pictures(gpt, padded, tokens):
    logits = gpt(tokens[:, :-1], *padded)
    per_token = -logits.log_softmax(-1).gather(2, tokens[:, :, None])[:, :, 0]
    assert gpt.loss(tokens, *padded).item() == pytest.approx(per_token.mean().item(), rel=1e-5)
    valid = torch.tensor([1, 0, 1])
    assert gpt.loss(tokens, *padded, valid=valid).item() == pytest.approx(
        per_token[[0, 2]].mean().item(), rel=1e-5
    )
    assert gpt.loss(tokens, *padded, valid=torch.zeros(3)).item() == 0


def test_training_lowers_the_loss_and_leaves_the_null_caption_alone(padded, tokens):
    model = tiny_gpt().train()
    null = model.cls_embedding.uncond_embedding.clone()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    torch.manual_seed(0)
    before = model.eval().loss(tokens, *padded).item()
    model.train()
    for _ in range(40):
        optimizer.zero_grad()
        model.loss(tokens, *padded).backward()
        optimizer.step()
    assert model.eval().loss(tokens, *padded).item() < 0.5 * before
    assert torch.equal(model.cls_embedding.uncond_embedding, null)


def test_bfloat16_keeps_the_rotation_in_float32(gpt, padded, tokens):
    rounded = copy.deepcopy(gpt).bfloat16()
    assert rounded.rotation(3, torch.device("cpu")).dtype == torch.float32
    logits = rounded(tokens[:, :-1], *padded)
    assert logits.dtype == torch.float32
    exact = gpt(tokens[:, :-1], *padded)
    assert nn.functional.cosine_similarity(logits.flatten(), exact.flatten(), dim=0) > 0.99


def test_wrong_inputs_are_refused(gpt, padded, tokens):
    with pytest.raises(ValueError, match="at most 15"):
        gpt(tokens, *padded)
    with pytest.raises(ValueError, match="20 slots x 23 given"):
        gpt(tokens[:, :-1], padded[0][:, :, :23], padded[1])
    with pytest.raises(ValueError, match="1 to 20 slots"):
        gpt(tokens[:, :-1], torch.zeros(3, 21, 24))


@pytest.mark.parametrize(
    ("field", "value"),
    [("block_size", 15), ("n_head", 5), ("n_kv_head", 3), ("dim", 40), ("cls_token_num", 0)],
)
def test_sizes_that_cannot_be_are_refused_by_name(field, value):
    with pytest.raises(ValueError, match=field):
        LlamaGenConfig(**{"dim": 48, "n_head": 4, field: value})


def test_config_survives_json_and_refuses_strangers():
    config = LlamaGenConfig(dim=48, n_head=4, n_kv_head=2)
    assert LlamaGenConfig.from_dict(config.to_dict()) == config
    assert (
        LlamaGenConfig.from_dict({"dim": 48, "n_head": 4, "model_type": "t2i", "num_classes": 1000}).dim == 48
    )
    with pytest.raises(ValueError, match="dims"):
        LlamaGenConfig.from_dict({"dims": 48})
    with pytest.raises(ValueError, match="c2i"):
        LlamaGenConfig.from_dict({"model_type": "c2i"})
