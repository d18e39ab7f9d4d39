"""The images that a learn job trains on: the proxies, or the references, as its hyperparameters say."""

from __future__ import annotations

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.folders import Folders
from proxytune.contract.names import CHANNELS
from proxytune.contract.types.hyperparameters import LearnHyperparameters
from proxytune.images.curated import read_curated_proxies
from proxytune.images.dataset import read_proxies
from proxytune.images.shard import Picture
from proxytune.masks.proxy_masks import read_proxy_masks
from proxytune.masks.weights import Mask
from proxytune.student.proxy_set import ProxySet
from proxytune.student.reference_set import AugmentedSet, ReferenceSet
from proxytune.student.training_images import TrainingImages

# Settings that mean something for proxies alone.
_OF_PROXIES = ("curated", "background_weight")


def training_images(folders: Folders, hyperparameters: LearnHyperparameters) -> TrainingImages:
    """Read the images.

    Raises:
        ProxytuneError: ChannelMissing, ProxiesIncomplete, ShardInvalid, or another of the reader;
            HyperparameterInvalid for settings of proxies with references.
    """
    source = hyperparameters.get("trains_on", CHANNELS.proxies)
    if source == CHANNELS.proxies:
        return _proxy_set(folders, hyperparameters)
    meaningless = [name for name in _OF_PROXIES if name in hyperparameters]
    if meaningless:
        raise ProxytuneError(
            "HyperparameterInvalid",
            what=f"The settings {', '.join(meaningless)} are for proxies",
            given=f"trains_on {source}",
            remedy="correct the request's settings; a plan made by this version of Proxytune always fits",
        )
    references, size = folders.channel(CHANNELS.references), hyperparameters["size"]
    caption, mirror = hyperparameters["caption"], hyperparameters.get("mirror")
    if source == CHANNELS.references:
        return ReferenceSet(references, size, caption=caption, mirror=mirror is True)
    return AugmentedSet(
        references,
        size,
        caption=caption,
        # The method mirrors; only somebody who knows the subject can say that it must not.
        mirror=mirror is not False,
        count=hyperparameters["proxies"],
        seed=hyperparameters["seed"],
    )


def _proxy_set(folders: Folders, hyperparameters: LearnHyperparameters) -> ProxySet:
    pictures = _proxies(folders, hyperparameters)
    return ProxySet(
        pictures,
        hyperparameters["size"],
        masks=_masks(folders, hyperparameters, pictures),
        background=hyperparameters.get("background_weight", 0.0),
    )


def _proxies(folders: Folders, hyperparameters: LearnHyperparameters) -> list[Picture]:
    """Read all that were planned, or those that the curation keeps."""
    channel = folders.channel(CHANNELS.proxies)
    if not hyperparameters.get("curated", False):
        return read_proxies(channel, hyperparameters["proxies"])
    curated = read_curated_proxies(channel, folders.channel(CHANNELS.curation))
    print(f"{len(curated.kept)} proxies are kept, {len(curated.dropped)} are dropped", flush=True)
    return curated.kept


def _masks(
    folders: Folders, hyperparameters: LearnHyperparameters, pictures: list[Picture]
) -> list[Mask | None]:
    if "background_weight" not in hyperparameters:
        return []
    masks = read_proxy_masks(folders.channel(CHANNELS.proxy_masks), pictures)
    whole = sum(mask is None for mask in masks)
    print(f"{len(masks) - whole} of {len(masks)} proxies are masked", flush=True)
    if whole:
        print(
            f"warning: {whole} proxies have no mask that tells the subject; they count as a whole", flush=True
        )
    return masks
