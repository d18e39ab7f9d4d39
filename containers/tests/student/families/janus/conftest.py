"""Fixtures: the tiny Janus, ours and transformers' own, of one folder."""

import pytest
from transformers import JanusForConditionalGeneration

from proxytune.student.families.janus.checkpoint import load_student


@pytest.fixture(scope="session")
def base(tiny_model):
    return tiny_model("janus-pro-1b-tiny")


@pytest.fixture
def student(base):
    return load_student(base)


@pytest.fixture(scope="session")
def official(base):
    """transformers' own model, whole; do not change it."""
    return JanusForConditionalGeneration.from_pretrained(base).eval()
