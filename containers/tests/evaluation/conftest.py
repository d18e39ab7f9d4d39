from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from make_run import PLAN, make_run
from tiny_encoders import clip as clip
from tiny_encoders import dino as dino
from tiny_encoders import models as models

from proxytune.contract.folders import Folders
from proxytune.contract.signals import StopRequest
from proxytune.evaluation.evaluate import evaluate


@pytest.fixture
def plan() -> dict[str, Any]:
    """A plan of lib/core: tiny models, 24 proxies, 3 prompts with 2 images each."""
    return json.loads(PLAN.read_text())


@pytest.fixture
def folders(tmp_path: Path, plan: dict[str, Any], models: Path) -> Folders:
    return make_run(tmp_path, plan, models)


@pytest.fixture(scope="session")
def evaluated(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Folders:
    """An evaluated run, read-only."""
    run = make_run(tmp_path_factory.mktemp("run"), json.loads(PLAN.read_text()), models)
    evaluate(run, {"stage": "evaluate", "seed": 7}, StopRequest())
    return run
