"""The job of stage import-model: the one job with a network, which sees nothing but its order and the models.

On one machine `containers/dev/tools/import_model.py` does the same into a folder.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path

from proxytune.contract import schema
from proxytune.contract.errors import ProxytuneError
from proxytune.contract.folders import Folders
from proxytune.contract.names import CHANNELS, FILES
from proxytune.contract.progress import ProgressFile
from proxytune.contract.signals import StopRequest
from proxytune.contract.types.hyperparameters import ImportModelHyperparameters
from proxytune.contract.types.import_request import ImportRequest
from proxytune.importing.bring import bring
from proxytune.importing.hub import Hub
from proxytune.importing.targets import Bucket


def import_model(folders: Folders, hyperparameters: ImportModelHyperparameters, stop: StopRequest) -> None:
    """Bring the ordered model into the bucket; what an earlier job has brought is not brought again.

    Args:
        hyperparameters: those of stage import-model, checked.
        stop: not asked: the platform ends the process, and the next job goes on.

    Raises:
        ProxytuneError: ModelGated, HubFailed, ModelMismatch, HyperparameterInvalid.
    """
    order = read_order(folders.channel(CHANNELS.import_request) / FILES.import_request)
    progress = ProgressFile(folders.checkpoints, "import-model", len(order["files"]))
    progress.write("asking the hub", 0)
    hub = Hub(order["repository"], order["revision"], token_of(order), order["gated"])
    lock = threading.Lock()

    def tell(line: str, done: int, total: int) -> None:
        with lock:
            progress.total = total
            progress.write(line, done)

    manifest = bring(order, hub, Bucket(order["bucket"], order["prefix"]), tell)
    progress.write("done", len(manifest["files"]))
    # SageMaker wants an artifact; the manifest says best what was made.
    (folders.model / FILES.manifest).write_text(json.dumps(manifest), "utf-8")


def read_order(file: Path) -> ImportRequest:
    """The order, checked by its schema.

    Raises:
        ProxytuneError: HyperparameterInvalid.
    """
    order: ImportRequest = json.loads(file.read_text("utf-8"))
    fault = schema.check("import-request", order)
    if fault is None:
        return order
    raise ProxytuneError(
        "HyperparameterInvalid",
        what=f"The order of an import does not fit its schema: {fault}",
        given=file.name,
        remedy="the stack and the command line are of different versions: deploy the stack again",
    )


def token_of(order: ImportRequest) -> str | None:
    """The hub's token from Secrets Manager; None where none is needed, or none can be read.

    A token that cannot be read is no error yet: the hub's refusal says all there is to do about it.
    """
    if order["secret"] is None:
        return None
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        secret = boto3.client("secretsmanager").get_secret_value(SecretId=order["secret"])
    except (BotoCoreError, ClientError) as error:
        print(f"the token cannot be read from Secrets Manager: {error}", flush=True)
        return None
    # What was stored by hand often ends in a line break, and some store it as JSON.
    text = str(secret.get("SecretString") or "").strip()
    return (_only_value(text) if text.startswith("{") else text) or None


def _only_value(text: str) -> str:
    """The one string of a JSON object; nothing where there are several, or it is damaged."""
    try:
        values = [value for value in json.loads(text).values() if isinstance(value, str)]
    except json.JSONDecodeError:
        # The error would quote the secret in the log.
        values = []
    if len(values) == 1:
        return values[0].strip()
    print("the secret of the hub's token is neither a token nor JSON with one value", flush=True)
    return ""
