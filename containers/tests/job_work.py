"""The work of jobs: job_work.json, compared with the jobs here and with the plan in test/core."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from proxytune.metrics.encoders import ClipEncoder, DinoEncoder

FILE = Path(__file__).parent / "job_work.json"


def cases(stage: str) -> list[Any]:
    """Return the cases of a stage, as arguments of a test."""
    return [
        pytest.param(case, id=f"{stage}-{at}") for at, case in enumerate(json.loads(FILE.read_text())[stage])
    ]


def count_calls(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, count: Callable[..., None]) -> None:
    """Call `count` with the arguments of each call of a method, which works as before."""
    method = getattr(owner, name)

    def counted(*arguments: Any, **options: Any) -> Any:
        count(*arguments, **options)
        return method(*arguments, **options)

    monkeypatch.setattr(owner, name, counted)


def count_encoded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the images that each encoder reads from now on, and how often they are loaded."""
    read: Counter[str] = Counter()
    for name, encoder in (("clip", ClipEncoder), ("dino", DinoEncoder)):

        def pictures(_self: object, images: Sequence[object], *_: Any, name: str = name) -> None:
            read[name] += len(images)

        count_calls(monkeypatch, encoder, "pictures", pictures)

    def loaded(*_: Any) -> None:
        read["loads"] += 1

    count_calls(monkeypatch, ClipEncoder, "__init__", loaded)
    return read
