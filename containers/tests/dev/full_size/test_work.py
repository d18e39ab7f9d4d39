"""The checked-in work of the large models is that of the product's own networks; two are counted again."""

import json

import pytest
import torch

from dev.full_size import networks
from dev.full_size.catalogue import STUDENTS, TEACHERS, WORK_FILE
from dev.full_size.tokens import token_bytes
from dev.full_size.work import count_model, tflop

TABLE = json.loads(WORK_FILE.read_text("utf-8"))["models"]


def test_every_large_model_is_counted():
    assert list(TABLE) == [*TEACHERS, *STUDENTS]


@pytest.mark.parametrize("model", ["sd3-medium", "llamagen-xl"])
def test_the_table_is_what_is_counted(model):
    assert TABLE[model] == count_model(model)


def test_a_product_counts_two_operations_and_its_gradient_as_many_again():
    weight = torch.empty(30, 20, device="meta")
    inputs = torch.empty(10, 20, device="meta", requires_grad=True)
    forward = 2 * 10 * 20 * 30 / 1e12
    assert tflop(lambda: inputs @ weight.T) == pytest.approx(forward)
    assert tflop(lambda: (inputs @ weight.T).sum(), backward=True) == pytest.approx(2 * forward)


def test_a_token_reads_all_weights_of_products_and_half_of_the_cache():
    gpt = networks.student_transformer("llamagen-xl", "meta", torch.bfloat16)
    # 36 layers of 1280: four matrices of attention, three of the feed-forward part, 3584 wide; the output.
    weights = 36 * (4 * 1280**2 + 3 * 1280 * 3584) + 1280 * 16384
    # 32 rows of keys and values; 1024 positions, read in steps of 256.
    cache = 32 * 36 * 2 * 1280 * (1024 + 256) // 2
    assert token_bytes(gpt, 32, 1024) == 2 * (weights + cache)
