import numpy as np
import pytest
import torch
from jobs import write_photos
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from proxytune.contract.errors import ProxytuneError
from proxytune.proxies.chunk import Chunk, PictureRequest
from proxytune.teacher.photos import PhotoSet
from proxytune.teacher.sdxl import SDXLTeacher
from proxytune.teacher.sdxl_adapter import WEIGHTS_FILE
from proxytune.teacher.sdxl_maker import SDXLMaker

CPU = torch.device("cpu")


def chunk(
    *, seeds=(11, 12, 13, 14), batch_size=4, variant="tuned", size=64, guidance=5.0, steps=3, prompts=None
):
    prompts = prompts or ["a ohwx dog"] * len(seeds)
    pictures = tuple(
        PictureRequest(number, prompt, seed)
        for number, (prompt, seed) in enumerate(zip(prompts, seeds, strict=True))
    )
    sampler = {"kind": "diffusion", "steps": steps, "guidance": guidance}
    return Chunk("synthesize", 0, variant, size, batch_size, sampler, pictures)


def pixels(images):
    return np.stack([np.asarray(image, dtype=np.int16) for image in images])


def write_adapter(base, folder, **more):
    """A strong adapter with random weights, and its effect in memory: the tuned U-Net."""
    write_photos(folder / "photos")
    torch.manual_seed(1)
    shape = {"rank": 4, "alpha": 8, "batch_size": 1, "seed": 1}
    photos = PhotoSet(folder / "photos", 64)
    teacher = SDXLTeacher(base, CPU).prepare(photos, ["a ohwx dog"], "ohwx", **shape, **more)
    with torch.no_grad():
        for _, value in teacher.named_parameters():
            value.normal_(std=0.2)
    teacher.save(folder / "adapter")
    return folder / "adapter"


def loaded(base, adapter):
    made = SDXLMaker()
    made.load(base, adapter, CPU)
    return made


@pytest.fixture(scope="module")
def maker(tiny_model, tmp_path_factory):
    base = tiny_model("sdxl-tiny")
    return loaded(base, write_adapter(base, tmp_path_factory.mktemp("maker")))


@pytest.mark.parametrize("adapted", ["attention", "all"])
def test_the_pictures_are_those_of_diffusers_own_pipeline_with_the_adapter(tiny_model, tmp_path, adapted):
    from diffusers import StableDiffusionXLPipeline

    base = tiny_model("sdxl-tiny")
    adapter = write_adapter(base, tmp_path, adapted=adapted)
    plain = StableDiffusionXLPipeline.from_pretrained(base, local_files_only=True)
    plain.set_progress_bar_config(disable=True)
    plain.load_lora_weights(str(adapter))
    expected = plain(
        "a ohwx dog",
        num_inference_steps=3,
        guidance_scale=5.0,
        height=64,
        width=64,
        generator=torch.Generator().manual_seed(11),
    ).images
    ours = loaded(base, adapter).draw(chunk(seeds=(11,)))
    # The adapter is in the weights here and beside them there: sums of another order.
    assert np.abs(pixels(ours) - pixels(expected)).max() <= 1


@pytest.mark.parametrize(
    "damage", ["no metadata", "no prefix", "other model", "half", "other shape", "no file"]
)
def test_adapters_that_do_not_fit_are_refused(tiny_model, tmp_path, damage):
    base = tiny_model("sdxl-tiny")
    file = write_adapter(base, tmp_path) / WEIGHTS_FILE
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


def test_a_picture_does_not_depend_on_its_batch(maker):
    prompts = ["a ohwx dog", "a photo of ohwx dog", "ohwx dog in the snow", "a ohwx dog"]
    together = pixels(maker.draw(chunk(batch_size=4, prompts=prompts)))
    for batch_size in (1, 3):
        apart = pixels(maker.draw(chunk(batch_size=batch_size, prompts=prompts)))
        assert np.abs(together - apart).max() <= 1
        # Kernels may add in another order; most pixels still come out the same.
        assert (together == apart).mean() > 0.99
    alone = pixels(maker.draw(chunk(seeds=(13,), batch_size=1, prompts=prompts[2:3])))
    assert np.abs(together[2:3] - alone).max() <= 1


def test_the_same_request_gives_the_same_picture_and_another_seed_another(maker):
    first, again = (pixels(maker.draw(chunk())) for _ in range(2))
    assert (first == again).all()
    assert len({image.tobytes() for image in first}) == 4


def test_variant_base_is_the_model_without_the_adapter(maker, tiny_model):
    untouched = SDXLMaker()
    untouched.load(tiny_model("sdxl-tiny"), None, CPU)
    tuned = pixels(maker.draw(chunk()))
    base = pixels(maker.draw(chunk(variant="base")))
    assert (base == pixels(untouched.draw(chunk(variant="base")))).all()
    assert np.abs(tuned - base).max() > 3
    # And back: switching is not lossy.
    assert (pixels(maker.draw(chunk())) == tuned).all()
    with pytest.raises(ProxytuneError, match="no adapter"):
        untouched.draw(chunk())


def test_the_prompt_and_the_guidance_matter(maker):
    usual = pixels(maker.draw(chunk(seeds=(1,))))
    assert (usual != pixels(maker.draw(chunk(seeds=(1,), prompts=["zebra"])))).any()
    assert (usual != pixels(maker.draw(chunk(seeds=(1,), guidance=1.0)))).any()


def test_pictures_have_the_size_asked_for_and_impossible_ones_are_refused(maker):
    assert maker.draw(chunk(seeds=(1,), size=96))[0].size == (96, 96)
    with pytest.raises(ProxytuneError, match="multiples of 8"):
        maker.draw(chunk(size=60))
