import io
import random

import numpy as np
import torch

from proxytune.training.states import restore_states, save_states, seed_everything


def numbers() -> list[float]:
    # A normal number too: numpy and Python keep the second of a pair for the next call.
    return [
        random.random(),
        random.gauss(0, 1),
        float(np.random.rand()),
        float(np.random.randn()),
        float(torch.rand(())),
        float(torch.randn(3)[0]),
    ]


def test_all_states_go_through_a_checkpoint_file():
    seed_everything(5)
    numbers()
    buffer = io.BytesIO()
    torch.save(save_states(), buffer)
    expected = [numbers() for _ in range(3)]
    seed_everything(6)
    assert numbers() != expected[0]
    buffer.seek(0)
    restore_states(torch.load(buffer, weights_only=True))
    assert [numbers() for _ in range(3)] == expected


def test_a_seed_decides_all_of_them():
    seed_everything(5)
    first = numbers()
    seed_everything(5)
    assert numbers() == first
