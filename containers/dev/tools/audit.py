"""Audit the measures on images with planted defects of known size: `npm run audit`.

Prints, for each measure, its rank correlation with the true damage, and how often it tells an image with a
defect from one without.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from dev.audit.defects import audit_subjects
from dev.audit.measures import Measures
from dev.audit.table import as_text, audit_rows, measured

MODELS = Path(__file__).parents[2] / "models" / "miniature"
# 100 subjects have 3,400 images.
SUBJECTS = 100


def main(arguments: list[str]) -> int:
    """Render, measure, and print the table; the return value is the exit code."""
    parser = argparse.ArgumentParser(description="Audit the measures on images with planted defects.")
    parser.add_argument("--models", type=Path, default=MODELS, help="folder with the encoders")
    parser.add_argument("--subjects", type=int, default=SUBJECTS, help=f"default: {SUBJECTS}")
    options = parser.parse_args(arguments)
    images = measured(list(audit_subjects(options.subjects)), Measures(options.models))
    print(as_text(audit_rows(images), images))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
