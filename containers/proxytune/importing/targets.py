"""The targets of an import: a folder on this machine, or a bucket. Both know which files exist already."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from proxytune.contract import aws
from proxytune.contract.errors import ProxytuneError
from proxytune.contract.model_manifest import MANIFEST_FILE, sha256_of
from proxytune.contract.progress import replace_file
from proxytune.contract.types.model_manifest import ModelManifest, ModelManifestFile

# S3 accepts at most 10,000 parts: enough for 312 GiB. A file has at most five of these in memory.
PART_BYTES = 32 * 2**20
PARTS_AT_ONCE = 4
# S3's errors for parts of an upload that another import has completed, aborted, or sent other content to.
OTHER_IMPORT_ERRORS = ("NoSuchUpload", "InvalidPart")
# The suffix of a file that is being written.
PARTIAL = ".part"


class Target(Protocol):
    """A target for the files of one model."""

    def begin(self, paths: Iterable[str]) -> None:
        """Remove the manifest and all files but the paths: from now on the model is incomplete."""

    def same(self, path: str, size: int, sha256: str | None) -> ModelManifestFile | None:
        """The manifest entry of a file that exists with this content; None when it does not, or is unsure."""

    def write(self, path: str, size: int, sha256: str | None, content: Iterable[bytes]) -> ModelManifestFile:
        """Write a file, completely or not at all. Returns: its manifest entry."""

    def end(self, manifest: ModelManifest) -> None:
        """Write the manifest, which completes the model."""


class Folder:
    """A folder on this machine. Its manifest has `linked`, because the files stay in the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()

    def begin(self, paths: Iterable[str]) -> None:
        """See Target.

        Raises:
            ProxytuneError: ModelMismatch for a folder of anything else, whose files would be removed.
        """
        expected = set(paths)
        self.folder.mkdir(parents=True, exist_ok=True)
        existing = {file: file.relative_to(self.folder).as_posix() for file in self._files()}
        ours = {MANIFEST_FILE, *expected}
        others = [path for file, path in existing.items() if path not in ours and file.suffix != PARTIAL]
        if others and ours.isdisjoint(existing.values()):
            raise ProxytuneError(
                "ModelMismatch",
                what="The folder contains files, and none of them belongs to this model",
                given=f"{self.folder}, with {others[0]}",
                allowed="a folder that is empty, does not exist, or is of an earlier import of this model",
                remedy="choose another folder",
            )
        for file, path in existing.items():
            if path not in expected:
                file.unlink()

    def _files(self) -> list[Path]:
        return sorted(file for file in self.folder.rglob("*") if file.is_file())

    def same(self, path: str, size: int, sha256: str | None) -> ModelManifestFile | None:
        """See Target. A small file, for which the hub reports no SHA-256, is fetched again."""
        file = self.folder / path
        if sha256 is None or not file.is_file() or file.stat().st_size != size:
            return None
        return self._entry(path, sha256) if sha256_of(file) == sha256 else None

    def write(self, path: str, size: int, sha256: str | None, content: Iterable[bytes]) -> ModelManifestFile:
        """See Target."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_name(f".{file.name}{PARTIAL}")
        digest = hashlib.sha256()
        try:
            with partial.open("wb") as opened:
                for block in content:
                    digest.update(block)
                    opened.write(block)
            partial.replace(file)
        except BaseException:
            # Above all on a full disk: half a file would keep it full.
            partial.unlink(missing_ok=True)
            raise
        return self._entry(path, digest.hexdigest())

    def end(self, manifest: ModelManifest) -> None:
        """See Target."""
        text = json.dumps({**manifest, "linked": str(self.folder)})
        replace_file(self.folder / MANIFEST_FILE, text.encode())

    def _entry(self, path: str, sha256: str) -> ModelManifestFile:
        stat = (self.folder / path).stat()
        # Whole milliseconds, rounded down as in lib/aws/model-folder/files.ts.
        modified = stat.st_mtime_ns // 1_000_000
        return {"path": path, "size": stat.st_size, "sha256": sha256, "etag": None, "modified": modified}


class Bucket:
    """A prefix of a bucket. An object's SHA-256 is in its metadata, as the ETag of parts is not a hash."""

    def __init__(self, bucket: str, prefix: str) -> None:
        from botocore.config import Config

        self.bucket, self.prefix = bucket, prefix
        retries = {"mode": "standard", "total_max_attempts": 8}
        self.client = aws.client("s3", config=Config(retries=retries, max_pool_connections=32))

    def begin(self, paths: Iterable[str]) -> None:
        """See Target."""
        self.client.delete_object(Bucket=self.bucket, Key=self.prefix + MANIFEST_FILE)
        wanted = {self.prefix + path for path in paths}
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix)
        for page in pages:
            for entry in page.get("Contents", []):
                if entry["Key"] not in wanted:
                    self.client.delete_object(Bucket=self.bucket, Key=entry["Key"])

    def same(self, path: str, size: int, sha256: str | None) -> ModelManifestFile | None:
        """See Target."""
        from botocore.exceptions import ClientError

        try:
            head = self.client.head_object(Bucket=self.bucket, Key=self.prefix + path)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise
        known = head.get("Metadata", {}).get("sha256")
        if head["ContentLength"] != size or known is None or known != sha256:
            return None
        return _entry(path, size, known, head["ETag"])

    def write(self, path: str, size: int, sha256: str | None, content: Iterable[bytes]) -> ModelManifestFile:
        """See Target. The SHA-256 of a file that is too large for a single request must be known.

        Raises:
            ProxytuneError: RunActive when another import has ended the upload with another file.
        """
        parts = _parts(content)
        if size <= PART_BYTES:
            body = b"".join(parts)
            digest = hashlib.sha256(body).hexdigest()
            response = self.client.put_object(
                Bucket=self.bucket, Key=self.prefix + path, Body=body, Metadata={"sha256": digest}
            )
            return _entry(path, len(body), digest, response["ETag"])
        if sha256 is None:
            raise ValueError(f"{path} is large, but its SHA-256 is not known before it is sent")
        from botocore.exceptions import ClientError

        try:
            return _entry(path, size, sha256, self._in_parts(self.prefix + path, sha256, parts))
        except ClientError as error:
            if error.response["Error"]["Code"] not in OTHER_IMPORT_ERRORS:
                raise
            existing = self.same(path, size, sha256)
            if existing is None:
                raise self._other_import(path) from error
            return existing

    def end(self, manifest: ModelManifest) -> None:
        """See Target."""
        self.client.put_object(
            Bucket=self.bucket,
            Key=self.prefix + MANIFEST_FILE,
            Body=json.dumps({**manifest, "linked": None}).encode(),
            ContentType="application/json",
        )

    def _in_parts(self, key: str, sha256: str, parts: Iterator[bytes]) -> str:
        """Upload in parts. The content must have been verified when `parts` ends. Returns: the ETag."""
        from botocore.exceptions import ClientError

        at: dict[str, Any] = {"Bucket": self.bucket, "Key": key}
        created = self.client.create_multipart_upload(
            **at, Metadata={"sha256": sha256}, ChecksumAlgorithm="CRC32"
        )
        upload = created["UploadId"]

        def send(number: int, body: bytes) -> dict[str, Any]:
            response = self.client.upload_part(
                **at, UploadId=upload, PartNumber=number, Body=body, ChecksumAlgorithm="CRC32"
            )
            checksums = {name: response[name] for name in ("ETag", "ChecksumCRC32") if name in response}
            return {"PartNumber": number, **checksums}

        try:
            with ThreadPoolExecutor(PARTS_AT_ONCE) as pool:
                sent: list[Future[dict[str, Any]]] = []
                for number, body in enumerate(parts, 1):
                    sent.append(pool.submit(send, number, body))
                    # An earlier part must be sent before more is read, which bounds the memory.
                    if number > PARTS_AT_ONCE:
                        sent[number - PARTS_AT_ONCE - 1].result()
                done = [future.result() for future in sent]
            completed = self.client.complete_multipart_upload(
                **at, UploadId=upload, MultipartUpload={"Parts": done}
            )
        except BaseException:
            # An upload that another import has ended must not hide the error of this one.
            with suppress(ClientError):
                self.client.abort_multipart_upload(**at, UploadId=upload)
            raise
        etag: str = completed["ETag"]
        return etag

    def _other_import(self, path: str) -> ProxytuneError:
        return ProxytuneError(
            "RunActive",
            what="Another import of the same model has ended the upload of a file",
            given=f"s3://{self.bucket}/{self.prefix}{path}",
            allowed="several imports at once, if they import the same files",
            remedy="wait for the other import to end, then run this one again; it fetches only what differs",
        )


def _entry(path: str, size: int, sha256: str, etag: str) -> ModelManifestFile:
    return {"path": path, "size": size, "sha256": sha256, "etag": etag.strip('"'), "modified": None}


def _parts(content: Iterable[bytes]) -> Iterator[bytes]:
    """The content in parts of one size, the last one shorter."""
    pending: list[bytes] = []
    size = 0
    for block in content:
        pending.append(block)
        size += len(block)
        while size >= PART_BYTES:
            joined = b"".join(pending)
            yield joined[:PART_BYTES]
            pending, size = [joined[PART_BYTES:]], size - PART_BYTES
    if size > 0:
        yield b"".join(pending)
