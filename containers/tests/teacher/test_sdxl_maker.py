import numpy as np
import pytest
import torch
from jobs import write_photos

from proxytune.contract.errors import ProxytuneError
from proxytune.proxies.chunk import Chunk, PictureRequest
from proxytune.teacher.photos import PhotoSet
from proxytune.teacher.sdxl import SDXLTeacher
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


@pytest.fixture(scope="module")
def maker(tiny_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("maker")
    write_photos(folder / "photos")
    torch.manual_seed(1)
    teacher = SDXLTeacher(tiny_model("sdxl-tiny"), CPU).prepare(
        PhotoSet(folder / "photos", 64), ["a ohwx dog"], "ohwx", rank=4, alpha=8, batch_size=1, seed=1
    )
    with torch.no_grad():
        for _, value in teacher.named_parameters():
            value.normal_(std=0.2)
    teacher.save(folder / "adapter")
    made = SDXLMaker()
    made.load(tiny_model("sdxl-tiny"), folder / "adapter", CPU)
    return made


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
