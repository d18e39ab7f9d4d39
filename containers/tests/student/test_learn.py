"""The stage learn: its files, resuming, and refusals."""

import hashlib
import json
import math

import pytest
import torch
from jobs import StopBefore
from learn_job import (
    CAPTION,
    HYPERPARAMETERS,
    make_job,
    start,
    terminate_while_training,
    write_curation,
    write_shard,
)
from safetensors.torch import load_file

from proxytune.contract import schema
from proxytune.contract.errors import ProxytuneError
from proxytune.contract.signals import StopRequest
from proxytune.student.families import registry
from proxytune.student.trainer import train

ADAPTER_FILES = {"adapter_model.safetensors", "adapter_config.json", "adapter.json", "losses.json"}


def same_weights(one, other) -> bool:
    return (one / "adapter_model.safetensors").read_bytes() == (
        other / "adapter_model.safetensors"
    ).read_bytes()


def test_a_job_writes_its_adapter_and_the_facts_about_it(trained):
    assert {path.name for path in trained.model.iterdir()} == ADAPTER_FILES
    weights = load_file(trained.model / "adapter_model.safetensors")
    assert set(weights) == {
        f"base_model.model.layers.{layer}.{name}.lora_{side}.weight"
        for layer in range(2)
        for name in (
            "attention.wqkv",
            "attention.wo",
            "feed_forward.w1",
            "feed_forward.w2",
            "feed_forward.w3",
        )
        for side in "AB"
    }
    assert all(value.dtype == torch.float32 and value.any() for value in weights.values())
    facts = json.loads((trained.model / "adapter.json").read_text())
    assert facts["stage"] == "learn"
    assert (facts["rank"], facts["alpha"], facts["token_word"]) == (4, 8, "ohwx")
    assert len(facts["proxies_sha256"]) == 64
    assert facts["versions"]["peft"]


def test_a_curated_job_learns_from_the_kept_proxies_only(job):
    folders, given = job(steps=1, curated=True)
    keep = {3, 5, 20, 41, 60}
    judged = write_curation(folders, keep)
    train(folders, given, StopRequest())
    facts = json.loads((folders.model / "adapter.json").read_text())
    kept = [picture["sha256"] for picture in judged["pictures"] if picture["kept"]]
    assert len(kept) == len(keep)
    assert facts["proxies_sha256"] == hashlib.sha256("\n".join(kept).encode()).hexdigest()


def test_a_curated_job_may_have_fewer_proxies_than_the_maximum(job):
    """An adaptive count may end early: what was judged must be there, not what was planned at most."""
    folders, given = job(steps=1, curated=True, proxies=1000)
    write_curation(folders, set(range(64)))
    train(folders, given, StopRequest())
    assert (folders.model / "adapter.json").exists()


def test_a_curated_job_without_its_curation_is_refused(job):
    folders, given = job(steps=1, curated=True)
    with pytest.raises(ProxytuneError) as caught:
        train(folders, given, StopRequest())
    assert (caught.value.name, "'curation'" in str(caught.value)) == ("ChannelMissing", True)


def test_the_loss_falls_below_that_of_guessing(job):
    folders, given = job(steps=40, learning_rate=1e-2, checkpoint_every=10)
    losses = []
    guessing = math.log(256)
    for _attempt in range(3):
        with pytest.raises(SystemExit):
            train(folders, given, StopBefore(10))
        losses.append(json.loads((folders.checkpoints / "progress.json").read_text())["loss"])
    # Not against the first loss: how many steps that is the mean of depends on the machine's speed.
    assert losses[-1] < guessing - 0.5


def test_progress_fits_its_schema(trained):
    progress = json.loads((trained.checkpoints / "progress.json").read_text())
    assert schema.check("progress", progress) is None
    assert (progress["stage"], progress["phase"], progress["step"]) == ("learn", "done", 12)


def test_the_seed_decides(job, trained):
    folders, given = job(seed=8)
    train(folders, given, StopRequest())
    assert not same_weights(folders.model, trained.model)


def test_the_process_survives_sigterm_halfway(job, tmp_path, tiny_student):
    folders, given = job(steps=30, checkpoint_every=3)
    process = start(folders)
    terminate_while_training(process, folders)
    assert process.wait(60) == 143, process.communicate()[0]
    assert not folders.failure.exists()
    process.communicate()
    resumed = start(folders)
    output, _ = resumed.communicate(timeout=120)
    assert resumed.returncode == 0, output
    assert "resumed from the checkpoint of step" in output
    assert {path.name for path in folders.model.iterdir()} == ADAPTER_FILES
    undisturbed = make_job(tmp_path / "undisturbed", tiny_student, given)
    train(undisturbed, given, StopRequest())
    assert same_weights(folders.model, undisturbed.model)


def test_the_process_reports_why_it_failed(job):
    folders, _ = job(proxies=65)
    process = start(folders)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1, output
    assert folders.failure.read_text().startswith("ProxiesIncomplete: 1 proxies are missing")


@pytest.mark.parametrize(
    ("changes", "name", "words"),
    [
        ({"proxies": 65}, "ProxiesIncomplete", "64"),
        ({"proxies": 63}, "ProxiesIncomplete", "63"),
        ({"family": "cubist"}, "ModelUnknown", "llamagen, lumina"),
        ({"size": 32}, "ModelMismatch", "64"),
        ({"token_word": "zxc1234", "caption": "a photo of zxc1234 dog"}, "TokenWordUnusable", "cleaner"),
        ({"token_word": "s*", "caption": "a photo of s* dog"}, "TokenWordUnusable", "'a photo of s dog'"),
        ({"token_word": "sks"}, "TokenWordUnusable", CAPTION),
        ({"caption": "photo " * 30 + "ohwx"}, "TokenWordUnusable", "after the 120 tokens"),
        ({"learning_rate": 1e30}, "TrainingDiverged", "learning rate"),
    ],
)
def test_refusals(job, changes, name, words):
    folders, given = job(**changes)
    with pytest.raises(ProxytuneError) as refused:
        train(folders, given, StopRequest())
    assert refused.value.name == name
    assert words in str(refused.value)


def test_an_empty_channel_is_named(job):
    folders, given = job()
    for file in (folders.base / "input" / "data" / "proxies").rglob("*.out"):
        file.unlink()
    with pytest.raises(ProxytuneError, match="proxies") as refused:
        train(folders, given, StopRequest())
    assert refused.value.name == "ChannelMissing"


def test_other_proxies_do_not_resume_a_training(job):
    folders, given = job()
    with pytest.raises(SystemExit):
        train(folders, given, StopBefore(2))
    # One picture is now another: the same index and seed, other pixels.
    write_shard(folders.base / "input" / "data" / "proxies" / "attempt-1" / "000.json.out", range(24), 128)
    for file in (folders.base / "input" / "data" / "proxies" / "attempt-2").glob("*"):
        file.unlink()
    write_shard(folders.base / "input" / "data" / "proxies" / "attempt-2" / "0.json.out", range(40, 64))
    with pytest.raises(ProxytuneError) as refused:
        train(folders, given, StopRequest())
    assert refused.value.name == "CheckpointUnusable"


def test_families_are_rows_of_a_table():
    assert registry.image_generator("llamagen").sampler_kind == "autoregressive"
    with pytest.raises(ProxytuneError) as refused:
        registry.image_generator("cubist")
    assert refused.value.name == "ModelUnknown"


def test_the_hyperparameters_here_fit_their_schema():
    assert schema.check("hyperparameters", HYPERPARAMETERS) is None
