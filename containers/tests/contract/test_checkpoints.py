import pytest
import torch

from proxytune.contract.checkpoints import CheckpointStore
from proxytune.contract.errors import ProxytuneError


def state(value: float) -> dict:
    return {"adapter": {"a": torch.full((3,), value)}, "list": [1, "two", 3.0, None]}


def test_the_newest_is_read_back_and_only_two_are_kept(tmp_path):
    store = CheckpointStore(tmp_path, "hash")
    for step in (9, 10, 100):
        store.write(step, state(step))
    found = CheckpointStore(tmp_path, "hash").newest()
    assert found.step == 100
    assert torch.equal(found.state["adapter"]["a"], torch.full((3,), 100.0))
    assert found.state["list"] == [1, "two", 3.0, None]
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        "step-00000010.checkpoint",
        "step-00000100.checkpoint",
    ]


@pytest.mark.parametrize("damage", ["cut", "bit", "empty", "text"])
def test_a_corrupt_checkpoint_is_skipped_for_the_one_before(tmp_path, damage):
    store = CheckpointStore(tmp_path, "hash")
    store.write(1, state(1))
    path = store.write(2, state(2))
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(
        {"cut": path.read_bytes()[:-1], "bit": bytes(content), "empty": b"", "text": b"[1]\nx"}[damage]
    )
    assert store.newest().step == 1


def test_a_folder_without_checkpoints_has_no_newest_and_partial_files_are_removed(tmp_path):
    (tmp_path / ".step-00000001.checkpoint.77.tmp").write_bytes(b"half")
    assert CheckpointStore(tmp_path, "hash").newest() is None
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_with_other_settings_is_refused(tmp_path):
    CheckpointStore(tmp_path, "one").write(5, state(5))
    with pytest.raises(ProxytuneError, match="other settings") as caught:
        CheckpointStore(tmp_path, "two").newest()
    assert caught.value.name == "CheckpointUnusable"


def test_a_checkpoint_cannot_run_code(tmp_path):
    class Harmful:
        def __reduce__(self):
            return (exit, (3,))

    CheckpointStore(tmp_path, "hash").write(1, {"a": Harmful()})
    with pytest.raises(Exception, match="[Ww]eights"):
        CheckpointStore(tmp_path, "hash").newest()
