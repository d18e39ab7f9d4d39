"""Drawing with LlamaGen: a picture depends on prompt, seed and variant, and on nothing else."""

import json
from contextlib import ExitStack

import numpy as np
import pytest
import torch

from proxytune.contract.errors import ProxytuneError
from proxytune.proxies import chunk as chunks
from proxytune.proxies import shard
from proxytune.proxies.drawing import draw_shard
from proxytune.serving.server import load_maker
from proxytune.serving.settings import Settings
from proxytune.student.llamagen.maker import LlamaGenMaker

PROMPTS = ["a photo of ohwx dog", "ohwx dog in the snow", "a photo of ohwx cat"]
SAMPLER = {"kind": "autoregressive", "guidance": 2.0, "temperature": 1.0, "top_k": 100, "top_p": 1.0}


def chunk(count: int = 5, first: int = 0, **changes):
    pictures = [
        {"index": index, "prompt": PROMPTS[index % 3], "seed": 100 + index}
        for index in range(first, first + count)
    ]
    given = {
        "version": 1,
        "stage": "sample-student",
        "chunk": 0,
        "variant": "tuned",
        "size": 64,
        "batch_size": 4,
        "sampler": SAMPLER,
        "pictures": pictures,
    }
    return chunks.parse(json.dumps({**given, **changes}).encode())


def pixels(images) -> list[bytes]:
    return [np.asarray(image).tobytes() for image in images]


@pytest.fixture(scope="module")
def maker(tiny_student, trained):
    made = LlamaGenMaker()
    made.load(tiny_student, trained.model, torch.device("cpu"))
    return made


@pytest.fixture(scope="module")
def five(maker):
    return pixels(maker.draw(chunk()))


def test_pictures_are_squares_of_the_models_size(maker, five):
    (image,) = maker.draw(chunk(1))
    assert (image.mode, image.size) == ("RGB", (64, 64))
    assert len(set(five)) == 5


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_the_batch_size_changes_no_picture(maker, five, batch_size):
    assert pixels(maker.draw(chunk(batch_size=batch_size))) == five


def test_neighbours_change_no_picture(maker, five):
    assert pixels(maker.draw(chunk(2, first=3))) == five[3:]


def test_the_variant_base_is_the_untuned_model(maker, five, tiny_student):
    untuned = LlamaGenMaker()
    untuned.load(tiny_student, None, torch.device("cpu"))
    base = pixels(maker.draw(chunk(variant="base")))
    assert base == pixels(untuned.draw(chunk(variant="base")))
    assert base != five
    assert pixels(maker.draw(chunk())) == five
    with pytest.raises(ProxytuneError, match="no adapter") as refused:
        untuned.draw(chunk())
    assert refused.value.name == "HyperparameterInvalid"


def test_the_server_loads_and_draws(tiny_student, trained, five, tmp_path):
    settings = Settings(
        role="student",
        family="llamagen",
        model="llamagen-tiny",
        base_model=tiny_student.as_uri(),
        adapter=trained.model,
        host="127.0.0.1",
        port=0,
    )
    file = tmp_path / "0.json.out"
    file.write_bytes(draw_shard(load_maker(settings, ExitStack()), chunk(), settings.model))
    read = shard.read(file)
    assert pixels(picture.image() for picture in read) == five
    assert {picture.record.variant for picture in read} == {"tuned"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"size": 32}, "64"), ({"sampler": {**SAMPLER, "guidance": 0.5}}, "does not fit its schema")],
)
def test_what_cannot_be_drawn_is_refused(maker, changes, words):
    with pytest.raises(ProxytuneError, match=words) as refused:
        maker.draw(chunk(**changes))
    assert refused.value.name == "HyperparameterInvalid"
