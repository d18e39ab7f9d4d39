"""Every family from photos to proxies: training, interrupted and resumed, adapter, two generating instances.

Real classes at tiny size, through the job and the routes of the serving app.
"""

import json

import numpy as np
import pytest
import torch
from jobs import StopBefore
from safetensors.torch import load_file
from starlette.testclient import TestClient
from teaching import MODELS, family_of, pixels, plain_picture, plain_pipeline, teach

from proxytune.generation.loading import create_generator, load_onto_device
from proxytune.images.dataset import read_all, read_proxies
from proxytune.serving.app import Loaded, make_app
from proxytune.teacher.lora_file import WEIGHTS_FILE

PROXIES, A_CHUNK, STEPS = 64, 22, 2


@pytest.fixture(scope="module", params=MODELS)
def taught(request, tiny_model, tmp_path_factory):
    """A family's model id and folder, and the adapters of an undisturbed and of an interrupted training."""
    model, folder = request.param, tmp_path_factory.mktemp("trainings")
    base = tiny_model(model)
    undisturbed = teach(folder / "undisturbed", model, base)
    with pytest.raises(SystemExit):
        teach(folder / "disturbed", model, base, StopBefore(2))
    return model, base, undisturbed, teach(folder / "disturbed", model, base)


def instance(model, base, adapter):
    """One instance of a transform, with its own generator."""
    generator = create_generator("teacher", MODELS[model], model, adapter)
    load_onto_device(generator, base, adapter, model)
    return TestClient(make_app("teacher", model, Loaded(generator)), raise_server_exceptions=False)


def chunk_of(number, indexes, batch_size=4):
    return {
        "version": 1,
        "stage": "synthesize",
        "chunk": number,
        "variant": "tuned",
        "size": 64,
        "batch_size": batch_size,
        "sampler": {"kind": "diffusion", "steps": STEPS, "guidance": 5},
        "pictures": [{"index": index, "prompt": "a ohwx dog", "seed": 100 + index} for index in indexes],
    }


CHUNKS = [chunk_of(at // A_CHUNK, range(at, min(at + A_CHUNK, PROXIES))) for at in range(0, PROXIES, A_CHUNK)]


def invoke(client, chunk, folder, attempt=1):
    """Send a chunk as SageMaker does: the response becomes an object below the attempt's prefix."""
    response = client.post("/invocations", content=json.dumps(chunk))
    if response.status_code == 200:
        file = folder / f"a{attempt}" / f"chunk-{chunk['chunk']:04d}.json.out"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(response.content)
    return response.status_code


def test_resumed_bit_for_bit_loaded_by_plain_diffusers_and_generated_by_two_instances(taught, tmp_path):
    model, base, undisturbed, disturbed = taught
    # Tensor by tensor: safetensors writes the header's facts in an order of its own each time.
    ours, theirs = load_file(disturbed / WEIGHTS_FILE), load_file(undisturbed / WEIGHTS_FILE)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)

    alone = instance(model, base, undisturbed)
    assert [invoke(alone, chunk, tmp_path / "one") for chunk in CHUNKS] == [200] * 3
    expected = read_proxies(tmp_path / "one", PROXIES)

    first, second = instance(model, base, disturbed), instance(model, base, disturbed)
    # The first instance has chunks 0 and 2, the second chunk 1, which runs out of memory.
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(type(family_of(model)), "denoise", _no_memory)
        assert invoke(second, CHUNKS[1], tmp_path / "two") == 500
    assert [invoke(first, CHUNKS[number], tmp_path / "two") for number in (2, 0)] == [200] * 2
    assert len(read_all(tmp_path / "two")) < PROXIES
    assert invoke(second, CHUNKS[1], tmp_path / "two", attempt=2) == 200
    generated = read_proxies(tmp_path / "two", PROXIES)
    assert [picture.record for picture in generated] == [picture.record for picture in expected]
    assert [picture.png() for picture in generated] == [picture.png() for picture in expected]

    plain = plain_pipeline(base)
    untuned = plain_picture(plain, 100, steps=STEPS)
    plain.load_lora_weights(str(disturbed))
    tuned = plain_picture(plain, 100, steps=STEPS)
    assert np.abs(pixels([tuned]) - pixels([untuned])).max() > 5
    assert np.abs(pixels([generated[0].image()]) - pixels([tuned])).max() <= 1


def _no_memory(*_):
    raise MemoryError("injected")


def test_an_image_depends_on_its_seed_alone_in_every_batch_chunk_and_order(taught, tmp_path):
    model, base, _, adapter = taught
    client = instance(model, base, adapter)
    seen = {}
    for batch_size, order in ((4, range(6)), (1, range(6)), (3, range(5, -1, -1)), (4, (5, 0, 3))):
        response = client.post("/invocations", content=json.dumps(chunk_of(0, order, batch_size)))
        file = tmp_path / "shard.out"
        file.write_bytes(response.content)
        for picture in read_all(tmp_path):
            image = pixels([picture.image()])
            first = seen.setdefault(picture.record.index, image)
            # A kernel may add in another order at another batch size.
            assert np.abs(image - first).max() <= 1
    assert len({picture.tobytes() for picture in seen.values()}) == 6
