"""Our numbers are the official ones."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from dev.golden import check_golden_file, one_thread
from dev.golden.findings import by_tag
from dev.golden.llamagen_gpt import golden_gpt
from proxytune.student.families.llamagen import LlamaGen, LlamaGenConfig, sample_tokens, trim_caption

CONTAINERS = Path(__file__).resolve().parents[4]
GOLDEN = CONTAINERS / "tests" / "golden" / "llamagen"
OTHER = GOLDEN.parent / "llamagen-other"
SHARED = CONTAINERS.parents[1] / "shared" / "golden" / "llamagen"


def check(*arguments):
    command = [sys.executable, CONTAINERS / "dev" / "tools" / "check_golden.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def copy_of(kind, folder):
    for ending in ("json", "safetensors"):
        shutil.copy(GOLDEN / f"{kind}.{ending}", folder)
    return folder / f"{kind}.json"


def test_gpt_reproduces_every_golden_number():
    findings = check_golden_file(GOLDEN / "llamagen-gpt.json")
    names = {finding.name.split(".", 1)[1] for finding in findings}
    expected = {"train_logits", "loss", "greedy_cfg1.0", "greedy_cfg7.5", "first_step_probs_t0.9_k20_p0.95"}
    assert expected | {"parameters", "gradient.output.weight"} <= names
    assert [str(finding) for finding in findings if not finding.holds] == []


def test_vq16_reproduces_every_golden_number():
    findings = check_golden_file(GOLDEN / "llamagen-vq16.json")
    parts = {f"{tag}.{part}" for tag in ("s64", "s96x64") for part in ("latent", "ids", "decoded")}
    assert {finding.name for finding in findings} == parts | {"parameters"}
    assert [str(finding) for finding in findings if not finding.holds] == []


def test_xl_has_the_official_keys_and_shapes():
    (finding,) = check_golden_file(GOLDEN / "xl-t2i.parameters.json")
    assert (finding.name, finding.error) == ("parameters", 0)
    with torch.device("meta"):
        model = LlamaGen(LlamaGenConfig())
    assert sum(parameter.numel() for parameter in model.parameters()) == 777_678_080
    assert "cls_embedding.uncond_embedding" not in dict(model.named_parameters())


@pytest.mark.parametrize(
    "change",
    [
        lambda shapes: shapes.pop("norm.weight"),
        lambda shapes: shapes.update(extra=[1]),
        lambda shapes: shapes["output.weight"].reverse(),
    ],
)
def test_a_key_or_shape_that_differs_from_xl_is_found(tmp_path, change):
    shapes = json.loads((GOLDEN / "xl-t2i.parameters.json").read_text())
    change(shapes)
    path = tmp_path / "xl-t2i.parameters.json"
    path.write_text(json.dumps(shapes))
    (finding,) = check_golden_file(path)
    assert (finding.error, finding.holds) == (1, False)


@pytest.mark.parametrize("tag", ["a", "gqa"])
def test_trimmed_captions_give_the_golden_numbers(tag):
    tensors = by_tag(load_file(GOLDEN / "llamagen-gpt.safetensors"))[tag]
    facts = json.loads((GOLDEN / "llamagen-gpt.json").read_text())[tag]
    model = golden_gpt(facts["config"]).train()
    features, mask = trim_caption(tensors["cond"], tensors["cond_mask"])
    assert features.shape[1] == max(facts["prefix_lengths"])
    logits = model(tensors["tokens"].long()[:, :-1], features, mask)
    assert (logits - tensors["train_logits"]).abs().max() < 1e-4
    loss = model.loss(tensors["tokens"].long(), features, mask)
    loss.backward()
    assert loss.item() == pytest.approx(facts["loss"], abs=1e-5)
    for name, parameter in model.named_parameters():
        assert parameter.grad.norm().item() == pytest.approx(facts["grad_norms"][name], rel=1e-4), name
    with one_thread():
        unguided = sample_tokens(model, features, mask, [0, 1], guidance=1.0, temperature=0)
    assert torch.equal(unguided, tensors["greedy_cfg1.0"].long())


def test_the_vectors_here_are_the_shared_ones():
    # The originals are kept outside the repository: a fresh clone has only the copy that the other tests use.
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is absent: nothing to compare the copied vectors with")
    for file in GOLDEN.iterdir():
        assert file.read_bytes() == (SHARED / file.name).read_bytes(), file.name


def test_the_tool_prints_each_tensor_and_exits_0():
    done = check(GOLDEN / "llamagen-gpt.json")
    assert done.returncode == 0, done.stderr
    assert "gqa.greedy_cfg7.5" in done.stdout
    assert "0 too large" in done.stdout


@pytest.mark.parametrize(
    "name", ["a.train_logits", "gqa.greedy_cfg7.5", "gqa.first_step_probs_t0.9_k20_p0.95"]
)
def test_the_tool_finds_one_wrong_number(tmp_path, name):
    path = copy_of("llamagen-gpt", tmp_path)
    tensors = load_file(path.with_suffix(".safetensors"))
    tensors[name].view(-1)[-1] += 1 if "greedy" in name else 2e-4
    save_file(tensors, path.with_suffix(".safetensors"))
    wrong = [finding.name for finding in check_golden_file(path) if not finding.holds]
    assert wrong == [name]


def test_the_tool_exits_1_for_a_wrong_loss_or_gradient(tmp_path):
    path = copy_of("llamagen-gpt", tmp_path)
    facts = json.loads(path.read_text())
    facts["a"]["loss"] += 1e-4
    facts["gqa"]["grad_norms"]["output.weight"] *= 1.01
    path.write_text(json.dumps(facts))
    done = check(path)
    assert done.returncode == 1
    assert [line.split()[0] for line in done.stdout.splitlines() if "TOO LARGE" in line] == [
        "a.loss",
        "gqa.gradient.output.weight",
    ]


def test_the_tool_exits_2_for_what_it_cannot_check(tmp_path):
    unknown = tmp_path / "something.json"
    unknown.write_text("{}")
    done = check(unknown)
    assert done.returncode == 2
    assert "llamagen-vq16" in done.stderr
    assert check(tmp_path / "absent-llamagen-gpt.json").returncode == 2
    path = copy_of("llamagen-gpt", tmp_path)
    tensors = load_file(path.with_suffix(".safetensors"))
    save_file({**tensors, "a.mystery": torch.zeros(1)}, path.with_suffix(".safetensors"))
    done = check(path)
    assert done.returncode == 2
    assert "a.mystery" in done.stderr
    broken = path.with_suffix(".safetensors")
    broken.write_bytes(broken.read_bytes()[:1000])
    done = check(path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_the_tool_continues_after_a_file_that_it_cannot_check(tmp_path):
    (tmp_path / "unknown.json").write_text("{}")
    (tmp_path / "list-llamagen-gpt.json").write_text("[]")
    (tmp_path / "list-llamagen-gpt.safetensors").touch()
    bad = sorted(tmp_path.glob("*.json"))
    (tmp_path / "wrong-xl-t2i.parameters.json").write_text("{}")
    good = GOLDEN / "xl-t2i.parameters.json"
    done = check(*bad, tmp_path / "wrong-xl-t2i.parameters.json", good)
    assert done.returncode == 2
    assert [line.split(": ")[0] for line in done.stderr.splitlines()] == [str(path) for path in bad]
    assert done.stdout.count("TOO LARGE") == 1
    assert done.stdout.endswith("1 hold, 0 too large\n")


@pytest.mark.parametrize("kind", ["llamagen-gpt", "llamagen-vq16"])
def test_other_configurations_of_the_official_code(kind):
    findings = check_golden_file(OTHER / f"other-{kind}.json")
    assert [str(finding) for finding in findings if not finding.holds] == []
    names = {finding.name for finding in findings}
    sampled = {"b.greedy_cfg3.0", "b.first_step_probs_t1.0_k0_p0.5", "mq.train_logits", "mq.loss"}
    assert names >= (sampled if kind == "llamagen-gpt" else {"s16x40.ids", "s24.decoded", "parameters"})


def test_a_wrong_token_is_found(tmp_path):
    for file in OTHER.glob("other-llamagen-vq16.*"):
        shutil.copy(file, tmp_path)
    path = tmp_path / "other-llamagen-vq16.json"
    tensors = load_file(path.with_suffix(".safetensors"))
    tensors["s16x40.ids"][0, 0] += 1
    save_file(tensors, path.with_suffix(".safetensors"))
    wrong = {finding.name for finding in check_golden_file(path) if not finding.holds}
    assert wrong == {"s16x40.ids", "s16x40.decoded"}
