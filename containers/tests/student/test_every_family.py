"""Every student family, through its interface alone: training, resuming, saving, generating."""

import json
from contextlib import ExitStack

import pytest
import torch
from jobs import StopBefore
from learn_job import CAPTION, HYPERPARAMETERS, make_job
from memory_use import left_over, living
from peft import PeftModel
from safetensors.torch import load_file
from students import CPU, SAMPLER, TINY, chunk, pixels, prepared, proxy_set

from proxytune.contract.checkpoints import CheckpointStore
from proxytune.contract.errors import ProxytuneError
from proxytune.contract.progress import ProgressFile
from proxytune.contract.signals import StopRequest
from proxytune.generation.rendering import render_shard
from proxytune.images import shard
from proxytune.serving.server import load_generator
from proxytune.serving.settings import Settings
from proxytune.student.adapters import load_adapter
from proxytune.student.families import registry
from proxytune.student.trainer import train
from proxytune.student.tuning.proof import evaluate_probe
from proxytune.training import loop, step_precision
from proxytune.training.states import seed_everything

WEIGHTS = "adapter_model.safetensors"
# Half as many are enough for every family.
STEPS = 160
GREEDY = {"guidance": 1.0, "temperature": 0.0, "top_k": 0, "top_p": 1.0, "rows": None}


@pytest.fixture(scope="module", params=sorted(registry.FAMILIES))
def family(request):
    return request.param


@pytest.fixture(scope="module")
def base(family, tiny_model):
    return tiny_model(TINY[family])


@pytest.fixture(scope="module")
def given(family):
    return {**HYPERPARAMETERS, "family": family, "model": TINY[family], "steps": 6, "checkpoint_every": 3}


@pytest.fixture(scope="module")
def learned(tmp_path_factory, base, given):
    """A job on 64 proxies, trained without interruption."""
    folders = make_job(tmp_path_factory.mktemp("learned") / "ml", base, given)
    train(folders, given, StopRequest())
    return folders


def test_steps_in_bfloat16_are_near_those_in_float32(family, base, tmp_path, monkeypatch):
    proxies, gradients = proxy_set(tmp_path, [CAPTION, "a photo of ohwx dog in the snow"]), {}
    for native in (False, True):
        monkeypatch.setattr(step_precision, "native_bfloat16", lambda _device, native=native: native)
        student = prepared(family, base, proxies, batch_size=2)
        values = [value for _, value in student.named_parameters()]
        with torch.no_grad():
            for value in values:
                value.normal_(std=0.1, generator=torch.Generator().manual_seed(value.numel()))
        # Layers that a family leaves out at random are left out in both.
        seed_everything(2)
        loss = student.loss(0, torch.Generator().manual_seed(1))
        assert loss.dtype == torch.float32
        taken = torch.autograd.grad(loss, values)
        gradients[native] = float(loss.detach()), torch.cat([value.flatten() for value in taken])
    (exact, expected), (rounded, given) = gradients[False], gradients[True]
    assert not torch.equal(given, expected)
    assert rounded == pytest.approx(exact, rel=0.02)
    assert torch.cosine_similarity(given, expected, dim=0) > 0.99


def test_a_training_in_bfloat16_resumes_bit_for_bit(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr(step_precision, "native_bfloat16", lambda _device: True)
    proxies = proxy_set(tmp_path / "proxies")

    def trained(folder, steps):
        student, stop = prepared("llamagen", tiny_model(TINY["llamagen"]), proxies), StopRequest()
        settings = student.loop_settings(steps=steps, checkpoint_every=1, learning_rate=1e-2)
        store, progress = CheckpointStore(folder, "settings"), ProgressFile(folder, "learn", 3)
        began_at = loop.run(student, settings, store, progress, stop)
        return began_at, dict(student.named_parameters())

    _, whole = trained(tmp_path / "whole", 3)
    trained(tmp_path / "parts", 2)
    began_at, resumed = trained(tmp_path / "parts", 3)
    assert began_at == 2
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


def test_a_job_writes_its_adapter_and_the_facts_about_it(family, learned):
    weights = load_file(learned.model / WEIGHTS)
    assert all(value.dtype == torch.float32 and value.any() for value in weights.values())
    facts = json.loads((learned.model / "adapter.json").read_text())
    assert (facts["family"], facts["rank"], len(facts["proxies_sha256"])) == (family, 4, 64)


@pytest.mark.parametrize("step", [3, 4])
def test_resuming_gives_the_same_bits(learned, base, given, tmp_path, step):
    folders = make_job(tmp_path / "ml", base, given)
    with pytest.raises(SystemExit) as stopped:
        train(folders, given, StopBefore(step))
    assert stopped.value.code == 143
    assert not list(folders.model.iterdir())
    train(folders, given, StopRequest())
    assert json.loads((folders.checkpoints / "progress.json").read_text())["resumed_from"] == step
    assert (folders.model / WEIGHTS).read_bytes() == (learned.model / WEIGHTS).read_bytes()


@pytest.mark.parametrize(
    ("changes", "name", "words"),
    [
        ({"size": 32}, "ModelMismatch", "64"),
        ({"token_word": "sks"}, "TokenWordUnusable", CAPTION),
    ],
)
def test_refusals(base, given, tmp_path, changes, name, words):
    with pytest.raises(ProxytuneError) as refused:
        train(make_job(tmp_path / "ml", base, given), {**given, **changes}, StopRequest())
    assert refused.value.name == name
    assert words in str(refused.value)


def test_everything_but_the_transformer_is_freed_before_the_first_step(family, base, tmp_path):
    before = living()
    trainer = prepared(family, base, proxy_set(tmp_path))
    assert left_over(before, [trainer._model]) == set()
    trainer.loss(0, torch.Generator().manual_seed(1)).backward()
    assert left_over(before, [trainer._model]) == set()


def test_an_adapter_reads_back_as_by_peft_and_merges(family, base, learned, tmp_path):
    probe = prepared(family, base, proxy_set(tmp_path)).probe()

    def numbers(model):
        return evaluate_probe(model, probe)

    def load():
        return registry.student_family(family).load_model(base, device=CPU)

    untuned = numbers(load())
    tuned = numbers(load_adapter(load(), learned.model))
    assert torch.equal(tuned, numbers(PeftModel.from_pretrained(load(), str(learned.model))))
    merged = load_adapter(load(), learned.model).merge_and_unload()
    assert torch.allclose(tuned, numbers(merged), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(tuned, untuned, rtol=1e-3, atol=1e-3)


def test_one_image_is_learned_by_heart(family, base, tmp_path, monkeypatch):
    # Dropout, which every family has in its own layers, would disturb one token in many until the last step.
    monkeypatch.setattr(torch.nn.functional, "dropout", lambda values, *_, **__: values)
    trainer = prepared(family, base, proxy_set(tmp_path / "proxies"), rank=32, alpha=32)
    settings = trainer.loop_settings(steps=STEPS, checkpoint_every=STEPS, learning_rate=5e-3)
    store = CheckpointStore(tmp_path / "checkpoints", "by heart")
    loop.run(trainer, settings, store, ProgressFile(tmp_path, "learn", STEPS), StopRequest())
    trainer.save(tmp_path / "adapter")
    assert len(trainer.proxy_tokens.unique()) > 8
    generator = registry.image_generator(family)
    generator.load(base, tmp_path / "adapter", CPU)
    tokens = {}
    for name in ("base", "tuned"):
        model = generator.variant(name)
        tokens[name] = generator.family.generate_tokens(model, [CAPTION], [0], GREEDY)
    assert torch.equal(tokens["tuned"], trainer.proxy_tokens)
    assert not torch.equal(tokens["base"], trainer.proxy_tokens)


@pytest.fixture(scope="module")
def generator(family, base, learned):
    made = registry.image_generator(family)
    made.load(base, learned.model, CPU)
    return made


@pytest.fixture(scope="module")
def four(generator):
    return pixels(generator.generate(chunk()))


def test_images_are_squares_that_differ(generator, four):
    (image,) = generator.generate(chunk(1))
    assert (image.mode, image.size) == ("RGB", (64, 64))
    assert len(set(four)) == 4
    assert generator.sampler_kind == "autoregressive"


@pytest.mark.parametrize("batch_size", [1, 2])
def test_an_image_does_not_depend_on_its_batch(generator, four, batch_size):
    assert pixels(generator.generate(chunk(batch_size=batch_size))) == four
    assert pixels(generator.generate(chunk(2, first=2))) == four[2:]


def test_out_of_memory_halves_the_batch(family, base, learned, four, capsys, monkeypatch):
    small = registry.image_generator(family)
    small.load(base, learned.model, CPU)
    real, requested = small.family.generate_tokens, []

    def generate_tokens(model, prompts, seeds, settings):
        requested.append(len(seeds))
        if requested[-1] > capacity:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(model, prompts, seeds, settings)

    monkeypatch.setattr(small.family, "generate_tokens", generate_tokens)
    capacity = 1
    assert pixels(small.generate(chunk(batch_size=4))) == four
    # The smaller batch size is kept for the chunks that follow.
    assert pixels(small.generate(chunk(2, batch_size=4))) == four[:2]
    assert requested == [4, 2, 1, 1, 1, 1, 1, 1]
    assert "Out of memory at batch size 4; retrying with 2." in capsys.readouterr().out
    capacity = 0
    with pytest.raises(torch.OutOfMemoryError):
        small.generate(chunk(1))


def test_the_server_generates_the_same_images(family, base, learned, four, tmp_path):
    settings = Settings(
        role="student",
        family=family,
        model=TINY[family],
        base_model=base.as_uri(),
        adapter=learned.model,
        host="127.0.0.1",
        port=0,
    )
    file = tmp_path / "0.json.out"
    file.write_bytes(render_shard(load_generator(settings, ExitStack()), chunk(), settings.model))
    read = shard.read(file)
    assert pixels(picture.image() for picture in read) == four
    assert {picture.record.variant for picture in read} == {"tuned"}


def test_the_variant_base_is_the_untuned_model(family, generator, four, base):
    untuned = registry.image_generator(family)
    untuned.load(base, None, CPU)
    drawn = pixels(generator.generate(chunk(2, variant="base")))
    assert drawn == pixels(untuned.generate(chunk(2, variant="base")))
    assert drawn != four[:2]
    assert pixels(generator.generate(chunk())) == four
    for one, words in ((chunk(), "no adapter"), (chunk(variant="base", size=32), "one size only")):
        with pytest.raises(ProxytuneError, match=words) as refused:
            untuned.generate(one)
        assert refused.value.name == "HyperparameterInvalid"


def test_every_family_has_a_tiny_stand_in():
    assert set(TINY) == set(registry.FAMILIES)


def test_a_chunk_with_meaningless_settings_is_refused():
    with pytest.raises(ProxytuneError, match="does not fit its schema") as refused:
        chunk(sampler={**SAMPLER, "guidance": 0.5})
    assert refused.value.name == "HyperparameterInvalid"
