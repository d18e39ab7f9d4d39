"""The image generator of a job: created by role and family, then loaded."""

from __future__ import annotations

from pathlib import Path

from proxytune.contract.entry_points import load_entry_point
from proxytune.generation.generator import ImageGenerator
from proxytune.training.lora import check_facts

# By role; imported only when used, as a job needs only one of them.
GENERATORS = {
    "teacher": "proxytune.teacher.families.registry:image_generator",
    "student": "proxytune.student.families.registry:image_generator",
}


def create_generator(role: str, family: str, model: str, adapter: Path | None) -> ImageGenerator:
    """Create the generator of a role's family, for `load_onto_device`; nothing is loaded yet.

    Args:
        role: teacher or student.
        model: catalogue id of the base model, which the adapter must be for.
        adapter: the adapter's folder; with None only variant `base` can be generated.

    Raises:
        ProxytuneError: ModelUnknown, ModelMismatch.
    """
    generator: ImageGenerator = load_entry_point(GENERATORS[role])(family)
    if adapter is not None:
        check_facts(adapter, family=family, model=model)
    return generator


def load_onto_device(generator: ImageGenerator, base: Path, adapter: Path | None, what: str) -> None:
    """Load a generator, on the GPU if there is one.

    Args:
        what: its name, for the log.

    Raises:
        ProxytuneError: ModelMissing, ModelMismatch.
    """
    # Takes seconds; the server, which imports this module, must listen before that.
    from proxytune.training.device import default_device

    device = default_device()
    generator.load(base, adapter, device)
    print(f"{what} is loaded on {device}", flush=True)
