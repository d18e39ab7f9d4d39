"""The stage teach: references in, adapter out. The same for every family."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from typing import Any

import torch

from proxytune.contract.checkpoints import CheckpointStore
from proxytune.contract.folders import Folders
from proxytune.contract.hyperparameters import settings_hash
from proxytune.contract.names import CHANNELS, FOLDERS
from proxytune.contract.progress import ProgressFile
from proxytune.contract.signals import StopRequest
from proxytune.teacher.about import describe, weights_sha256
from proxytune.teacher.class_images import CLASS_PICTURES, class_pictures
from proxytune.teacher.config import Lesson, Prior, Teacher
from proxytune.teacher.families import registry
from proxytune.teacher.photos import PhotoSet
from proxytune.teacher.validation import SampleBook, collector, wanted
from proxytune.training import loop
from proxytune.training.device import default_device
from proxytune.training.distributed import Processes, join, leave
from proxytune.training.lora import write_facts
from proxytune.training.states import seed_everything


def train(folders: Folders, hyperparameters: dict[str, Any], stop: StopRequest) -> None:
    """Train the teacher and leave its adapter in the model folder.

    Args:
        hyperparameters: those of stage teach, checked.

    Raises:
        ProxytuneError: by its name; see the modules called here.
        SystemExit: 143 after SIGTERM.
    """
    processes = join()
    base, references = folders.channel(CHANNELS.base), folders.channel(CHANNELS.references)
    progress = ProgressFile(folders.checkpoints, "teach", hyperparameters["steps"])
    if processes.first:
        progress.write("loading the teacher", 0)
    photos = PhotoSet(references, hyperparameters["size"], flips=hyperparameters.get("flips", False))
    settings_of_all = settings_hash(hyperparameters, photos.sha256)
    store = CheckpointStore(folders.checkpoints, settings_of_all, clear=processes.first)
    teacher = registry.teacher(hyperparameters["family"], base, default_device())
    prior = _prior(base, hyperparameters, folders, progress, processes)
    # Drawing the class's pictures, in this attempt or an earlier one, leaves no trace in the training.
    seed_everything(hyperparameters["seed"])
    trainee = teacher.prepare(photos, _lesson(hyperparameters, prior, processes))
    settings = loop.LoopSettings(
        steps=hyperparameters["steps"],
        checkpoint_every=hyperparameters["checkpoint_every"],
        learning_rate=hyperparameters["learning_rate"],
        seed=hyperparameters["seed"],
    )
    if not processes.first:
        loop.run(trainee, settings, store, progress, stop, processes=processes)
        leave(processes)
        return
    # Reading tens of gigabytes for the sake of a line: beside the training, not after it.
    base_sha256 = _beside(lambda: weights_sha256(teacher.weights))
    book = _book(hyperparameters, folders, photos)
    draw = None if book is None else collector(book, teacher, hyperparameters["samples"], progress, stop)
    loop.run(trainee, settings, store, progress, stop, processes=processes, at_checkpoint=draw)
    leave(processes)
    step = hyperparameters["steps"] if book is None else _hand_on(book, teacher, hyperparameters, folders)
    progress.write("saving the adapter", hyperparameters["steps"])
    about = describe(
        hyperparameters,
        architecture=teacher.architecture,
        photos=photos.sha256,
        base_sha256=base_sha256.result(),
        step=step,
    )
    teacher.save(folders.model, about)
    write_facts(folders.model, hyperparameters, photos=photos.sha256, chosen_step=step)
    if book is not None:
        book.keep_only(step)
    progress.write("done", hyperparameters["steps"])


def _beside(work: Callable[[], str]) -> Future[str]:
    """Work in a thread that a stopped process leaves behind; it would wait for those of a pool."""
    future: Future[str] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future


def _prior(
    base: Path,
    hyperparameters: dict[str, Any],
    folders: Folders,
    progress: ProgressFile,
    processes: Processes,
) -> Prior | None:
    if "prior" not in hyperparameters:
        return None
    if processes.first:
        progress.write("drawing the class", 0)
        class_pictures(base, hyperparameters, folders, default_device())
    processes.wait()
    folder = folders.base / CLASS_PICTURES
    prior = hyperparameters["prior"]
    return Prior(prior["prompt"], PhotoSet(folder, hyperparameters["size"]), prior["weight"])


def _book(hyperparameters: dict[str, Any], folders: Folders, photos: PhotoSet) -> SampleBook | None:
    """Where samples and adapters of the checkpoints are kept; None where the last checkpoint is handed on."""
    if "samples" not in hyperparameters:
        print("no samples were asked for: the adapter of the last step is handed on", flush=True)
        return None
    settings = settings_hash(hyperparameters, photos.sha256)
    return SampleBook(folders.checkpoints / FOLDERS.validation, settings, wanted(hyperparameters))


def _hand_on(book: SampleBook, teacher: Teacher, hyperparameters: dict[str, Any], folders: Folders) -> int:
    """Let the teacher be what it was at the best of its checkpoints; the step of that."""
    # The encoders that measure are wanted here only.
    from proxytune.teacher.checkpoint_selection import choose_checkpoint

    step = choose_checkpoint(book, hyperparameters, folders, default_device())
    adapter = book.adapter(step)
    with torch.no_grad():
        for name, value in teacher.named_parameters():
            value.copy_(adapter[name])
    return step


def _lesson(hyperparameters: dict[str, Any], prior: Prior | None, processes: Processes) -> Lesson:
    optional: dict[str, Any] = {
        key: hyperparameters[key] for key in ("adapted", "snr_gamma", "bits") if key in hyperparameters
    }
    if "samples" in hyperparameters:
        optional["samples"] = tuple(dict.fromkeys(sample.prompt for sample in wanted(hyperparameters)))
    return Lesson(
        prompts=hyperparameters["prompts"],
        token_word=hyperparameters["token_word"],
        rank=hyperparameters["rank"],
        alpha=hyperparameters["alpha"],
        batch_size=hyperparameters["batch_size"],
        seed=hyperparameters["seed"],
        prior=prior,
        steps=hyperparameters["steps"],
        processes=processes,
        **optional,
    )
