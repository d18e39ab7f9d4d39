"""The bench of students: the reference computes what ours computes, and the bench prints its measurements."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dev.bench import measuring, official_llamagen, sampling
from dev.golden.llamagen_gpt import golden_gpt
from proxytune.student.families.llamagen import LlamaGenConfig, sample_tokens, trim_caption

BENCH = Path(__file__).resolve().parents[3] / "dev" / "bench"
CONFIG = LlamaGenConfig(
    dim=48, n_layer=2, n_head=4, vocab_size=64, block_size=16, caption_dim=24, multiple_of=16
)


@pytest.fixture
def given():
    """A model without dropout, features of captions of 4 and 9 slots in 120, their mask, and tokens."""
    draws = torch.Generator().manual_seed(2)
    mask = (torch.arange(120) >= 120 - torch.tensor([[4], [9]])).long()
    features = torch.randn(2, 120, 24, generator=draws) * mask[:, :, None]
    return golden_gpt(CONFIG.to_dict()), features, mask, torch.randint(64, (2, 16), generator=draws)


def test_the_reference_trains_to_the_same_loss_and_gradients(given):
    model, features, mask, tokens = given
    dropped = torch.tensor([True, False])
    gradients = []
    for loss in (
        official_llamagen.train_loss(model, tokens, features, mask, dropped),
        model.loss(tokens, *trim_caption(features, mask), dropped),
    ):
        model.zero_grad()
        loss.backward()
        gradients.append([loss.detach(), *(value.grad.clone() for value in model.parameters())])
    for theirs, ours in zip(*gradients, strict=True):
        assert (theirs - ours).abs().max() < 1e-5 * max(1.0, theirs.abs().max().item())


@pytest.mark.parametrize("guidance", [1.5, 7.5])
def test_the_reference_samples_the_same_likeliest_tokens(given, guidance):
    model, features, mask, _ = given
    theirs = official_llamagen.sample(model, features, mask, guidance=guidance, temperature=0)
    ours = sample_tokens(model, features, mask, [0, 1], guidance=guidance, temperature=0)
    assert torch.equal(theirs, ours)
    assert len(ours.unique()) > 3


def test_the_reference_samples_from_the_top(given):
    model, features, mask, _ = given
    torch.manual_seed(0)
    one = official_llamagen.sample(model, features, mask, top_k=5)
    assert not torch.equal(one, official_llamagen.sample(model, features, mask, top_k=5))
    likeliest = official_llamagen.sample(model, features, mask, temperature=0)
    assert torch.equal(official_llamagen.sample(model, features, mask, top_k=1), likeliest)


def test_turns_alternate_and_the_first_is_not_counted():
    order = []
    compared = measuring.in_turns(lambda: order.append("ours"), lambda: order.append("reference"), 3)
    assert order == ["ours", "reference", "reference", "ours", "ours", "reference", "reference", "ours"]
    assert len(compared.ours) == len(compared.reference) == 3


def test_the_ratio_is_the_median_of_the_turns():
    compared = measuring.Comparison(ours=[1.0, 2.0, 1.0], reference=[2.0, 3.0, 30.0])
    assert compared.ratio == 2.0
    assert compared.spread == (1.5, 30.0)


def reserve(mib):
    """Something that needs so many MiB while it runs."""
    return lambda: torch.ones(mib * 2**18).sum()


def test_peak_memory_is_that_of_one_run():
    assert measuring.peak_mib(reserve, 200) == pytest.approx(200, abs=40)


def test_the_bench_prints_both_sides_and_their_ratios():
    sizes = {"dim": 32, "layers": 1, "heads": 2, "image-tokens": 16, "batch": 2, "turns": 1, "threads": 1}
    arguments = [text for name, value in sizes.items() for text in (f"--{name}", str(value))]
    done = subprocess.run(
        [sys.executable, BENCH / "student.py", "--family", "llamagen", *arguments, "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["dim"], result["image_tokens"], result["caption_tokens"]) == (32, 16, 9)
    for activity in ("training", "sampling"):
        one = result[activity]
        speeds = one["reference_per_second"] / one["per_second"]
        assert one["ratio"] == pytest.approx(1 / speeds, rel=0.1)
        # The official way fills 120 caption slots, we nine: several times the memory, at these sizes.
        assert 0 < one["peak_mib"] < one["reference_peak_mib"] < 1000
    assert result["machine"]["threads"] == 1


@pytest.mark.parametrize(
    "wrong",
    [
        ["--image-tokens", "200"],
        ["--batch", "0"],
        ["--family", "none"],
        ["--family", "lumina", "--image-tokens", "9"],
    ],
)
def test_what_cannot_be_measured_is_refused_with_what_can(wrong):
    arguments = ["--family", "llamagen", *wrong]
    done = subprocess.run(
        [sys.executable, BENCH / "student.py", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "allowed" in done.stderr or "choose from" in done.stderr


def test_the_bench_of_sampling_prints_ratios_before_and_after(capsys):
    threads = torch.get_num_threads()
    try:
        assert sampling.main(["--family", "lumina", "--turns", "1", "--threads", "1", "--json"]) == 0
    finally:
        torch.set_num_threads(threads)
    result = json.loads(capsys.readouterr().out)
    for activity in ("batches", "adapter"):
        one = result[activity]
        assert one["ratio"] == pytest.approx(one["before_seconds"] / one["seconds"], abs=0.05 * one["ratio"])
