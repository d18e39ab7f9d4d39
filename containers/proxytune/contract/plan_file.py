"""plan.json of a run, for jobs that need more than their hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from proxytune.contract.names import CHANNELS, FILES
from proxytune.contract.records import START_AGAIN, read_record
from proxytune.contract.types.plan import ChosenModel, CurationPlan, Plan


def read_plan(channel: Path) -> Plan:
    """Read and check the plan of the run.

    Raises:
        ProxytuneError: ChannelMissing when plan.json is missing, invalid JSON or does not fit its schema.
    """
    plan: Plan = read_record(
        channel,
        FILES.plan,
        "plan",
        channel=CHANNELS.plan,
        allowed=f"the {FILES.plan} that the plan stage wrote, unchanged",
        remedy=START_AGAIN,
    )
    return plan


def curation_of(plan: Plan) -> CurationPlan:
    """Return the curation of a plan that has one.

    Raises:
        ValueError: it has none; only runs with a curation start jobs that need one.
    """
    curation = plan.get("curation")
    if curation is None:
        raise ValueError(f"the plan of {plan['runId']} has no curation")
    return curation


def models_of(plan: Plan) -> dict[str, ChosenModel]:
    """Return the models of a plan by their roles."""
    models: Mapping[str, Any] = plan["models"]
    return dict(models)


def has_teacher(plan: Plan) -> bool:
    """Decide whether the run trains a teacher: not every method does."""
    return "teacher" in plan["models"]


def proxies_of(plan: Plan) -> int:
    """Return the number of proxies that a plan asks for; 0 with a method that has none."""
    return plan["proxies"] or 0


def trains_on(plan: Plan) -> Literal["proxies", "references", "augmented"]:
    """Return what the student is trained on; plans without a method are from before there were several."""
    return plan["method"]["trainsOn"] if "method" in plan else "proxies"
