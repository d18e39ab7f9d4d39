"""Every method on every family it applies to: training, resuming, saving, reading back, generating."""

import json
import shutil

import pytest
import torch
from jobs import StopBefore
from learn_job import HYPERPARAMETERS, make_job
from safetensors.torch import load_file, save_file
from students import CPU, TINY, chunk, pixels

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.signals import StopRequest
from proxytune.student.families import registry
from proxytune.student.trainer import train
from proxytune.student.tuning.registry import TUNINGS

# What a short training of a method needs of its own; LoRA's tests are those of every family.
SETTINGS = {"full": {"learning_rate": 1e-3}}
CASES = [(family, kind) for family in sorted(registry.FAMILIES) for kind in SETTINGS]


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def case(request):
    return request.param


@pytest.fixture(scope="module")
def base(case, tiny_model):
    return tiny_model(TINY[case[0]])


@pytest.fixture(scope="module")
def given(case):
    family, kind = case
    changes = {"family": family, "model": TINY[family], "steps": 6, "checkpoint_every": 3, "tuning": kind}
    return {**HYPERPARAMETERS, **changes, **SETTINGS[kind]}


@pytest.fixture(scope="module")
def learned(tmp_path_factory, base, given):
    folders = make_job(tmp_path_factory.mktemp("learned") / "ml", base, given)
    train(folders, given, StopRequest())
    return folders


def weights_of(folder):
    return {
        name: value
        for file in sorted(folder.glob("*.safetensors"))
        for name, value in load_file(file).items()
    }


def test_every_method_is_tested():
    assert {*SETTINGS, "lora"} == set(TUNINGS)


def test_the_folder_says_its_method(case, learned):
    assert json.loads((learned.model / "tuning.json").read_text())["tuning"] == case[1]
    assert json.loads((learned.model / "adapter.json").read_text())["tuning"] == case[1]


@pytest.mark.parametrize("step", [2, 4])
def test_resuming_gives_the_same_bits(learned, base, given, tmp_path, step):
    folders = make_job(tmp_path / "ml", base, given)
    with pytest.raises(SystemExit):
        train(folders, given, StopBefore(step))
    train(folders, given, StopRequest())
    assert json.loads((folders.checkpoints / "progress.json").read_text())["resumed_from"] == step
    resumed, whole = weights_of(folders.model), weights_of(learned.model)
    assert resumed.keys() == whole.keys()
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


def test_the_folder_alone_tunes_a_loaded_model_and_can_be_switched_off(case, base, learned):
    tuned, untuned = (registry.image_generator(case[0]) for _ in range(2))
    tuned.load(base, learned.model, CPU)
    untuned.load(base, None, CPU)
    images, plain = pixels(tuned.generate(chunk())), chunk(variant="base")
    before = pixels(untuned.generate(plain))
    assert pixels(tuned.generate(plain)) == before
    assert images != before
    assert pixels(tuned.generate(chunk())) == images
    # Chunks of both variants at once, as a server has them.
    both = zip(tuned.stream(chunk(batch_size=2)), tuned.stream(plain), strict=True)
    found = {one.seed: pixels([image])[0] for (one, image), _ in both}
    assert [found[seed] for seed in sorted(found)] == images


def _cut(folder):
    file = next(iter(sorted(folder.glob("*.safetensors"))))
    file.write_bytes(file.read_bytes()[:-4])


def _rename(folder):
    file = next(iter(sorted(folder.glob("*.safetensors"))))
    tensors = load_file(file)
    save_file({f"another.{name}": value for name, value in tensors.items()}, file)


def _remove(folder):
    next(iter(sorted(folder.glob("*.safetensors")))).unlink()


def _unknown(folder):
    (folder / "tuning.json").write_text('{"tuning": "unheard-of"}')


@pytest.mark.parametrize("corrupt", [_cut, _rename, _remove, _unknown])
def test_a_folder_that_does_not_fit_is_refused(case, base, learned, tmp_path, corrupt):
    shutil.copytree(learned.model, tmp_path / "adapter")
    corrupt(tmp_path / "adapter")
    with pytest.raises(ProxytuneError, match="does not fit the student") as refused:
        registry.image_generator(case[0]).load(base, tmp_path / "adapter", CPU)
    assert refused.value.name == "ModelMismatch"
