"""plan.json of a run, for jobs that need more than their hyperparameters."""

from __future__ import annotations

from pathlib import Path

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
    models = plan["models"]
    return {
        "teacher": models["teacher"],
        "student": models["student"],
        "clip": models["clip"],
        "dino": models["dino"],
    }
