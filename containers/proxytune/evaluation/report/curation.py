"""What the report shows of a curation: how many proxies were dropped for what, and what each round added."""

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
from proxytune.images.kept import Judged
from proxytune.metrics.pictures import Picture
from proxytune.metrics.scores import evenly

MOST_SHOWN = 48
"""Dropped pictures in the page; curation.json beside it has all verdicts."""
ROW = "dropped"
CRITERIA: Mapping[Criterion, tuple[str, str, str]] = {
    "fidelity": ("Fidelity", "DINO likeness to the photos", "at least"),
    "prompt": ("Prompt", "CLIP likeness to its own prompt", "at least"),
    "duplicates": ("Near-duplicate", "DINO distance to the nearest kept proxy", "more than"),
    "safety": ("Safety", "CLIP’s probability of something unsafe", "below"),
}


@dataclass(frozen=True)
class Dropped:
    """A dropped proxy as it is shown; `reasons` are (title of the criterion, why)."""

    index: int
    prompt: str
    view: View
    reasons: list[tuple[str, str]]


@dataclass(frozen=True)
class Curated:
    """The curation of a run: its whole record, and the dropped proxies that are shown."""

    record: Curation
    shown: list[Dropped]


def show_curation(judged: Judged, report: Path) -> Curated:
    """Copy record and dropped pictures into the report's folder."""
    replace_file(report / FILES.curation, judged.file.read_bytes())
    verdicts = {verdict["index"]: verdict for verdict in judged.curation["pictures"]}
    shown = []
    for place in evenly(len(judged.dropped), MOST_SHOWN):
        proxy = judged.dropped[place]
        record, content = proxy.record, proxy.png()
        asked = Picture(ROW, record.index, record.prompt, None, record.seed, proxy.png)
        view = save_view(asked, content, proxy.image(), report)
        reasons = [
            (CRITERIA[reason["criterion"]][0], reason["why"]) for reason in verdicts[record.index]["reasons"]
        ]
        shown.append(Dropped(record.index, record.prompt, view, reasons))
    return Curated(judged.curation, shown)


def reasons_table(record: Curation) -> list[dict[str, Any]]:
    """A row a criterion: `title`, `what`, `limit` (None where it was not asked for) and `dropped`."""
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
    """`curation` of metrics.json: the counts, without the pictures."""
    adaptive = record["adaptive"]
    return {
        "drawn": record["drawn"],
        "kept": record["kept"],
        "dropped": {name: record["dropped"][name] for name in CRITERIA},
        "rounds": record["round"],
        "satisfied": None if adaptive is None else adaptive["satisfied"],
    }


def new_curve(record: Curation, least: float) -> dict[str, Any] | None:
    """The share of each round's proxies that shows something new; None where the count was not adaptive.

    Args:
        least: below it, more proxies add nothing.
    """
    adaptive = record["adaptive"]
    if adaptive is None:
        return None
    last = adaptive["rounds"][-1]["round"]
    points = [
        (entry["drawn"], entry["new_share"], "chosen" if entry["round"] == last else "held")
        for entry in adaptive["rounds"]
    ]
    return curve(
        "Something new", "share of a round’s proxies, by how many were drawn", points, ("below", least)
    )
