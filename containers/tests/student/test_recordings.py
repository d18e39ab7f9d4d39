"""Steps of every family as recordings: their operations alone, without the Python around them."""

import pytest
import torch
from recorded_graph import RecordedGraph, record
from students import CPU, PROMPTS, SAMPLER, TINY

from proxytune.student import decoding
from proxytune.student.families import registry

SETTINGS = {name: value for name, value in SAMPLER.items() if name != "kind"}


def sampling(name, base, device):
    """Load a model; return a function that samples three images with prompts of different lengths."""
    family = registry.student_family(name)
    model = family.load_model(base, device=device)
    return lambda **changes: family.generate_tokens(model, PROMPTS, [1, 2, 3], {**SETTINGS, **changes})


@pytest.fixture(scope="module", params=sorted(registry.FAMILIES))
def sample(request, tiny_model):
    return sampling(request.param, tiny_model(TINY[request.param]), CPU)


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


# Without a GPU, the test above repeats the operations of a recorded step.
@pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need a GPU; there is none here")
@pytest.mark.parametrize("name", sorted(registry.FAMILIES))
def test_cuda_graphs_sample_the_same_tokens(name, tiny_model, monkeypatch, capsys):
    monkeypatch.setattr(decoding, "WINDOW_STEP", 48)
    on_gpu = sampling(name, tiny_model(TINY[name]), torch.device("cuda"))
    replayed = on_gpu()
    assert "without a CUDA graph" not in capsys.readouterr().out
    # The same shapes, but each step by Python.
    monkeypatch.setattr(decoding, "record", lambda *_: None)
    assert torch.equal(on_gpu(), replayed)


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
