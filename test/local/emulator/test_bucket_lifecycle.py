import re

import pytest
from ministack.services import s3
from ministack.services.cloudformation import provisioners
from repairs import bucket_lifecycle

RULES = {
    "Rules": [
        {
            "Id": "unfinished-uploads",
            "Status": "Enabled",
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 3},
        },
        {
            "Id": "old-versions",
            "Status": "Enabled",
            "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
            "ExpiredObjectDeleteMarker": True,
        },
        {"Id": "intermediates", "Status": "Enabled", "Prefix": "intermediates/", "ExpirationInDays": 30},
    ]
}


@pytest.fixture
def bucket():
    name, _ = provisioners._s3_create("Photos", {"LifecycleConfiguration": RULES}, "S")
    yield name
    provisioners._s3_delete(name, {})


def stored(name):
    status, _, body = s3._get_bucket_lifecycle(name)
    return status, re.sub(r">\s+<", "><", body.decode() if isinstance(body, bytes) else body)


def test_the_rules_of_a_created_bucket_are_stored(bucket):
    status, body = stored(bucket)
    assert status == 200
    assert "<ID>unfinished-uploads</ID>" in body
    assert (
        "<AbortIncompleteMultipartUpload><DaysAfterInitiation>3</DaysAfterInitiation></AbortIncompleteMultipartUpload>"
        in body
    )
    assert "<NoncurrentDays>30</NoncurrentDays>" in body
    assert "<ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker>" in body
    assert "<Prefix>intermediates/</Prefix>" in body
    assert "<Expiration><Days>30</Days></Expiration>" in body


def test_an_update_replaces_and_removes_them(bucket):
    fewer = {"Rules": RULES["Rules"][:1]}
    provisioners._s3_update(bucket, {"LifecycleConfiguration": RULES}, {"LifecycleConfiguration": fewer}, "S")
    assert "old-versions" not in stored(bucket)[1]
    provisioners._s3_update(bucket, {"LifecycleConfiguration": fewer}, {}, "S")
    assert stored(bucket)[0] == 404


def test_a_member_that_would_be_lost_is_refused():
    with pytest.raises(ValueError, match="does not support Transitions in a lifecycle rule"):
        bucket_lifecycle.to_xml({"Rules": [{"Status": "Enabled", "Transitions": []}]})
