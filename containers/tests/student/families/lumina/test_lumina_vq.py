"""The image tokenizer: shapes, keys, and that images keep their orientation."""

from dataclasses import replace
from itertools import permutations

import pytest
import torch
from torch.nn import functional as F

from proxytune.student.families.lumina.vq import VQGAN
from proxytune.student.families.lumina.vq_config import VQGANConfig

TINY = VQGANConfig(
    n_embed=512, embed_dim=4, z_channels=16, ch=16, ch_mult=(1, 1, 1), num_res_blocks=1, norm_groups=8
)
CODES = 2048


def test_the_official_sizes_are_the_default():
    with torch.device("meta"):
        vq = VQGAN(VQGANConfig())
    assert len(vq.state_dict()) == 293
    assert sum(tensor.numel() for tensor in vq.state_dict().values()) == 68_718_467
    assert vq.stride == 16


def test_the_official_yaml_reads_back():
    ddconfig = {
        "ch": 128,
        "ch_mult": [1, 1, 2, 2, 4],
        "attn_resolutions": [],
        "double_z": False,
        "resolution": 512,
    }
    assert VQGANConfig.from_dict({"n_embed": 8192, "embed_dim": 256, "ddconfig": ddconfig}) == VQGANConfig()
    assert VQGANConfig.from_dict(TINY.to_dict()) == TINY


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"ddconfig": {"attn_resolutions": [16]}}, "attn_resolutions"),
        ({"double_z": True}, "double_z"),
        ({"n_codes": 3}, "n_codes"),
        ({"ch": 100}, "norm_groups"),
    ],
)
def test_tokenizers_of_another_kind_are_refused(values, words):
    with pytest.raises(ValueError, match=words):
        VQGANConfig.from_dict(values)


@pytest.mark.parametrize("shape", [(1, 3, 16, 18), (1, 1, 16, 16), (3, 16, 16)])
def test_images_of_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="multiples of 4"):
        VQGAN(TINY).encode(torch.zeros(shape))


def test_codes_keep_their_lengths():
    vq = VQGAN(TINY)
    with torch.no_grad():
        vq.quantize.embedding.weight.zero_()
        vq.quantize.embedding.weight[7] = torch.tensor([3.0, 0, 0, 0])
        vq.quantize.embedding.weight[9] = torch.tensor([1.0, 0, 0, 0])
    latents = torch.tensor([[2.5, 0, 0, 0], [1.1, 0, 0, 0], [-5.0, 0, 0, 0]])
    assert vq.quantize.nearest(latents)[:2].tolist() == [7, 9]
    assert vq.quantize.nearest(latents)[2] not in (7, 9)


def pictures(count, random):
    """Patches of flat colours, 6 rows by 4 columns of them."""
    colours = torch.rand(count, 3, 6, 4, generator=random) * 1.6 - 0.8
    return F.interpolate(colours, scale_factor=4, mode="nearest")


@pytest.fixture(scope="module")
def trained():
    """A tokenizer taught to give pictures back, with a codebook of latents it has seen."""
    torch.manual_seed(0)
    # One level less than TINY: it learns in half the steps, of a quarter of the pixels.
    small = replace(TINY, ch_mult=(1, 1), n_embed=CODES)
    vq, random = VQGAN(small), torch.Generator().manual_seed(1)
    optimizer = torch.optim.Adam(vq.parameters(), lr=3e-3)
    for _ in range(110):
        images = pictures(4, random)
        error = F.mse_loss(vq.decoder(vq.post_quant_conv(vq.latents(images))), images)
        error.backward()
        optimizer.step()
        optimizer.zero_grad()
    with torch.no_grad():
        seen = vq.latents(pictures(64, random)).permute(0, 2, 3, 1).reshape(-1, 4)
        vq.quantize.embedding.weight.copy_(seen[torch.randperm(len(seen), generator=random)[:CODES]])
    return vq.eval()


def test_encoding_and_decoding_keeps_orientation_and_color(trained):
    images = pictures(3, torch.Generator().manual_seed(2))
    codes = trained.encode(images)
    assert codes.shape == (3, 12 * 8)
    back = trained.decode(codes, (12, 8))
    assert back.shape == images.shape
    error = F.mse_loss(back, images)
    assert error < 0.09  # a picture of one colour would be off by 0.21
    for changed in (images.flip(2), images.flip(3), images.flip(2, 3)):
        assert F.mse_loss(back, changed) > 2 * error
    for order in list(permutations(range(3)))[1:]:
        assert F.mse_loss(back, images[:, order]) > 2 * error
    assert F.mse_loss(back, -images) > 2 * error
    # The one way to go wrong that the shape does not tell: rows taken for columns.
    wrong = trained.decode(codes.view(3, 12, 8).transpose(1, 2).reshape(3, -1), (12, 8))
    assert F.mse_loss(wrong, images) > 2 * error
