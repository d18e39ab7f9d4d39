"""The table of every recipe's memory: complete, as measured, as published, and as a real training counts."""

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from dev.full_size import activations
from dev.full_size.activations import CARDS, card, kept, markdown, names, read_table
from dev.full_size.gpu_kernels import gpu_kernels
from dev.full_size.peak import LivingTensors
from proxytune.training import memory
from proxytune.training.activation_memory import kept_bytes

PERFORMANCE = Path(__file__).parents[4] / "docs" / "performance.md"
ROWS = {row.name: row for row in read_table()}


def test_every_recipe_of_every_large_model_has_a_row_with_its_batch_and_size():
    assert [*ROWS] == [f"{model}:{recipe}" for model, recipe in names()]
    assert {row.model for row in ROWS.values()} >= {"sdxl", "sd3-medium", "flux-dev", "llamagen-xl"}
    for row in ROWS.values():
        recipe = activations.MODELS[row.model]["recipes"][row.recipe]
        assert (row.images, row.size, row.rank) == (recipe["batchSize"], recipe["size"], recipe["rank"])


# Each takes about a second; `python containers/dev/tools/activation_memory.py` compares all.
@pytest.mark.parametrize("name", ["sd3-medium:draft", "llamagen-xl:standard", "janus-pro-1b:standard"])
def test_a_count_equals_the_table(name):
    assert kept(*name.split(":")) == ROWS[name].kept


def test_the_documentation_has_this_table():
    assert markdown([*ROWS.values()]) in PERFORMANCE.read_text("utf-8")


def test_what_is_kept_is_within_a_few_percent_of_all_that_lives_at_once():
    # The plan decides by what is kept, and leaves a fifth of a card for the rest.
    assert all(row.kept <= row.peak <= 1.15 * row.kept for row in ROWS.values())
    assert all(row.recomputed_peak < 0.25 * row.kept for row in ROWS.values())


def test_products_in_the_networks_format_keep_a_fifth_less_or_better():
    shares = {row.name: row.kept / row.float32_products for row in ROWS.values()}
    assert all(share < 0.85 for share in shares.values())
    assert shares["sdxl:standard"] < 0.75


@pytest.mark.parametrize("model", ["sdxl", "llamagen-xl"])
def test_the_default_pipeline_keeps_its_activations_on_its_card(model):
    row = ROWS[f"{model}:standard"]
    # The first instance type of the catalogue's row has an A10G.
    assert activations.MODELS[model]["instances"]["training"][0] == "ml.g5.2xlarge"
    assert CARDS[model] == 22.0
    assert not row.checkpointing
    assert row.weights + row.adapter + row.peak / row.parts < 0.85 * card(model)


def test_a_plan_is_that_of_the_product():
    for row in ROWS.values():
        images = 1 if activations.MODELS[row.model]["role"] == "teacher" else row.images
        free = memory.USABLE * card(row.model) - row.weights - row.adapter
        fitting = [
            parts for parts in range(1, images + 1) if images % parts == 0 and row.kept / parts <= free
        ]
        assert (row.parts, row.checkpointing) == ((fitting or [1])[0], not fitting)


class Operations(nn.Module):
    """The three operations whose kernels differ, between products."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Linear(64, 64, bias=False), nn.RMSNorm(64)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x):
        heads = self.dropout(self.norm(self.first(x))).unflatten(-1, (4, 16)).transpose(1, 2)
        return nn.functional.scaled_dot_product_attention(heads, heads, heads).sum()


def test_gpu_kernels_keep_what_kernels_of_a_gpu_keep():
    with torch.device("meta"):
        model, x = Operations().bfloat16(), torch.empty(2, 100, 64, dtype=torch.bfloat16)
    numbers = 2 * 100 * 64
    with gpu_kernels():
        ours = kept_bytes(model, lambda: model(x))
    # Bytes a number: x 2, the norm's input 2, the dropout's mask 1, queries (keys and values are the same) 2,
    # the attention's result 2. Float32 a row: of the norm, and of each of four heads. Two counters.
    assert ours == pytest.approx(9 * numbers + 4 * 200 + 4 * 4 * 200, abs=64)
    assert kept_bytes(model, lambda: model(x)) > 2 * ours
    with gpu_kernels(), LivingTensors(model) as living:
        torch.autograd.backward(model(x))
    assert ours <= living.peak < 2 * ours
    assert nn.functional.dropout.__module__ == "torch.nn.functional"


def test_attention_of_the_cpu_and_of_the_meta_device_keep_the_same():
    torch.manual_seed(1)
    model, x = Operations(), torch.ones(2, 100, 64)
    counts = []
    for device in ("cpu", "meta"):
        with sdpa_kernel(SDPBackend.MATH):
            counts.append(kept_bytes(model.to(device), lambda device=device: model(x.to(device))))
    assert counts[0] == counts[1]
