"""Keep all temporary files in TMPDIR, below the data folder.

MiniStack chooses its folders for unpacked code when it is imported, below what Python then considers the
folder for temporary files: ``/tmp`` if TMPDIR does not exist or is on a full disk. Their names can be
guessed, and code that someone else has put there would run.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from ministack.services import lambda_svc


def apply() -> None:
    """Use TMPDIR, whatever was chosen before."""
    folder = os.environ["TMPDIR"]
    tempfile.tempdir = folder
    for name in ("_PROVIDED_CODE_CACHE", "_DOCKER_EXTRACT_CACHE"):
        setattr(lambda_svc, name, str(Path(folder) / Path(getattr(lambda_svc, name)).name))
