"""A template's bucket tags reach the bucket.

MiniStack drops ``Tags`` of ``AWS::S3::Bucket``. The CDK's resource that empties a bucket before its
deletion refuses any bucket without its tag, so that no stack with such a bucket could be destroyed.
"""

from __future__ import annotations

from typing import Any

from ministack.services import s3
from ministack.services.cloudformation import provisioners

TYPE = "AWS::S3::Bucket"

_stock = provisioners._RESOURCE_HANDLERS[TYPE]


def create(logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
    """Create a bucket with its tags."""
    made = _stock["create"](logical_id, props, stack_name)
    tag(made[0], props)
    return made


def update(physical_id: str, old_props: dict[str, Any], new_props: dict[str, Any], stack_name: str) -> Any:
    """Update a bucket and its tags."""
    made = _stock["update"](physical_id, old_props, new_props, stack_name)
    tag(made[0], new_props)
    return made


def tag(bucket: str, props: dict[str, Any]) -> None:
    """Make the bucket's tags those of the template."""
    tags = {pair["Key"]: pair["Value"] for pair in props.get("Tags", [])}
    if tags:
        s3._bucket_tags[bucket] = tags
    else:
        s3._bucket_tags.pop(bucket, None)


def apply() -> None:
    """Give buckets their tags."""
    provisioners._RESOURCE_HANDLERS[TYPE] = {**_stock, "create": create, "update": update}
