from ministack.services import s3
from ministack.services.cloudformation import provisioners

HANDLER = provisioners._RESOURCE_HANDLERS


def test_tags_follow_the_template():
    props = {"BucketName": "tagged", "Tags": [{"Key": "aws-cdk:auto-delete-objects", "Value": "true"}]}
    name, _ = HANDLER["AWS::S3::Bucket"]["create"]("Bucket", props, "stack")
    assert s3._bucket_tags[name] == {"aws-cdk:auto-delete-objects": "true"}
    bare = {"BucketName": "tagged"}
    HANDLER["AWS::S3::Bucket"]["update"](name, props, bare, "stack")
    assert name not in s3._bucket_tags
    HANDLER["AWS::S3::Bucket"]["delete"](name, bare)
