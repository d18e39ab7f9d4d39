"""The decision that a subject was learnt: by MaSC where a run is measured by it, else by DINO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proxytune.evaluation.pictures import ScoredPicture
from proxytune.metrics.intervals import Score

LEARNT = 0.7
"""Share of the way from the untuned model to the photos that images must have covered.

Of DINO, the mean; of MaSC, the lower quartile. Chosen with MEDIAN on constructed runs of the subjects that
`dev/audit/verdicts.py` names tuning-000 and on, none of which it audits. By DINO, models that learnt the
subject cover 0.80 at least; those that show another one in half of their images cover half of the way, and
0.68 at most. By the quartile of MaSC it is 0.84 at least and 0.28 at most.
"""
MEDIAN = 0.92
"""The same of the median of MaSC.

Models that learnt the subject cover 0.89 to 1.06, those that show another pattern 0.17 to 0.96. With 0.92,
2 % of the first fail and 6 % of the second pass.
"""


@dataclass(frozen=True)
class Likeness:
    """Similarity of a run's images to its photos, by the measure that decides.

    Attributes:
        key: its name in metrics.json and of the property of an image.
        title: for sentences.
        scores: by row: student and student-base, teacher and teacher-base where the run has one, and photos
            where there are several.
        quartiles: by row, the lower quartile and the median of its images; empty for DINO, where the mean
            decides.
    """

    key: str
    title: str
    scores: Mapping[str, Score]
    quartiles: Mapping[str, tuple[float, float]]

    def of(self, scored: ScoredPicture) -> float:
        """The similarity of one image."""
        value: float = getattr(scored, self.key)
        return value

    @property
    def models(self) -> tuple[str, ...]:
        """Those of teacher and student that the run has."""
        return tuple(model for model in ("teacher", "student") if model in self.scores)

    def learnt(self, model: str) -> bool:
        """Decide whether a model of the run learnt the subject.

        A model has learnt it when its interval is entirely above that of the untuned model, and its images
        have covered enough of the way to the photos. A score without an interval shows nothing. With one
        photo there is no ceiling, and the interval alone decides.

        Args:
            model: teacher or student.
        """
        return _above(self.scores[model], self.scores[f"{model}-base"]) and self._close(model)

    def limit(self, model: str) -> float:
        """The similarity from which on an image resembles the photos: LEARNT of the way to them.

        With one photo it is the upper end of the untuned model's interval.

        Args:
            model: teacher or student.
        """
        floor = self.scores[f"{model}-base"]
        if "photos" in self.scores:
            return self._at(model, LEARNT)
        return floor.mean if floor.high is None else floor.high

    def has_enough_images(self) -> bool:
        """Decide whether there are enough images for a conclusion."""
        rows = [row for model in self.models for row in (model, f"{model}-base")]
        return all(self.scores[row].has_interval for row in rows)

    def _close(self, model: str) -> bool:
        if "photos" not in self.scores:
            return True
        if model not in self.quartiles:
            return self.scores[model].mean >= self._at(model, LEARNT)
        lower, median = self.quartiles[model]
        return lower >= self._at(model, LEARNT) and median >= self._at(model, MEDIAN)

    def _at(self, model: str, share: float) -> float:
        floor = self.scores[f"{model}-base"].mean
        return floor + share * (self.scores["photos"].mean - floor)


def likeness_of(rows: Sequence[Mapping[str, Any]]) -> Likeness:
    """Take the measure that decides from the rows of metrics.json: MaSC's identity if all of them have it.

    Args:
        rows: as in metrics.json.
    """
    if all(row.get("masc_identity") is not None for row in rows):
        quartiles = {row["name"]: (row["masc_quartile"], row["masc_median"]) for row in rows}
        return Likeness("masc_identity", "MaSC identity", _scores(rows, "masc_identity"), quartiles)
    return Likeness("dino", "DINO", _scores(rows, "dino"), {})


def _scores(rows: Sequence[Mapping[str, Any]], key: str) -> dict[str, Score]:
    return {row["name"]: Score(**row[key]) for row in rows}


def _above(tuned: Score, untuned: Score) -> bool:
    return tuned.low is not None and untuned.high is not None and tuned.low > untuned.high
