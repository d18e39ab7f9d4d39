"""Counting what a step keeps for its backward pass."""

import pytest
import torch
from torch import nn

from proxytune.training.activation_memory import kept_bytes


def test_every_storage_counts_once_and_those_of_the_model_do_not():
    class Part(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(10, 10))
            self.register_buffer("table", torch.ones(10, 10))

        def forward(self, x):
            # Keeps weight and x; x again as a view, and the table; the sine keeps its own input of 400 bytes.
            return ((x @ self.weight) * self.table + x.T * x).sin()

    part, x = Part(), torch.ones(10, 10, requires_grad=True)
    assert kept_bytes(part, lambda: part(x).sum()) == 2 * 400


def test_storages_that_follow_one_another_at_one_address_all_count():
    # Dropped at once, the next one takes its address.
    weights = [nn.Parameter(torch.ones(1, 1)) for _ in range(8)]

    def loss():
        total = torch.zeros(())
        for weight in weights:
            total = total + (torch.ones(1000, 1) @ weight).sum()
        return total

    assert kept_bytes(nn.ParameterList(weights), loss) == 8 * 4000


def test_nothing_can_go_back_through_a_count():
    losses = []
    x = torch.ones(3, requires_grad=True)
    kept_bytes(nn.Identity(), lambda: losses.append(x.sin().sum()) or losses[0])
    with pytest.raises(RuntimeError, match="only counted"):
        losses[0].backward()
