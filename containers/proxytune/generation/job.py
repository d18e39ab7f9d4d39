"""Drawing the proxies as a training job: for managed spot, which a batch transform cannot have.

Chunks come through a channel, and the checkpoint folder is the bucket's prefix of the pictures: a shard that
is written there goes up at once, under the key and in the form that a transform would give it. What any
attempt has drawn lies there again when the job starts or goes on after an interruption.
"""

from __future__ import annotations

import tarfile
import tempfile
from pathlib import Path

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.folders import Folders
from proxytune.contract.names import CHANNELS, CHUNKS, FILES, STAGE_ROLES
from proxytune.contract.progress import replace_file
from proxytune.contract.signals import StopRequest
from proxytune.contract.types.hyperparameters import SynthesizeHyperparameters
from proxytune.generation.loading import load_onto_device, maker_for
from proxytune.generation.rendering import draw_shard
from proxytune.images import shard
from proxytune.images.chunk import Chunk, invalid, prompts_of, read_chunks
from proxytune.training.distributed import rank_and_count

ROLE = STAGE_ROLES["synthesize"]
ENDING = CHUNKS.shard_ending


def synthesize(folders: Folders, hyperparameters: SynthesizeHyperparameters, _stop: StopRequest) -> None:
    """Draw this instance's share of the chunks that no attempt has drawn yet.

    SIGTERM ends it at once: shards are written whole or not at all, so what is lost is a chunk at most.

    Raises:
        ProxytuneError: ChannelMissing, HyperparameterInvalid, ModelMissing, ModelMismatch, ModelUnknown.
    """
    chunks = read_chunks(folders.channel(CHANNELS.chunks))
    wanted = hyperparameters["chunks"]
    if len(chunks) < wanted:
        raise invalid(
            "The channel chunks holds fewer chunk objects than are wanted",
            given=str(len(chunks)),
            allowed=str(wanted),
        )
    share = _share(chunks[:wanted], folders, hyperparameters["folder"])
    drawn, spoilt = _drawn(folders.checkpoints, {name + ENDING for name, _ in share})
    missing = [(name, chunk) for name, chunk in share if name + ENDING not in drawn]
    print(f"{len(missing)} of {wanted} chunks are to be drawn here", flush=True)
    if not missing:
        return
    model = hyperparameters["model"]
    with tempfile.TemporaryDirectory(prefix="proxytune-adapter-") as temporary:
        adapter = _unpacked(folders.channel(CHANNELS.adapter), Path(temporary))
        maker = maker_for(ROLE, hyperparameters["family"], model, adapter)
        load_onto_device(maker, folders.channel(CHANNELS.base), adapter, f"{ROLE} {model}")
    maker.expect(prompts_of(missing))
    target = folders.checkpoints / hyperparameters["folder"]
    target.mkdir(parents=True, exist_ok=True)
    for number, (name, chunk) in enumerate(missing, start=1):
        content = draw_shard(maker, chunk, model)
        for file in spoilt.get(name + ENDING, [target / (name + ENDING)]):
            replace_file(file, content)
        print(f"drawing: chunk {number} of {len(missing)}, {name}", flush=True)


def _share(chunks: list[tuple[str, Chunk]], folders: Folders, own: str) -> list[tuple[str, Chunk]]:
    """Every n-th chunk for one of n GPUs.

    Those that no earlier attempt has a shard of are dealt first, so that each GPU has as much to draw; then
    the others, one of which may be spoilt. What this attempt itself has drawn counts for nothing: instances
    start at different times and must deal alike, so that no two ever take the same.

    Args:
        own: the folder of this attempt's shards.
    """
    earlier = {path.name for path in folders.checkpoints.rglob(f"*{ENDING}") if path.parent.name != own}
    dealt = sorted(chunks, key=lambda chunk: chunk[0] + ENDING in earlier)
    host, hosts = folders.host()
    process, processes = rank_and_count()
    return sorted(dealt[host * processes + process :: hosts * processes], key=lambda chunk: chunk[0])


def _drawn(folder: Path, names: set[str]) -> tuple[set[str], dict[str, list[Path]]]:
    """Which of these shards are there, and where those lie that cannot be read.

    A spoilt one is to be replaced where it lies, also when another attempt drew it: the folder's mirror in
    the bucket forgets no file, and whoever reads all shards would find it there.
    """
    found: set[str] = set()
    spoilt: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob(f"*{ENDING}")):
        if path.name not in names:
            continue
        try:
            shard.read(path)
        except ProxytuneError as error:
            print(f"drawn again: {error}", flush=True)
            spoilt.setdefault(path.name, []).append(path)
        else:
            found.add(path.name)
    return found - spoilt.keys(), spoilt


def _unpacked(channel: Path, target: Path) -> Path:
    """The adapter: the channel's folder, or what its archive holds.

    Raises:
        ProxytuneError: ModelMismatch for an archive that is none, or whose paths lead out.
    """
    archive = channel / FILES.adapter_archive
    if not archive.exists():
        return channel
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(target, filter="data")
    except (tarfile.TarError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the system's own, such as a full disk
        raise ProxytuneError(
            "ModelMismatch",
            what=f"The teacher's adapter cannot be unpacked: {error}",
            allowed=f"the {FILES.adapter_archive} of a stage that trains",
            remedy="give the job the artifact of the stage teach",
        ) from error
    return target
