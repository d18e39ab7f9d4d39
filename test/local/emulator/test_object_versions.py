import json

import pytest
from ministack.services import s3
from repairs import object_versions

NOTIFY = "<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>"


@pytest.fixture
def seen(monkeypatch):
    events = []
    monkeypatch.setattr(object_versions, "_original_dispatch", lambda event, view=None: events.append(event))
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
