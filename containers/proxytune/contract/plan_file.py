"""plan.json of a run, as a job that needs more than its hyperparameters is given it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from proxytune.contract import schema
from proxytune.contract.errors import ProxytuneError


def read_plan(channel: Path) -> dict[str, Any]:
    """The run's plan.

    Raises:
        ProxytuneError: ChannelMissing when plan.json is absent, is no JSON or does not fit its schema.
    """
    file = channel / "plan.json"
    try:
        plan: dict[str, Any] = json.loads(file.read_text("utf-8"))
    except (FileNotFoundError, ValueError) as error:
        raise _unusable(f"it cannot be read: {error}") from error
    wrong = schema.check("plan", plan)
    if wrong is not None:
        raise _unusable(f"it does not fit its schema: {wrong}")
    return plan


def _unusable(what: str) -> ProxytuneError:
    return ProxytuneError(
        "ChannelMissing",
        what=f"The channel 'plan' holds no usable plan.json; {what}",
        allowed="the plan.json that the plan stage wrote, unchanged",
        remedy="start the run again, so that plan and container are of the same version",
    )
