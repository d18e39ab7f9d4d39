"""What all tests of the containers share: the environment of a job, and the tiny models."""

import os

# As proxytune/__main__.py sets it, and as early: torch reads it when it is imported.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Catalogue id -> folder of that tiny model, made once a session. Do not write into it."""
    made: dict[str, Path] = {}

    def folder(model: str) -> Path:
        if model not in made:
            from proxytune import tiny

            made[model] = tmp_path_factory.mktemp("tiny") / model
            tiny.write(model, made[model])
        return made[model]

    return folder
