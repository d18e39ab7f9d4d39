"""Import a model from the hub into a folder: what `npx proxytune import-model` calls on one machine.

    HF_TOKEN=... python containers/dev/tools/import_model.py --order order.json --out folder

Prints a line a file. On failure it exits with 1 and `ErrorName: message` on the standard error.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

# Before anything imports the hub's library, which reads it once.
os.environ["HF_HUB_OFFLINE"] = "0"
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

from dev.tools.alone import alone, full
from proxytune.contract.failure import DISK_FULL, named
from proxytune.importing.hub import Hub
from proxytune.importing.importer import import_files
from proxytune.importing.job import read_request
from proxytune.importing.targets import Folder


def main(arguments: list[str]) -> int:
    """Import; the return value is the exit code."""
    parser = argparse.ArgumentParser(description="Import a model from the Hugging Face hub into a folder.")
    parser.add_argument("--order", type=Path, required=True, help="the import request, as JSON")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="the model folder: created, completed or repaired; other files of an earlier import are removed",
    )
    given = parser.parse_args(arguments)
    try:
        order = read_request(given.order)
        with alone(given.out):
            hub = Hub(order["repository"], order["revision"], token(), order["gated"])
            print(f"commit {hub.commit}", flush=True)
            import_files(
                order, hub, Folder(given.out), lambda line, done, of: print(f"{done}/{of} {line}", flush=True)
            )
    except OSError as error:
        print((full(given.out, error) if error.errno in DISK_FULL else named(error)).line, file=sys.stderr)
        return 1
    except Exception as error:
        print(named(error).line, file=sys.stderr, flush=True)
        return 1
    return 0


def token() -> str | None:
    """Return the user's own token: of the environment, or as `hf auth login` left it."""
    from huggingface_hub import get_token

    return get_token()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
