"""``AWS::StepFunctions::StateMachine`` makes its machine in Proxytune's own Step Functions service.

The state machine's interpreter is a service of ours beside the emulator (``lib/local/states``). The
synthesised template must create the machine there, so that a definition the service refuses fails the stack
as it would on AWS. MiniStack's own Step Functions is left unused.
"""

from __future__ import annotations

import os
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from ministack.core.responses import get_region
from ministack.services.cloudformation import provisioners, stacks

TYPE = "AWS::StepFunctions::StateMachine"
ENDPOINT_ENV = "AWS_ENDPOINT_URL_SFN"
Attributes = dict[str, str]

_stock_runs_on_worker_thread = stacks._runs_on_worker_thread


def create(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, Attributes]:
    """Create a machine. Returns its ARN, which ``Ref`` gives, and the attributes Arn and Name."""
    name = props.get("StateMachineName") or provisioners._physical_name(stack_name, logical_id, max_len=80)
    made = _ask(
        "create_state_machine", name=name, type=props.get("StateMachineType", "STANDARD"), **_body(props)
    )
    return made["stateMachineArn"], _attributes(made["stateMachineArn"], name)


def update(
    physical_id: str, old_props: dict[str, Any], new_props: dict[str, Any], stack_name: str
) -> tuple[str, Attributes]:
    """Update a machine in place; name and type need a replacement, which CloudFormation does before this."""
    _ask("update_state_machine", stateMachineArn=physical_id, **_body(new_props))
    return physical_id, _attributes(physical_id, physical_id.rsplit(":", 1)[-1])


def delete(physical_id: str, props: dict[str, Any]) -> None:
    """Delete a machine. Deleting one that is gone is no error, as on AWS."""
    _ask("delete_state_machine", stateMachineArn=physical_id)


def runs_on_worker_thread(resource_type: str) -> bool:
    """Our handler waits for another service, so it must not hold up the emulator's own loop."""
    return resource_type == TYPE or _stock_runs_on_worker_thread(resource_type)


def apply() -> None:
    """Register the handler in place of the stock one."""
    provisioners._RESOURCE_HANDLERS[TYPE] = {"create": create, "update": update, "delete": delete}
    stacks._runs_on_worker_thread = runs_on_worker_thread


def _attributes(arn: str, name: str) -> Attributes:
    return {"Arn": arn, "Name": name}


def _body(props: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {"definition": provisioners._sfn_definition(props), "roleArn": props["RoleArn"]}
    if "TracingConfiguration" in props:
        body["tracingConfiguration"] = {"enabled": _truth(props["TracingConfiguration"].get("Enabled"))}
    if "LoggingConfiguration" in props:
        body["loggingConfiguration"] = _logging(props["LoggingConfiguration"])
    return body


def _logging(props: dict[str, Any]) -> dict[str, Any]:
    destinations = [
        {"cloudWatchLogsLogGroup": {"logGroupArn": group["CloudWatchLogsLogGroup"]["LogGroupArn"]}}
        for group in props.get("Destinations", [])
    ]
    return {
        "level": props.get("Level", "OFF"),
        "includeExecutionData": _truth(props.get("IncludeExecutionData")),
        "destinations": destinations,
    }


def _truth(value: Any) -> bool:
    return value is True or str(value).lower() == "true"


def _ask(operation: str, **request: Any) -> dict[str, Any]:
    endpoint = os.environ.get(ENDPOINT_ENV)
    if not endpoint:
        raise ValueError(
            f"The stack holds a state machine, and no Step Functions service is known. "
            f"What to do: start the emulator with {ENDPOINT_ENV}."
        )
    client = boto3.client(
        "stepfunctions",
        endpoint_url=endpoint,
        region_name=get_region(),
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 2}, connect_timeout=5, read_timeout=30),
    )
    try:
        return getattr(client, operation)(**request)
    except ClientError as refusal:
        fault = refusal.response["Error"]
        raise ValueError(f"{fault['Code']}: {fault['Message']}") from refusal
    except BotoCoreError as broken:
        raise ValueError(f"The Step Functions service at {endpoint} did not answer: {broken}") from broken
