"""Imports of pickles, which are stored as safetensors."""

import pickle

import pytest
import torch
from small_imports import import_to

from proxytune.contract.errors import ProxytuneError
from proxytune.importing.targets import Bucket, Folder
from proxytune.metrics.encoders import ClipEncoder


def test_a_pickle_becomes_safetensors_that_load(server, bucket, tmp_path, tiny_model, monkeypatch):
    made = tiny_model("clip-tiny")
    from transformers import CLIPModel

    state = CLIPModel.from_pretrained(made).state_dict()
    state["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    for file in made.iterdir():
        if file.suffix in (".json", ".txt"):
            (server.repository / file.name).write_bytes(file.read_bytes())
    torch.save(state, server.repository / "pytorch_model.bin")
    files = [*(file.name for file in made.iterdir() if file.suffix in (".json", ".txt")), "pytorch_model.bin"]
    manifest, _ = import_to(Folder(tmp_path / "out"), files=files)
    assert "model.safetensors" in [entry["path"] for entry in manifest["files"]]
    assert not (tmp_path / "out" / "pytorch_model.bin").exists()
    ours, theirs = (ClipEncoder(of, torch.device("cpu")) for of in (tmp_path / "out", made))
    for name, weight in theirs.model.state_dict().items():
        assert torch.equal(weight, ours.model.state_dict()[name])
    # The bytes are reproducible, so in a bucket the file is recognized.
    again, _ = import_to(Bucket(bucket[1], "models/x/"), files=files)
    sums = [{entry["path"]: entry["sha256"] for entry in one["files"]} for one in (manifest, again)]
    assert sums[0] == sums[1]


class Evil:
    """Executes code when it is unpickled."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('code of a pickle was run')",))


@pytest.mark.parametrize("state", [Evil(), {"a": torch.ones(1), "b": "words"}], ids=["code", "words"])
def test_a_pickle_with_more_than_tensors_is_refused(server, tmp_path, state):
    with (server.repository / "pytorch_model.bin").open("wb") as opened:
        if isinstance(state, dict):
            torch.save(state, opened)
        else:
            pickle.dump(state, opened)
    with pytest.raises(ProxytuneError) as caught:
        import_to(Folder(tmp_path / "out"), files=["pytorch_model.bin"])
    assert caught.value.name == "ModelMismatch"
