"""Prior preservation: pictures of the class that the base model drew, so that the teacher does not forget it.

They are drawn once for a model, prompt and sampler, each from its own seed. While they are drawn they lie
beside the checkpoints one by one, so that an attempt that was cut off goes on with the next. When all are
there they become one archive, which later attempts read, and which the last stage of the run copies to where
other runs find it (channel `class`).
"""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path
from typing import Any

import torch

from proxytune.contract.folders import Folders
from proxytune.contract.names import CHANNELS, FILES, FOLDERS
from proxytune.contract.progress import replace_file
from proxytune.generation.batch_backoff import give_back
from proxytune.images.chunk import Chunk, PictureRequest
from proxytune.images.png import encode_png
from proxytune.teacher.families import registry
from proxytune.teacher.photos import is_picture

ARCHIVE = FILES.class_archive
# Below the job's base: not mirrored.
CLASS_PICTURES = "class-pictures"


def class_pictures(
    base: Path, hyperparameters: dict[str, Any], folders: Folders, device: torch.device
) -> Path:
    """The folder of the class's pictures: from another run, from an earlier attempt, or drawn now.

    Args:
        hyperparameters: those of stage teach, with `prior`.
        folders: the job's; its checkpoints outlive this attempt.

    Raises:
        ProxytuneError: ModelMissing, ModelMismatch; HyperparameterInvalid for a size that cannot be drawn.
    """
    count, kept = hyperparameters["prior"]["pictures"], folders.checkpoints / FOLDERS.class_images
    whole = folders.base / CLASS_PICTURES
    shared = folders.optional_channel(CHANNELS.class_images)
    for archive in ([] if shared is None else [shared / ARCHIVE]) + [kept / ARCHIVE]:
        if _unpack(archive, whole, count):
            print(f"{count} class pictures are there already", flush=True)
            return whole
    drawn = kept / "drawn"
    _draw(base, hyperparameters, drawn, device)
    # The same network is about to be loaded to be trained: a card need not have room for two.
    give_back(device)
    replace_file(kept / ARCHIVE, _pack(drawn, count))
    shutil.rmtree(drawn)
    if not _unpack(kept / ARCHIVE, whole, count):
        raise OSError(f"{kept / ARCHIVE} cannot be read back")
    return whole


def _draw(base: Path, hyperparameters: dict[str, Any], folder: Path, device: torch.device) -> None:
    """Draw those of the class's pictures that are missing in the folder, or brought back in part."""
    prior, size = hyperparameters["prior"], hyperparameters["size"]
    sampler = {"kind": "diffusion", "steps": prior["steps"], "guidance": prior["guidance"]}
    folder.mkdir(parents=True, exist_ok=True)
    missing = [number for number in range(prior["pictures"]) if not is_picture(_file(folder, number))]
    if missing:
        maker = registry.picture_maker(hyperparameters["family"])
        maker.load(base, None, device)
    for number in missing:
        # The number is the seed. One at a time: in another batch it could differ by a grey level, and with it
        # a training that was cut off from one that was not.
        request = PictureRequest(number, prior["prompt"], number)
        (picture,) = maker.draw(Chunk("synthesize", 0, "base", size, 1, sampler, (request,)))
        replace_file(_file(folder, number), encode_png(picture))
        print(f"class pictures: {number + 1} of {prior['pictures']}", flush=True)


def _pack(folder: Path, count: int) -> bytes:
    """The pictures as a tar; the same pictures give the same bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for number in range(count):
            content = _file(folder, number).read_bytes()
            entry = tarfile.TarInfo(_file(folder, number).name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _unpack(archive: Path, folder: Path, count: int) -> bool:
    """Fill the folder with an archive's pictures; False when there is none, or not whole."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    wanted = [_file(folder, number) for number in range(count)]
    try:
        # Never packed: by itself the library would try to unpack spoilt bytes, with errors of its own.
        with tarfile.open(archive, "r:") as opened:
            # By name: an archive says nothing of where on this disk its entries go.
            for file in wanted:
                entry = opened.extractfile(file.name)
                content = b"" if entry is None else entry.read()
                if len(content) != opened.getmember(file.name).size:
                    return False
                file.write_bytes(content)
                # A spoilt one would stop every run that shares it, until somebody removes it by hand.
                if not is_picture(file):
                    return False
    except (FileNotFoundError, KeyError, tarfile.TarError):
        return False
    return True


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number:04d}.png"
