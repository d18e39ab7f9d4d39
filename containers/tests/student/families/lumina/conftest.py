"""Fixtures: a Lumina at tiny size."""

import pytest
import torch
from lumina_tiny import CODES, LAYOUT, tiny_lumina


@pytest.fixture
def lumina():
    return tiny_lumina()


@pytest.fixture
def sequences():
    """Ids and labels (2, S) of two pictures of 2 x 4 codes under 3 and 6 words, padded on the right."""
    random = torch.Generator().manual_seed(6)
    grid = LAYOUT.grid(64, 32)
    rows, labels = [], []
    for words in (3, 6):
        prompt = LAYOUT.prompt(torch.randint(1, 30, (words,), generator=random).tolist())
        codes = torch.randint(CODES, (1, grid.tokens), generator=random)
        ids = LAYOUT.sequence(prompt, LAYOUT.block(codes, grid)[0])
        rows.append(ids)
        labels.append(torch.cat([torch.full((len(prompt),), -100), ids[len(prompt) :]]))
    pad = torch.nn.utils.rnn.pad_sequence
    return pad(rows, batch_first=True), pad(labels, batch_first=True, padding_value=-100)
