"""Prior preservation: images of the class by the base model, so that the teacher does not forget it.

They are generated once for a model, prompt and sampler, each from its own seed, and stored next to the
checkpoints one by one, so that an interrupted attempt can be resumed. When all are there they become one
archive, which later attempts read, and which the last stage of the run copies to where other runs find it
(channel `class`).
"""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path

import torch

from proxytune.contract.folders import Folders
from proxytune.contract.names import CHANNELS, FILES, FOLDERS
from proxytune.contract.progress import replace_file
from proxytune.contract.types.hyperparameters import TeachHyperparameters
from proxytune.images.chunk import Chunk, PictureRequest
from proxytune.images.png import encode_png
from proxytune.teacher.families import registry
from proxytune.teacher.photos import is_image
from proxytune.training.device import free_memory

ARCHIVE = FILES.class_archive


def prepare_class_images(
    base: Path, hyperparameters: TeachHyperparameters, folders: Folders, target: Path, device: torch.device
) -> None:
    """Fill a folder with the class images: of another run, of an earlier attempt, or generated now.

    Args:
        hyperparameters: those of stage teach, with `class_images`.
        folders: the job's; its checkpoints outlive this attempt.
        target: the folder, which is not mirrored.

    Raises:
        ProxytuneError: ModelMissing, ModelMismatch; HyperparameterInvalid for a size that the model cannot
            generate.
    """
    count, stored = hyperparameters["class_images"]["pictures"], folders.checkpoints / FOLDERS.class_images
    shared = folders.optional_channel(CHANNELS.class_images)
    for archive in ([] if shared is None else [shared / ARCHIVE]) + [stored / ARCHIVE]:
        if _unpack(archive, target, count):
            print(f"using {count} class images from {archive.parent.name}", flush=True)
            return
    parts = stored / "images"
    _generate(base, hyperparameters, parts, device)
    # The same network is about to be loaded again for training: the GPU may not have space for two.
    free_memory(device)
    replace_file(stored / ARCHIVE, _pack(parts, count))
    shutil.rmtree(parts)
    if not _unpack(stored / ARCHIVE, target, count):
        raise OSError(f"{stored / ARCHIVE} cannot be read back")


def _generate(base: Path, hyperparameters: TeachHyperparameters, folder: Path, device: torch.device) -> None:
    """Generate the class images that the folder lacks, or that were restored incomplete."""
    settings, size = hyperparameters["class_images"], hyperparameters["size"]
    sampler = {"kind": "diffusion", "steps": settings["steps"], "guidance": settings["guidance"]}
    folder.mkdir(parents=True, exist_ok=True)
    missing = [number for number in range(settings["pictures"]) if not is_image(_file(folder, number))]
    if missing:
        generator = registry.image_generator(hyperparameters["family"])
        generator.load(base, None, device)
    for number in missing:
        # The number is the seed. One at a time: in another batch an image could differ by a grey level, and
        # then an interrupted training would differ from an uninterrupted one.
        request = PictureRequest(number, settings["prompt"], number)
        (image,) = generator.generate(Chunk("synthesize", 0, "base", size, 1, sampler, (request,)))
        replace_file(_file(folder, number), encode_png(image))
        print(f"class images: {number + 1} of {settings['pictures']}", flush=True)


def _pack(folder: Path, count: int) -> bytes:
    """Pack the images into a tar; the same images give the same bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for number in range(count):
            content = _file(folder, number).read_bytes()
            entry = tarfile.TarInfo(_file(folder, number).name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _unpack(archive: Path, folder: Path, count: int) -> bool:
    """Fill the folder with an archive's images; returns False when there is none, or it is incomplete."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files = [_file(folder, number) for number in range(count)]
    try:
        # Uncompressed only: the library would otherwise try to decompress corrupt bytes, with other errors.
        with tarfile.open(archive, "r:") as opened:
            # By name: an archive does not decide where on this disk its entries go.
            for file in files:
                entry = opened.extractfile(file.name)
                content = b"" if entry is None else entry.read()
                if len(content) != opened.getmember(file.name).size:
                    return False
                file.write_bytes(content)
                # A corrupt one would stop every run that shares it, until somebody removes it by hand.
                if not is_image(file):
                    return False
    except (FileNotFoundError, KeyError, tarfile.TarError):
        return False
    return True


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number:04d}.png"
