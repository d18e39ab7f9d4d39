import pytest

from dev import tiny_models
from dev.tiny_models import encoders


def test_a_model_that_was_cut_off_while_it_was_written_is_not_there(monkeypatch, tmp_path):
    def cut_off(folder):
        (folder / "config.json").write_text("{}")
        raise KeyboardInterrupt

    monkeypatch.setattr(encoders, tiny_models.MODELS["dino-tiny"].partition(":")[2], cut_off)
    with pytest.raises(KeyboardInterrupt):
        tiny_models.write("dino-tiny", tmp_path / "dino-tiny")
    assert not (tmp_path / "dino-tiny").exists()

    monkeypatch.undo()
    tiny_models.write("dino-tiny", tmp_path / "dino-tiny")
    assert [path.name for path in tmp_path.iterdir()] == ["dino-tiny"]
    assert (tmp_path / "dino-tiny" / "model.safetensors").exists()
