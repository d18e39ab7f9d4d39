"""Golden vectors: numbers that the official code produced, and the checks that ours reproduce them.

A golden file is a JSON file (configs, scalars) with a `.safetensors` file of the same name beside it, or a
JSON file alone. The end of its name is its kind; `CHECKERS` and `CHECKERS_ALONE` say which function checks
which kind. A new kind is a new row.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from dev.golden.findings import Finding
from dev.golden.llamagen_gpt import check_llamagen_gpt, check_xl_parameters
from dev.golden.llamagen_vq16 import check_llamagen_vq16
from dev.golden.lumina_lm import check_lumina_lm
from dev.golden.lumina_vqgan import check_lumina_vqgan

Checker = Callable[[dict[str, Any], dict[str, Tensor]], list[Finding]]

CHECKERS: dict[str, Checker] = {
    "llamagen-gpt": check_llamagen_gpt,
    "llamagen-vq16": check_llamagen_vq16,
    "lumina-lm": check_lumina_lm,
    "lumina-vqgan": check_lumina_vqgan,
}
# Kinds whose JSON file is all there is.
CHECKERS_ALONE: dict[str, Callable[[dict[str, Any]], list[Finding]]] = {
    "xl-t2i.parameters": check_xl_parameters,
}


def check_golden_file(path: Path) -> list[Finding]:
    """Check one golden file against our models.

    Args:
        path: the JSON file; its name without the ending must end in a kind of `CHECKERS` or `CHECKERS_ALONE`.

    Raises:
        ValueError: an unknown kind, a missing half, or contents that no check reads.
    """
    kinds = (*CHECKERS, *CHECKERS_ALONE)
    kind = next((kind for kind in kinds if path.stem.endswith(kind)), None)
    if path.suffix != ".json" or kind is None:
        raise ValueError(
            f"{path.name} is of no known kind; allowed: names ending in {', '.join(kinds)} + .json"
        )
    tensors = path.with_suffix(".safetensors")
    parts = (path,) if kind in CHECKERS_ALONE else (path, tensors)
    for part in parts:
        if not part.is_file():
            allowed = " and ".join(given.name for given in parts)
            raise ValueError(f"{part} does not exist; a file of this kind is {allowed}")
    facts = json.loads(path.read_text("utf-8"))
    if not isinstance(facts, dict):
        raise ValueError(f"{path.name} holds no JSON object")
    with one_thread():
        if kind in CHECKERS_ALONE:
            findings = CHECKERS_ALONE[kind](facts)
        else:
            findings = CHECKERS[kind](facts, load_file(tensors))
    if not findings:
        raise ValueError(f"{path.name} holds nothing to check")
    return findings


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread, as the golden numbers were.

    Sums split over threads round otherwise by 1e-7. That is enough to choose another id where a formula's
    weights hold near-equal rows, and the tokenizer's decoder turns it into 3e-4.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
