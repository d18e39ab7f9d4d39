from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_encoders import make_clip, make_dino

from proxytune.evaluation.encoders import ClipEncoder, DinoEncoder


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    make_clip(folder / "clip")
    make_dino(folder / "dino")
    return folder


@pytest.fixture(scope="session")
def clip(models: Path) -> ClipEncoder:
    return ClipEncoder(models / "clip", torch.device("cpu"))


@pytest.fixture(scope="session")
def dino(models: Path) -> DinoEncoder:
    return DinoEncoder(models / "dino", torch.device("cpu"))
