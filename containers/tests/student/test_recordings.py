"""Steps of every family as recordings: their operations alone, without the Python around them."""

import pytest
import torch
from recorded_graph import RecordedGraph, record
from students import CPU, PROMPTS, SAMPLER, TINY

from proxytune.student import decoding
from proxytune.student.families import registry

SETTINGS = {name: value for name, value in SAMPLER.items() if name != "kind"}


@pytest.fixture(scope="module", params=sorted(registry.FAMILIES))
def sample(request, tiny_model):
    """Sample the tokens of three images with prompts of different lengths."""
    family = registry.student_family(request.param)
    model = family.load_model(tiny_model(TINY[request.param]), device=CPU)
    return lambda **changes: family.generate_tokens(model, PROMPTS, [1, 2, 3], {**SETTINGS, **changes})


@pytest.mark.parametrize("guidance", [1.0, 2.0])
def test_recorded_steps_sample_the_same_tokens(sample, guidance, monkeypatch):
    expected, recorded = sample(guidance=guidance), []

    def counted(step, shape, pool):
        recorded.append(shape)
        return record(step, shape, pool)

    # Several sizes of the window, so that recordings are replaced in the middle of an image.
    monkeypatch.setattr(decoding, "WINDOW_STEP", 48)
    monkeypatch.setattr(decoding, "by_graphs", lambda device: True)
    monkeypatch.setattr(decoding, "record", counted)
    assert torch.equal(sample(guidance=guidance), expected)
    assert len(set(recorded)) == len(recorded)
    assert len({shape.window for shape in recorded}) >= 2


def test_steps_are_taken_one_by_one_where_cuda_refuses_to_record(sample, monkeypatch):
    expected, asked = sample(), []
    monkeypatch.setattr(decoding, "by_graphs", lambda device: True)
    monkeypatch.setattr(decoding, "record", lambda *given: asked.append(given))
    assert torch.equal(sample(), expected)
    assert len(asked) == 1


def test_a_recording_repeats_what_python_decided():
    """The stand-in itself: only the contents of tensors change between two replays."""
    given, taken, times = torch.zeros(1), torch.zeros(1), [1]
    with RecordedGraph() as graph:
        taken.copy_((given + 1) * times[0])
    for value, factor in ((3.0, 1), (5.0, 7)):
        given.fill_(value)
        times[0] = factor
        graph.replay()
        assert taken.item() == value + 1
