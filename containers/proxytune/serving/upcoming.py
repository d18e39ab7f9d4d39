"""The chunks that a transform will be sent, known beforehand: their prompts are read once and early."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlparse

from proxytune.contract.names import CHUNKS
from proxytune.images.chunk import parse, prompts_of

# S3's answers are small and slow: some at once.
AT_ONCE = 16


def upcoming_prompts(uri: str) -> list[str]:
    """Every prompt of the chunk objects below an address once, in their order.

    Args:
        uri: s3://bucket/prefix/ or file:///folder.

    Returns:
        None at all when the chunks cannot be read, and says so: each comes again by itself.
    """
    try:
        return prompts_of([("", parse(body)) for body in _bodies(uri)])
    except Exception as error:
        print(f"The prompts are read as they come: {type(error).__name__}: {error}", flush=True)
        return []


def _bodies(uri: str) -> list[bytes]:
    parts = urlparse(uri)
    if parts.scheme == "file":
        return [file.read_bytes() for file in sorted(Path(unquote(parts.path)).glob(CHUNKS.pattern))]
    from concurrent.futures import ThreadPoolExecutor

    from proxytune.serving.base_model import s3_client

    bucket, s3 = parts.netloc, s3_client()
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=parts.path.lstrip("/"))
    keys = sorted(entry["Key"] for page in pages for entry in page.get("Contents", []))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda key: s3.get_object(Bucket=bucket, Key=key)["Body"].read(), keys))
