"""plan.json of a run, as a job that needs more than its hyperparameters is given it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from proxytune.contract.names import CHANNELS, FILES
from proxytune.contract.records import START_AGAIN, read_record


def read_plan(channel: Path) -> dict[str, Any]:
    """The run's plan.

    Raises:
        ProxytuneError: ChannelMissing when plan.json is absent, is no JSON or does not fit its schema.
    """
    return read_record(
        channel,
        FILES.plan,
        "plan",
        channel=CHANNELS.plan,
        allowed=f"the {FILES.plan} that the plan stage wrote, unchanged",
        remedy=START_AGAIN,
    )
