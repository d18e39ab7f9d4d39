"""The report's table on copying and diversity, and its sentences on student against teacher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from proxytune.contract.types.metrics import MetricsRow
from proxytune.evaluation.report.scores import DREAMSIM_MEASURES, LABELS, MASC_MEASURES, MEASURES
from proxytune.evaluation.verdict import SIGNIFICANT, testable


def likeness_table(rows: Sequence[MetricsRow]) -> list[dict[str, Any]]:
    """Compute the rows of the template's table.

    Returns:
        Of each row: name, label, nearest, copies, reference (counted from 1), share and diversity.
    """
    order = list(LABELS)
    return [
        {
            "name": row["name"],
            "label": LABELS[row["name"]][0],
            "nearest": row["nearest_dino"]["mean"],
            "copies": row["copies"],
            "reference": row["attractor"]["reference"] + 1,
            "share": row["attractor"]["share"],
            "diversity": None if row["diversity"] is None else row["diversity"]["mean"],
        }
        for row in sorted(rows, key=lambda row: order.index(row["name"]))
    ]


def comparisons(compared: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Compute the template's lines, one for each measure that was compared.

    Args:
        compared: `comparison` of metrics.json.

    Returns:
        Of each measure: title, mean, low, high, p, pairs, `few` (pairs for a test), and `better` (student,
        teacher, or None).
    """
    return [
        {
            "title": title,
            **difference,
            "few": not testable(difference["pairs"]),
            "better": None
            if difference["p"] >= SIGNIFICANT
            else ("student" if difference["mean"] > 0 else "teacher"),
        }
        for key, (title, _) in (MASC_MEASURES | DREAMSIM_MEASURES | MEASURES).items()
        for difference in [compared.get(key)]
        if difference is not None
    ]
