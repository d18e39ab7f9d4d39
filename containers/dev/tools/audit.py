"""Audit the measures and the verdicts on images with planted defects of known size: `npm run audit`.

Prints, for each measure, its rank correlation with the true damage, and how often it tells an image with a
defect from one without; the same for sets of copied and of collapsed images; and how often the verdict on
constructed runs is right.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch

from dev.audit.defects import audit_subjects
from dev.audit.judges import JUDGES
from dev.audit.measures import Measures
from dev.audit.sets import measured_sets, set_rows, sets_as_text
from dev.audit.table import as_text, audit_rows, measured
from dev.audit.verdicts import RUNS, judged_runs, verdicts_as_text
from proxytune.metrics.encoders import DinoEncoder

MODELS = Path(__file__).parents[2] / "models" / "miniature"
# 100 subjects have 3,700 images.
SUBJECTS = 100


def main(arguments: list[str]) -> int:
    """Render, measure, and print the tables; the return value is the exit code."""
    parser = argparse.ArgumentParser(description="Audit the measures and the verdicts on planted defects.")
    parser.add_argument("--models", type=Path, default=MODELS, help="folder with the encoders")
    parser.add_argument("--subjects", type=int, default=SUBJECTS, help=f"default: {SUBJECTS}")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"constructed runs, default: {RUNS}")
    options = parser.parse_args(arguments)
    subjects = list(audit_subjects(options.subjects))
    images = measured(subjects, Measures(options.models))
    print(as_text(audit_rows(images), images), end="\n\n", flush=True)
    dino = DinoEncoder(options.models / "dino-miniature", torch.device("cpu"))
    sets = measured_sets(subjects, dino)
    print(sets_as_text(set_rows(sets), sets), end="\n\n", flush=True)
    for title, judge in JUDGES.items():
        judged = judged_runs(judge(options.models), options.runs)
        print(f"Verdicts by {title}: {verdicts_as_text(judged)}", end="\n\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
