"""Sampling: against transformers' own generation, and the independence of images."""

import pytest
import torch
from torch import nn

from proxytune.student import decoding
from proxytune.student.adapters import add_adapter
from proxytune.student.families.janus.sampling import sample_tokens
from proxytune.student.sampling import filtered_probabilities, sample_rows, streams

WORDS = ["a photo of ohwx dog", "ohwx dog in the snow", "a cat"]
SEEDS = [11, 12, 13]


@pytest.fixture
def prompts(student):
    return [student.prompts.encode(words) for words in WORDS]


@pytest.fixture
def free(student, prompts):
    return [student.prompts.without_words(prompt) for prompt in prompts]


def padded(prompts, pad):
    """Ids and mask, short rows filled on the left, as transformers' processor gives them to `generate`."""
    longest = max(map(len, prompts))
    ids = [[pad] * (longest - len(prompt)) + prompt for prompt in prompts]
    mask = [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    return {"inputs": torch.tensor(ids), "attention_mask": torch.tensor(mask)}


# Without guidance transformers 5.24 cannot draw: it doubles the rows, and then its buffer does not fit.
@pytest.mark.parametrize("guidance", [1.5, 5.0])
@pytest.mark.parametrize("step", [10, 256])
def test_transformers_samples_the_same_tokens(student, official, prompts, free, guidance, step, monkeypatch):
    monkeypatch.setattr(decoding, "WINDOW_STEP", step)
    ours = sample_tokens(student.lm, prompts, free, SEEDS, guidance=guidance, temperature=0)
    theirs = official.generate(
        **padded(prompts, student.prompts.pad),
        generation_mode="image",
        guidance_scale=guidance,
        do_sample=False,
    )
    assert torch.equal(ours, theirs)
    assert len({tuple(row) for row in ours.tolist()}) > 1
    assert len(ours.unique()) > 5


def logits_after(official, prompt, codes):
    """Logits of the next code, from everything before it at once."""
    embedded = official.get_input_embeddings()(torch.tensor([prompt]))
    embedded = torch.cat([embedded, official.prepare_embeddings_for_image_generation(codes[None])], dim=1)
    with torch.no_grad():
        hidden = official.model.language_model(inputs_embeds=embedded, use_cache=False).last_hidden_state
        return official.model.generation_head(hidden[:, -1])


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_each_token_is_sampled_from_the_guided_logits_of_all_before_it(
    student, official, prompts, free, guidance
):
    """The seed's own stream, against whole passes without a cache."""
    settings = {"temperature": 0.9, "top_k": 40, "top_p": 0.95}
    ours = sample_tokens(student.lm, prompts[:2], free[:2], SEEDS[:2], guidance=guidance, **settings)
    assert len(ours.unique()) > 20
    uniforms = streams(SEEDS[:2], 64)
    for row, (codes, prompt, without) in enumerate(zip(ours, prompts, free, strict=False)):
        for place in (0, 1, 17, 63):
            logits = logits_after(official, prompt, codes[:place])
            if guidance != 1.0:
                plain = logits_after(official, without, codes[:place])
                logits = plain + guidance * (logits - plain)
            kept = filtered_probabilities(logits, **settings)
            assert sample_rows(kept, uniforms[row : row + 1, place]) == codes[place]


def test_cached_logits_equal_those_of_a_full_pass(student, official, prompts, monkeypatch):
    seen, logits = [], student.lm.logits
    monkeypatch.setattr(student.lm, "logits", lambda hidden: seen.append(logits(hidden)) or seen[-1])
    (codes,) = sample_tokens(student.lm, prompts[:1], prompts[:1], [3], guidance=1.0)
    with torch.no_grad():
        whole = logits(student.lm.hidden_before(prompts[:1], codes[None]))[0]
    assert torch.allclose(torch.cat(seen), whole, rtol=1e-4, atol=1e-4)
    assert torch.allclose(whole[-1:], logits_after(official, prompts[0], codes[:-1]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [1, 2])
def test_an_image_depends_on_its_seed_not_on_its_batch(student, prompts, free, size):
    seeds = [11, 12, 13, 14]
    same, without = prompts[:1] * 4, free[:1] * 4
    together = sample_tokens(student.lm, same, without, seeds, top_k=40)
    assert len({tuple(row) for row in together.tolist()}) == 4
    apart = [
        sample_tokens(student.lm, same[:size], without[:size], seeds[start : start + size], top_k=40)
        for start in range(0, 4, size)
    ]
    assert torch.equal(together, torch.cat(apart))
    filled = sample_tokens(student.lm, same[:2], without[:2], seeds[:2], top_k=40, rows=4)
    assert torch.equal(together[:2], filled)


def test_global_random_states_and_modes_do_not_change(student, prompts, free):
    student.lm.train()
    student.lm.model.language_model.layers[1].eval()
    modes = [module.training for module in student.lm.modules()]
    state = torch.get_rng_state()
    first = sample_tokens(student.lm, prompts, free, SEEDS)
    assert torch.equal(torch.get_rng_state(), state)
    assert [module.training for module in student.lm.modules()] == modes
    torch.manual_seed(99)
    assert torch.equal(first, sample_tokens(student.lm, prompts, free, SEEDS))


def test_an_adapter_changes_the_tokens(student, prompts, free):
    plain = sample_tokens(student.lm, prompts, free, SEEDS)
    model = add_adapter(student.lm, rank=4, alpha=4)
    assert torch.equal(plain, sample_tokens(model, prompts, free, SEEDS))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter, std=0.2)
    assert not torch.equal(plain, sample_tokens(model, prompts, free, SEEDS))


def test_settings_out_of_range_are_refused_by_name(student, prompts, free):
    for name, value in (("guidance", 0.5), ("temperature", -1), ("top_k", -1), ("top_p", 0), ("rows", 2)):
        with pytest.raises(ValueError, match=f"^{name} = "):
            sample_tokens(student.lm, prompts, free, SEEDS, **{name: value})
    with pytest.raises(ValueError, match="prompts = 3"):
        sample_tokens(student.lm, prompts, free, [1])
    with pytest.raises(TypeError, match="Linear given"):
        sample_tokens(nn.Linear(2, 2), prompts, free, SEEDS)
