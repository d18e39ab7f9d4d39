"""The pretraining itself: the same losses every time, and the same after an interruption."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from beginning import begin
from jobs import StopBefore

from dev.pretraining.corpus import VIEWS, draw_corpus, open_corpus
from dev.pretraining.loop import rate_at
from dev.pretraining.settings import WORKERS, PartSettings, Settings, trial
from dev.pretraining.workers import Pretraining
from proxytune.contract.errors import ProxytuneError
from proxytune.contract.signals import StopRequest
from proxytune.drawn_world.scene import CONTEXTS

PARTS = ("vae", "teacher", "vq", "student", "clip", "dino", "segmenter", "siglip")
RECORDED = Path(__file__).with_name("first_losses.json")
TOOL = Path(__file__).parents[3] / "dev" / "tools" / "pretrain_miniature.py"


def test_the_workers_train_every_part_once():
    assert (
        sorted(part for worker in WORKERS.values() for part in worker)
        == sorted(Settings().parts)
        == sorted(PARTS)
    )


def test_the_rate_rises_stays_and_falls_to_a_hundredth():
    settings = PartSettings(1000, 8, 1e-3, flat=0.3, warmup=100)
    assert rate_at(0, settings) == pytest.approx(0.01)
    assert rate_at(99, settings) == rate_at(300, settings) == 1
    assert rate_at(650, settings) == pytest.approx(0.505)
    assert rate_at(1000, settings) == pytest.approx(0.01)


def test_the_corpus_is_the_same_however_often_it_is_interrupted(tmp_path, monkeypatch):
    monkeypatch.setattr("dev.pretraining.corpus.CHUNK", 80)
    settings = trial()
    draw_corpus(tmp_path / "once", settings)
    draw_corpus(tmp_path / "twice", settings)
    for lost in ("chunk-00000080.npz", "pixels.npy"):
        (tmp_path / "twice" / lost).unlink()
    draw_corpus(tmp_path / "twice", settings)
    once, twice = (open_corpus(tmp_path / name, settings) for name in ("once", "twice"))
    np.testing.assert_array_equal(once.pixels, twice.pixels)
    np.testing.assert_array_equal(once.masks, twice.masks)
    assert (len(once), once.training, len(once.held_out)) == (240, 200, 40)
    # Four pictures of each appearance, in contexts of their own.
    for view in range(1, VIEWS):
        np.testing.assert_array_equal(once.colours[::VIEWS], once.colours[view::VIEWS])
        assert (once.context[::VIEWS] != once.context[view::VIEWS]).any()
    assert len(np.unique(once.colours[:, 0], axis=0)) == 240 / VIEWS


def test_night_is_sampled_twice_as_often_as_each_other_context(tmp_path):
    draw_corpus(tmp_path, trial())
    corpus = open_corpus(tmp_path, trial())
    sampled = corpus.context[corpus.sample(40_000, torch.Generator().manual_seed(0)).numpy()]
    there, found = (np.bincount(column, minlength=6) for column in (corpus.context[:200], sampled))
    expected = there * np.where(np.arange(6) == CONTEXTS.index("at night"), 2, 1)
    np.testing.assert_allclose(found / found.sum(), expected / expected.sum(), atol=0.01)


def test_masks_cover_the_object_and_nothing_else(tmp_path):
    draw_corpus(tmp_path, trial())
    corpus = open_corpus(tmp_path, trial())
    numbers = np.arange(0, 240, VIEWS)
    assert set(np.unique(corpus.masks)) == {0, 1}
    for number in numbers:
        body = corpus.colours[number, 0].astype(int)
        near = np.abs(corpus.pixels[number].astype(int) - body).max(axis=2) == 0
        # A body's own colour is nowhere outside the mask, but for the pixels at its edge.
        assert not (near & (corpus.masks[number] == 0)).any(), number


@pytest.mark.slow
def test_the_first_steps_have_the_recorded_losses(cut_off):
    pretraining, _ = cut_off
    recorded = json.loads(RECORDED.read_text("utf-8"))
    for part in PARTS:
        losses = json.loads((pretraining.work / f"{part}.json").read_text("utf-8"))["losses"]
        # Other processors sum in another order; a change of the training is far above that.
        assert losses == pytest.approx(recorded[part], rel=5e-3), part


@pytest.mark.slow
@pytest.mark.parametrize("part", ["vae", "vq", "clip", "dino", "segmenter", "siglip"])
def test_a_stopped_part_ends_with_the_same_weights_bit_for_bit(part, cut_off, tmp_path):
    torch.set_num_threads(1)
    pretraining, _ = cut_off
    whole = pretraining.run(part)
    second = begin(tmp_path)
    stop = StopBefore(1)
    interrupted = Pretraining(second.work, second.settings, torch.float32, lambda line: None, stop)
    with pytest.raises(SystemExit) as left:
        interrupted.run(part)
    assert left.value.code == 143
    resumed = second.run(part)
    assert resumed["losses"] == whole["losses"]
    for name, value in whole["averaged"].items():
        assert torch.equal(resumed["averaged"][name], value), name


@pytest.mark.slow
def test_checkpoints_of_other_settings_are_refused(cut_off):
    pretraining, _ = cut_off
    settings = pretraining.settings
    other = replace(
        settings, parts={**settings.parts, "vae": replace(settings.parts["vae"], learning_rate=1.0)}
    )
    again = Pretraining(pretraining.work, other, torch.float32, lambda line: None, StopRequest())
    with pytest.raises(ProxytuneError, match="written with other settings"):
        again.run("vae")


@pytest.mark.slow
def test_the_command_stops_on_sigterm_with_a_checkpoint_and_continues(tmp_path):
    # The real command with its real settings, on a small corpus: 400 pictures besides the held-out ones.
    draw_corpus(tmp_path / "corpus", replace(Settings(), pictures=2_400))
    command = [sys.executable, str(TOOL), "--work", str(tmp_path), "--worker", "student"]
    for _ in range(2):
        log = (tmp_path / "log.txt").open("w")
        worker = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ})
        _wait_for(tmp_path / "log.txt", "vq: step", worker)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=300) == 143
    output = (tmp_path / "log.txt").read_text("utf-8")
    assert "vq: resumed after step" in output
    assert "its checkpoint is written" in output


def _wait_for(file, text, process):
    until = time.monotonic() + 300
    while text not in file.read_text("utf-8"):
        assert process.poll() is None, file.read_text("utf-8")
        assert time.monotonic() < until, file.read_text("utf-8")
        time.sleep(0.5)
