import pytest
import torch

from proxytune.training.device import compute_dtype, default_device


@pytest.mark.parametrize(
    ("available", "name", "dtype"), [(True, "cuda", torch.bfloat16), (False, "cpu", torch.float32)]
)
def test_a_gpu_is_used_where_there_is_one_in_bfloat16(monkeypatch, available, name, dtype):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    assert default_device() == torch.device(name)
    assert compute_dtype(default_device()) == dtype
