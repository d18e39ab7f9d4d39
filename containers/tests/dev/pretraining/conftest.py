from pathlib import Path

import pytest
import torch
from beginning import begin

from dev.pretraining.corpus import Corpus, draw_corpus, open_corpus
from dev.pretraining.settings import trial
from dev.pretraining.workers import Pretraining


@pytest.fixture(scope="session")
def corpus(tmp_path_factory) -> Corpus:
    """The corpus of a trial. Do not write into it."""
    folder = tmp_path_factory.mktemp("corpus")
    draw_corpus(folder, trial())
    return open_corpus(folder, trial())


@pytest.fixture(scope="session")
def cut_off(tmp_path_factory) -> tuple[Pretraining, Path]:
    """All parts after three steps, and the folder of their models. Do not write into it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    pretraining = begin(tmp_path_factory.mktemp("pretraining"))
    models = pretraining.work / "models"
    for part in pretraining.settings.parts:
        pretraining.run(part)
    pretraining.write_models(models)
    torch.set_num_threads(threads)
    return pretraining, models
