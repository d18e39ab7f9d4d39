import threading

import pytest
from ministack import app
from ministack.services import cloudformation
from repairs import saving


@pytest.mark.parametrize(
    ("interrupted", "ended"),
    [
        ("CREATE_IN_PROGRESS", "CREATE_FAILED"),
        ("ROLLBACK_IN_PROGRESS", "CREATE_FAILED"),
        ("UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"),
        ("DELETE_IN_PROGRESS", "DELETE_FAILED"),
        ("UPDATE_COMPLETE", "UPDATE_COMPLETE"),
    ],
)
def test_an_interrupted_stack_is_ended_on_loading(interrupted, ended):
    saved = type(cloudformation._stacks)()
    saved["small"] = {"StackName": "small", "StackStatus": interrupted}
    cloudformation.load_persisted_state({"stacks": saved})
    assert cloudformation._stacks.pop("small")["StackStatus"] == ended


def test_only_services_in_use_are_saved(monkeypatch):
    saved = []
    monkeypatch.setattr(saving, "_original_save_all", saved.append)
    app.save_all({"s3": dict, "glue": dict, "cloudformation": dict})
    assert list(saved[0]) == ["s3", "cloudformation"]
    assert app._state_map.keys() >= saving.PERSISTED_SERVICES


def test_a_state_that_changes_while_it_is_read_is_read_again(monkeypatch):
    state, reads, saved = {"first": 1}, [], {}

    def read():
        reads.append(dict(state))
        for _ in state:
            # Another thread's request, at the first reading.
            state["second"] = 2
        return dict(state)

    monkeypatch.setattr("ministack.core.persistence.save_state", saved.__setitem__)
    app.save_all({"lambda": read})
    assert len(reads) == 2
    assert saved == {"lambda": {"first": 1, "second": 2}}


def test_saving_starts_after_everything_is_loaded(monkeypatch):
    order = []
    begun = threading.Event()
    monkeypatch.setattr(saving, "_original_load_all", lambda: order.append("loaded"))
    monkeypatch.setattr(saving, "save_until_ended", lambda: (order.append("saving"), begun.set()))
    app._load_persisted_state()
    assert begun.wait(5)
    assert order == ["loaded", "saving"]


def test_saving_continues_until_it_is_stopped(monkeypatch):
    ended, twice = threading.Event(), threading.Event()
    saves = []

    def save(services):
        saves.append(services)
        if len(saves) == 2:
            twice.set()

    monkeypatch.setattr(saving, "_ended", ended)
    monkeypatch.setattr(saving, "save_all", save)
    saver = threading.Thread(target=saving.save_until_ended, args=(0.01,))
    saver.start()
    assert twice.wait(5)
    saving.stop()
    saver.join(5)
    assert not saver.is_alive()
