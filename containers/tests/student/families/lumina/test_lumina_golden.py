"""Our numbers are the official ones."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from dev.golden import check_golden_file
from dev.golden.findings import by_tag
from dev.golden.lumina_lm import LAYOUT, golden_lm
from proxytune.student.families.lumina.layout import Grid
from proxytune.student.families.lumina.sampling import decode

CONTAINERS = Path(__file__).resolve().parents[4]
GOLDEN = CONTAINERS / "tests" / "golden" / "lumina"
SHARED = CONTAINERS.parents[1] / "shared" / "golden" / "lumina"


def copy_of(kind, folder):
    for ending in ("json", "safetensors"):
        shutil.copy(GOLDEN / f"{kind}.{ending}", folder)
    return folder / f"{kind}.json"


def corrupt(path, name, change):
    tensors = load_file(path.with_suffix(".safetensors"))
    change(tensors[name].view(-1))
    save_file(tensors, path.with_suffix(".safetensors"))


def test_the_transformer_reproduces_every_golden_number():
    findings = check_golden_file(GOLDEN / "lumina-lm.json")
    names = {finding.name for finding in findings}
    for tag in "ab":
        parts = {"logits_columns", "logsumexp", "loss", "z_loss", "total", "greedy_cfg1.0", "greedy_cfg4.0"}
        assert {f"{tag}.{part}" for part in parts} <= names
        assert {f"{tag}.parameters", f"{tag}.gradient.model.layers.0.self_attn.q_norm.weight"} <= names
    assert [str(finding) for finding in findings if not finding.holds] == []


def test_the_tokenizer_reproduces_every_golden_number():
    findings = check_golden_file(GOLDEN / "lumina-vqgan.json")
    parts = {f"{tag}.{part}" for tag in ("s64", "s64x96") for part in ("latent", "ids", "decoded")}
    crops = {f"crops.{size}.{part}" for size in (512, 768, 1024) for part in ("sizes", "best")}
    assert {finding.name for finding in findings} == parts | crops | {"parameters"}
    assert [str(finding) for finding in findings if not finding.holds] == []


def test_the_golden_choices_leave_few_other_tokens():
    """As many as the formula's repeating rows make alike (see `greedy_shortfall`), of 8,192."""
    facts = json.loads((GOLDEN / "lumina-lm.json").read_text())["b"]
    tensors = by_tag(load_file(GOLDEN / "lumina-lm.safetensors"))["b"]
    golden = LAYOUT.tokens(tensors["greedy_cfg4.0"].long(), Grid(4, 2))
    alike = []

    def choose(logits, index):
        alike.append(int((logits > logits.amax() - 1e-4).sum()))
        return golden.index_select(1, index)[:, 0]

    prompts = [tensors["tokens"][0, : facts["prompt_lengths"][0] + 2].tolist()]
    decode(golden_lm(facts["config"]), LAYOUT, prompts, Grid(4, 2), choose, guidance=4.0)
    assert len(alike) == 8
    assert max(alike) < 40


@pytest.mark.parametrize("name", ["a.logits_columns", "b.logsumexp", "a.greedy_cfg1.0", "b.greedy_cfg4.0"])
def test_one_wrong_number_of_the_transformer_is_found(tmp_path, name):
    path = copy_of("lumina-lm", tmp_path)

    def change(values):
        # The last code: the end and a mark stand behind it.
        values[-3 if "greedy" in name else -1] += 1 if "greedy" in name else 2e-4

    corrupt(path, name, change)
    assert [finding.name for finding in check_golden_file(path) if not finding.holds] == [name]


@pytest.mark.parametrize("place", [-1, -2, 1])
def test_a_wrong_separator_in_a_greedy_image_is_found(tmp_path, place):
    path = copy_of("lumina-lm", tmp_path)

    def change(values):
        values[place] += 1

    corrupt(path, "b.greedy_cfg4.0", change)
    assert [finding.name for finding in check_golden_file(path) if not finding.holds] == ["b.greedy_cfg4.0"]


def test_wrong_losses_gradients_and_crops_are_found(tmp_path):
    path = copy_of("lumina-lm", tmp_path)
    facts = json.loads(path.read_text())
    facts["a"]["loss"] += 1e-4
    facts["a"]["z_loss"] += 1e-2
    facts["b"]["grad_norms"]["model.layers.2.self_attn.k_norm.bias"] *= 1.001
    path.write_text(json.dumps(facts))
    wrong = [finding.name for finding in check_golden_file(path) if not finding.holds]
    assert wrong == ["a.loss", "a.z_loss", "b.gradient.model.layers.2.self_attn.k_norm.bias"]
    path = copy_of("lumina-vqgan", tmp_path)
    facts = json.loads(path.read_text())
    facts["crops"]["768"]["sizes"].reverse()
    facts["crops"]["512"]["best"]["640x480"] = [448, 576]
    path.write_text(json.dumps(facts))
    wrong = [finding.name for finding in check_golden_file(path) if not finding.holds]
    assert wrong == ["crops.512.best", "crops.768.sizes"]


def test_the_tool_checks_both_files():
    command = [
        sys.executable,
        CONTAINERS / "dev" / "tools" / "check_golden.py",
        *sorted(GOLDEN.glob("*.json")),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("0 too large") == 2
    assert "b.greedy_cfg4.0" in done.stdout


def test_the_vectors_here_are_the_shared_ones():
    # The originals are kept outside the repository: a fresh clone has only the copy that the other tests use.
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is absent: nothing to compare the copied vectors with")
    for file in GOLDEN.iterdir():
        assert file.read_bytes() == (SHARED / file.name).read_bytes(), file.name
