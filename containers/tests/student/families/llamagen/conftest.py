"""Fixtures: a LlamaGen student at tiny size."""

import pytest
import torch
from llamagen_tiny import tiny_captions, tiny_gpt, tiny_vq

from proxytune.student.families.llamagen import CaptionEncoder, LlamaGen, Student, VQTokenizer


@pytest.fixture
def gpt() -> LlamaGen:
    return tiny_gpt()


@pytest.fixture
def vq() -> VQTokenizer:
    return tiny_vq()


@pytest.fixture(scope="session")
def captions() -> CaptionEncoder:
    return tiny_captions()


@pytest.fixture
def student(gpt, vq, captions) -> Student:
    return Student(gpt, vq, captions, image_size=16)


@pytest.fixture
def padded() -> tuple[torch.Tensor, torch.Tensor]:
    """Features (3, 20, 24) of captions of 3, 7 and 12 slots, padded on the left with zeros."""
    generator = torch.Generator().manual_seed(4)
    mask = (torch.arange(20) >= 20 - torch.tensor([[3], [7], [12]])).long()
    return torch.randn(3, 20, 24, generator=generator) * mask[:, :, None], mask


@pytest.fixture
def tokens() -> torch.Tensor:
    return torch.randint(64, (3, 16), generator=torch.Generator().manual_seed(5))
