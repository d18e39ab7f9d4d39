"""The token of the hub, as people store it."""

import uuid

import pytest

from proxytune.importing.job import token_of


@pytest.mark.parametrize(
    ("stored", "token"), [('{"token": "hf_x"}', "hf_x"), ("hf_y\n", "hf_y"), (" ", None)]
)
def test_a_token_as_people_store_it(aws, stored, token):
    secret = f"proxytune/test-{uuid.uuid4().hex}"
    aws("secretsmanager").create_secret(Name=secret, SecretString=stored)
    assert token_of({"secret": secret}) == token


def test_a_secret_that_is_not_there_is_left_to_the_hub(aws):
    assert token_of({"secret": f"proxytune/none-{uuid.uuid4().hex}"}) is None
    assert token_of({"secret": None}) is None


@pytest.mark.parametrize("stored", ['{"token": "hf_x"', '{"a": "hf_x", "b": "hf_y"}', "{}"])
def test_a_secret_that_holds_no_token_is_told_without_its_content(aws, stored, capsys):
    secret = f"proxytune/test-{uuid.uuid4().hex}"
    aws("secretsmanager").create_secret(Name=secret, SecretString=stored)
    assert token_of({"secret": secret}) is None
    printed = "".join(capsys.readouterr())
    assert "neither a token nor JSON" in printed
    assert "hf_" not in printed
