"""The losses of the two trainings in the report: their curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxytune.contract.folders import Folders
from proxytune.contract.names import CHANNELS, FILES
from proxytune.contract.records import START_AGAIN, read_record
from proxytune.contract.types.losses import Losses
from proxytune.evaluation.report.curves import curve

ROLES = {"teacher": CHANNELS.losses_teacher, "student": CHANNELS.losses_student}
"""The channel of each training."""


def read_losses(folders: Folders) -> dict[str, Losses]:
    """Read the losses by role; without those of a training that wrote none, or that the run does not have.

    Raises:
        ProxytuneError: ChannelMissing when a channel has no usable record.
    """
    return {
        role: read_record(
            folders.channel(channel),
            FILES.losses,
            "losses",
            channel=channel,
            allowed=f"the {FILES.losses} that the training wrote, unchanged",
            remedy=START_AGAIN,
        )
        for role, channel in ROLES.items()
        if folders.optional_channel(channel) is not None
    }


def loss_curves(losses: Mapping[str, Losses]) -> list[dict[str, Any]]:
    """Compute a curve over the steps for each training; see `report.curves.curve`."""
    return [
        curve(
            f"Loss of the {role}",
            "each step" if record["every"] == 1 else f"means of {record['every']} steps",
            [(point["step"], point["loss"], "passed") for point in record["points"]],
            dense=True,
        )
        for role, record in losses.items()
        if record["points"]
    ]
