"""Training of all weights: what is written, and in which numbers."""

import pytest
import torch
from learn_job import HYPERPARAMETERS, make_job
from safetensors.torch import load_file
from students import CPU, TINY, prepared, proxy_set

from proxytune.contract.signals import StopRequest
from proxytune.student.families import registry
from proxytune.student.trainer import train
from proxytune.student.tuning import full
from proxytune.student.tuning.config import TuningConfig
from proxytune.student.tuning.full import read_weights

FULL = TuningConfig(kind="full")


@pytest.fixture(scope="module")
def base(tiny_model):
    return tiny_model(TINY["llamagen"])


def test_all_weights_of_the_transformer_train_and_nothing_else(base, tmp_path):
    student = prepared("llamagen", base, proxy_set(tmp_path), tuning=FULL)
    loaded = registry.student_family("llamagen").load_model(base, device=CPU)
    assert [name for name, _ in student.named_parameters()] == [name for name, _ in loaded.named_parameters()]
    student.loss(0, torch.Generator().manual_seed(1)).backward()
    # The null caption is a buffer of the official model and never trains.
    idle = [name for name, value in student.named_parameters() if value.grad is None or not value.grad.any()]
    assert idle == []
    # Vectors, such as the norms', do not decay.
    options = {name: student.optimizer_options(name) for name, _ in student.named_parameters()}
    assert options["norm.weight"] == {"weight_decay": 0.0}
    assert options["output.weight"] == {}


def test_the_files_hold_the_changed_weights_in_bfloat16_in_several_files(base, tmp_path, monkeypatch):
    monkeypatch.setattr(full, "BYTES_PER_FILE", 2**14)
    student = prepared("llamagen", base, proxy_set(tmp_path / "proxies"), tuning=FULL)
    trained = dict(student.named_parameters())
    before = {name: value.detach().clone() for name, value in trained.items()}
    with torch.no_grad():
        for name in ("norm.weight", "output.weight", "layers.0.attention.wo.weight"):
            trained[name] += 0.3
        # Less than bfloat16 can show.
        trained["layers.1.attention.wo.weight"] *= 1 + 1e-5
    wanted = {name: value.detach().bfloat16() for name, value in trained.items()}
    student.save(tmp_path / "out")
    files = sorted((tmp_path / "out").glob("tuned-*.safetensors"))
    assert len(files) > 1
    assert all(file.stat().st_size < 2**14 + 4096 or len(load_file(file)) == 1 for file in files)
    loaded = registry.student_family("llamagen").load_model(base, device=CPU)
    read = read_weights(loaded, tmp_path / "out")
    changed = {name for name in trained if not torch.equal(wanted[name], before[name].bfloat16())}
    assert {"norm.weight", "output.weight", "layers.0.attention.wo.weight"} <= changed
    assert read.keys() == changed
    assert all(torch.equal(read[name], wanted[name]) for name in changed)
    # What is not written is the base model's again.
    assert all(torch.equal(trained[name], before[name]) for name in trained.keys() - changed)


def test_a_step_is_adamws(base, tmp_path):
    """The first step of Adam changes every weight by the rate, whatever its gradient."""
    given = {**HYPERPARAMETERS, "tuning": "full", "steps": 1, "checkpoint_every": 1, "learning_rate": 1e-2}
    folders = make_job(tmp_path / "ml", base, given)
    train(folders, given, StopRequest())
    loaded = registry.student_family("llamagen").load_model(base, device=CPU)
    before, after = dict(loaded.named_parameters()), read_weights(loaded, folders.model)
    name = "norm.weight"
    change = (after[name].float() - before[name].detach().bfloat16().float()).abs()
    assert float(change.max()) == pytest.approx(1e-2, rel=0.25)
