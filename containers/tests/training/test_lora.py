import pytest

from proxytune.contract.errors import ProxytuneError
from proxytune.training.lora import check_facts, write_facts

HYPERPARAMETERS = {"stage": "teach", "family": "sdxl", "model": "sdxl-tiny", "rank": 4, "checkpoint_every": 5}


def test_facts_are_written_with_versions_and_read_back(tmp_path):
    write_facts(tmp_path / "new", HYPERPARAMETERS, photos=["a", "b"])
    facts = check_facts(tmp_path / "new", family="sdxl", model="sdxl-tiny")
    assert facts["rank"] == 4
    assert facts["photos"] == ["a", "b"]
    assert facts["versions"]["torch"].startswith("2.")
    assert "checkpoint_every" not in facts
    assert check_facts(tmp_path / "new", family="sdxl", model=None) == facts


@pytest.mark.parametrize(("family", "model"), [("sdxl", "sdxl-base"), ("flux", "sdxl-tiny")])
def test_an_adapter_of_another_model_is_refused(tmp_path, family, model):
    write_facts(tmp_path, HYPERPARAMETERS)
    with pytest.raises(ProxytuneError, match=f"family sdxl, model sdxl-tiny.*family {family}") as caught:
        check_facts(tmp_path, family=family, model=model)
    assert caught.value.name == "ModelMismatch"


@pytest.mark.parametrize("content", [None, "{"])
def test_an_adapter_without_facts_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "adapter.json").write_text(content)
    with pytest.raises(ProxytuneError) as caught:
        check_facts(tmp_path, family="sdxl", model="sdxl-tiny")
    assert caught.value.name == "ModelMismatch"
