"""The three routes of SageMaker's inference contract."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.failure import named
from proxytune.generation.generator import ImageGenerator
from proxytune.generation.rendering import render_shard
from proxytune.images import chunk as chunks
from proxytune.images.chunk import Chunk
from proxytune.serving.failure_note import leave_note
from proxytune.serving.settings import STAGES

# A chunk of 256 images is about 60 kB.
PAYLOAD_MB = 6


@dataclass
class Loaded:
    """The image generator, once it is loaded."""

    generator: ImageGenerator | None = None


def make_app(role: str, model: str, loaded: Loaded) -> Starlette:
    """Create the app.

    Args:
        role: teacher or student.
        model: catalogue id of the base model; written into every record.
        loaded: set by the caller; until then /ping responds with 503.
    """
    one_at_a_time = asyncio.Lock()

    async def ping(_request: Request) -> Response:
        return Response(status_code=503 if loaded.generator is None else 200)

    async def execution_parameters(_request: Request) -> Response:
        return JSONResponse(
            {"MaxConcurrentTransforms": 1, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": PAYLOAD_MB}
        )

    async def invocations(request: Request) -> Response:
        if loaded.generator is None:
            return Response(status_code=503)
        try:
            body = await _body(request)
            chunk = chunks.parse(body)
            _check(chunk, role, loaded.generator)
            async with one_at_a_time:
                content = await run_in_threadpool(render_shard, loaded.generator, chunk, model)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:
            return _refusal(error)
        return Response(content, media_type="application/x-tar")

    return Starlette(
        routes=[
            Route("/ping", ping),
            Route("/execution-parameters", execution_parameters),
            Route("/invocations", invocations, methods=["POST"]),
        ]
    )


def _check(chunk: Chunk, role: str, generator: ImageGenerator) -> None:
    if chunk.stage not in STAGES[role]:
        raise chunks.invalid(
            f"The chunk is not for the {role}", given=chunk.stage, allowed=", ".join(STAGES[role])
        )
    if chunk.sampler["kind"] != generator.sampler_kind:
        raise chunks.invalid(
            f"The chunk's sampler is not for the {role}",
            given=chunk.sampler["kind"],
            allowed=generator.sampler_kind,
        )


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > PAYLOAD_MB * 2**20:
            raise chunks.invalid("The chunk is too large", allowed=f"at most {PAYLOAD_MB} MB")
        parts.append(part)
    return b"".join(parts)


def _refusal(error: Exception) -> Response:
    """Respond with status 400 for an invalid chunk, with 500 for everything else (SageMaker then retries)."""
    if not isinstance(error, ProxytuneError):
        import traceback

        traceback.print_exception(error)
    known = named(error)
    leave_note(known)
    body: dict[str, Any] = {"error": known.name, "message": str(known)}
    return JSONResponse(body, status_code=400 if known.name == "HyperparameterInvalid" else 500)
