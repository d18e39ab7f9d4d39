"""Generation with every family: the images of diffusers' own pipeline, in every batch."""

import weakref

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from teaching import (
    CPU,
    MODELS,
    chunk,
    family_of,
    loaded,
    pixels,
    plain_picture,
    plain_pipeline,
    write_strong_adapter,
)
from torch._dynamo.utils import counters

from proxytune.contract.errors import ProxytuneError
from proxytune.teacher.generator import DiffusionGenerator
from proxytune.teacher.lora_file import WEIGHTS_FILE
from proxytune.training import compilation


@pytest.fixture(scope="module", params=MODELS)
def drawn(request, tiny_model, tmp_path_factory):
    """A family's folder, a strong adapter for it, and its generator with both."""
    base = tiny_model(request.param)
    adapter = write_strong_adapter(base, tmp_path_factory.mktemp("generator"))
    return base, adapter, loaded(base, adapter)


def test_the_pictures_are_those_of_diffusers_own_pipeline_with_the_adapter(drawn):
    base, adapter, generator = drawn
    plain = plain_pipeline(base)
    untuned = plain_picture(plain, 11)
    plain.load_lora_weights(str(adapter))
    tuned = plain_picture(plain, 11)
    # An adapter that loads without effect would pass every other comparison.
    assert np.abs(pixels([tuned]) - pixels([untuned])).max() > 20
    # The adapter is in the weights here and beside them there: sums of another order.
    assert np.abs(pixels(generator.generate(chunk(seeds=(11,)))) - pixels([tuned])).max() <= 1
    base_variant = pixels(generator.generate(chunk(seeds=(11,), variant="base")))
    assert np.abs(base_variant - pixels([untuned])).max() <= 1


def test_a_picture_does_not_depend_on_its_batch(drawn):
    generator = drawn[2]
    prompts = ["a ohwx dog", "a photo of ohwx dog", "ohwx dog in the snow"]
    together = pixels(generator.generate(chunk(seeds=(11, 12, 13), batch_size=3, prompts=prompts)))
    apart = pixels(generator.generate(chunk(seeds=(11, 12, 13), batch_size=1, prompts=prompts)))
    assert np.abs(together - apart).max() <= 1
    # Kernels may add in another order; most pixels still come out the same.
    assert (together == apart).mean() > 0.99
    assert len({picture.tobytes() for picture in together}) == 3
    alone = pixels(generator.generate(chunk(seeds=(13,), batch_size=1, prompts=prompts[2:])))
    assert (alone == apart[2:]).all()


def test_variant_base_is_the_model_without_the_adapter_and_switching_is_not_lossy(drawn):
    base, _, generator = drawn
    tuned = pixels(generator.generate(chunk(seeds=(1,))))
    untouched = loaded(base, None)
    assert (
        pixels(generator.generate(chunk(seeds=(1,), variant="base")))
        == pixels(untouched.generate(chunk(seeds=(1,), variant="base")))
    ).all()
    assert (pixels(generator.generate(chunk(seeds=(1,)))) == tuned).all()
    with pytest.raises(ProxytuneError, match="no adapter"):
        untouched.generate(chunk())


def test_the_prompt_the_guidance_and_the_size_matter(drawn):
    base, _, generator = drawn
    usual = pixels(generator.generate(chunk(seeds=(1,))))
    assert (usual != pixels(generator.generate(chunk(seeds=(1,), prompts=["zebra"])))).any()
    assert (usual != pixels(generator.generate(chunk(seeds=(1,), guidance=1.5)))).any()
    assert generator.generate(chunk(seeds=(1,), size=96))[0].size == (96, 96)
    with pytest.raises(ProxytuneError, match="multiples of 8" if MODELS[base.name] == "sdxl" else "of 16"):
        generator.generate(chunk(size=60))


def test_text_encoders_are_gone_once_the_prompts_are_read_and_come_back_for_new_ones(drawn):
    base, adapter, _ = drawn
    generator = loaded(base, adapter)
    encoders = [weakref.ref(encoder) for encoder in generator._encoders.encoders]
    generator.encode_ahead(["a red ohwx dog", "a blue ohwx dog"])
    assert all(reference() is None for reference in encoders)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(generator.family), "load_text_encoders", lambda *_: pytest.fail("loaded again"))
        early = pixels(generator.generate(chunk(seeds=(1, 2), prompts=["a red ohwx dog", "a blue ohwx dog"])))
    late = pixels(generator.generate(chunk(seeds=(3,), prompts=["a green ohwx dog"])))
    other = loaded(base, adapter)
    assert (
        pixels(other.generate(chunk(seeds=(1, 2), prompts=["a red ohwx dog", "a blue ohwx dog"]))) == early
    ).all()
    assert (pixels(other.generate(chunk(seeds=(3,), prompts=["a green ohwx dog"]))) == late).all()


def test_where_memory_runs_out_batches_are_smaller(drawn, capsys, monkeypatch):
    base, adapter, generator = drawn
    expected = pixels(generator.generate(chunk(seeds=range(5), batch_size=5)))
    real, batches = type(generator.family).denoise, []

    def small(self, pipeline, inputs):
        batches.append(len(inputs.generators))
        if batches[-1] > limit:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, pipeline, inputs)

    monkeypatch.setattr(type(generator.family), "denoise", small)
    limit, small_one = 2, loaded(base, adapter)
    drawn_small = pixels(small_one.generate(chunk(seeds=range(5), batch_size=5)))
    assert batches == [5, 3, 2, 2, 1]
    assert np.abs(drawn_small - expected).max() <= 1
    assert "Out of memory at batch size 5; retrying with 3." in capsys.readouterr().out
    # The limit is remembered for the chunks that follow.
    small_one.generate(chunk(seeds=range(4), batch_size=4))
    assert batches[5:] == [2, 2]
    limit = 0
    with pytest.raises(torch.OutOfMemoryError):
        small_one.generate(chunk(seeds=(1,)))


def test_compiled_once_for_one_shape_it_generates_the_same(drawn):
    base, adapter, generator = drawn
    expected = pixels(generator.generate(chunk(seeds=range(5), batch_size=2)))
    untuned = pixels(generator.generate(chunk(seeds=(0,), variant="base")))
    torch._dynamo.reset()
    counters.clear()
    # Traced as on a GPU, where kernels are then compiled.
    compiled = DiffusionGenerator(family_of(base.name), compiled=True, backend="eager")
    compiled.load(base, adapter, CPU)
    with torch._dynamo.config.patch(suppress_errors=False):
        even = pixels(compiled.generate(chunk(seeds=range(4), batch_size=2)))
        assert np.abs(even - expected[:4]).max() <= 1
        graphs = counters["stats"]["unique_graphs"]
        assert graphs >= 1
        # The last batch has one image; the base model runs the same code.
        assert np.abs(pixels(compiled.generate(chunk(seeds=range(5), batch_size=2))) - expected).max() <= 1
        again = pixels(compiled.generate(chunk(seeds=(0,), batch_size=2, variant="base")))
        assert np.abs(again - untuned).max() <= 1
    assert counters["stats"]["unique_graphs"] == graphs
    torch._dynamo.reset()


def test_the_size_of_the_stage_decides_whether_its_chunks_are_generated_compiled(
    tiny_model, tmp_path, monkeypatch
):
    base = tiny_model("sdxl-tiny")
    adapter = write_strong_adapter(base, tmp_path)
    monkeypatch.setattr(compilation, "possible", lambda _: True)
    torch._dynamo.reset()
    counters.clear()
    generator = DiffusionGenerator(family_of(base.name), backend="eager")
    generator.load(base, adapter, CPU)
    small, large = chunk(seeds=(1,), batch_size=2), chunk(seeds=(1, 2), batch_size=2, steps=100)
    first = pixels(generator.generate(small))
    assert counters["stats"]["unique_graphs"] == 0
    generator.generate(large)
    frames = counters["frames"]["total"]
    assert counters["stats"]["unique_graphs"] >= 1
    # Neither compiled nor padded, although the network is compiled by now.
    assert (pixels(generator.generate(small)) == first).all()
    assert counters["frames"]["total"] == frames
    # One of many small chunks, as FLUX has them: its last batch is padded, so it is generated compiled.
    batches = []
    monkeypatch.setattr(
        generator,
        "_generate_batch",
        lambda batch, chunk, wanted, compiled, **_: (
            batches.append((len(batch), wanted, compiled)) or [None] * wanted
        ),
    )
    for stage_pictures in (66, 67):
        generator.generate(chunk(seeds=(1,), batch_size=2, steps=3, stage_pictures=stage_pictures))
    assert batches == [(1, 1, False), (2, 1, True)]
    torch._dynamo.reset()


@pytest.mark.parametrize("adapted", ["all"])
@pytest.mark.parametrize("model", MODELS)
def test_adapters_on_all_layers_give_the_images_of_diffusers_own_pipeline(
    tiny_model, tmp_path, model, adapted
):
    base = tiny_model(model)
    adapter = write_strong_adapter(base, tmp_path, adapted=adapted)
    plain = plain_pipeline(base)
    plain.load_lora_weights(str(adapter))
    ours = loaded(base, adapter).generate(chunk(seeds=(11,)))
    assert np.abs(pixels(ours) - pixels([plain_picture(plain, 11)])).max() <= 1


@pytest.mark.parametrize(
    "damage", ["no metadata", "no prefix", "other model", "one factor", "other shape", "no file"]
)
def test_adapters_that_do_not_fit_are_refused(tiny_model, tmp_path, damage):
    base = tiny_model("sdxl-tiny")
    file = write_strong_adapter(base, tmp_path) / WEIGHTS_FILE
    weights = load_file(file)
    with safe_open(file, "pt") as opened:
        metadata = opened.metadata()
    key = sorted(weights)[0]
    if damage == "no metadata":
        metadata = {"format": "pt"}
    if damage == "no prefix":
        weights = {key.removeprefix("unet."): value for key, value in weights.items()}
    if damage == "other model":
        weights = {key.replace("attn1", "attn7"): value for key, value in weights.items()}
    if damage == "one factor":
        del weights[key]
    if damage == "other shape":
        weights[key] = torch.cat([weights[key]] * 2, dim=1)
    save_file(weights, file, metadata)
    if damage == "no file":
        file.unlink()
    with pytest.raises(ProxytuneError) as caught:
        loaded(base, file.parent)
    assert caught.value.name == "ModelMismatch"
