"""The stage learn: proxies in, adapter out. The same for every family."""

from __future__ import annotations

from proxytune.contract.checkpoints import CheckpointStore
from proxytune.contract.folders import Folders
from proxytune.contract.hyperparameters import settings_hash
from proxytune.contract.names import CHANNELS
from proxytune.contract.progress import ProgressFile
from proxytune.contract.signals import StopRequest
from proxytune.contract.types.hyperparameters import LearnHyperparameters
from proxytune.images.curated import read_curated_proxies
from proxytune.images.dataset import read_proxies
from proxytune.images.shard import Picture
from proxytune.student.config import TrainConfig
from proxytune.student.families import registry
from proxytune.student.lora_trainer import StudentTrainer
from proxytune.student.proxy_set import ProxySet
from proxytune.training import compilation, loop
from proxytune.training.device import default_device
from proxytune.training.lora import write_facts
from proxytune.training.states import seed_everything


def train(folders: Folders, hyperparameters: LearnHyperparameters, stop: StopRequest) -> None:
    """Train the student and leave its adapter in the model folder.

    Args:
        hyperparameters: those of stage learn, checked.

    Raises:
        ProxytuneError: by its name; see the modules called here.
        SystemExit: 143 after SIGTERM.
    """
    base = folders.channel(CHANNELS.base)
    progress = ProgressFile(folders.checkpoints, "learn", hyperparameters["steps"])
    progress.write("reading the proxies", 0)
    proxies = ProxySet(_proxies(folders, hyperparameters), hyperparameters["size"])
    store = CheckpointStore(folders.checkpoints, settings_hash(hyperparameters, proxies.data))
    progress.write("loading the student", 0)
    seed_everything(hyperparameters["seed"])
    family = registry.student_family(hyperparameters["family"])
    trainer = StudentTrainer(family, _config(hyperparameters)).prepare(base, proxies, default_device())
    if hyperparameters["steps"] >= compilation.WORTHWHILE_STEPS:
        trainer.compile()
    settings = trainer.loop_settings(
        steps=hyperparameters["steps"],
        checkpoint_every=hyperparameters["checkpoint_every"],
        learning_rate=hyperparameters["learning_rate"],
    )
    loop.run(trainer, settings, store, progress, stop)
    progress.write("saving the adapter", hyperparameters["steps"])
    trainer.save(folders.model)
    write_facts(folders.model, hyperparameters, proxies_sha256=proxies.digest)
    progress.write("done", hyperparameters["steps"])


def _proxies(folders: Folders, hyperparameters: LearnHyperparameters) -> list[Picture]:
    """Read all that were planned, or those that the curation keeps."""
    channel = folders.channel(CHANNELS.proxies)
    if not hyperparameters.get("curated", False):
        return read_proxies(channel, hyperparameters["proxies"])
    curated = read_curated_proxies(channel, folders.channel(CHANNELS.curation))
    print(f"{len(curated.kept)} proxies are kept, {len(curated.dropped)} are dropped", flush=True)
    return curated.kept


def _config(hyperparameters: LearnHyperparameters) -> TrainConfig:
    return TrainConfig(
        caption=hyperparameters["caption"],
        token_word=hyperparameters["token_word"],
        caption_dropout=hyperparameters["caption_dropout"],
        rank=hyperparameters["rank"],
        alpha=hyperparameters["alpha"],
        batch_size=hyperparameters["batch_size"],
        seed=hyperparameters["seed"],
    )
