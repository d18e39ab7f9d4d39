"""Drawing with every family: diffusers' own pictures, whatever the batch."""

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from teaching import MODELS, chunk, loaded, pixels, plain_picture, plain_pipeline, write_strong_adapter

from proxytune.contract.errors import ProxytuneError
from proxytune.teacher.adapter import WEIGHTS_FILE


@pytest.fixture(scope="module", params=MODELS)
def drawn(request, tiny_model, tmp_path_factory):
    """A family's folder, a strong adapter for it, and its maker with both."""
    base = tiny_model(request.param)
    adapter = write_strong_adapter(base, tmp_path_factory.mktemp("maker"))
    return base, adapter, loaded(base, adapter)


def test_the_pictures_are_those_of_diffusers_own_pipeline_with_the_adapter(drawn):
    base, adapter, maker = drawn
    plain = plain_pipeline(base)
    untuned = plain_picture(plain, 11)
    plain.load_lora_weights(str(adapter))
    tuned = plain_picture(plain, 11)
    # An adapter that loads without effect would pass every other comparison.
    assert np.abs(pixels([tuned]) - pixels([untuned])).max() > 20
    # The adapter is in the weights here and beside them there: sums of another order.
    assert np.abs(pixels(maker.draw(chunk(seeds=(11,)))) - pixels([tuned])).max() <= 1
    assert np.abs(pixels(maker.draw(chunk(seeds=(11,), variant="base"))) - pixels([untuned])).max() <= 1


def test_a_picture_does_not_depend_on_its_batch(drawn):
    maker = drawn[2]
    prompts = ["a ohwx dog", "a photo of ohwx dog", "ohwx dog in the snow"]
    together = pixels(maker.draw(chunk(seeds=(11, 12, 13), batch_size=3, prompts=prompts)))
    apart = pixels(maker.draw(chunk(seeds=(11, 12, 13), batch_size=1, prompts=prompts)))
    assert np.abs(together - apart).max() <= 1
    # Kernels may add in another order; most pixels still come out the same.
    assert (together == apart).mean() > 0.99
    assert len({picture.tobytes() for picture in together}) == 3
    alone = pixels(maker.draw(chunk(seeds=(13,), batch_size=1, prompts=prompts[2:])))
    assert (alone == apart[2:]).all()


def test_variant_base_is_the_model_without_the_adapter_and_switching_is_not_lossy(drawn):
    base, _, maker = drawn
    tuned = pixels(maker.draw(chunk(seeds=(1,))))
    untouched = loaded(base, None)
    assert (
        pixels(maker.draw(chunk(seeds=(1,), variant="base")))
        == pixels(untouched.draw(chunk(seeds=(1,), variant="base")))
    ).all()
    assert (pixels(maker.draw(chunk(seeds=(1,)))) == tuned).all()
    with pytest.raises(ProxytuneError, match="no adapter"):
        untouched.draw(chunk())


def test_the_prompt_the_guidance_and_the_size_matter(drawn):
    base, _, maker = drawn
    usual = pixels(maker.draw(chunk(seeds=(1,))))
    assert (usual != pixels(maker.draw(chunk(seeds=(1,), prompts=["zebra"])))).any()
    assert (usual != pixels(maker.draw(chunk(seeds=(1,), guidance=1.5)))).any()
    assert maker.draw(chunk(seeds=(1,), size=96))[0].size == (96, 96)
    with pytest.raises(ProxytuneError, match="multiples of 8" if MODELS[base.name] == "sdxl" else "of 16"):
        maker.draw(chunk(size=60))


def test_text_encoders_are_asked_once_a_prompt(drawn):
    maker = drawn[2]
    maker.draw(chunk(seeds=(1,), prompts=["a red ohwx dog"]))
    encoders, maker._encoders = maker._encoders, None
    try:
        maker.draw(chunk(seeds=(2,), prompts=["a red ohwx dog"]))
    finally:
        maker._encoders = encoders


@pytest.mark.parametrize("adapted", ["all"])
@pytest.mark.parametrize("model", MODELS)
def test_adapters_on_all_layers_draw_the_same_in_diffusers_own_pipeline(tiny_model, tmp_path, model, adapted):
    base = tiny_model(model)
    adapter = write_strong_adapter(base, tmp_path, adapted=adapted)
    plain = plain_pipeline(base)
    plain.load_lora_weights(str(adapter))
    ours = loaded(base, adapter).draw(chunk(seeds=(11,)))
    assert np.abs(pixels(ours) - pixels([plain_picture(plain, 11)])).max() <= 1


@pytest.mark.parametrize(
    "damage", ["no metadata", "no prefix", "other model", "half", "other shape", "no file"]
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
    if damage == "half":
        del weights[key]
    if damage == "other shape":
        weights[key] = torch.cat([weights[key]] * 2, dim=1)
    save_file(weights, file, metadata)
    if damage == "no file":
        file.unlink()
    with pytest.raises(ProxytuneError) as caught:
        loaded(base, file.parent)
    assert caught.value.name == "ModelMismatch"
