"""The token of the hub, in the forms that people store it in."""

import uuid

import pytest

from proxytune.importing.job import hub_token


@pytest.mark.parametrize(
    ("stored", "token"), [('{"token": "hf_x"}', "hf_x"), ("hf_y\n", "hf_y"), (" ", None)]
)
def test_a_token_is_read_in_every_form(aws, stored, token):
    secret = f"proxytune/test-{uuid.uuid4().hex}"
    aws("secretsmanager").create_secret(Name=secret, SecretString=stored)
    assert hub_token({"secret": secret}) == token


def test_a_missing_secret_is_left_to_the_hub(aws):
    assert hub_token({"secret": f"proxytune/none-{uuid.uuid4().hex}"}) is None
    assert hub_token({"secret": None}) is None


@pytest.mark.parametrize("stored", ['{"token": "hf_x"', '{"a": "hf_x", "b": "hf_y"}', "{}"])
def test_a_secret_without_a_token_is_reported_without_its_content(aws, stored, capsys):
    secret = f"proxytune/test-{uuid.uuid4().hex}"
    aws("secretsmanager").create_secret(Name=secret, SecretString=stored)
    assert hub_token({"secret": secret}) is None
    printed = "".join(capsys.readouterr())
    assert "neither a token nor JSON" in printed
    assert "hf_" not in printed
