"""Repairs of MiniStack 1.5.33 where it differs from AWS in a way that matters for Proxytune, one file each.

Every repair has a function ``apply()`` that replaces functions of the emulator by our own. The emulator's
source is not changed. ``docs/adr/0003-ministack.md`` explains why each one is needed.
"""

from __future__ import annotations

from . import (
    authorization,
    authorization_endpoint,
    bucket_lifecycle,
    ending,
    environments,
    event_sources,
    full_buckets,
    internal_routes,
    lost_resources,
    missing_images,
    missing_objects,
    node_functions,
    notifications,
    object_events,
    one_operation,
    rule_delivery,
    saving,
    service_calls,
    state_machines,
    temporary,
)
from .version import EmulatorVersion, require_supported_version

REPAIRS = (
    temporary,
    node_functions,
    environments,
    event_sources,
    missing_images,
    object_events,
    bucket_lifecycle,
    full_buckets,
    notifications,
    rule_delivery,
    state_machines,
    lost_resources,
    saving,
    ending,
    authorization,
    service_calls,
    authorization_endpoint,
    missing_objects,
    internal_routes,
    one_operation,
)

__all__ = ["REPAIRS", "EmulatorVersion", "apply_all"]


def apply_all() -> None:
    """Apply every repair, once, before the emulator serves its first request.

    Raises:
        EmulatorVersion: if MiniStack is not exactly the supported version.
    """
    require_supported_version()
    for repair in REPAIRS:
        repair.apply()
