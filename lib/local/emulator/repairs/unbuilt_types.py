"""CloudFormation types that MiniStack does not know and that change nothing on one machine.

Each stub is named here with the reason why doing nothing is right. A type whose absence would change what a
run does must never be listed: the stack should fail then.
"""

from __future__ import annotations

from typing import Any

from ministack.services.cloudformation import provisioners

from .version import SUPPORTED, EmulatorVersion

#: Type -> why it may be left out of the one-machine cloud.
STUBS = {
    "AWS::Budgets::Budget": "no money is spent on one machine",
    "AWS::CloudWatch::CompositeAlarm": "nobody is paged from one machine; single alarms exist",
    "AWS::Logs::QueryDefinition": "a saved query of the CloudWatch console, which is not there",
}


def create(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
    """Pretend to create a resource. Its id says that it is a stub."""
    name = f"stub-{stack_name}-{logical_id}"
    return name, {"Arn": f"arn:aws:stub:::{name}"}


def update(
    physical_id: str, old_props: dict[str, Any], new_props: dict[str, Any], stack_name: str
) -> tuple[str, dict[str, str]]:
    """Keep the stub."""
    return physical_id, {"Arn": f"arn:aws:stub:::{physical_id}"}


def delete(physical_id: str, props: dict[str, Any]) -> None:
    """Nothing was made, so nothing is removed."""


def apply() -> None:
    """Register the stubs.

    Raises:
        EmulatorVersion: if the emulator knows one of the types, whose stub should then be dropped.
    """
    for resource_type in STUBS:
        if resource_type in provisioners._RESOURCE_HANDLERS:
            raise EmulatorVersion(
                f"The emulator now builds {resource_type} itself. "
                f"Allowed: ministack {SUPPORTED}, which does not. What to do: drop its stub from {__name__}."
            )
        provisioners._RESOURCE_HANDLERS[resource_type] = {
            "create": create,
            "update": update,
            "delete": delete,
        }
