import json
import re

import pytest
from ministack.services import s3
from repairs import object_events

NOTIFY = "<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>"


@pytest.fixture
def seen(monkeypatch):
    events = []
    monkeypatch.setattr(object_events, "_original_dispatch", lambda event, view=None: events.append(event))
    s3._bucket_notifications["photos"] = NOTIFY
    yield events
    s3._bucket_notifications.pop("photos")


def test_the_version_is_in_the_event(seen):
    s3._fire_s3_event("photos", "a/1.png", "s3:ObjectCreated:Put", 3, '"e"', version_id="v1")
    assert seen[0]["DetailType"] == "Object Created"
    assert json.loads(seen[0]["Detail"])["object"] == {
        "key": "a/1.png",
        "size": 3,
        "etag": "e",
        "sequencer": "0",
        "version-id": "v1",
    }


def test_a_bucket_without_versions_has_none_even_after_one_with_versions(seen):
    s3._fire_s3_event("photos", "a", "s3:ObjectCreated:Put", version_id="v1")
    s3._fire_s3_event("photos", "b", "s3:ObjectCreated:Put")
    assert "version-id" not in json.loads(seen[1]["Detail"])["object"]


def test_an_event_has_the_members_that_were_recorded_and_no_others(seen):
    s3._fire_s3_event("photos", "a", "s3:ObjectCreated:Put", 3, '"e"')
    (event,) = seen
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", event["Time"])
    detail = json.loads(event["Detail"])
    assert set(detail) == {
        *("version", "bucket", "object", "request-id", "requester", "source-ip-address", "reason"),
    }


def test_a_deleted_object_has_neither_size_nor_etag(seen):
    s3._fire_s3_event("photos", "a", "s3:ObjectRemoved:Delete", version_id="v1")
    detail = json.loads(seen[0]["Detail"])
    assert detail["object"] == {"key": "a", "sequencer": "0", "version-id": "v1"}
    assert detail["deletion-type"] == "Permanently Deleted"
