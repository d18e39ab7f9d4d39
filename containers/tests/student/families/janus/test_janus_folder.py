"""A model folder in transformers' layout: reading, refusals, and prompts as ids."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from proxytune.contract.errors import ProxytuneError
from proxytune.student.families.janus.checkpoint import load_student

WEIGHTS = "model.safetensors"
PROMPT = "a photo of ohwx dog"


@pytest.fixture
def folder(base, tmp_path):
    return shutil.copytree(base, tmp_path / "janus")


def rewrite(folder, change):
    weights = load_file(folder / WEIGHTS)
    change(weights)
    save_file(weights, folder / WEIGHTS)


def logits_of(student):
    codes = torch.arange(64)[None] * 3
    with torch.no_grad():
        return student.lm.logits(student.lm.hidden_before([student.prompts.encode(PROMPT)], codes))


def test_both_parts_are_loaded_in_eval_mode(base):
    student = load_student(base, image_size=64, dtype=torch.bfloat16)
    assert {value.dtype for value in student.lm.parameters()} == {torch.bfloat16}
    assert {value.dtype for value in student.vq.parameters()} == {torch.float32}
    assert not student.lm.training
    assert not student.vq.training
    assert student.image_size == 64


def test_sharded_weights_read_the_same_and_unused_parts_may_be_absent(folder):
    expected = logits_of(load_student(folder))
    weights = load_file(folder / WEIGHTS)
    names = [name for name in sorted(weights) if not name.startswith(("model.vision_model.", "lm_head."))]
    parts = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, keys in parts.items():
        save_file({key: weights[key] for key in keys}, folder / file)
    (folder / WEIGHTS).unlink()
    index = {"weight_map": {key: file for file, keys in parts.items() for key in keys}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert torch.equal(logits_of(load_student(folder)), expected)


def _change_config(**changes):
    def corrupt(folder):
        facts = json.loads((folder / "config.json").read_text())
        for key, value in changes.items():
            part = facts.get(key)
            facts[key] = {**part, **value} if isinstance(part, dict) and isinstance(value, dict) else value
        (folder / "config.json").write_text(json.dumps(facts))

    return corrupt


def _drop(key):
    return lambda folder: rewrite(folder, lambda weights: weights.pop(key))


def _other_tokenizer(folder):
    path = folder / "tokenizer.json"
    path.write_text(path.read_text().replace("<begin_of_image>", "<begin_of_picture>"))


@pytest.mark.parametrize(
    ("corrupt", "words"),
    [
        (_change_config(model_type="llama"), "not that of a Janus student"),
        (_change_config(text_config={"num_hidden_layers": 3}), "layers.2.*is missing"),
        (_change_config(vq_config={"num_embeddings": 512}), "instead of"),
        (_change_config(text_config={"hidden_size": "wide"}), "does not describe a model"),
        (_drop("model.generation_head.vision_head.bias"), "vision_head.bias is missing"),
        (_drop("model.vqmodel.quant_conv.weight"), "quant_conv.weight is missing"),
        (lambda folder: rewrite(folder, lambda weights: weights.update(x=torch.ones(1))), "x is unknown"),
        (_other_tokenizer, "no id for <begin_of_image>"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "no readable tokenizer"),
        (lambda folder: (folder / WEIGHTS).write_bytes(b"cut"), "cannot be read"),
        (lambda folder: (folder / WEIGHTS).unlink(), "cannot be read"),
        (lambda folder: (folder / "config.json").unlink(), "no readable config.json"),
    ],
)
def test_a_corrupt_folder_is_refused(folder, corrupt, words):
    corrupt(folder)
    with pytest.raises(ProxytuneError, match=words) as refused:
        load_student(folder)
    assert refused.value.name == "ModelMismatch"


def test_another_size_is_refused(base):
    with pytest.raises(ProxytuneError, match="another size"):
        load_student(base, image_size=32)


def test_a_prompt_is_the_official_template_up_to_the_begin_of_image(student, base):
    tokenizer = AutoTokenizer.from_pretrained(base)
    begin, end = tokenizer.bos_token, "<begin_of_image>"
    text = f"{begin}<|User|>: {PROMPT}\n\n<|Assistant|>:{end}"
    assert student.prompts.encode(f" {PROMPT} ") == tokenizer(text, add_special_tokens=False).input_ids
    ids = student.prompts.encode(PROMPT)
    assert (ids[0], ids[-1]) == tuple(tokenizer.convert_tokens_to_ids([begin, end]))


def test_a_dropped_prompt_is_padding_of_the_same_length(student):
    ids = student.prompts.encode(PROMPT)
    empty = student.prompts.without_words(ids)
    assert (len(empty), empty[0], empty[-1]) == (len(ids), ids[0], ids[-1])
    assert set(empty[1:-1]) == {student.prompts.pad}


@pytest.mark.parametrize(
    "text", ["a <begin_of_image> dog", "<|Assistant|>: a dog", "a <\uff5c\u2581pad\u2581\uff5c>"]
)
def test_special_tokens_in_a_prompt_are_refused(student, text):
    with pytest.raises(ProxytuneError, match="parts of images") as refused:
        student.prompts.encode(text)
    assert refused.value.name == "HyperparameterInvalid"


def test_the_caption_must_contain_the_token_word(student):
    student.prompts.check_word("ohwx", PROMPT)
    student.prompts.encode("ünïcode \u2603, S* and 12!")
    for word, caption in (("ohwx", "a photo of a dog"), ("oh", PROMPT)):
        with pytest.raises(ProxytuneError, match="does not contain it") as refused:
            student.prompts.check_word(word, caption)
        assert refused.value.name == "TokenWordUnusable"
