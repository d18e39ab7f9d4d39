"""The stage learn: images in, adapter out. The same for every family."""

from __future__ import annotations

from proxytune.contract.checkpoints import CheckpointStore
from proxytune.contract.folders import Folders
from proxytune.contract.hyperparameters import settings_hash
from proxytune.contract.names import CHANNELS, FOLDERS
from proxytune.contract.progress import ProgressFile
from proxytune.contract.signals import StopRequest
from proxytune.contract.types.hyperparameters import LearnHyperparameters
from proxytune.student.config import TrainConfig
from proxytune.student.families import registry
from proxytune.student.lora_trainer import StudentTrainer
from proxytune.student.training_data import training_images
from proxytune.student.tuning.config import TuningConfig
from proxytune.training import compilation, loop
from proxytune.training.device import default_device
from proxytune.training.distributed import Processes, join, leave
from proxytune.training.lora import write_facts
from proxytune.training.loss_history import LossHistory
from proxytune.training.states import seed_everything


def train(folders: Folders, hyperparameters: LearnHyperparameters, stop: StopRequest) -> None:
    """Train the student and leave its adapter in the model folder; of several processes, the first does.

    Args:
        hyperparameters: those of stage learn, checked.

    Raises:
        ProxytuneError: by its name; see the modules called here.
        SystemExit: 143 after SIGTERM.
    """
    processes = join()
    base = folders.channel(CHANNELS.base)
    progress = ProgressFile(folders.checkpoints, "learn", hyperparameters["steps"])

    def report(phase: str, step: int = 0) -> None:
        if processes.first:
            progress.write(phase, step)

    report("reading the images")
    images = training_images(folders, hyperparameters)
    settings = settings_hash(hyperparameters, images.data)
    store = CheckpointStore(folders.checkpoints, settings, clear=processes.first)
    report("loading the student")
    seed_everything(hyperparameters["seed"])
    family = registry.student_family(hyperparameters["family"])
    config = _config(hyperparameters, processes)
    trainer = StudentTrainer(family, config).prepare(base, images, default_device())
    if hyperparameters["steps"] >= compilation.WORTHWHILE_STEPS:
        trainer.compile()
    loop_settings = trainer.loop_settings(
        steps=hyperparameters["steps"],
        checkpoint_every=hyperparameters["checkpoint_every"],
        learning_rate=hyperparameters["learning_rate"],
    )
    losses = LossHistory(hyperparameters["steps"])
    loop.run(trainer, loop_settings, store, progress, stop, processes=processes, losses=losses)
    leave(processes)
    if not processes.first:
        return
    report("saving the adapter", hyperparameters["steps"])
    trainer.save(folders.model)
    write_facts(folders.model, hyperparameters, **images.facts)
    losses.write(folders.model, folders.checkpoints / FOLDERS.losses)
    report("done", hyperparameters["steps"])


def _config(hyperparameters: LearnHyperparameters, processes: Processes) -> TrainConfig:
    return TrainConfig(
        caption=hyperparameters["caption"],
        token_word=hyperparameters["token_word"],
        caption_dropout=hyperparameters["caption_dropout"],
        rank=hyperparameters["rank"],
        alpha=hyperparameters["alpha"],
        batch_size=hyperparameters["batch_size"],
        seed=hyperparameters["seed"],
        processes=processes,
        tuning=TuningConfig.from_hyperparameters(hyperparameters),
    )
