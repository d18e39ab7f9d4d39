import os
import signal

import pytest

from proxytune.contract.signals import StopRequest


@pytest.fixture
def stop():
    before = signal.getsignal(signal.SIGTERM)
    yield StopRequest().install()
    signal.signal(signal.SIGTERM, before)


def test_outside_of_training_the_process_ends_at_once(stop):
    with pytest.raises(SystemExit) as caught:
        os.kill(os.getpid(), signal.SIGTERM)
    assert caught.value.code == 143


def test_while_deferred_it_only_sets_the_flag(stop):
    with stop.deferred():
        assert not stop.requested
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.requested
