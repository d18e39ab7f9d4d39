"""The serving process: listens at once, loads in the background, ends when loading fails.

SageMaker asks /ping about once a second with two seconds of patience and gives up after some thirty minutes;
a process that cannot load must therefore end itself, or every failure would cost half an hour of GPU.
"""

from __future__ import annotations

import sys
import threading
import traceback
from contextlib import ExitStack

import uvicorn

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.failure import named
from proxytune.generation.generator import ImageGenerator
from proxytune.generation.loading import load_onto_device, maker_for
from proxytune.serving.app import Loaded, make_app
from proxytune.serving.base_model import fetch
from proxytune.serving.failure_note import leave_note
from proxytune.serving.settings import Settings
from proxytune.serving.upcoming import upcoming_prompts

# What is being drawn at SIGTERM is lost anyway; the platform kills soon after.
SECONDS_TO_FINISH = 5


def serve() -> int:
    """Serve until SIGTERM.

    Returns:
        The exit code: 1 when the model could not be loaded, with `ErrorName: message` on stderr.
    """
    try:
        settings = Settings.from_environment()
    except ProxytuneError as error:
        print(error.line, file=sys.stderr, flush=True)
        leave_note(error)
        return 1
    loaded = Loaded()
    failures: list[BaseException] = []
    server = uvicorn.Server(
        uvicorn.Config(
            make_app(settings.role, settings.model, loaded),
            host=settings.host,
            port=settings.port,
            log_level="warning",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=SECONDS_TO_FINISH,
        )
    )

    kept = ExitStack()

    def load() -> None:
        try:
            loaded.maker = load_maker(settings, kept)
        except BaseException as error:
            failures.append(error)
            server.should_exit = True

    # A daemon: SIGTERM while loading must not wait for it.
    threading.Thread(target=load, name="load", daemon=True).start()
    with kept:
        server.run()
    for failure in failures:
        traceback.print_exception(failure, file=sys.stdout)
        sys.stdout.flush()
        print(named(failure).line, file=sys.stderr, flush=True)
        leave_note(named(failure))
    return 1 if failures else 0


def load_maker(settings: Settings, kept: ExitStack) -> ImageGenerator:
    """The picture maker of the settings' role and family, loaded.

    Without any file in the model folder there is no adapter, and only variant `base` can be drawn. Where the
    settings say which chunks will come, their prompts are read at once.

    Args:
        kept: holds the base model on the disk until it is closed: parts of it are read when they are needed.

    Raises:
        ProxytuneError: ModelMissing, ModelMismatch, ModelUnknown.
    """
    adapter = settings.adapter if any(settings.adapter.glob("*")) else None
    maker = maker_for(settings.role, settings.family, settings.model, adapter)
    base = kept.enter_context(fetch(settings.base_model))
    load_onto_device(maker, base, adapter, f"{settings.role} {settings.model}")
    if settings.chunks and maker.encodes_prompts_early:
        maker.expect(upcoming_prompts(settings.chunks))
    return maker
