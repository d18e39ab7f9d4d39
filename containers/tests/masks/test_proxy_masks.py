"""Masks of proxies, from the curate job to the student's."""

import numpy as np
import pytest
from drawn_photos import FISH, CountingSegmenter, fishes, robot

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.progress import ProgressFile
from proxytune.images import shard
from proxytune.images.png import encode_png
from proxytune.masks.proxy_masks import SIDE, compute_proxy_masks, read_proxy_masks


@pytest.fixture
def proxies(tmp_path):
    """Two proxies of a fish, and one of a robot."""
    facts = {"variant": "tuned", "stage": "synthesize", "size": 32, "model": "m", "prompt": "p"}
    images = [*fishes()[:2], robot()]
    pictures = [
        (encode_png(one), {"index": index, "seed": index, **facts}) for index, one in enumerate(images)
    ]
    (tmp_path / "chunk.out").write_bytes(shard.write(pictures))
    return shard.read(tmp_path / "chunk.out")


@pytest.fixture
def finder():
    return CountingSegmenter()


def compute(proxies, finder, folder, prompt=FISH):
    progress = ProgressFile(folder, "curate", len(proxies))
    return compute_proxy_masks(proxies, finder, prompt, folder / "masks", progress)


def test_masks_are_stored_and_read_back(proxies, finder, tmp_path):
    masks = compute(proxies, finder, tmp_path)
    assert masks[0].shape == (SIDE, SIDE)
    assert np.array_equal(masks[0], finder.find(fishes()[:1], FISH, side=SIDE)[0])
    # Nothing is found in the last one, which then counts as a whole.
    assert masks[2] is None
    back = read_proxy_masks(tmp_path / "masks", proxies[::-1])
    assert back[0] is None
    assert np.array_equal(back[2], masks[0])


def test_a_later_round_masks_only_what_is_new(proxies, finder, tmp_path):
    compute(proxies[:2], finder, tmp_path)
    compute(proxies, finder, tmp_path)
    assert finder.images == 3
    # Masks of another prompt are others.
    assert compute(proxies, finder, tmp_path, prompt="a car") == [None, None, None]
    assert finder.images == 6


def test_a_proxy_without_a_mask_is_refused(proxies, finder, tmp_path):
    compute(proxies[:2], finder, tmp_path)
    with pytest.raises(ProxytuneError, match="1 proxies have no mask") as refused:
        read_proxy_masks(tmp_path / "masks", proxies)
    assert refused.value.name == "ProxiesIncomplete"
    (tmp_path / "masks" / "proxy-masks.npz").write_bytes(b"PK\x03\x04 half a file")
    with pytest.raises(ProxytuneError, match="3 proxies"):
        read_proxy_masks(tmp_path / "masks", proxies)
