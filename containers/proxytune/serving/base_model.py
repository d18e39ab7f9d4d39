"""The base model of a transform job, which is read directly from the bucket.

The adapter comes with the SageMaker model. For the base model that would mean a model.tar.gz that SageMaker
unpacks, slowly, and a transform does not support ModelDataSource.
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

from proxytune.contract import aws
from proxytune.contract.errors import ProxytuneError
from proxytune.contract.model_manifest import (
    MANIFEST_FILE,
    check_hash,
    check_sizes,
    parse,
    sha256_of,
)
from proxytune.contract.types.model_manifest import ModelManifestFile

# Parallel files, and parallel range requests within a large file: enough to fill a 10 Gbit/s interface at the
# roughly 85 MB/s of a connection to S3 (S3's performance guidelines).
PARALLEL_FILES = 4
PARALLEL_RANGES = 8
RANGE_BYTES = 32 * 2**20


@contextmanager
def fetch(uri: str) -> Iterator[Path]:
    """Provide the base model as a local folder; a downloaded one is removed afterwards.

    Args:
        uri: s3://bucket/prefix/ or file:///folder.

    Raises:
        ProxytuneError: ModelMissing when there is no model, ModelChanged when it is not the imported one,
            HyperparameterInvalid for another kind of address, RegionUnknown.
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
            what="PROXYTUNE_BASE_MODEL is not a valid address",
            given=uri,
            allowed="s3://bucket/prefix/ or file:///folder",
            remedy="create the SageMaker model with the environment that the plan specifies",
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
            raise _missing(uri, "the prefix contains no objects")
        if sizes.pop(MANIFEST_FILE, None) is None:
            raise _missing(uri, f"it has no {MANIFEST_FILE}, which an import writes last")
        content = client.get_object(Bucket=bucket, Key=prefix + MANIFEST_FILE)["Body"].read()
        manifest = parse(content.decode("utf-8", "replace"), uri)
        check_sizes(manifest, sizes, uri)

        def download(entry: ModelManifestFile) -> None:
            _pull(client, bucket, prefix, entry, folder, uri)

        # The largest first: otherwise the last one might be downloaded alone.
        entries = sorted(manifest["files"], key=lambda entry: -entry["size"])
        with ThreadPoolExecutor(PARALLEL_FILES) as pool:
            list(pool.map(download, entries))
    except (BotoCoreError, ClientError) as error:
        raise _missing(uri, str(error)) from error


def s3_client() -> Any:
    """Create a client of S3 for many parallel requests."""
    from botocore.config import Config

    # More attempts than the SDK's three, as a failed job would waste the GPU time paid so far.
    attempts = int(os.environ.get("AWS_MAX_ATTEMPTS") or 6)
    return aws.client(
        "s3",
        config=Config(
            retries={"mode": "standard", "total_max_attempts": attempts},
            max_pool_connections=PARALLEL_FILES * PARALLEL_RANGES,
        ),
    )


def _pull(client: Any, bucket: str, prefix: str, entry: ModelManifestFile, folder: Path, uri: str) -> None:
    """Download a file in ranges, a few at a time, whatever the file's size.

    A range that breaks off is requested again from its beginning; the hash of the file shows whether the
    object has changed meanwhile.
    """
    from boto3.s3.transfer import TransferConfig

    transfer = TransferConfig(
        max_concurrency=PARALLEL_RANGES, multipart_threshold=RANGE_BYTES, multipart_chunksize=RANGE_BYTES
    )
    target = folder / entry["path"]
    if not target.resolve().is_relative_to(folder.resolve()):
        raise _missing(uri, f"the path {entry['path']} leads out of the folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    client.download_file(bucket, prefix + entry["path"], str(target), Config=transfer)
    # Read from the page cache: a gigabyte takes about a second, and hashing releases the GIL.
    check_hash(entry, sha256_of(target), uri)


def _missing(uri: str, why: str) -> ProxytuneError:
    return ProxytuneError(
        "ModelMissing",
        what=f"The base model cannot be read: {why}",
        given=uri,
        remedy="import the model with npx proxytune import-model, and allow the job's role to read it",
    )
