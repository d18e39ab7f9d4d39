import pytest
from emulator_requests import send, signed
from ministack.services import s3
from ministack.services.cloudformation import provisioners
from repairs import full_buckets

BUCKET = "photos-of-a-stack"
VERSIONED = {"BucketName": BUCKET, "VersioningConfiguration": {"Status": "Enabled"}}


def delete_bucket():
    provisioners._delete_resource("AWS::S3::Bucket", BUCKET, {})


def versions():
    return [
        (key, one["version_id"])
        for (name, key), all_ in s3._object_versions.items()
        if name == BUCKET
        for one in all_
    ]


@pytest.fixture
def bucket():
    provisioners._s3_create("Photos", VERSIONED, "S")
    yield
    for key, version in versions():
        send("DELETE", f"/{BUCKET}/{key}?versionId={version}", signed("s3"))
    s3._buckets.pop(BUCKET, None)


def test_an_object_keeps_its_bucket(bucket):
    assert send("PUT", f"/{BUCKET}/1.jpg", signed("s3"), b"photo")[0] == 200
    with pytest.raises(ValueError, match="is not empty"):
        delete_bucket()
    assert BUCKET in s3._buckets


def test_so_do_the_versions_and_the_marker_of_a_deleted_object(bucket):
    send("PUT", f"/{BUCKET}/1.jpg", signed("s3"), b"photo")
    assert send("DELETE", f"/{BUCKET}/1.jpg", signed("s3"))[0] == 204
    while remaining := versions():
        with pytest.raises(ValueError, match="is not empty"):
            delete_bucket()
        key, version = remaining[0]
        assert send("DELETE", f"/{BUCKET}/{key}?versionId={version}", signed("s3"))[0] == 204
    delete_bucket()
    assert BUCKET not in s3._buckets


def test_a_bucket_that_is_gone_is_deleted():
    assert BUCKET not in s3._buckets
    delete_bucket()
    assert provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]["delete"] is full_buckets.delete
