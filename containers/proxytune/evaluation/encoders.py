"""The encoders of an evaluation: those that every run has, and those that only measure more."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import torch

from proxytune.contract.folders import Folders
from proxytune.contract.names import CHANNELS
from proxytune.contract.types.hyperparameters import EvaluateHyperparameters
from proxytune.contract.types.plan import Plan
from proxytune.evaluation.masc import MascScorer, masc_scorer
from proxytune.metrics.dreamsim import DreamSimEncoder
from proxytune.metrics.encoders import ClipEncoder, DinoEncoder
from proxytune.metrics.pictures import Picture, open_picture
from proxytune.training.device import default_device

PACKAGES = ("proxytune", "torch", "transformers", "tokenizers", "numpy", "pillow", "jinja2")


@dataclass(frozen=True)
class Encoders:
    """The encoders that measure the images of a run.

    Attributes:
        clip, dino: of every run.
        masc, dreamsim: None where the run does not have them.
        device: computes.
    """

    clip: ClipEncoder
    dino: DinoEncoder
    masc: MascScorer | None
    dreamsim: DreamSimEncoder | None
    device: torch.device

    def record(self, plan: Plan) -> dict[str, Any]:
        """Return `evaluator` of metrics.json: models, hashes of their weights, and versions."""
        models = plan["models"]
        gpu = self.device.type == "cuda"
        found: dict[str, Any] = {
            "clip": models["clip"]["id"],
            "dino": models["dino"]["id"],
            "clip_sha256": self.clip.sha256,
            "dino_sha256": self.dino.sha256,
            "versions": {
                "python": platform.python_version(),
                **{package: version(package) for package in PACKAGES},
                "device": torch.cuda.get_device_name(self.device) if gpu else "CPU",
            },
        }
        if self.masc is not None:
            found |= {"siglip": models["siglip"]["id"], "siglip_sha256": self.masc.siglip.sha256}
            segmenter = self.masc.segmenter
            found |= {"segmenter": models["segmenter"]["id"], "segmenter_sha256": segmenter.sha256}
        if self.dreamsim is not None:
            found |= {"dreamsim": models["dreamsim"]["id"], "dreamsim_sha256": self.dreamsim.sha256}
        return found


def load_encoders(
    folders: Folders,
    hyperparameters: EvaluateHyperparameters,
    category: str,
    pictures: Sequence[Picture],
) -> Encoders:
    """Load the encoders; MaSC reads the photos at once, to compare with.

    Args:
        folders: channels clip and dino; siglip with segmenter, and dreamsim, where the plan asks for them.
        hyperparameters: of stage evaluate.
        category: of the subject, in plain words.
        pictures: of the run; those of row `photos` are the references.

    Raises:
        ProxytuneError: ChannelMissing, ModelMismatch.
    """
    device = default_device()
    photos = [open_picture(one, one.read()) for one in pictures if one.row == "photos"]
    dreamsim = folders.optional_channel(CHANNELS.dreamsim)
    return Encoders(
        ClipEncoder(folders.channel(CHANNELS.clip), device),
        DinoEncoder(folders.channel(CHANNELS.dino), device),
        masc_scorer(folders, hyperparameters, category, photos),
        None if dreamsim is None else DreamSimEncoder(dreamsim, device),
        device,
    )
