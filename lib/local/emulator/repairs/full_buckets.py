"""Refuse to delete a stack's bucket while it has objects, as CloudFormation does.

MiniStack deletes it with everything in it. A deployment whose data is deleted with its stack has to empty the
bucket first, old versions and markers of deleted objects included.
"""

from __future__ import annotations

from typing import Any

from ministack.services import s3
from ministack.services.cloudformation import provisioners

# The answer of S3 to DeleteBucket, which CloudFormation reports.
NOT_EMPTY = (
    "The bucket you tried to delete is not empty. You must delete all versions in the bucket. "
    "(Service: S3, Status Code: 409)"
)

_HANDLER = provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]
_original_delete = _HANDLER["delete"]


def delete(name: str, properties: dict[str, Any]) -> None:
    """Delete a bucket.

    Raises:
        ValueError: if it has objects, old versions, or markers of deleted objects.
    """
    bucket = s3._buckets.get(name)
    if bucket is not None and (bucket["objects"] or s3._bucket_has_versions(name)):
        raise ValueError(NOT_EMPTY)
    _original_delete(name, properties)


def apply() -> None:
    """Check buckets before a stack deletes them."""
    _HANDLER["delete"] = delete
