"""The curation in the report: the number of proxies dropped for each reason, and the gain of each round."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proxytune.contract.names import FILES
from proxytune.contract.progress import replace_file
from proxytune.contract.types.curation import Criterion, Curation
from proxytune.contract.types.metrics import MetricsCuration
from proxytune.evaluation.pictures import View, save_view
from proxytune.evaluation.report.curves import curve
from proxytune.images.curated import CuratedProxies
from proxytune.metrics.pictures import Picture
from proxytune.metrics.scores import evenly

SHOWN_AT_MOST = 48
"""Dropped proxies in the page; curation.json next to it lists all of them."""
ROW = "dropped"
CRITERIA: Mapping[Criterion, tuple[str, str, str]] = {
    "fidelity": ("Fidelity", "DINO similarity to the photos", "at least"),
    "prompt": ("Prompt", "CLIP similarity to its own prompt", "at least"),
    "duplicates": ("Near-duplicate", "DINO distance to the nearest kept proxy", "more than"),
    "safety": ("Safety", "CLIP’s probability of unsafe content", "less than"),
}


@dataclass(frozen=True)
class Dropped:
    """A dropped proxy in the page; `reasons` are (title of the criterion, why)."""

    index: int
    prompt: str
    view: View
    reasons: list[tuple[str, str]]


@dataclass(frozen=True)
class ShownCuration:
    """The curation of a run: its complete record, and the dropped proxies that are shown."""

    record: Curation
    shown: list[Dropped]


def show_curation(proxies: CuratedProxies, report: Path) -> ShownCuration:
    """Copy the record and the dropped proxies into the report's folder."""
    replace_file(report / FILES.curation, proxies.file.read_bytes())
    results = {result["index"]: result for result in proxies.curation["pictures"]}
    shown = []
    for position in evenly(len(proxies.dropped), SHOWN_AT_MOST):
        proxy = proxies.dropped[position]
        record, content = proxy.record, proxy.png()
        described = Picture(ROW, record.index, record.prompt, None, record.seed, proxy.png)
        view = save_view(described, content, proxy.image(), report)
        reasons = [
            (CRITERIA[reason["criterion"]][0], reason["why"]) for reason in results[record.index]["reasons"]
        ]
        shown.append(Dropped(record.index, record.prompt, view, reasons))
    return ShownCuration(proxies.curation, shown)


def reasons_table(record: Curation) -> list[dict[str, Any]]:
    """One row per criterion: `title`, `what`, `limit` (None where it is off) and `dropped`."""
    return [
        {
            "title": title,
            "what": what,
            "limit": None if record["limits"][name] is None else f"{word} {record['limits'][name]:.3f}",
            "dropped": record["dropped"][name],
        }
        for name, (title, what, word) in CRITERIA.items()
    ]


def summary(record: Curation) -> MetricsCuration:
    """Summarize for `curation` of metrics.json: the counts, without the images."""
    adaptive = record["adaptive"]
    return {
        "drawn": record["drawn"],
        "kept": record["kept"],
        "dropped": {name: record["dropped"][name] for name in CRITERIA},
        "rounds": record["round"],
        "satisfied": None if adaptive is None else adaptive["satisfied"],
    }


def new_curve(record: Curation, least: float) -> dict[str, Any] | None:
    """The curve of each round's share of new proxies; None where their number was not adaptive.

    Args:
        least: below it, another round would add nothing.
    """
    adaptive = record["adaptive"]
    if adaptive is None:
        return None
    last = adaptive["rounds"][-1]["round"]
    points = [
        (entry["drawn"], entry["new_share"], "chosen" if entry["round"] == last else "passed")
        for entry in adaptive["rounds"]
    ]
    return curve("New proxies", "share of each round, by number of proxies", points, ("below", least))
