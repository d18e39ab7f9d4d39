"""The curate job masks the proxies: by their true masks, each once, and without dropping any for it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scenes import MODELS, add_proxies, make_job, plan_of, true_pictures

from dev.drawn_subjects.subjects import subject_named
from proxytune.contract import hyperparameters, schema
from proxytune.contract.signals import StopRequest
from proxytune.curation.curate import curate
from proxytune.images.dataset import read_proxies
from proxytune.masks.proxy_masks import SIDE, read_proxy_masks

STRINGS = {"stage": "curate", "family": "clip-dino", "model": "clip-miniature", "seed": "7"}
CONTEXTS = ("on a green lawn", "at night")
DROPS_NONE = {"fidelity": None, "prompt": None, "duplicates": None}


def test_proxies_are_masked_round_after_round(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cars = [(true_pictures(context)[0], "a ohwx car") for context in CONTEXTS]
    # What the teacher failed at: no car is to be found.
    fish = [(true_pictures("at night", name="held-back-fish")[0], "a ohwx car")]
    plan = plan_of([*cars, *fish], rounds=[2, 3], **DROPS_NONE)
    # The fewest that a plan may have; two rounds end before.
    folders = make_job(tmp_path, {**plan, "proxies": 8}, cars)
    (tmp_path / "input/data/segmenter").symlink_to(MODELS / "clipseg-miniature")
    for number in (1, 2):
        if number == 2:
            add_proxies(folders, fish, 2)
        given = hyperparameters.parse({**STRINGS, "round": str(number), "mask_prompt": "a car"})
        curate(folders, given, StopRequest())
    curation = json.loads((folders.model / "curation.json").read_text())
    assert schema.check("curation", curation) is None
    assert (curation["kept"], curation["drawn"], curation["masked"]) == (3, 3, 2)
    assert "warning: no subject was found in 1 of 3 proxies" in capsys.readouterr().out
    masks = read_proxy_masks(tmp_path / "checkpoints/masks", read_proxies(folders.channel("proxies"), 3))
    assert masks[2] is None
    for mask, context in zip(masks[:2], CONTEXTS, strict=True):
        (drawn,) = subject_named("demo-car").unseen(context, 1)
        true = np.kron(drawn.mask >= 128, np.ones((SIDE // 32, SIDE // 32), dtype=bool))
        assert mask is not None
        assert (mask & true).sum() / (mask | true).sum() > 0.8
