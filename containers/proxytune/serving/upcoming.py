"""The prompts of the chunks that a transform will be sent: they are read once and early."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlparse

from proxytune.contract.names import CHUNKS
from proxytune.images.chunk import parse, prompts_of

# S3's responses are small and slow, so several requests are sent at once.
PARALLEL_REQUESTS = 16


def upcoming_prompts(uri: str) -> Iterator[str]:
    """Read the distinct prompts of the chunk objects at an address; nothing is read before the first is used.

    Args:
        uri: s3://bucket/prefix/ or file:///folder.

    Yields:
        The prompts in order. None when the chunks cannot be read, which is logged: each is sent later anyway.
    """
    try:
        yield from prompts_of([("", parse(body)) for body in _bodies(uri)])
    except Exception as error:
        print(
            f"The prompts are encoded when their chunks arrive: {type(error).__name__}: {error}", flush=True
        )


def _bodies(uri: str) -> list[bytes]:
    parts = urlparse(uri)
    if parts.scheme == "file":
        return [file.read_bytes() for file in sorted(Path(unquote(parts.path)).glob(CHUNKS.pattern))]
    from concurrent.futures import ThreadPoolExecutor

    from proxytune.serving.base_model import s3_client

    bucket, s3 = parts.netloc, s3_client()
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=parts.path.lstrip("/"))
    keys = sorted(entry["Key"] for page in pages for entry in page.get("Contents", []))
    with ThreadPoolExecutor(PARALLEL_REQUESTS) as pool:
        return list(pool.map(lambda key: s3.get_object(Bucket=bucket, Key=key)["Body"].read(), keys))
