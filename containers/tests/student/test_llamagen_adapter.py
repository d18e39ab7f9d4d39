"""LlamaGen's adapter: its files, reading back, and refusals."""

import json
import shutil

import pytest
import torch
from learn_job import CAPTION
from peft import PeftModel
from safetensors.torch import load_file, save_file

from proxytune.contract.errors import ProxytuneError
from proxytune.student.adapters import add_adapter, load_adapter, save_adapter
from proxytune.student.families.llamagen import LlamaGen, load_student, sample_tokens, trim_caption
from proxytune.student.modules import bare

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"


@pytest.fixture(scope="module")
def adapter(trained):
    return trained.model


def logits_of(model, student):
    features, _ = trim_caption(*student.captions.encode([CAPTION]))
    tokens = torch.arange(63)[None] * 4
    with torch.no_grad():
        return bare(model, LlamaGen)(tokens, features)


def test_pefts_own_reader_gives_the_same_model(tiny_student, adapter):
    ours, theirs = load_student(tiny_student), load_student(tiny_student)
    untuned = logits_of(ours.gpt, ours)
    tuned = logits_of(load_adapter(ours.gpt, adapter), ours)
    assert torch.equal(tuned, logits_of(PeftModel.from_pretrained(theirs.gpt, str(adapter)), theirs))
    assert not torch.allclose(tuned, untuned, atol=1e-3)


def test_the_config_is_the_same_file_every_time(adapter):
    config = json.loads((adapter / CONFIG).read_text())
    assert config["target_modules"] == ["w1", "w2", "w3", "wo", "wqkv"]
    assert (config["r"], config["lora_alpha"], config["inference_mode"]) == (4, 8, True)


def _drop_a_tensor(folder):
    weights = load_file(folder / WEIGHTS)
    weights.pop(sorted(weights)[0])
    save_file(weights, folder / WEIGHTS)


def _add_a_tensor(folder):
    save_file({**load_file(folder / WEIGHTS), "unet.lora_A.weight": torch.ones(1)}, folder / WEIGHTS)


def _another_rank(folder):
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps({**config, "r": 2}))


def _another_model(folder):
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps({**config, "target_modules": ["to_q"]}))


def _cut(folder):
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:500])


@pytest.mark.parametrize(
    ("corrupt", "words"),
    [
        (_drop_a_tensor, "is unknown|is missing"),
        (_add_a_tensor, "unet.lora_A.weight is unknown"),
        (_another_rank, "instead of"),
        (_another_model, "to_q"),
        (_cut, "does not fit"),
        (lambda folder: (folder / CONFIG).unlink(), "has no adapter_config.json"),
    ],
)
def test_a_corrupt_adapter_is_refused(tiny_student, adapter, tmp_path, corrupt, words):
    shutil.copytree(adapter, tmp_path / "adapter")
    corrupt(tmp_path / "adapter")
    with pytest.raises(ProxytuneError, match=words) as refused:
        load_adapter(load_student(tiny_student, captions=False).gpt, tmp_path / "adapter")
    assert refused.value.name == "ModelMismatch"


def test_a_file_that_does_not_give_the_trained_model_back_is_refused(tiny_student, adapter, tmp_path):
    student = load_student(tiny_student)
    model = load_adapter(student.gpt, adapter)
    for module in bare(model, LlamaGen).modules():
        if hasattr(module, "scaling"):
            # Half as strong as its alpha says: what the file then holds is another model.
            module.scaling["default"] /= 2
    features, _ = trim_caption(*student.captions.encode([CAPTION]))
    with pytest.raises(ProxytuneError, match="does not give the trained student back") as refused:
        save_adapter(model, tmp_path, lambda gpt: gpt(torch.arange(63)[None], features))
    assert refused.value.name == "ModelMismatch"


def test_on_a_bfloat16_model_the_adapter_is_float32(tiny_student, tmp_path):
    student = load_student(tiny_student, dtype=torch.bfloat16, text_dtype=torch.bfloat16)
    features, _ = trim_caption(*student.captions.encode([CAPTION]))
    model = add_adapter(student.gpt, rank=4, alpha=4).train()
    adapter = [value for value in model.parameters() if value.requires_grad]
    assert {value.dtype for value in adapter} == {torch.float32}
    optimizer = torch.optim.AdamW(adapter, lr=1e-2)
    tokens = torch.arange(64)[None] * 4
    losses = []
    for _step in range(8):
        loss = bare(model, LlamaGen).loss(tokens, features, drop_caption=torch.tensor([False]))
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert losses[-1] < losses[0] - 0.5
    reread = save_adapter(model, tmp_path, lambda gpt: gpt(tokens[:, :-1], features))
    assert sample_tokens(reread, features, None, [1, 2], guidance=2.0).shape == (2, 64)


def test_recomputed_activations_change_no_number(tiny_student):
    results = []
    for recompute in (False, True):
        gpt = load_student(tiny_student, captions=False).gpt
        torch.manual_seed(0)
        model = add_adapter(gpt, rank=4, alpha=4).train()
        if recompute:
            gpt.recompute = True
        caption, tokens = torch.ones(2, 5, gpt.config.caption_dim), torch.arange(128).view(2, 64)
        loss = model.get_base_model().loss(tokens, caption, drop_caption=torch.tensor([False, True]))
        loss.backward()
        results.append([loss.detach(), *(p.grad for p in model.parameters() if p.requires_grad)])
    assert len(results[0]) > 20
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))
