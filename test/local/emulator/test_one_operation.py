import asyncio
import gzip
import json

import pytest
from emulator_requests import send, signed
from ministack import app
from ministack.services import s3, sns

FORM = {"content-type": "application/x-www-form-urlencoded"}
S3_XML = "http://s3.amazonaws.com/doc/2006-03-01/"
TOPIC = "arn:aws:sns:us-east-1:000000000000:kept"


def target(name: str, service: str) -> dict[str, str]:
    return signed(service, x_amz_target=name, content_type="application/x-amz-json-1.0")


@pytest.fixture
def topic():
    status, _ = send("POST", "/", signed("sns", **FORM), b"Action=CreateTopic&Name=kept")
    assert status == 200
    yield TOPIC
    sns._delete_topic({"TopicArn": [TOPIC]})


@pytest.mark.parametrize(
    ("query", "headers", "body"),
    [
        ("Action=Publish", FORM, f"Action=DeleteTopic&TopicArn={TOPIC}"),
        ("Action=Publish", {"content-type": "text/plain"}, f"Action=DeleteTopic&TopicArn={TOPIC}"),
        ("", FORM, f"Action=Publish&Action=DeleteTopic&TopicArn={TOPIC}"),
        ("", FORM, f"Action=&Action=DeleteTopic&TopicArn={TOPIC}"),
        (f"Action=Publish&Action=DeleteTopic&TopicArn={TOPIC}", {}, ""),
        ("", {**FORM, "x-amz-target": "AmazonSNS.Publish"}, f"Action=DeleteTopic&TopicArn={TOPIC}"),
        ("TopicArn=arn:aws:sns:us-east-1:000000000000:other", FORM, f"Action=DeleteTopic&TopicArn={TOPIC}"),
        ("PhoneNumber=1", FORM, f"Action=DeleteTopic&TopicArn={TOPIC}"),
        ("", FORM, f"Action=DeleteTopic&TopicArn={TOPIC}&TopicArn=other"),
    ],
)
def test_a_form_that_can_be_read_in_two_ways_is_refused(topic, query, headers, body):
    status, answer = send("POST", f"/?{query}", {**signed("sns"), **headers}, body.encode())
    assert (status, b"cannot judge a request" in answer) == (403, True)
    assert topic in json.dumps(list(sns._topics.keys()), default=str)


def test_a_compressed_form_is_read_as_the_service_reads_it(topic):
    body = gzip.compress(f"Action=DeleteTopic&TopicArn={topic}".encode())
    headers = {**signed("sns", content_encoding="gzip"), **FORM}
    assert send("POST", "/?Action=Publish", headers, body)[0] == 403


@pytest.mark.parametrize(
    ("path", "headers", "body"),
    [
        ("/?Action=GetItem", target("DynamoDB_20120810.Scan", "dynamodb"), b'{"TableName": "t"}'),
        ("/", {**target("DynamoDB_20120810.Scan", "dynamodb"), **FORM}, b"Action=GetItem"),
        ("/?Action=GetCallerIdentity", {**signed("sts"), **FORM}, b"Action=GetFederationToken&Name=n"),
        ("/?Action=GetQueueUrl", target("AmazonSQS.PurgeQueue", "sqs"), b'{"QueueUrl": "q"}'),
        (
            "/service/GraniteServiceVersion20100801/operation/ListMetrics?Action=PutMetricData",
            signed("monitoring"),
            b"",
        ),
    ],
)
def test_a_request_that_names_two_operations_is_refused(path, headers, body):
    status, answer = send("POST", path, headers, body)
    assert (status, b"names more than one operation" in answer) == (403, True)


@pytest.mark.parametrize(
    ("method", "path", "headers", "body"),
    [
        ("DELETE", "/bucket/key?Action=GetObject", signed("s3"), b""),
        ("DELETE", "/bucket/key", signed("s3", x_amz_target="Any.GetObject"), b""),
        ("PUT", "/bucket/key", {**signed("s3"), **FORM}, b"Action=GetObject"),
        ("DELETE", "/2015-03-31/functions/f?Action=InvokeFunction", signed("lambda"), b""),
    ],
)
def test_a_request_whose_path_is_the_operation_names_no_other(method, path, headers, body):
    status, answer = send(method, path, headers, body)
    assert (status, b"its path names the operation" in answer) == (403, True)


def test_a_message_may_look_like_a_form():
    queue = json.loads(
        send("POST", "/", target("AmazonSQS.CreateQueue", "sqs"), b'{"QueueName": "forms"}')[1]
    )
    message = json.dumps({**queue, "MessageBody": "a&Action=DeleteQueue&Action=x"}).encode()
    assert send("POST", "/", target("AmazonSQS.SendMessage", "sqs"), message)[0] == 200
    send("POST", "/", target("AmazonSQS.DeleteQueue", "sqs"), json.dumps(queue).encode())


@pytest.fixture
def bucket():
    """A bucket with the objects a and b."""
    s3._create_bucket("batch", b"", {})
    s3._put_object("batch", "a", b"1", {})
    s3._put_object("batch", "b", b"2", {})
    yield "batch"
    s3._delete_objects(
        "batch", b"<Delete><Object><Key>a</Key></Object><Object><Key>b</Key></Object></Delete>"
    )
    s3._delete_bucket("batch")


@pytest.mark.parametrize(
    "entries",
    [
        "<Object><Key>a</Key><Key>b</Key></Object>",
        "<Object><Key>a</Key><VersionId>1</VersionId><VersionId>2</VersionId></Object>",
        "<Object><VersionId>1</VersionId></Object>",
        "<Object><Key></Key></Object>",
        f'<Object><Key xmlns="{S3_XML}">a</Key><Key>b</Key></Object>',
        '<Object><Key>a</Key><Key xmlns="other">b</Key></Object>',
        "<Object><Key>a</Key><Object><Key>b</Key></Object></Object>",
        f'<Object><Key>a</Key></Object><Object xmlns="{S3_XML}"><Key>b</Key></Object>',
        "",
    ],
)
def test_a_batch_delete_that_can_be_read_in_two_ways_is_malformed(bucket, entries):
    status, answer = send("POST", f"/{bucket}?delete", signed("s3"), f"<Delete>{entries}</Delete>".encode())
    assert (status, b"<Code>MalformedXML</Code>" in answer) == (400, True)
    assert set(s3._buckets[bucket]["objects"]) == {"a", "b"}


@pytest.mark.parametrize("namespace", ["", f' xmlns="{S3_XML}"'])
def test_a_plain_batch_delete_is_served(bucket, namespace):
    body = f"<Delete{namespace}><Object><Key>a</Key></Object><Quiet>true</Quiet></Delete>"
    assert send("POST", f"/{bucket}?delete", signed("s3"), body.encode())[0] == 200
    assert set(s3._buckets[bucket]["objects"]) == {"b"}


@pytest.mark.parametrize(
    ("allowed", "versions", "status"),
    [
        ("s3:DeleteObject", ("null", None), 403),
        ("s3:DeleteObject", (None, "null"), 403),
        ("s3:DeleteObject", (None, None), 200),
        ("s3:DeleteObjectVersion", ("null", "null"), 200),
        ("s3:DeleteObjectVersion", ("null", None), 403),
    ],
)
def test_each_entry_of_a_batch_delete_needs_its_own_action(session_of, bucket, allowed, versions, status):
    headers = signed("s3", session_of("cleaner", {"Effect": "Allow", "Action": allowed, "Resource": "*"}))
    entries = "".join(
        f"<Object><Key>{key}</Key>{f'<VersionId>{version}</VersionId>' if version else ''}</Object>"
        for key, version in zip("ab", versions, strict=True)
    )
    request = ("POST", f"/{bucket}", headers, f"<Delete>{entries}</Delete>".encode(), {"delete": [""]}, "id")
    answer = asyncio.run(app._dispatch_service_request(*request))
    assert answer[0] == status, answer
