"""The serving process: listens at once, loads in the background, exits when loading fails.

SageMaker requests /ping about once a second with a timeout of two seconds, and gives up after some thirty
minutes; a process that cannot load must therefore exit, or every failure would cost half an hour of GPU time.
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
from proxytune.generation.loading import create_generator, load_onto_device
from proxytune.serving.app import Loaded, make_app
from proxytune.serving.base_model import fetch
from proxytune.serving.failure_note import leave_note
from proxytune.serving.settings import Settings
from proxytune.serving.upcoming import upcoming_prompts
from proxytune.training.gpus import require_gpus

# The chunk in progress at SIGTERM is lost anyway; the platform kills the process soon after.
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

    resources = ExitStack()

    def load() -> None:
        try:
            loaded.generator = load_generator(settings, resources)
        except BaseException as error:
            failures.append(error)
            server.should_exit = True

    # A daemon, so that SIGTERM while loading does not wait for it.
    threading.Thread(target=load, name="load", daemon=True).start()
    with resources:
        server.run()
    for failure in failures:
        traceback.print_exception(failure, file=sys.stdout)
        sys.stdout.flush()
        print(named(failure).line, file=sys.stderr, flush=True)
        leave_note(named(failure))
    return 1 if failures else 0


def load_generator(settings: Settings, resources: ExitStack) -> ImageGenerator:
    """Load the generator of the settings' role and family.

    Without any file in the model folder there is no adapter, and only variant `base` can be generated. If the
    settings have the address of the chunks, their prompts are encoded at once.

    Args:
        resources: keeps the base model on the disk until it is closed, as parts may be read later.

    Raises:
        ProxytuneError: GpuMissing, ModelMissing, ModelMismatch, ModelUnknown.
    """
    require_gpus()
    adapter = settings.adapter if any(settings.adapter.glob("*")) else None
    generator = create_generator(settings.role, settings.family, settings.model, adapter)
    base = resources.enter_context(fetch(settings.base_model))
    load_onto_device(generator, base, adapter, f"{settings.role} {settings.model}")
    if settings.chunks:
        generator.encode_ahead(upcoming_prompts(settings.chunks))
    return generator
