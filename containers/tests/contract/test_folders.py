import json
from pathlib import Path

import pytest

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.folders import Folders


def write_checkpoint_config(base: Path, local_path: str) -> None:
    (base / "input" / "config").mkdir(parents=True)
    (base / "input" / "config" / "checkpointconfig.json").write_text(json.dumps({"LocalPath": local_path}))


def test_the_base_is_opt_ml_unless_the_environment_says_otherwise(monkeypatch, tmp_path):
    monkeypatch.delenv("SAGEMAKER_BASE_DIR", raising=False)
    assert Folders.from_environment().model == Path("/opt/ml/model")
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path))
    assert Folders.from_environment().failure == tmp_path / "output" / "failure"


def test_checkpoints_follow_the_request_and_move_with_the_base(tmp_path):
    assert Folders(tmp_path).checkpoints == tmp_path / "checkpoints"
    write_checkpoint_config(tmp_path, "/opt/ml/checkpoints/inner")
    assert Folders(tmp_path).checkpoints == tmp_path / "checkpoints" / "inner"


def test_a_checkpoint_path_elsewhere_is_taken_as_it_is(tmp_path):
    write_checkpoint_config(tmp_path, "/somewhere/else")
    assert Folders(tmp_path).checkpoints == Path("/somewhere/else")


def test_a_channel_that_is_absent_or_empty_is_named(tmp_path):
    data = tmp_path / "input" / "data"
    (data / "base" / "unet").mkdir(parents=True)
    for name in ("references", "base"):
        with pytest.raises(ProxytuneError, match=f"'{name}'.*channels base") as caught:
            Folders(tmp_path).channel(name)
        assert caught.value.name == "ChannelMissing"
    (data / "base" / "unet" / "config.json").write_text("{}")
    assert Folders(tmp_path).channel("base") == data / "base"


def test_an_instance_knows_its_number_and_how_many_there_are(tmp_path):
    assert Folders(tmp_path).host() == (0, 1)
    config = tmp_path / "input" / "config"
    config.mkdir(parents=True)
    hosts = [f"algo-{number}" for number in (10, 1, 2)]
    (config / "resourceconfig.json").write_text(json.dumps({"current_host": "algo-10", "hosts": hosts}))
    assert Folders(tmp_path).host() == (2, 3)
