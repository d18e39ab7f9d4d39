"""The region of a container, from the variables that SageMaker documents."""

import re
from pathlib import Path

import pytest

from proxytune.contract import aws as clients
from proxytune.contract.errors import ProxytuneError
from proxytune.importing.job import hub_token
from proxytune.importing.targets import Bucket
from proxytune.serving.base_model import fetch, s3_client
from proxytune.serving.failure_note import VARIABLE, leave_note

ARN = "arn:aws:sagemaker:eu-west-3:123456789012:training-job/proxytune-import"


@pytest.fixture(autouse=True)
def setenv(monkeypatch):
    """Set variables in an environment where boto3 itself finds no region."""
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "TRAINING_JOB_ARN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    return monkeypatch.setenv


def test_the_region_is_that_of_the_environment(setenv):
    setenv("AWS_REGION", "eu-central-1")
    assert clients.region() == "eu-central-1"
    assert s3_client().meta.region_name == "eu-central-1"


def test_a_training_job_finds_its_region_in_its_arn(setenv):
    setenv("TRAINING_JOB_ARN", ARN)
    assert clients.region() == "eu-west-3"
    client = Bucket("models", "m/x/").client
    assert client.meta.region_name == "eu-west-3"
    assert "eu-west-3" in client.meta.endpoint_url


def test_the_environment_precedes_the_arn(setenv):
    setenv("AWS_REGION", "eu-central-1")
    setenv("TRAINING_JOB_ARN", ARN)
    assert clients.region() == "eu-central-1"


@pytest.mark.parametrize(
    "arn", [None, "", "arn:aws:s3:::models", "arn:aws:sagemaker::123456789012:training-job/x"]
)
def test_a_container_without_a_region_says_so(setenv, arn):
    if arn is not None:
        setenv("TRAINING_JOB_ARN", arn)
    with pytest.raises(ProxytuneError) as caught:
        clients.client("s3")
    assert caught.value.name == "RegionUnknown"
    assert str(arn or "not set") in str(caught.value)


def test_a_missing_region_is_never_a_missing_token():
    with pytest.raises(ProxytuneError) as caught:
        hub_token({"secret": "proxytune/token"})
    assert caught.value.name == "RegionUnknown"


def test_a_missing_region_is_never_a_missing_model():
    with pytest.raises(ProxytuneError) as caught, fetch("s3://models/m/x/"):
        pass
    assert caught.value.name == "RegionUnknown"


def test_a_note_without_a_region_is_only_logged(setenv, capsys):
    setenv(VARIABLE, "s3://bucket/runs/x/failures/job.txt")
    leave_note(ProxytuneError("ModelMissing", what="There is no model", remedy="bring it"))
    assert "does not know its AWS region" in capsys.readouterr().out


def test_no_other_module_creates_a_client():
    package = Path(clients.__file__).parents[1]
    creation = re.compile(r"boto3\.(client|resource|Session|session)\b")
    files = package.rglob("*.py")
    assert [file.name for file in files if creation.search(file.read_text("utf-8"))] == ["aws.py"]
