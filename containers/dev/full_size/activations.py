"""The memory of a training step of every recipe of the catalogue, counted on the meta device."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from dev.full_size.gpu_kernels import gpu_kernels
from dev.full_size.networks import vae
from dev.full_size.peak import LivingTensors
from dev.full_size.steps import Step, training_step
from proxytune.teacher.families.registry import teacher_family
from proxytune.training import memory
from proxytune.training.activation_memory import kept_bytes

DEV = Path(__file__).parents[1]
# The catalogue as Python reads it, with what its rows extend filled in.
MODELS: dict[str, dict[str, Any]] = json.loads((DEV / "models.json").read_text("utf-8"))
TABLE = Path(__file__).with_name("activations.json")
# GiB that torch reports of the cards on which the recipes train by default: from messages of its
# OutOfMemoryError in public issues (22.19 of an A10G, 44.40 of an L40S), rounded down.
CARDS = {"sdxl": 22.0, "llamagen-xl": 22.0, "janus-pro-1b": 22.0}
LARGER_CARD = 44.0
COLUMNS = (
    *("Model, recipe", "Images x px", "Weights + adapter", "Kept", "Before", "Peak"),
    *("Recomputed, peak", "Card: plan"),
)


@dataclass(frozen=True)
class Row:
    """The memory of a training step, in bytes.

    Attributes:
        kept: for the backward pass, by all images of the batch.
        peak: the most that all tensors but the model's take at once, while a step keeps its activations.
        recomputed, recomputed_peak: the same with activation checkpointing.
        float32_products: what is kept where LoRA products are float32.
        weights, adapter: of the memory plan.
        parts, checkpointing: the plan for the card on which the recipe trains by default.
    """

    model: str
    recipe: str
    images: int
    size: int
    rank: int
    kept: int
    peak: int
    recomputed: int
    recomputed_peak: int
    float32_products: int
    weights: int
    adapter: int
    parts: int
    checkpointing: bool

    @property
    def name(self) -> str:
        """The model and its recipe."""
        return f"{self.model}:{self.recipe}"


def names() -> Iterator[tuple[str, str]]:
    """Yield model and recipe of every model that is too large for a CPU: those with a tiny stand-in."""
    for model, row in MODELS.items():
        if row["role"] in ("teacher", "student") and row["tiny"] is not None:
            yield from ((model, recipe) for recipe in row["recipes"])


def kept(model: str, recipe: str) -> int:
    """Count what a step keeps for its backward pass, in bytes."""
    step = training_step(MODELS[model], MODELS[model]["recipes"][recipe])
    with gpu_kernels():
        return kept_bytes(step.network, step.loss)


def measure(model: str, recipe: str) -> Row:
    """Measure a recipe; takes some seconds."""
    settings = MODELS[model]["recipes"][recipe]
    step = training_step(MODELS[model], settings)
    with gpu_kernels():
        plain, peak = kept_bytes(step.network, step.loss), _peak(step)
        _float32_products(step, on=True)
        float32_products = kept_bytes(step.network, step.loss)
        _float32_products(step, on=False)
        plan = _plan(model, step, plain, settings["batchSize"])
        step.recompute()
        return Row(
            model=model,
            recipe=recipe,
            images=settings["batchSize"],
            size=settings["size"],
            rank=settings["rank"],
            kept=plain,
            peak=peak,
            recomputed=kept_bytes(step.network, step.loss),
            recomputed_peak=_peak(step),
            float32_products=float32_products,
            weights=plan.weights,
            adapter=plan.adapter,
            parts=plan.parts,
            checkpointing=plan.checkpointing,
        )


def read_table() -> list[Row]:
    """Read the table that is checked in."""
    return [Row(**row) for row in json.loads(TABLE.read_text("utf-8"))]


def write_table(rows: list[Row]) -> None:
    """Write the table."""
    lines = ",\n".join(json.dumps(asdict(row)) for row in rows)
    TABLE.write_text(f"[\n{lines}\n]\n", "utf-8")


def card(model: str) -> int:
    """Return the memory of the card on which a model trains by default, in bytes."""
    return int(CARDS.get(model, LARGER_CARD) * memory.GIB)


def markdown(rows: list[Row]) -> str:
    """Format the table for docs/performance.md, in GiB."""
    head = [
        "Model, recipe",
        "Images x px",
        "Weights + adapter",
        "Kept",
        "Before",
        "Peak",
        "Recomputed, peak",
        "Card: plan",
    ]
    lines = (head, ["---"] * len(head), *map(_cells, rows))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cells(row: Row) -> list[str]:
    def gib(value: int) -> str:
        return f"{value / memory.GIB:.1f}"

    plan = f"kept in {row.parts} parts" if row.parts > 1 else "kept"
    return [
        f"{row.model}, {row.recipe}",
        f"{row.images} x {row.size}",
        f"{gib(row.weights)} + {gib(row.adapter)}",
        gib(row.kept),
        gib(row.float32_products),
        gib(row.peak),
        f"{gib(row.recomputed)}, {gib(row.recomputed_peak)}",
        f"{gib(card(row.model))}: {'recomputed' if row.checkpointing else plan}",
    ]


def _plan(model: str, step: Step, plain: int, images: int) -> memory.MemoryPlan:
    others: Any = ()
    # A teacher's batch is not divided; its VAE stays for validation images.
    if MODELS[model]["role"] == "teacher":
        images = 1
        dtype = torch.float32 if teacher_family(MODELS[model]["family"]).vae_float32 else torch.bfloat16
        others = vae(model, "meta", dtype).parameters()
    return memory.plan(step.network, others, lambda: plain, card(model), images=images)


def _peak(step: Step) -> int:
    with LivingTensors(step.network) as living:
        torch.autograd.backward(step.loss())
    step.network.zero_grad(set_to_none=True)
    return living.peak


def _float32_products(step: Step, *, on: bool) -> None:
    """Let LoRA layers convert their input to float32, as peft does by default."""
    from peft.tuners.lora import LoraLayer

    for layer in step.network.modules():
        if isinstance(layer, LoraLayer):
            layer.cast_input_dtype_enabled = on
