"""A short pretraining for tests."""

from pathlib import Path

import torch

from dev.pretraining.corpus import draw_corpus
from dev.pretraining.settings import trial
from dev.pretraining.workers import Pretraining
from proxytune.contract.signals import StopRequest


def begin(work: Path, **changes: object) -> Pretraining:
    """A pretraining cut off after a few steps, in a folder of its own."""
    settings = trial(**changes)
    draw_corpus(work / "corpus", settings)
    return Pretraining(work, settings, torch.float32, lambda line: None, StopRequest())
