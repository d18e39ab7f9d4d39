"""Create again what a stack has lost, and keep what exists.

A data folder can lose some of its state files: to a full disk, which lets some be saved and others not,
or to a person. CloudFormation would find nothing to update in a stack whose functions are gone, and
creating the stack again would empty the table, because MiniStack's handlers replace what has the same
name. On AWS neither can happen.

Before every update the resources of the stack are compared with what exists, and those that are missing
are created again under the same names. A create finds and keeps a bucket, table, queue or topic of its
name, so that a lost stack can be deployed over its data. A bucket's name has a random part; it is found
by the rest.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

from ministack.core.responses import get_region, new_uuid
from ministack.services import cloudwatch, dynamodb, eventbridge, iam, lambda_svc, s3, sns, sqs
from ministack.services.cloudformation import _stacks, drift, handlers, provisioners
from ministack.services.cloudformation.stacks import _add_event

from . import state_machines

#: The reason in the stack's events, by which lib/local/deploy recognizes them.
REASON = "The resource no longer existed and was created again"

#: The type of published versions, which state machines invoke by their numbers.
VERSION = "AWS::Lambda::Version"

Props = dict[str, Any]
Result = tuple[str, dict[str, str]]

_original_update = handlers._ACTION_HANDLERS["UpdateStack"]
_originals = {name: dict(handler) for name, handler in provisioners._RESOURCE_HANDLERS.items()}

#: The property that has a resource's name, for types whose physical id is the name.
NAMES = {
    "AWS::S3::Bucket": "BucketName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::IAM::Role": "RoleName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::Events::Rule": "Name",
    "AWS::CloudWatch::Alarm": "AlarmName",
}


def _function(name: str, _: Props) -> bool:
    return bool((lambda_svc._functions.get(name) or {}).get("code_zip"))


def _version(arn: str, _: Props) -> bool:
    name, number = arn.split(":")[-2:]
    versions = (lambda_svc._functions.get(name) or {}).get("versions", {})
    return bool((versions.get(number) or {}).get("code_zip"))


def _permission(statement: str, props: Props) -> bool:
    func, *_ = provisioners._lambda_function_for_cfn_ref(props.get("FunctionName", ""))
    statements = ((func or {}).get("policy") or {}).get("Statement", [])
    return any(one.get("Sid") == statement for one in statements)


def _role_policy(_: str, props: Props) -> bool:
    roles = [iam._roles.get(name) for name in props.get("Roles", [])]
    return all(role is not None and props["PolicyName"] in role["InlinePolicies"] for role in roles)


def _event_invoke_config(physical_id: str, _: Props) -> bool:
    func = lambda_svc._functions.get(physical_id.rsplit(":", 1)[0]) or {}
    return bool(func.get("event_invoke_config") or func.get("event_invoke_configs"))


def _rule(name: str, props: Props) -> bool:
    key = eventbridge._rule_key(name, provisioners._eb_rule_bus_name(props))
    wanted = {target["Id"] for target in props.get("Targets", [])}
    return key in eventbridge._rules and wanted <= {one["Id"] for one in eventbridge._targets.get(key, [])}


def _bucket(name: str, props: Props) -> bool:
    versioned = (props.get("VersioningConfiguration") or {}).get("Status") == "Enabled"
    return (
        name in s3._buckets
        and (not versioned or s3._bucket_versioning.get(name) == "Enabled")
        and ("NotificationConfiguration" not in props or name in s3._bucket_notifications)
    )


#: Characters at the end of a generated name that change when a resource is replaced.
RANDOM_PART = 13
#: By type, whether a resource exists, from its physical id and properties.
EXISTS: dict[str, Callable[[str, Props], bool]] = {
    "AWS::S3::Bucket": _bucket,
    "AWS::S3::BucketPolicy": lambda _, props: props.get("Bucket") in s3._bucket_policies,
    "AWS::DynamoDB::Table": lambda name, _: name in dynamodb._tables,
    "AWS::SQS::Queue": lambda url, _: url in sqs._queues,
    "AWS::SQS::QueuePolicy": lambda _, props: all(
        "Policy" in (sqs._queues.get(url) or {}).get("attributes", {}) for url in props.get("Queues", [])
    ),
    "AWS::SNS::Topic": lambda arn, _: arn in sns._topics,
    "AWS::IAM::Role": lambda name, _: name in iam._roles,
    "AWS::IAM::Policy": _role_policy,
    "AWS::Lambda::Function": _function,
    VERSION: _version,
    "AWS::Lambda::Permission": _permission,
    "AWS::Lambda::EventInvokeConfig": _event_invoke_config,
    "AWS::Events::Rule": _rule,
    "AWS::CloudWatch::Alarm": lambda name, _: name in cloudwatch._alarms,
    state_machines.TYPE: lambda arn, _: state_machines.exists(arn),
}
#: Types that only complete another resource: they are created again with it, without a line of their own.
PARTS = frozenset({"AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy", "AWS::S3::BucketPolicy"})


def update_stack(params: dict[str, Any]) -> Any:
    """Create again what is missing, then update like the original."""
    stack = handlers._resolve_stack(handlers._p(params, "StackName"))
    if stack is not None and stack.get("StackStatus", "").endswith("_COMPLETE"):
        recreate(stack)
    return _original_update(params)


def recreate(stack: dict[str, Any]) -> list[str]:
    """Create the missing resources of a stack again, in the order of their creation.

    Returns their logical ids.
    """
    created: list[str] = []
    for logical_id, record in (stack.get("_resources") or {}).items():
        rtype, physical_id = record.get("ResourceType", ""), record.get("PhysicalResourceId", "")
        props = record.get("Properties") or {}
        if rtype in PARTS and created:
            create(rtype, logical_id, props, stack["StackName"])
        elif not exists(rtype, physical_id, props):
            named = {**props, NAMES[rtype]: physical_id} if rtype in NAMES else props
            again = partial(create_version, physical_id) if rtype == VERSION else partial(create, rtype)
            new_id, attributes = again(logical_id, copy.deepcopy(named), stack["StackName"])
            # The same, except for types whose ids have a random part, such as a subscription.
            record["PhysicalResourceId"] = new_id
            record["Attributes"] = {**(record.get("Attributes") or {}), **attributes}
            created.append(logical_id)
            _add_event(
                stack["StackId"], stack["StackName"], logical_id, rtype, "CREATE_COMPLETE", REASON, new_id
            )
    return created


def exists(rtype: str, physical_id: str, props: Props) -> bool:
    """Return True if a resource of a stack exists, or its type cannot be checked."""
    if rtype in EXISTS:
        return EXISTS[rtype](physical_id, props)
    reader, _ = drift._DRIFT_READERS.get(rtype, (None, None))
    return reader is None or reader(physical_id, props) is not None


def create(rtype: str, logical_id: str, props: Props, stack_name: str) -> Result:
    """Create one resource with the handler of its type."""
    return provisioners._RESOURCE_HANDLERS[rtype]["create"](logical_id, props, stack_name)


def create_version(arn: str, logical_id: str, props: Props, stack_name: str) -> Result:
    """Publish a lost version again under its number, which the state machine's definition has.

    Its function comes before it. Where that was lost too, it has just been created and would count from 1.
    """
    name, number = arn.split(":")[-2:]
    func = lambda_svc._functions[name]
    func["versions"].pop(number, None)
    func["next_version"] = int(number)
    # With its old revision the function would seem unchanged since another version, and not be published.
    func["config"]["RevisionId"] = new_uuid()
    created = create(VERSION, logical_id, props, stack_name)
    func["next_version"] = max(map(int, func["versions"])) + 1
    return created


def _owned() -> set[str]:
    """Return the physical ids of the resources of all stacks."""
    return {
        record.get("PhysicalResourceId", "")
        for stack in _stacks._data.values()
        for record in (stack.get("_resources") or {}).values()
    }


def create_bucket(logical_id: str, props: Props, stack_name: str) -> Result:
    """Create a bucket, or take over the one of an earlier instance of the same stack."""
    wanted = props.get("BucketName")
    own = provisioners._physical_name(stack_name, logical_id, lowercase=True, max_len=63, seeded=False)
    prefix = own[:-RANDOM_PART]
    names = [wanted] if wanted else sorted(name for name in s3._buckets if name.startswith(prefix))
    # With a name, the bucket of this stack that `recreate` found incomplete; without, one that no stack has.
    found = next((name for name in names if name in s3._buckets and (name in _owned()) == bool(wanted)), None)
    if found is None:
        return _originals["AWS::S3::Bucket"]["create"](logical_id, props, stack_name)
    # Found on the disk without its record, it has no region, and its events would match no rule.
    bucket = s3._buckets[found]
    bucket["region"] = bucket.get("region") or get_region()
    return _originals["AWS::S3::Bucket"]["update"](found, {}, {**props, "BucketName": found}, stack_name)


def create_table(logical_id: str, props: Props, stack_name: str) -> Result:
    """Create a table, or keep the one that has its name."""
    name = provisioners._physical_name(stack_name, logical_id, max_len=255)
    if "TableName" not in props and name in dynamodb._tables:
        return name, {"Arn": dynamodb._tables[name]["TableArn"]}
    return _originals["AWS::DynamoDB::Table"]["create"](logical_id, props, stack_name)


def create_queue(logical_id: str, props: Props, stack_name: str) -> Result:
    """Create a queue, or keep the one that has its name, with its messages."""
    name, _ = provisioners._sqs_queue_name(props, stack_name, logical_id)
    queue = sqs._queues.get(sqs._queue_name_to_url.get(name, ""))
    if queue is not None and "QueueName" not in props:
        return queue["url"], provisioners._sqs_attrs(queue)
    return _originals["AWS::SQS::Queue"]["create"](logical_id, props, stack_name)


def create_topic(logical_id: str, props: Props, stack_name: str) -> Result:
    """Create a topic, or keep the one that has its name, with its subscriptions."""
    name = provisioners._physical_name(stack_name, logical_id, max_len=256)
    arn = next((arn for arn in sns._topics if arn.rsplit(":", 1)[-1] == name), None)
    if arn is not None and "TopicName" not in props:
        return arn, provisioners._sns_topic_attrs(arn)
    return _originals["AWS::SNS::Topic"]["create"](logical_id, props, stack_name)


def apply() -> None:
    """Check stacks before updates, and keep data when a resource is created."""
    handlers._ACTION_HANDLERS["UpdateStack"] = update_stack
    for rtype, handler in (
        ("AWS::S3::Bucket", create_bucket),
        ("AWS::DynamoDB::Table", create_table),
        ("AWS::SQS::Queue", create_queue),
        ("AWS::SNS::Topic", create_topic),
    ):
        provisioners._RESOURCE_HANDLERS[rtype]["create"] = handler
