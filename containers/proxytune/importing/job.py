"""The job of stage import-model: the only job with a network; it can access only its request and the models.

On one machine `containers/dev/tools/import_model.py` imports into a folder instead.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path

from proxytune.contract import aws, schema
from proxytune.contract.errors import ProxytuneError
from proxytune.contract.folders import Folders
from proxytune.contract.names import CHANNELS, FILES
from proxytune.contract.progress import ProgressFile
from proxytune.contract.signals import StopRequest
from proxytune.contract.types.hyperparameters import ImportModelHyperparameters
from proxytune.contract.types.import_request import ImportRequest
from proxytune.importing.hub import Hub
from proxytune.importing.importer import import_files
from proxytune.importing.targets import Bucket


def import_model(folders: Folders, hyperparameters: ImportModelHyperparameters, stop: StopRequest) -> None:
    """Import the requested model into the bucket; files that an earlier job imported are kept.

    Args:
        hyperparameters: of stage import-model.
        stop: unused: the platform ends the process, and the next job resumes.

    Raises:
        ProxytuneError: ModelGated, HubFailed, ModelMismatch, HyperparameterInvalid, RegionUnknown.
    """
    request = read_request(folders.channel(CHANNELS.import_request) / FILES.import_request)
    progress = ProgressFile(folders.checkpoints, "import-model", len(request["files"]))
    progress.write("querying the hub", 0)
    hub = Hub(
        request["repository"], request["revision"], hub_token(request), request["gated"], request["secret"]
    )
    lock = threading.Lock()

    def report(line: str, done: int, total: int) -> None:
        with lock:
            progress.total = total
            progress.write(line, done)

    manifest = import_files(request, hub, Bucket(request["bucket"], request["prefix"]), report)
    progress.write("done", len(manifest["files"]))
    # SageMaker expects an artifact; the manifest describes the result best.
    (folders.model / FILES.manifest).write_text(json.dumps(manifest), "utf-8")


def read_request(file: Path) -> ImportRequest:
    """Read the import request and check it against its schema.

    Raises:
        ProxytuneError: HyperparameterInvalid.
    """
    request: ImportRequest = json.loads(file.read_text("utf-8"))
    fault = schema.check("import-request", request)
    if fault is None:
        return request
    raise ProxytuneError(
        "HyperparameterInvalid",
        what=f"The import request does not fit its schema: {fault}",
        given=file.name,
        remedy="deploy the stack again, with the version of the command line",
    )


def hub_token(request: ImportRequest) -> str | None:
    """Read the hub's token from Secrets Manager; None where none is needed, or none can be read.

    A token that cannot be read is not an error yet: the error for the hub's refusal says what to do.

    Raises:
        ProxytuneError: RegionUnknown.
    """
    if request["secret"] is None:
        return None
    from botocore.exceptions import BotoCoreError, ClientError

    # Outside the `try`, so that a missing region is not reported as a missing token.
    manager = aws.client("secretsmanager")
    try:
        secret = manager.get_secret_value(SecretId=request["secret"])
    except (BotoCoreError, ClientError) as error:
        print(f"cannot read the token from Secrets Manager: {error}", flush=True)
        return None
    # A token that was stored by hand often ends in a line break, and some store it as JSON.
    text = str(secret.get("SecretString") or "").strip()
    return (_only_value(text) if text.startswith("{") else text) or None


def _only_value(text: str) -> str:
    """The only string of a JSON object; empty where there are several, or it is not valid JSON."""
    try:
        values = [value for value in json.loads(text).values() if isinstance(value, str)]
    except json.JSONDecodeError:
        # The error would quote the secret in the log.
        values = []
    if len(values) == 1:
        return values[0].strip()
    print("the secret with the hub's token is neither a token nor JSON with one value", flush=True)
    return ""
