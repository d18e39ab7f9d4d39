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
from proxytune.contract.model_manifest import (
    MANIFEST_FILE,
    check_hash,
    check_sizes,
    parse,
    sha256_of,
)
from proxytune.contract.types.model_manifest import ModelManifestFile

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
        ProxytuneError: ModelMissing when there is nothing, ModelChanged when it is not what was brought in,
            HyperparameterInvalid for another kind of address.
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
    from botocore.exceptions import BotoCoreError, ClientError

    prefix = prefix if prefix.endswith("/") or not prefix else f"{prefix}/"
    client = s3_client()
    try:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        # A key that ends in a slash is a folder of the S3 console, not a file.
        sizes = {
            entry["Key"][len(prefix) :]: entry["Size"]
            for page in pages
            for entry in page.get("Contents", [])
            if entry["Key"][-1] != "/"
        }
        if not sizes:
            raise _missing(uri, "the prefix holds no object")
        if sizes.pop(MANIFEST_FILE, None) is None:
            raise _missing(uri, f"it has no {MANIFEST_FILE}, the last object of a whole one")
        read = client.get_object(Bucket=bucket, Key=prefix + MANIFEST_FILE)["Body"].read()
        manifest = parse(read.decode("utf-8", "replace"), uri)
        check_sizes(manifest, sizes, uri)

        def one(entry: ModelManifestFile) -> None:
            _pull(client, bucket, prefix, entry, folder, uri)

        # The largest first: the last one would otherwise come alone.
        entries = sorted(manifest["files"], key=lambda entry: -entry["size"])
        with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
            list(pool.map(one, entries))
    except (BotoCoreError, ClientError) as error:
        raise _missing(uri, str(error)) from error


def s3_client() -> Any:
    """S3, for many requests at once."""
    import boto3
    from botocore.config import Config

    # More patience than the SDK's three attempts: a GPU is already paid for while this waits.
    attempts = int(os.environ.get("AWS_MAX_ATTEMPTS") or 6)
    return boto3.client(
        "s3",
        config=Config(
            retries={"mode": "standard", "total_max_attempts": attempts},
            max_pool_connections=FILES_AT_ONCE * RANGES_AT_ONCE,
        ),
    )


def _pull(client: Any, bucket: str, prefix: str, entry: ModelManifestFile, folder: Path, uri: str) -> None:
    """One file, in ranges written to their places: the memory holds a few ranges, whatever the file's size.

    A range that breaks off is asked for again, from its beginning, and only that range; the hash of the whole
    shows whether the object was another one meanwhile.
    """
    from boto3.s3.transfer import TransferConfig

    transfer = TransferConfig(
        max_concurrency=RANGES_AT_ONCE, multipart_threshold=RANGE_BYTES, multipart_chunksize=RANGE_BYTES
    )
    target = folder / entry["path"]
    if not target.resolve().is_relative_to(folder.resolve()):
        raise _missing(uri, f"the path {entry['path']} leads out of the folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    client.download_file(bucket, prefix + entry["path"], str(target), Config=transfer)
    # Read back from the page cache: a gigabyte takes about a second, and hashing sets the interpreter free.
    check_hash(entry, sha256_of(target), uri)


def _missing(uri: str, why: str) -> ProxytuneError:
    return ProxytuneError(
        "ModelMissing",
        what=f"The base model cannot be read: {why}",
        given=uri,
        remedy="bring the model in with npx proxytune import-model, and let the job's role read it",
    )
