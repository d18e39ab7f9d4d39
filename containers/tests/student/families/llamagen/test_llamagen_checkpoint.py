"""A model folder: writing and reading, and refusals that name the cause."""

import json

import pytest
import torch
from llamagen_tiny import tiny_gpt
from safetensors.torch import load_file, save_file

from proxytune.contract.errors import ProxytuneError
from proxytune.student.families.llamagen import Student, load_student, sample_tokens, save_student


@pytest.fixture
def folder(student, tmp_path):
    save_student(tmp_path / "model", student)
    return tmp_path / "model"


def refused(folder, **options):
    with pytest.raises(ProxytuneError) as error:
        load_student(folder, **options)
    assert error.value.name == "ModelMismatch"
    return str(error.value)


def change_config(folder, change):
    facts = json.loads((folder / "config.json").read_text())
    change(facts)
    (folder / "config.json").write_text(json.dumps(facts))


def change_weights(folder, name, change):
    weights = load_file(folder / name)
    change(weights)
    save_file(weights, folder / name)


def test_a_saved_student_loads_completely(folder, student):
    again = load_student(folder, image_size=16)
    for ours, theirs in ((again.gpt, student.gpt), (again.vq, student.vq)):
        assert ours.config == theirs.config
        assert not ours.training
        expected = theirs.state_dict()
        assert ours.state_dict().keys() == expected.keys()
        assert all(torch.equal(tensor, expected[name]) for name, tensor in ours.state_dict().items())
    assert again.image_size == 16
    features = again.captions.encode(["a sks dog"])
    assert torch.equal(features[0], student.captions.encode(["a sks dog"])[0])
    drawn = sample_tokens(again.gpt, *features, [1, 2])
    assert torch.equal(drawn, sample_tokens(student.gpt, *features, [1, 2]))
    assert torch.equal(again.vq.decode(drawn), student.vq.decode(drawn))


def test_a_loaded_student_can_be_trained(folder, padded, tokens):
    model = load_student(folder, captions=False).gpt.train()
    model.loss(tokens, *padded).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert not model.cls_embedding.uncond_embedding.requires_grad


def test_number_formats(folder):
    student = load_student(folder, dtype=torch.bfloat16, text_dtype=torch.bfloat16)
    assert student.gpt.output.weight.dtype == torch.bfloat16
    assert student.vq.quant_conv.weight.dtype == torch.float32
    assert student.captions.text_encoder.dtype == torch.bfloat16
    features, mask = student.captions.encode(["a sks dog"])
    assert sample_tokens(student.gpt, features, mask, [1]).shape == (1, 16)


def test_the_text_encoder_is_optional(folder):
    assert load_student(folder, captions=False).captions is None


def test_another_image_size_is_refused(folder):
    message = refused(folder, image_size=32)
    assert "Given: image_size 32" in message
    assert "Allowed: 16" in message
    change_config(folder, lambda facts: facts.update(image_size=32))
    assert "4 tokens of 4 pixels" in refused(folder)


def test_missing_unknown_and_misshapen_keys_are_named(folder):
    change_weights(folder, "gpt.safetensors", lambda weights: weights.pop("norm.weight"))
    assert "norm.weight is missing" in refused(folder)
    change_weights(
        folder,
        "gpt.safetensors",
        lambda weights: weights.update({"norm.weight": torch.ones(7), "stranger": torch.ones(1)}),
    )
    message = refused(folder)
    assert "stranger is unknown" in message
    assert "norm.weight is (7,) instead of (48,)" in message
    change_weights(folder, "vq.safetensors", lambda weights: weights.pop("quantize.codebook_used"))
    change_weights(
        folder,
        "gpt.safetensors",
        lambda weights: (weights.update({"norm.weight": torch.ones(48)}), weights.pop("stranger")),
    )
    assert "codebook_used is missing" in refused(folder)


def test_the_official_rotary_table_is_ignored(folder, caplog):
    change_weights(folder, "gpt.safetensors", lambda weights: weights.update(freqs_cis=torch.ones(3)))
    load_student(folder, captions=False)
    assert "freqs_cis" in caplog.text


def test_folders_of_something_else_are_refused(folder, tmp_path):
    assert "config.json" in refused(tmp_path / "nowhere")
    change_config(folder, lambda facts: facts.update(family="lumina"))
    assert "lumina" in refused(folder)
    change_config(folder, lambda facts: facts.update(family="llamagen", gpt={"dims": 3}))
    assert "dims" in refused(folder)


def test_missing_and_broken_parts(folder):
    (folder / "vq.safetensors").write_bytes(b"not weights")
    assert "vq.safetensors cannot be read" in refused(folder)
    (folder / "vq.safetensors").unlink()
    assert "vq.safetensors cannot be read" in refused(folder)


def test_parts_that_do_not_belong_together(gpt, vq, captions):
    with pytest.raises(ProxytuneError, match="image tokenizer"):
        Student(tiny_gpt(vocab_size=32), vq, captions, image_size=16)
    with pytest.raises(ProxytuneError, match="text encoder"):
        Student(tiny_gpt(caption_dim=8), vq, captions, image_size=16)
    with pytest.raises(ProxytuneError, match="Given: image_size 512"):
        Student(gpt, vq, captions, image_size=512)
