import json

import pytest
from ministack.services import eventbridge


def put(*sources: str) -> list:
    entries = [{"Source": source, "DetailType": "t", "Detail": "{}"} for source in sources]
    return json.loads(eventbridge._put_events({"Entries": entries})[2])["Entries"]


@pytest.mark.parametrize("source", ["aws.sagemaker", "aws.states", "proxytune"])
def test_our_services_may_publish(source):
    assert "EventId" in put(source)[0]


def test_other_aws_sources_are_rejected_even_together_with_ours():
    assert put("aws.ec2")[0]["ErrorCode"] == "NotAuthorizedForSourceException"
    assert [entry.get("ErrorCode") for entry in put("aws.sagemaker", "aws.ec2")][
        1
    ] == "NotAuthorizedForSourceException"
