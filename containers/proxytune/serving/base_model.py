"""The base model of a transform job: its adapter comes with the model, the base straight from the bucket.

(SageMaker would unpack it from model.tar.gz, slowly, and a transform cannot use ModelDataSource.)
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from proxytune.contract.errors import ProxytuneError

# Files at once, and ranged requests at once within a large one: enough to fill a 10 Gbit/s interface at the
# roughly 85 MB/s that S3 gives a connection (S3's performance guidelines).
FILES_AT_ONCE = 4
RANGES_AT_ONCE = 8
RANGE_BYTES = 32 * 2**20


@contextmanager
def fetch(uri: str) -> Iterator[Path]:
    """The base model as a local folder; a downloaded one is removed afterwards.

    Args:
        uri: s3://bucket/prefix/ or file:///folder.

    Raises:
        ProxytuneError: ModelMissing when there is nothing, HyperparameterInvalid for another kind of address.
    """
    parts = urlparse(uri)
    if parts.scheme == "file":
        folder = Path(unquote(parts.path))
        if not folder.is_dir():
            raise _missing(uri, "the folder does not exist")
        yield folder
        return
    if parts.scheme != "s3":
        raise ProxytuneError(
            "HyperparameterInvalid",
            what="PROXYTUNE_BASE_MODEL is no address that can be read",
            given=uri,
            allowed="s3://bucket/prefix/ or file:///folder",
            remedy="create the SageMaker model with the environment that the plan gives",
        )
    folder = Path(tempfile.mkdtemp(prefix="proxytune-base-"))
    try:
        _download(uri, parts.netloc, parts.path.lstrip("/"), folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _download(uri: str, bucket: str, prefix: str, folder: Path) -> None:
    import boto3
    from boto3.s3.transfer import TransferConfig
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    prefix = prefix if prefix.endswith("/") or not prefix else f"{prefix}/"
    # More patience than the SDK's three attempts: a GPU is already paid for while this waits.
    attempts = int(os.environ.get("AWS_MAX_ATTEMPTS") or 6)
    client = boto3.client(
        "s3",
        config=Config(
            retries={"mode": "standard", "total_max_attempts": attempts},
            max_pool_connections=FILES_AT_ONCE * RANGES_AT_ONCE,
        ),
    )
    transfer = TransferConfig(
        max_concurrency=RANGES_AT_ONCE, multipart_threshold=RANGE_BYTES, multipart_chunksize=RANGE_BYTES
    )

    def one(entry: dict[str, Any]) -> None:
        target = folder / entry["Key"][len(prefix) :]
        if not target.resolve().is_relative_to(folder.resolve()):
            raise _missing(uri, f"the key {entry['Key']} leads out of the folder")
        target.parent.mkdir(parents=True, exist_ok=True)
        client.download_file(bucket, entry["Key"], str(target), Config=transfer)
        if target.stat().st_size != entry["Size"]:
            raise _missing(uri, f"{entry['Key']} came with {target.stat().st_size} of {entry['Size']} bytes")

    try:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        # A key that ends in a slash is a folder of the S3 console, not a file.
        entries = [entry for page in pages for entry in page.get("Contents", []) if entry["Key"][-1] != "/"]
        if not entries:
            raise _missing(uri, "the prefix holds no object")
        with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
            list(pool.map(one, entries))
    except (BotoCoreError, ClientError) as error:
        raise _missing(uri, str(error)) from error


def _missing(uri: str, why: str) -> ProxytuneError:
    return ProxytuneError(
        "ModelMissing",
        what=f"The base model cannot be read: {why}",
        given=uri,
        remedy="upload the model to this address, and let the job's role read it",
    )
