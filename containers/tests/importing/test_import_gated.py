"""Imports of a gated model, with and without a token."""

import json
import traceback
import uuid
from itertools import product

import pytest
from small_imports import CHOSEN, FILES, REPOSITORY, content_of, import_request, import_to, objects

from proxytune.contract import schema
from proxytune.contract.errors import ProxytuneError
from proxytune.contract.folders import Folders
from proxytune.importing.hub import Hub
from proxytune.importing.job import import_model
from proxytune.importing.targets import Folder


def test_a_gated_model_requires_the_token_of_an_account_with_access(server, tmp_path, capsys):
    token = "hf_secret-of-mine"
    (server.repository / "gated").write_text(token)
    refusals = {None: "no token was given", "hf_of-another": "the token's account has no access"}
    places = {
        None: "the environment variable HF_TOKEN",
        "proxytune/Mine/token": "--name proxytune/Mine/token",
    }
    for (wrong, why), (secret, place) in product(refusals.items(), places.items()):
        with pytest.raises(ProxytuneError, match=why) as caught:
            import_to(Folder(tmp_path / "out"), token=wrong, gated=True, secret=secret)
        assert caught.value.name == "ModelGated"
        assert f"https://huggingface.co/{REPOSITORY}" in str(caught.value)
        assert place in str(caught.value)
        assert ("aws secretsmanager" in str(caught.value)) is (secret is not None)
        assert "hf_of-another" not in str(caught.value)
    # The other host, which serves large files, responds with 400 to a token: it must not be forwarded.
    manifest, lines = import_to(Folder(tmp_path / "out"), token=token, gated=True)
    assert manifest["gated"]
    assert content_of(tmp_path / "out") == {path: FILES[path] for path in CHOSEN}
    printed = "".join(capsys.readouterr()) + "".join(lines) + json.dumps(manifest)
    assert token not in printed


def test_the_job_reads_the_token_from_the_secret_and_writes_it_nowhere(server, bucket, aws, tmp_path, capsys):
    client, name = bucket
    token = f"hf_{uuid.uuid4().hex}"
    secret = f"proxytune/test-{uuid.uuid4().hex}"
    (server.repository / "gated").write_text(token)
    aws("secretsmanager").create_secret(Name=secret, SecretString=f"{token}\n")
    given = import_request(gated=True, secret=secret, bucket=name)
    job = Folders(tmp_path / "ml")
    channel = tmp_path / "ml" / "input" / "data" / "import-request"
    for folder in (channel, job.model):
        folder.mkdir(parents=True)
    (channel / "import-request.json").write_text(json.dumps(given))
    import_model(job, {"stage": "import-model", "model": "x"}, None)
    assert set(objects(client, name)) == {f"models/x/{path}" for path in [*CHOSEN, "manifest.json"]}
    progress = json.loads((job.checkpoints / "progress.json").read_text())
    assert schema.check("progress", progress) is None
    assert (progress["stage"], progress["step"], progress["total"]) == ("import-model", 5, 5)
    left = "".join(capsys.readouterr()) + "".join(
        path.read_text("utf-8") for path in (tmp_path / "ml").rglob("*") if path.is_file()
    )
    assert token not in left


@pytest.mark.parametrize("token", ["hf_mine\nhf_other", "hf_m\u00efne", "hf_mi ne", "hf_mine\0"])
def test_a_token_that_is_invalid_in_a_header_is_refused_without_being_shown(server, token):
    with pytest.raises(ProxytuneError, match="not allowed in a token") as caught:
        Hub(REPOSITORY, None, token, gated=True)
    assert caught.value.name == "ModelGated"
    assert server.state.requests == []
    # The log contains the traceback, with all causes of the error.
    assert "hf_m" not in "".join(traceback.format_exception(caught.value))
