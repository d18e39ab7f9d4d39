"""From masks to the weights of a loss."""

import numpy as np
import pytest
import torch
from PIL import Image

from proxytune.masks.weights import loss_weights, pooled, tells_subject, without_background


def test_a_cell_of_the_grid_has_the_share_of_its_pixels():
    mask = torch.zeros(4, 8, dtype=torch.bool)
    mask[:2, :4] = True
    mask[2, 4] = True
    assert torch.equal(pooled(mask, 2, 2), torch.tensor([[1.0, 0.0], [0.0, 1 / 8]]))


@pytest.mark.parametrize("background", [0.0, 0.1, 1.0])
def test_the_mean_weight_is_one_so_that_the_loss_keeps_its_scale(background):
    shares = torch.rand(8, 8, generator=torch.Generator().manual_seed(1)).square()
    weights = loss_weights(shares, background)
    # Errors that are the same everywhere give the same loss as without a mask.
    assert float(weights.mean()) == pytest.approx(1)
    full, empty = float(weights.flatten()[shares.argmax()]), float(weights.flatten()[shares.argmin()])
    wanted = (background + (1 - background) * shares.min()) / (background + (1 - background) * shares.max())
    assert empty / full == pytest.approx(float(wanted), rel=1e-5)


def test_without_background_only_the_subject_is_left():
    random = np.random.default_rng(1)
    pixels = random.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    mask = random.random((12, 16)) < 0.5
    painted = np.asarray(without_background(Image.fromarray(pixels), mask, 5))
    assert np.array_equal(painted[mask], pixels[mask])
    assert (painted[~mask] == 128).all()
    # A mask of fewer cells covers the same image.
    cells = np.array([[True, False], [False, False]])
    painted = np.asarray(without_background(Image.fromarray(pixels), cells, 1))
    assert np.array_equal(painted[:6, :8], pixels[:6, :8])
    assert (painted[6:] == 0).all()
    assert (painted[:6, 8:] == 0).all()


@pytest.mark.parametrize(
    ("share", "tells"), [(0.0, False), (0.005, False), (0.02, True), (0.98, True), (1, False)]
)
def test_a_mask_of_nothing_or_everything_tells_nothing(share, tells):
    mask = np.arange(10_000).reshape(100, 100) < share * 10_000
    assert tells_subject(mask) is tells
