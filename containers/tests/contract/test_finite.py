"""Numbers that are not finite are an error with the part, the precision and what to do."""

import pytest
import torch

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.finite import finite


def test_finite_numbers_are_returned_unchanged():
    values = torch.tensor([0.0, -65504.0, 1e-7], dtype=torch.float16)
    assert finite(values, "VAE", "a photo") is values
    assert finite(torch.zeros(0), "VAE", "no photo").shape == (0,)


@pytest.mark.parametrize("wrong", [float("inf"), float("-inf"), float("nan")])
def test_an_overflow_of_float16_suggests_another_precision(wrong):
    with pytest.raises(ProxytuneError) as caught:
        finite(torch.tensor([1.0, wrong, wrong], dtype=torch.float16), "VAE AutoencoderKL", "picture 3")
    assert caught.value.name == "ModelNotFinite"
    assert caught.value.given == "2 of 3 numbers in float16, for picture 3"
    assert "VAE AutoencoderKL" in caught.value.what
    assert "bfloat16 or float32" in caught.value.remedy


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_in_a_wide_precision_the_weights_are_to_blame(dtype):
    with pytest.raises(ProxytuneError, match="import the model again"):
        finite(torch.tensor([float("nan")], dtype=dtype), "VAE", "a photo")
    with pytest.raises(ProxytuneError, match="teach it again"):
        finite(torch.tensor([float("nan")], dtype=dtype), "network", "a photo", remedy="teach it again")
