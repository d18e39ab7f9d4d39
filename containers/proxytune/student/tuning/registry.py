"""The table of methods. A new method is a new row."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from proxytune.contract.errors import ProxytuneError
from proxytune.student.tuning.base import Tuning
from proxytune.student.tuning.files import FILE, read_kind, refused
from proxytune.student.tuning.full import FullTuning
from proxytune.student.tuning.lora import LoraTuning
from proxytune.student.tuning.switches import Switch

if TYPE_CHECKING:
    from proxytune.student.config import TrainConfig
    from proxytune.student.families.base import StudentFamily

TUNINGS: dict[str, type[Tuning]] = {tuning.kind: tuning for tuning in (LoraTuning, FullTuning)}


def new_tuning(config: TrainConfig) -> Tuning:
    """Return the method of a training.

    Raises:
        ProxytuneError: HyperparameterInvalid for a method that this image has no code for.
    """
    kind = config.tuning.kind
    if kind not in TUNINGS:
        raise ProxytuneError(
            "HyperparameterInvalid",
            what="This image has no code for the method",
            given=f"tuning {kind}",
            allowed=", ".join(TUNINGS),
            remedy="choose another method, or build the image of a version that knows it",
        )
    return TUNINGS[kind](config)


def load_tuned(family: StudentFamily, model: nn.Module, folder: Path) -> Switch:
    """Put on a loaded model what a folder holds, by the method that the folder names.

    Raises:
        ProxytuneError: ModelMismatch.
    """
    kind = read_kind(folder)["tuning"]
    if kind not in TUNINGS:
        raise refused(f"{FILE} names the method {kind!r}", f"methods {', '.join(TUNINGS)}")
    return TUNINGS[kind].load(family, model, folder)
