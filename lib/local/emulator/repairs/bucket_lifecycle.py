"""Store the lifecycle rules of a bucket that a stack creates, as CloudFormation does.

MiniStack accepts the property and drops it. A deployment that adopts a bucket requires a rule that aborts
unfinished uploads, which the bucket of an earlier deployment then lacks.
"""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

from ministack.services import s3
from ministack.services.cloudformation import provisioners

PROPERTY = "LifecycleConfiguration"
#: The members of a rule that Proxytune's template has.
KNOWN = frozenset(
    {
        "Id",
        "Status",
        "Prefix",
        "ExpirationInDays",
        "AbortIncompleteMultipartUpload",
        "NoncurrentVersionExpiration",
        "ExpiredObjectDeleteMarker",
    }
)


def to_xml(configuration: dict[str, Any]) -> bytes:
    """Translate the property into the body of PutBucketLifecycleConfiguration.

    Raises:
        ValueError: if a rule has a member that is not known here; it would be lost.
    """
    rules = "".join(_rule(rule) for rule in configuration.get("Rules", []))
    return f"<LifecycleConfiguration>{rules}</LifecycleConfiguration>".encode()


def _rule(rule: dict[str, Any]) -> str:
    unknown = sorted(set(rule) - KNOWN)
    if unknown:
        raise ValueError(f"the local cloud does not support {', '.join(unknown)} in a lifecycle rule")
    parts = [
        _element("ID", rule.get("Id")),
        f"<Filter><Prefix>{escape(rule.get('Prefix', ''))}</Prefix></Filter>",
        _element("Status", rule["Status"]),
    ]
    if rule.get("ExpiredObjectDeleteMarker"):
        parts.append("<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>")
    if "ExpirationInDays" in rule:
        parts.append(f"<Expiration>{_element('Days', rule['ExpirationInDays'])}</Expiration>")
    for name, member in (
        ("AbortIncompleteMultipartUpload", "DaysAfterInitiation"),
        ("NoncurrentVersionExpiration", "NoncurrentDays"),
    ):
        if name in rule:
            parts.append(f"<{name}>{_element(member, rule[name][member])}</{name}>")
    return f"<Rule>{''.join(parts)}</Rule>"


def _element(name: str, value: object) -> str:
    return "" if value is None else f"<{name}>{escape(str(value))}</{name}>"


def apply() -> None:
    """Add the property to those that the emulator stores through the API of S3."""
    provisioners._S3_BUCKET_CONFIGURATIONS = (
        *provisioners._S3_BUCKET_CONFIGURATIONS,
        (PROPERTY, to_xml, s3._put_bucket_lifecycle, s3._delete_bucket_lifecycle),
    )
