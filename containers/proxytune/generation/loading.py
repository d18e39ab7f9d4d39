"""The picture maker that a job draws with: found by role and family, then loaded."""

from __future__ import annotations

from pathlib import Path

from proxytune.contract.entry_points import load_entry_point
from proxytune.generation.generator import ImageGenerator
from proxytune.training.lora import check_facts

# By role; imported only when used, as a job draws with one of them.
MAKERS = {
    "teacher": "proxytune.teacher.families.registry:image_generator",
    "student": "proxytune.student.families.registry:image_generator",
}


def maker_for(role: str, family: str, model: str, adapter: Path | None) -> ImageGenerator:
    """The picture maker of a role's family, for `load_onto_device`; nothing is loaded yet.

    Args:
        role: teacher or student.
        model: catalogue id of the base model, which the adapter must be for.
        adapter: the adapter's folder; None draws variant `base` only.

    Raises:
        ProxytuneError: ModelUnknown, ModelMismatch.
    """
    maker: ImageGenerator = load_entry_point(MAKERS[role])(family)
    if adapter is not None:
        check_facts(adapter, family=family, model=model)
    return maker


def load_onto_device(maker: ImageGenerator, base: Path, adapter: Path | None, what: str) -> None:
    """Load a picture maker, on the GPU when there is one.

    Args:
        what: is loaded, for the log.

    Raises:
        ProxytuneError: ModelMissing, ModelMismatch.
    """
    # Seconds, in which the server, which imports this file, listens already.
    from proxytune.training.device import default_device

    device = default_device()
    maker.load(base, adapter, device)
    print(f"{what} is loaded on {device}", flush=True)
