"""The stage teach: references in, adapter out. The same for every family."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from proxytune.contract.checkpoints import CheckpointStore
from proxytune.contract.folders import Folders
from proxytune.contract.hyperparameters import settings_hash
from proxytune.contract.names import CHANNELS, FOLDERS
from proxytune.contract.progress import ProgressFile
from proxytune.contract.signals import StopRequest
from proxytune.contract.types.hyperparameters import TeachHyperparameters
from proxytune.masks.photo_masks import (
    PhotoMask,
    describe,
    has_given_masks,
    prepare_photo_masks,
    read_photo_masks,
)
from proxytune.teacher.adapter_metadata import adapter_metadata, weights_sha256
from proxytune.teacher.class_images import prepare_class_images
from proxytune.teacher.config import ClassImages, TrainConfig, validation_images
from proxytune.teacher.families import registry
from proxytune.teacher.loading import part_folder
from proxytune.teacher.lora_trainer import TeacherTrainer
from proxytune.teacher.photos import PhotoSet
from proxytune.teacher.validation import ValidationImages
from proxytune.training import loop
from proxytune.training.device import default_device
from proxytune.training.distributed import join, leave
from proxytune.training.lora import write_facts
from proxytune.training.loss_history import LossHistory
from proxytune.training.states import seed_everything

if TYPE_CHECKING:
    from proxytune.masks.segmenter import Segmenter


def train(folders: Folders, hyperparameters: TeachHyperparameters, stop: StopRequest) -> None:
    """Train the teacher and leave its adapter in the model folder.

    Args:
        hyperparameters: those of stage teach, checked.

    Raises:
        ProxytuneError: by its name; see the modules called here.
        SystemExit: 143 after SIGTERM.
    """
    TeachJob(folders, hyperparameters, stop).run()


class TeachJob:
    """One attempt of a job of stage teach; of several processes, the first writes files and logs."""

    def __init__(self, folders: Folders, hyperparameters: TeachHyperparameters, stop: StopRequest) -> None:
        self._folders, self._hyperparameters, self._stop = folders, hyperparameters, stop
        self._steps: int = hyperparameters["steps"]
        self._processes = join()
        self._device = default_device()
        self._base = folders.channel(CHANNELS.base)
        self._progress = ProgressFile(folders.checkpoints, "teach", self._steps)
        self._losses = LossHistory(self._steps)

    def run(self) -> None:
        """Train and, in the first process, select a checkpoint and save its adapter."""
        hyperparameters = self._hyperparameters
        references = self._folders.channel(CHANNELS.references)
        self._report("loading the teacher")
        self._photos = PhotoSet(
            references,
            hyperparameters["size"],
            flips=hyperparameters.get("flips", False),
            masks=self._masks(references),
        )
        self._settings = settings_hash(hyperparameters, self._photos.identities)
        store = CheckpointStore(self._folders.checkpoints, self._settings, clear=self._processes.first)
        family = registry.teacher_family(hyperparameters["family"])
        config = TrainConfig.from_hyperparameters(
            hyperparameters, class_images=self._class_images(), processes=self._processes
        )
        # Generating the class images, in this attempt or an earlier one, leaves no trace in the training.
        seed_everything(hyperparameters["seed"])
        trainer = TeacherTrainer(family, config).prepare(self._base, self._photos, self._device)
        if self._processes.first:
            self._train_and_save(trainer, store)
        else:
            self._train(trainer, store, None)

    def _train_and_save(self, trainer: TeacherTrainer, store: CheckpointStore) -> None:
        # Hashing tens of gigabytes for a line of metadata: during the training, not after it.
        weights = part_folder(self._base, trainer.family.network)
        base_sha256 = _in_background(lambda: weights_sha256(weights))
        validation = self._validation_images()
        callback = None
        if validation is not None:
            sampler = self._hyperparameters["validation_images"]
            callback = validation.callback(trainer, sampler, self._progress, self._stop)
        self._train(trainer, store, callback)
        step = self._steps if validation is None else self._select(validation, trainer)
        self._report("saving the adapter", self._steps)
        metadata = adapter_metadata(
            self._hyperparameters,
            architecture=trainer.family.architecture,
            photos=self._photos.sha256,
            captions=self._photos.caption_sha256,
            base_sha256=base_sha256.result(),
            step=step,
        )
        trainer.save(self._folders.model, metadata)
        write_facts(
            self._folders.model,
            self._hyperparameters,
            photos=self._photos.sha256,
            captions=self._photos.caption_sha256,
            chosen_step=step,
        )
        self._losses.write(self._folders.model, self._folders.checkpoints / FOLDERS.losses)
        if validation is not None:
            validation.keep_only(step)
        self._report("done", self._steps)

    def _train(
        self, trainer: TeacherTrainer, store: CheckpointStore, at_checkpoint: Callable[[int], None] | None
    ) -> None:
        settings = loop.LoopSettings(
            steps=self._steps,
            checkpoint_every=self._hyperparameters["checkpoint_every"],
            learning_rate=self._hyperparameters["learning_rate"],
            seed=self._hyperparameters["seed"],
        )
        loop.run(
            trainer,
            settings,
            store,
            self._progress,
            self._stop,
            processes=self._processes,
            at_checkpoint=at_checkpoint,
            losses=self._losses,
        )
        leave(self._processes)

    def _masks(self, references: Path) -> list[PhotoMask]:
        """Get the masks of the photos, which the first process finds; none where the run has none."""
        prompt = self._hyperparameters.get("mask_prompt")
        if prompt is None and not has_given_masks(references):
            return []
        stored = self._folders.checkpoints / FOLDERS.masks
        if self._processes.first:
            self._report("masking the photos")
            prepare_photo_masks(references, prompt, self._segmenter, stored)
        self._processes.wait()
        masks = read_photo_masks(stored)
        if self._processes.first:
            print(*describe(masks), sep="\n", flush=True)
        return masks

    def _segmenter(self) -> Segmenter:
        # Imported here only: transformers' CLIPSeg takes seconds, and most runs have no masks.
        from proxytune.masks.segmenter import Segmenter

        return Segmenter(self._folders.channel(CHANNELS.segmenter), self._device)

    def _class_images(self) -> ClassImages | None:
        """Get the class images, which the first process generates where there are none yet."""
        if "class_images" not in self._hyperparameters:
            return None
        settings, folder = self._hyperparameters["class_images"], self._folders.base / FOLDERS.class_images
        if self._processes.first:
            self._report("generating class images")
            prepare_class_images(self._base, self._hyperparameters, self._folders, folder, self._device)
        self._processes.wait()
        images = PhotoSet(folder, self._hyperparameters["size"])
        return ClassImages(settings["prompt"], images, settings["weight"])

    def _validation_images(self) -> ValidationImages | None:
        """Open the store of validation images; None where the last checkpoint is selected."""
        images = validation_images(self._hyperparameters)
        if not images:
            print("no validation images: the adapter of the last step is selected", flush=True)
            return None
        return ValidationImages(self._folders.checkpoints / FOLDERS.validation, self._settings, images)

    def _select(self, validation: ValidationImages, trainer: TeacherTrainer) -> int:
        """Restore the adapter of the best checkpoint, and return its step."""
        # The encoders that score are needed here only.
        from proxytune.teacher.checkpoint_selection import select_checkpoint

        step = select_checkpoint(validation, self._hyperparameters, self._folders, self._device)
        trainer.restore(validation.adapter(step))
        return step

    def _report(self, phase: str, step: int = 0) -> None:
        if self._processes.first:
            self._progress.write(phase, step)


def _in_background(work: Callable[[], str]) -> Future[str]:
    """Run work in a daemon thread: a stopped process does not wait for it, as it would for that of a pool."""
    future: Future[str] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future
