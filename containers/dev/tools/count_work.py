"""Count the work of the large models and write lib/core/catalogue/data/work.json; takes a minute or two.

    python containers/dev/tools/count_work.py [--check]

Plans take the minutes of these models from it, and from the cards' peaks and shares in gpus.json, wherever
no real card was measured. Run it after a change of a standard recipe, and `npm run schemas` after it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

from dev.full_size.catalogue import STUDENTS, TEACHERS, WORK_FILE

UNIT = "TFLOP (2 a multiplication and addition) of a training step and of an image; GB that a token reads"
SOURCE = "containers/dev/tools/count_work.py: the real networks on the meta device, torch's FlopCounterMode"


def main(arguments: list[str]) -> int:
    """Write the table, or compare it: the return value is 1 when it differs."""
    parser = argparse.ArgumentParser(description="Count the work of the large models.")
    parser.add_argument("--check", action="store_true", help="compare the table instead of writing it")
    given = parser.parse_args(arguments)
    # Takes seconds, and --help does not need it.
    from dev.full_size.work import count_model

    models: dict[str, Any] = {}
    for model in (*TEACHERS, *STUDENTS):
        models[model] = count_model(model)
        print(f"{model}: {json.dumps(models[model])}", flush=True)
    table = {"unit": UNIT, "source": SOURCE, "models": models}
    if given.check:
        same = json.loads(WORK_FILE.read_text("utf-8")) == table
        print("the table is right" if same else "the table differs: run this script without --check")
        return 0 if same else 1
    WORK_FILE.write_text(json.dumps(table, indent=2) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
