"""Refuse what SNS refuses: a second subscription with other attributes, and subjects that mail cannot have.

MiniStack returns the existing subscription, whatever its attributes, and publishes any subject. Proxytune
subscribes the addresses that requests name, and its subjects contain names of folders.
"""

from __future__ import annotations

import unicodedata
from typing import Any

from ministack.services import sns

# As recorded from AWS (localstack/localstack#8816).
OTHER_ATTRIBUTES = (
    "Invalid parameter: Attributes Reason: Subscription already exists with different attributes"
)
REFUSED_SUBJECT = "Invalid parameter: Subject"
# "less than 100 characters long" (the API reference of Publish).
FIRST_TOO_LONG = 100
# Letters, numbers and punctuation, by the first letter of the Unicode category. Earlier editions of the API
# reference demand one of them at the beginning.
BEGINNINGS = ("L", "N", "P")

_original_subscribe = sns._subscribe
_original_publish = sns._publish
_original_publish_batch = sns._publish_batch


def subscribe(params: dict[str, Any]) -> Any:
    """Subscribe, unless the same endpoint is subscribed with other values of these attributes."""
    topic, _ = sns._get_topic(sns._p(params, "TopicArn"), "sns:Subscribe")
    wanted = _attributes(params)
    for existing in (topic or {}).get("subscriptions", []):
        if (existing["protocol"], existing["endpoint"]) != (
            sns._p(params, "Protocol"),
            sns._p(params, "Endpoint"),
        ):
            continue
        if any(existing["attributes"].get(name) != value for name, value in wanted.items()):
            return sns._error("InvalidParameter", OTHER_ATTRIBUTES, 400)
    return _original_subscribe(params)


def publish(params: dict[str, Any]) -> Any:
    """Publish, unless the subject is refused."""
    if "Subject" in params and not is_subject(sns._p(params, "Subject")):
        return sns._error("InvalidParameter", REFUSED_SUBJECT, 400)
    return _original_publish(params)


def publish_batch(params: dict[str, Any]) -> Any:
    """Refuse a batch with a refused subject as a whole; Proxytune publishes none."""
    for entry in sns._parse_batch_entries(params):
        if entry["subject"] and not is_subject(entry["subject"]):
            return sns._error("InvalidParameter", REFUSED_SUBJECT, 400)
    return _original_publish_batch(params)


def is_subject(subject: str) -> bool:
    """Check a subject by the constraints of the API reference: no line breaks or control characters."""
    if not 0 < len(subject) < FIRST_TOO_LONG or not unicodedata.category(subject[0]).startswith(BEGINNINGS):
        return False
    # Cc are control characters, Zl and Zp the separators of lines and paragraphs.
    return not any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in subject)


def _attributes(params: dict[str, Any]) -> dict[str, str]:
    names: dict[str, str] = {}
    number = 1
    while name := sns._p(params, f"Attributes.entry.{number}.key"):
        names[name] = sns._p(params, f"Attributes.entry.{number}.value")
        number += 1
    return names


def apply() -> None:
    """Refuse such requests."""
    sns._subscribe = subscribe
    sns._publish = publish
    sns._publish_batch = publish_batch
