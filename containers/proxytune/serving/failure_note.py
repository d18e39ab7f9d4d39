"""The reason of a failed transform, where its run can read it.

SageMaker reports no reason of the container for a failed transform (a training has /opt/ml/output/failure),
only "see the logs". So the line that a training writes to that file goes to an object that the run looks for.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlparse

from proxytune.contract import aws
from proxytune.contract.errors import ProxytuneError
from proxytune.contract.failure import MOST_CHARACTERS
from proxytune.contract.names import ENVIRONMENT

VARIABLE = ENVIRONMENT.failure_note


def leave_note(error: ProxytuneError) -> None:
    """Write `ErrorName: message` to the address in PROXYTUNE_FAILURE_NOTE, if there is one.

    The address is s3://bucket/key or file:///path. Best effort: a failure to write is only logged, as the
    error itself matters more.
    """
    address = os.environ.get(VARIABLE)
    if not address:
        return
    line = error.line[:MOST_CHARACTERS]
    try:
        _write(address, line)
    except Exception as failure:
        print(f"The failure note could not be written to {address}: {failure}", flush=True)


def _write(address: str, line: str) -> None:
    parts = urlparse(address)
    if parts.scheme == "file":
        Path(unquote(parts.path)).write_text(line, "utf-8")
        return
    aws.client("s3").put_object(
        Bucket=parts.netloc, Key=parts.path.lstrip("/"), Body=line.encode(), ContentType="text/plain"
    )
