"""The image tokenizer at tiny size; the golden vectors check VQ-16 itself."""

import pytest
import torch
from torch.nn import functional as F

from dev.full_size.peak import LivingTensors
from proxytune.student.families.llamagen import VQConfig, VQTokenizer
from proxytune.student.families.llamagen.family import LlamaGenFamily
from proxytune.student.image_arrays import full_precision


def pictures(height, width):
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(6)) * 2 - 1


@pytest.mark.parametrize(("height", "width"), [(16, 16), (8, 24)])
def test_images_become_tokens_and_tokens_images(vq, height, width):
    ids = vq.encode(pictures(height, width))
    assert ids.shape == (2, height * width // 16)
    assert ids.dtype == torch.int64
    assert len(ids.unique()) > 3
    decoded = vq.decode(ids, (height // 4, width // 4))
    assert decoded.shape == (2, 3, height, width)
    assert decoded.isfinite().all()
    if height == width:
        assert torch.equal(decoded, vq.decode(ids))
    assert torch.allclose(decoded[:1], vq.decode(ids[:1], (height // 4, width // 4)), atol=1e-5)


def test_tokens_are_the_codes_of_the_nearest_directions(vq):
    images = pictures(16, 16)
    latents = vq.latents(images).detach().flatten(2).transpose(1, 2).double()
    cosine = F.normalize(latents, dim=-1) @ F.normalize(vq.quantize.embedding.weight.double(), dim=-1).T
    assert torch.equal(vq.encode(images), cosine.argmax(dim=-1))


def test_the_length_of_a_code_has_no_effect(vq):
    images = pictures(16, 16)
    ids, decoded = vq.encode(images), vq.decode(vq.encode(images))
    with torch.no_grad():
        vq.quantize.embedding.weight.mul_(torch.rand(64, 1) + 0.5)
    assert torch.equal(vq.encode(images), ids)
    assert torch.allclose(vq.decode(ids), decoded, atol=1e-5)


def test_tokens_are_laid_out_row_by_row(vq):
    first, second = vq.encode(pictures(16, 16))
    mixed = torch.cat([first[:8], second[8:]])[None]
    top, bottom = vq.decode(mixed)[0].split(8, dim=1)
    whole_first, whole_second = vq.decode(torch.stack([first, second]))
    # The middle attention mixes all positions, so only likeness can be asked for.
    assert (top - whole_first[:, :8]).abs().mean() < (top - whole_second[:, :8]).abs().mean()
    assert (bottom - whole_second[:, 8:]).abs().mean() < (bottom - whole_first[:, 8:]).abs().mean()


@pytest.mark.parametrize("at_once", [1, LlamaGenFamily.encode_batch_size])
def test_an_image_has_the_same_tokens_whatever_is_encoded_with_it(vq, at_once):
    images = torch.rand(16, 3, 32, 32, generator=torch.Generator().manual_seed(7)) * 2 - 1
    with full_precision(), torch.no_grad():
        together = vq.encode(images)
        assert torch.equal(torch.cat([vq.encode(part) for part in images.split(at_once)]), together)
    assert len(together.unique()) > 3


def test_encoding_the_proxies_fits_on_the_smallest_card():
    with torch.device("meta"):
        model = VQTokenizer(VQConfig())
        images = torch.zeros(LlamaGenFamily.encode_batch_size, 3, 512, 512)
        with LivingTensors() as tensors, torch.no_grad():
            model.latents(images)
    # The smallest card has 16 GiB, for the transformer (1.5), T5 (2.3) and what cuDNN works in too.
    assert 1 < tensors.peak / 2**30 < 4


def test_vq16_is_the_default():
    with torch.device("meta"):
        model = VQTokenizer(VQConfig())
    assert model.stride == 16
    assert sum(parameter.numel() for parameter in model.parameters()) == 71_883_403
    assert len(model.state_dict()) == 344


def test_sizes_that_do_not_fit_are_refused(vq):
    with pytest.raises(ValueError, match="multiples of 4"):
        vq.encode(torch.zeros(1, 3, 18, 16))
    with pytest.raises(ValueError, match="15 ids per image"):
        vq.decode(torch.zeros(1, 15, dtype=torch.long))
    with pytest.raises(ValueError, match="norm_groups = 32"):
        VQConfig(ch=48, ch_mult=(1, 2))
    with pytest.raises(ValueError, match="width"):
        VQConfig.from_dict({"width": 3})
    with pytest.raises(ValueError, match="equal ones"):
        VQConfig.from_dict({"encoder_ch_mult": [1, 2], "decoder_ch_mult": [1, 4]})
    with pytest.raises(ValueError, match="codebook_l2_norm"):
        VQConfig.from_dict({"codebook_l2_norm": False})


def test_configs_survive_json_and_official_names_are_read():
    official = {"codebook_size": 4096, "codebook_l2_norm": True, "commit_loss_beta": 0.25, "dropout_p": 0.0}
    official |= {"encoder_ch_mult": [1, 2, 4], "decoder_ch_mult": [1, 2, 4]}
    assert VQConfig.from_dict(official) == VQConfig(codebook_size=4096, ch_mult=(1, 2, 4))
    assert VQConfig.from_dict(VQConfig(ch=64).to_dict()) == VQConfig(ch=64)
