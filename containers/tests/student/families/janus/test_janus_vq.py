"""The image tokenizer: the nearest code, and that images keep orientation and color."""

import numpy as np
import pytest
import torch
from learn_job import draw_proxy
from students import proxy_set
from torch.nn import functional as F
from transformers import JanusConfig
from transformers.models.janus.image_processing_pil_janus import JanusImageProcessorPil

from proxytune.student.families.janus.vq import JanusTokenizer
from proxytune.student.image_arrays import to_image


@pytest.fixture
def images(tmp_path):
    return proxy_set(tmp_path, ["a photo of ohwx dog"] * 4).pixels(range(4))


def test_the_published_sizes_are_the_default():
    with torch.device("meta"):
        vq = JanusTokenizer(JanusConfig().vq_config)
    assert (vq.size, vq.stride, vq.quantize.num_embeddings) == (384, 16, 16384)
    assert sum(value.numel() for value in vq.parameters()) == 71_883_403


def test_tokens_are_the_codes_in_the_nearest_direction(student, images):
    codes = student.vq.encode_images(images)
    assert codes.shape == (4, 64)
    assert len(codes.unique()) > 100
    with torch.no_grad():
        latents = student.vq.quant_conv(student.vq.encoder(images)).permute(0, 2, 3, 1)
        book = student.vq.quantize.embedding.weight
        cosines = F.cosine_similarity(latents.reshape(4, 64, 1, 8), book[None, None], dim=-1)
    assert torch.equal(codes, cosines.argmax(dim=-1))


def test_transformers_agrees_where_codes_have_length_one(student, official, images):
    with torch.no_grad():
        book = student.vq.quantize.embedding.weight
        before = student.vq.encode_images(images)
        theirs = official.model.vqmodel.encode(images).image_tokens.view(4, 64)
        # By the lengths that they were stored with it takes others.
        assert not torch.equal(before, theirs)
        book.copy_(F.normalize(book, dim=-1))
    assert torch.equal(student.vq.encode_images(images), before)
    assert torch.equal(student.vq.encode(images).image_tokens.view(4, 64), before)


def processor(**changes):
    # Mean and deviation of the published preprocessor_config.json.
    return JanusImageProcessorPil(image_mean=[0.5] * 3, image_std=[0.5] * 3, **changes)


def test_images_are_normalized_as_in_transformers(images):
    prepare = processor(do_resize=False, do_pad=False)
    for number, image in enumerate(images):
        values = prepare(draw_proxy(number), return_tensors="np")["pixel_values"][0]
        assert np.allclose(image.numpy(), values, atol=1e-6)


def test_tokens_decode_to_the_pixels_of_transformers(student, official, images):
    """And with them orientation, order of colours and scale."""
    codes = student.vq.encode_images(images[:1])
    with torch.no_grad():
        ours = np.asarray(to_image(student.vq.decode(codes)[0])).astype(int)
        theirs = official.decode_image_tokens(codes)[0].permute(2, 0, 1).numpy()
    (shown,) = processor().postprocess([theirs], return_tensors="np")["pixel_values"]
    # Ours rounds, theirs cuts off.
    assert np.abs(ours - shown.transpose(1, 2, 0)).max() <= 1
    assert ours.std() > 10


@pytest.mark.parametrize(("row", "column"), [(1, 5), (6, 2)])
def test_a_token_belongs_to_its_own_position(student, images, row, column):
    """Rows are rows: what changes in a picture changes the code there, and a code the picture there."""
    vq, picture = student.vq, images[:1]
    changed = picture.clone()
    changed[..., 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] *= -1
    codes = vq.encode_images(picture)
    other = codes.clone()
    other[0, 8 * row + column] = (codes[0, 8 * row + column] + 100) % 256
    with torch.no_grad():
        shifted = (vq.encoder(changed) - vq.encoder(picture)).norm(dim=1)[0]
        pixels = (vq.decode(other) - vq.decode(codes)).norm(dim=1)
    for found in (shifted, F.avg_pool2d(pixels[:, None], 8)[0, 0]):
        most = divmod(int(found.argmax()), 8)
        # Untrained convolutions may pull it to a neighbour; rows taken for columns would be four cells away.
        assert max(abs(most[0] - row), abs(most[1] - column)) <= 1


@pytest.mark.parametrize("shape", [(1, 3, 64, 32), (1, 1, 64, 64), (3, 64, 64)])
def test_images_of_other_shapes_are_refused(student, shape):
    with pytest.raises(ValueError, match=r"allowed: \(B, 3, 64, 64\)"):
        student.vq.encode_images(torch.zeros(shape))
