"""Masked proxies: of no family does the background of a proxy reach the training, and the subject does."""

import numpy as np
import pytest
import torch
from learn_job import CAPTION, HYPERPARAMETERS, draw_proxy, make_job
from PIL import Image
from safetensors.torch import load_file
from students import TINY, prepared

from proxytune.contract import hyperparameters
from proxytune.contract.errors import ProxytuneError
from proxytune.contract.signals import StopRequest
from proxytune.images import shard
from proxytune.images.dataset import read_proxies
from proxytune.images.png import encode_png
from proxytune.masks.proxy_masks import SIDE
from proxytune.student.families import registry
from proxytune.student.families.base import Batch
from proxytune.student.proxy_set import ProxySet
from proxytune.student.trainer import train

COUNT, SIZE = 8, 64
WEIGHTS = "adapter_model.safetensors"


def subject(index, side=SIDE):
    """A disc, at another place in each proxy."""
    rows, columns = np.mgrid[:side, :side] / side
    return (rows - 0.5) ** 2 + (columns - 0.25 - index / 16) ** 2 < 0.04


def write_proxies(folder, inside=None):
    """Write proxies, with inverted pixels inside or outside of the subjects; returns the shard."""
    facts = {"prompt": CAPTION, "variant": "tuned", "stage": "synthesize", "size": SIZE, "model": "sdxl-tiny"}
    pictures = []
    for index in range(COUNT):
        pixels = np.array(draw_proxy(index, SIDE))
        if inside is not None:
            changed = subject(index) == inside
            pixels[changed] = 255 - pixels[changed]
        image = encode_png(Image.fromarray(pixels))
        pictures.append((image, {"index": index, "seed": index, **facts}))
    folder.mkdir(parents=True)
    (folder / "000.json.out").write_bytes(shard.write(pictures))
    return read_proxies(folder, COUNT)


def write_masks(folder, proxies):
    folder.mkdir(parents=True)
    np.savez(
        folder / "proxy-masks.npz",
        source=np.array("a segmenter"),
        sha256=np.array([one.record.sha256 for one in proxies]),
        masks=np.stack([np.packbits(subject(one.record.index)) for one in proxies]),
    )


def learn(folder, base, family, *, inside=None, stored=True):
    given = {**HYPERPARAMETERS, "family": family, "model": TINY[family], "proxies": COUNT, "steps": 2}
    folders = make_job(folder, base, {**given, "background_weight": 0.0})
    channel = folder / "input" / "data" / "proxies"
    for attempt in ("attempt-1", "attempt-2"):
        for file in (channel / attempt).iterdir():
            file.unlink()
    proxies = write_proxies(channel / "masked", inside)
    if stored:
        write_masks(folder / "input" / "data" / "proxy-masks", proxies)
    train(folders, hyperparameters.read(folders), StopRequest())
    return load_file(folders.model / WEIGHTS)


def equal(one, two):
    return all(torch.equal(value, two[name]) for name, value in one.items())


@pytest.mark.parametrize("family", sorted(registry.FAMILIES))
def test_a_job_learns_nothing_of_the_background(tiny_model, tmp_path, family):
    base = tiny_model(TINY[family])
    first = learn(tmp_path / "first", base, family)
    assert equal(first, learn(tmp_path / "other-background", base, family, inside=False))
    assert not equal(first, learn(tmp_path / "other-subject", base, family, inside=True))


@pytest.mark.parametrize("family", sorted(registry.FAMILIES))
def test_an_error_counts_by_the_weight_of_its_token(tiny_model, tmp_path, family):
    """The loss is linear in the weights: each token's error, of which the unmasked loss is the mean."""
    proxies = ProxySet(write_proxies(tmp_path / "proxies"), SIZE)
    trainer = prepared(family, tiny_model(TINY[family]), proxies)
    trainer._model.eval()
    indices, dropped = torch.tensor([0, 1]), torch.zeros(2, dtype=torch.bool)
    tokens = trainer.proxy_tokens[indices]

    def loss(weights):
        return float(trainer.family.loss(trainer._model, Batch(indices, tokens, dropped, weights)).detach())

    ones = torch.ones(tokens.shape)
    assert loss(None) == pytest.approx(loss(ones), rel=1e-6)
    assert trainer._batch(0, torch.Generator().manual_seed(1)).weights is None
    if family != "lumina":
        # Nothing before the last token depends on it, so another one changes its own error only. Lumina's
        # images end with ids that do, and that are always learned.
        last = ones.clone()
        last[:, -1] = 0
        without_last = loss(last)
        tokens = tokens.clone()
        tokens[:, -1] = (tokens[:, -1] + 1) % 16
        assert loss(last) == pytest.approx(without_last, rel=1e-6)
        assert loss(ones) != pytest.approx(loss(last), rel=1e-6)
    # Half the weights on either side add up to the whole.
    left = torch.arange(tokens.shape[1]) % 2 * 2.0
    halves = [loss(half.expand(tokens.shape).contiguous()) for half in (left, 2 - left)]
    assert sum(halves) / 2 == pytest.approx(loss(ones), rel=1e-5)


def test_the_weights_of_a_proxy_are_the_shares_of_its_tokens(tmp_path):
    proxies = write_proxies(tmp_path / "proxies")
    masks = [subject(index) for index in range(COUNT - 1)] + [None]
    weights = ProxySet(proxies, SIZE, masks=masks).weights(64)
    assert weights.shape == (COUNT, 64)
    assert torch.allclose(weights.mean(dim=1), torch.ones(COUNT))
    # A proxy without a mask counts as a whole.
    assert torch.equal(weights[-1], torch.ones(64))
    cells = torch.from_numpy(subject(2)).float().view(8, 12, 8, 12).mean(dim=(1, 3)).flatten()
    assert torch.allclose(weights[2], cells / cells.mean())
    tenth = ProxySet(proxies, SIZE, masks=masks, background=0.1).weights(64)
    assert float(tenth[2].min() / tenth[2].max()) == pytest.approx(0.1)


def test_masks_are_part_of_what_a_checkpoint_depends_on(tmp_path):
    proxies = write_proxies(tmp_path / "proxies")
    unmasked = ProxySet(proxies, SIZE)
    # As before there were masks: a training of an earlier version can be resumed.
    assert unmasked.data == [*unmasked.sha256, *unmasked.prompts]
    kinds = ([subject(0)] * COUNT, [subject(1)] * COUNT, [None] * COUNT)
    assert len({tuple(ProxySet(proxies, SIZE, masks=masks).data) for masks in kinds}) == 3


def test_a_missing_mask_is_refused(tiny_model, tmp_path):
    with pytest.raises(ProxytuneError, match="proxy-masks") as refused:
        learn(tmp_path, tiny_model("llamagen-tiny"), "llamagen", stored=False)
    assert refused.value.name == "ChannelMissing"
