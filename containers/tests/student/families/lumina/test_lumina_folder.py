"""A model folder: reading back, and refusals."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from proxytune.contract.errors import ProxytuneError
from proxytune.student.families.lumina import prompts as lumina_prompts
from proxytune.student.families.lumina.checkpoint import load_student, save_student

WEIGHTS = "transformer/model.safetensors"
PROMPT = "a photo of ohwx dog"


@pytest.fixture
def folder(tiny_model, tmp_path):
    return shutil.copytree(tiny_model("lumina-tiny"), tmp_path / "lumina")


def logits_of(student):
    ids = torch.tensor([student.prompts.encode(PROMPT, 64, 64)])
    with torch.no_grad():
        return student.lm(ids).logits


def rewrite(file, change):
    weights = load_file(file)
    change(weights)
    save_file(weights, file)


def test_writing_and_reading_gives_the_same_student(folder, tmp_path):
    student = load_student(folder)
    assert not student.lm.training
    assert not student.vq.training
    save_student(tmp_path / "again", student)
    again = load_student(tmp_path / "again")
    assert torch.equal(logits_of(student), logits_of(again))
    picture = torch.linspace(-1, 1, 3 * 64 * 64).view(1, 3, 64, 64)
    assert torch.equal(student.vq.encode(picture), again.vq.encode(picture))
    assert student.layout == again.layout
    assert (student.image_size, student.grid.block) == (64, 3 + 8 * 9 + 1)


def test_the_official_form_reads_the_same_as_ours(folder):
    """Two parts with an index, a row of the norms for all heads, and a picture encoder that is not wanted."""

    def official(weights):
        for name in list(weights):
            if "q_norm" in name or "k_norm" in name:
                weights[name] = weights[name][:1] + 0.5
        weights["model.vqmodel.quant_conv.weight"] = torch.ones(2, 2, 1, 1)

    def ours(weights):
        for name in list(weights):
            if "q_norm" in name or "k_norm" in name:
                weights[name] = weights[name] + 0.5

    rewrite(folder / WEIGHTS, ours)
    expected = logits_of(load_student(folder))
    rewrite(
        folder / WEIGHTS, lambda weights: [weights[name].sub_(0.5) for name in weights if "k_norm" in name]
    )
    rewrite(
        folder / WEIGHTS, lambda weights: [weights[name].sub_(0.5) for name in weights if "q_norm" in name]
    )
    rewrite(folder / WEIGHTS, official)
    weights = load_file(folder / WEIGHTS)
    names = sorted(weights)
    parts = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, keys in parts.items():
        save_file({key: weights[key] for key in keys}, folder / "transformer" / file)
    (folder / WEIGHTS).unlink()
    index = {"weight_map": {key: file for file, keys in parts.items() for key in keys}}
    (folder / "transformer" / "model.safetensors.index.json").write_text(json.dumps(index))
    assert torch.equal(logits_of(load_student(folder)), expected)


def test_bfloat16_is_for_the_transformer_only(folder):
    student = load_student(folder, dtype=torch.bfloat16)
    assert {value.dtype for value in student.lm.parameters()} == {torch.bfloat16}
    assert {value.dtype for value in student.vq.parameters()} == {torch.float32}


def _change_facts(file, **changes):
    def corrupt(folder):
        facts = json.loads((folder / file).read_text())
        (folder / file).write_text(json.dumps({**facts, **changes}))

    return corrupt


def _change_weights(file, change):
    return lambda folder: rewrite(folder / file, change)


def _other_tokenizer(folder):
    path = folder / "tokenizer" / "tokenizer.json"
    path.write_text(path.read_text().replace("<eoss>", "<eosx>"))


@pytest.mark.parametrize(
    ("corrupt", "words"),
    [
        (_change_facts("config.json", family="llamagen"), "not that of a lumina student"),
        (_change_facts("config.json", image_size=48), "multiples of 32"),
        (_change_facts("config.json", vq={"n_codes": 4}), "does not describe a model"),
        (_change_facts("transformer/config.json", swin_norm=True), "swin_norm"),
        (_change_facts("transformer/config.json", num_hidden_layers=3), "model.layers.2"),
        (_change_facts("transformer/config.json", vocabulary_map={"<s>": 0}), "not that of a Chameleon"),
        (
            _change_weights(WEIGHTS, lambda weights: weights.pop("lm_head.weight")),
            "lm_head.weight is missing",
        ),
        (_change_weights(WEIGHTS, lambda weights: weights.update(x=torch.ones(1))), "x is unknown"),
        (
            _change_weights("vq.safetensors", lambda weights: weights.pop("encoder.conv_in.bias")),
            "is missing",
        ),
        (_other_tokenizer, "does not belong to its transformer"),
        (lambda folder: (folder / WEIGHTS).write_bytes(b"cut"), "cannot be read"),
        (lambda folder: (folder / WEIGHTS).unlink(), "cannot be read"),
        (lambda folder: (folder / "config.json").unlink(), "no readable config.json"),
        (lambda folder: shutil.rmtree(folder / "tokenizer"), "no tokenizer/"),
    ],
)
def test_a_corrupt_folder_is_refused(folder, corrupt, words):
    corrupt(folder)
    with pytest.raises(ProxytuneError, match=words) as refused:
        load_student(folder)
    assert refused.value.name == "ModelMismatch"


def test_another_size_is_refused(folder):
    with pytest.raises(ProxytuneError, match="another size"):
        load_student(folder, image_size=32)


def test_a_prompt_is_the_template_between_begin_and_separator(folder):
    student = load_student(folder)
    ids = student.prompts.encode("a dog", 768, 512)
    assert (ids[0], ids[-1]) == (0, student.layout.vocabulary.separator)
    text = student.prompts.tokenizer.decode(ids[1:-1])
    assert text == "Generate an image of 768x512 according to the following prompt:\na dog"


def test_special_tokens_in_a_prompt_are_read_as_letters(folder):
    student = load_student(folder)
    special = student.layout.vocabulary.special
    for text in ("a <racm3:break> dog", "IMGIMGABZ", "<reserved08706><s>", "ünïcode \u2603"):
        ids = student.prompts.encode(text, 64, 64)
        assert not special & set(ids[1:-1])
        assert student.prompts.tokenizer.decode(ids[1:-1]).endswith(text)


def test_special_tokens_that_get_through_are_refused(folder, monkeypatch):
    student = load_student(folder)
    monkeypatch.setattr(lumina_prompts, "text_ids", lambda *_: [student.layout.vocabulary.start])
    with pytest.raises(ProxytuneError, match="parts of images") as refused:
        student.prompts.encode("a dog", 64, 64)
    assert refused.value.name == "HyperparameterInvalid"


def test_the_caption_must_contain_the_token_word(folder):
    prompts = load_student(folder).prompts
    prompts.check_word("ohwx", PROMPT)
    for word, caption in (("ohwx", "a photo of a dog"), ("oh", PROMPT)):
        with pytest.raises(ProxytuneError, match="does not contain it") as refused:
            prompts.check_word(word, caption)
        assert refused.value.name == "TokenWordUnusable"
