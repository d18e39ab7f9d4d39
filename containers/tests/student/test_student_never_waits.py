"""Neither a training step of a student nor a token that it samples waits for the GPU."""

import pytest
import students
import torch
from safetensors import safe_open
from simulated_gpu import WaitingError
from students import PROMPTS, TINY, chunk, prepared, proxy_set
from waiting import GPU, KINDS, EnoughError, take_steps, watched

from proxytune.student import decoding, model_files, sampling
from proxytune.student.families import registry

# Tokens; more than a row of a tiny picture has, so that Lumina puts a separator between them.
ENOUGH = 12


class Opened:
    """safetensors reads for a GPU by itself, past torch's functions: here it reads, and torch transfers."""

    def __init__(self, file, framework, device):
        self._file, self._device = safe_open(file, framework=framework, device="cpu"), device

    def __enter__(self):
        self._part = self._file.__enter__()
        self.keys = self._part.keys
        return self

    def __exit__(self, *caught):
        return self._file.__exit__(*caught)

    def get_tensor(self, key):
        return self._part.get_tensor(key).to(self._device)


@pytest.fixture(params=KINDS)
def watch(request, monkeypatch):
    if request.param == "simulated":
        monkeypatch.setattr(model_files, "safe_open", Opened)
    with watched(request.param, monkeypatch) as made:
        made.kind = request.param
        yield made


@pytest.mark.parametrize("family", sorted(registry.FAMILIES))
def test_no_step_waits_for_the_gpu(tiny_model, tmp_path, monkeypatch, watch, family):
    monkeypatch.setattr(students, "CPU", GPU)
    proxies = proxy_set(tmp_path / "proxies", PROMPTS)
    trainer = prepared(family, tiny_model(TINY[family]), proxies, batch_size=2, caption_dropout=0.5)
    assert {value.device.type for _, value in trainer.named_parameters()} == {"cuda"}
    take_steps(trainer, tmp_path / "job", watch)


def strictly(watch, asked, alter):
    """A `chooser` whose choices are made strictly from the second token on; a dozen are enough."""
    real = sampling.chooser

    def chooser(seeds, length, device, **settings):
        choose = real(seeds, length, device, **settings)

        def watching(logits, place):
            chosen = choose(logits, place)
            asked.append(watch.copies)
            watch.strict(len(asked) < ENOUGH < length)
            if len(asked) == ENOUGH:
                raise EnoughError
            return alter(chosen)

        return watching

    return chooser


@pytest.fixture(scope="module", params=sorted(registry.FAMILIES))
def tuned(request, tiny_model, tmp_path_factory):
    """A family, its tiny model's folder and that of an adapter."""
    folder = tmp_path_factory.mktemp(request.param)
    base = tiny_model(TINY[request.param])
    prepared(request.param, base, proxy_set(folder / "proxies")).save(folder / "adapter")
    return request.param, base, folder / "adapter"


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("variant", ["base", "tuned"])
def test_no_token_waits_for_the_gpu(tuned, monkeypatch, watch, variant, waits):
    # A real GPU replays the step as a CUDA graph, and the check below needs Python to run it.
    if watch.kind == "real":
        pytest.skip("on a real GPU a recorded step is replayed, which Python does not see")

    def alter(chosen):
        return torch.full_like(chosen, int(chosen.max())) if waits else chosen

    family, base, adapter = tuned
    asked = []
    monkeypatch.setattr(sampling, "chooser", strictly(watch, asked, alter))
    # There is nothing to record a graph of; the same step without one, as where CUDA refuses to.
    monkeypatch.setattr(decoding, "record", lambda *_: None)
    generator = registry.image_generator(family)
    generator.load(base, adapter, GPU)
    with pytest.raises(WaitingError if waits else EnoughError):
        generator.generate(chunk(3, variant=variant))
    assert len(asked) == (1 if waits else ENOUGH)
    # Nothing is copied to the GPU either: a recording would copy the first step's values again and again.
    assert len(set(asked)) == 1
