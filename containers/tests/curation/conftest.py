"""The encoders of the miniature models."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from proxytune.metrics.encoders import ClipEncoder, DinoEncoder

MODELS = Path(__file__).parents[2] / "models" / "miniature"


@pytest.fixture(scope="session")
def clip() -> ClipEncoder:
    return ClipEncoder(MODELS / "clip-miniature", torch.device("cpu"))


@pytest.fixture(scope="session")
def dino() -> DinoEncoder:
    return DinoEncoder(MODELS / "dino-miniature", torch.device("cpu"))
