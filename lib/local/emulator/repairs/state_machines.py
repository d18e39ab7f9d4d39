"""Create ``AWS::StepFunctions::StateMachine`` in Proxytune's own Step Functions service.

The interpreter of state machines is our own service (``lib/local/states``). The synthesized template must
create the machine there, so that an invalid definition fails the stack, as on AWS. MiniStack's own Step
Functions is not used.
"""

from __future__ import annotations

import os
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from ministack.core.responses import get_account_id, get_region
from ministack.services.cloudformation import provisioners, stacks

TYPE = "AWS::StepFunctions::StateMachine"
ENDPOINT_ENV = "AWS_ENDPOINT_URL_SFN"
Attributes = dict[str, str]

_original_runs_on_worker_thread = stacks._runs_on_worker_thread


def create(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, Attributes]:
    """Create a machine. Returns its ARN, which is the value of ``Ref``, and the attributes Arn and Name.

    A generated name can already exist only if the stack has lost its state: that machine is updated.
    """
    name = props.get("StateMachineName") or provisioners._physical_name(stack_name, logical_id, max_len=80)
    body = {"type": props.get("StateMachineType", "STANDARD"), **_body(props)}
    try:
        arn = _call("create_state_machine", name=name, **body)["stateMachineArn"]
    except ValueError as error:
        if "StateMachineName" in props or "StateMachineAlreadyExists" not in str(error):
            raise
        arn = f"arn:aws:states:{get_region()}:{get_account_id()}:stateMachine:{name}"
        update(arn, {}, props, stack_name)
    return arn, _attributes(arn, name)


def exists(arn: str) -> bool:
    """Return True if a machine exists in our service."""
    try:
        _call("describe_state_machine", stateMachineArn=arn)
    except ValueError as error:
        if "StateMachineDoesNotExist" in str(error):
            return False
        raise
    return True


def update(
    physical_id: str, old_props: dict[str, Any], new_props: dict[str, Any], stack_name: str
) -> tuple[str, Attributes]:
    """Update a machine in place; CloudFormation replaces it if its name or type changes."""
    _call("update_state_machine", stateMachineArn=physical_id, **_body(new_props))
    return physical_id, _attributes(physical_id, physical_id.rsplit(":", 1)[-1])


def delete(physical_id: str, props: dict[str, Any]) -> None:
    """Delete a machine, if it exists, as on AWS."""
    _call("delete_state_machine", stateMachineArn=physical_id)


def runs_on_worker_thread(resource_type: str) -> bool:
    """Run our handler on a worker thread, so that waiting for the service does not block the event loop."""
    return resource_type == TYPE or _original_runs_on_worker_thread(resource_type)


def apply() -> None:
    """Replace the original handler."""
    provisioners._RESOURCE_HANDLERS[TYPE] = {"create": create, "update": update, "delete": delete}
    stacks._runs_on_worker_thread = runs_on_worker_thread


def _attributes(arn: str, name: str) -> Attributes:
    return {"Arn": arn, "Name": name}


def _body(props: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {"definition": provisioners._sfn_definition(props), "roleArn": props["RoleArn"]}
    if "TracingConfiguration" in props:
        body["tracingConfiguration"] = {"enabled": _is_true(props["TracingConfiguration"].get("Enabled"))}
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
        "includeExecutionData": _is_true(props.get("IncludeExecutionData")),
        "destinations": destinations,
    }


def _is_true(value: Any) -> bool:
    return value is True or str(value).lower() == "true"


def _call(operation: str, **request: Any) -> dict[str, Any]:
    endpoint = os.environ.get(ENDPOINT_ENV)
    if not endpoint:
        raise ValueError(
            f"The stack has a state machine, but there is no Step Functions service. "
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
    except ClientError as rejected:
        error = rejected.response["Error"]
        raise ValueError(f"{error['Code']}: {error['Message']}") from rejected
    except BotoCoreError as failed:
        raise ValueError(f"The Step Functions service at {endpoint} did not answer: {failed}") from failed
