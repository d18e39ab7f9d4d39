"""The tiny student, and a job trained on it, each made once."""

import pytest
import torch
from learn_job import HYPERPARAMETERS, make_job

from dev import tiny_models
from proxytune.contract.signals import StopRequest


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Use one thread: at these sizes threads only wait for one another, and the cores are shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_student(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "llamagen-tiny"
    tiny_models.write("llamagen-tiny", folder)
    return folder


@pytest.fixture
def job(tmp_path, tiny_student):
    """Make the folders of a job whose hyperparameters are changed as given."""

    def make(**changes):
        given = {**HYPERPARAMETERS, **changes}
        return make_job(tmp_path / "ml", tiny_student, given), given

    return make


@pytest.fixture(scope="session")
def trained(tmp_path_factory, tiny_student):
    """A job trained in one go."""
    from proxytune.student.trainer import train

    folders = make_job(tmp_path_factory.mktemp("trained") / "ml", tiny_student, HYPERPARAMETERS)
    train(folders, HYPERPARAMETERS, StopRequest())
    return folders
