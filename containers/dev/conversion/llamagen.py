"""The official checkpoints, converted once to a model folder of safetensors.

They are pickles. They are read by torch's restricted unpickler, which builds tensors and plain containers and
executes nothing that a file contains; after this no job ever reads a pickle.
"""

from __future__ import annotations

import argparse
import math
import re
from dataclasses import dataclass, replace
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from proxytune.contract.errors import ProxytuneError
from proxytune.student.families.llamagen.captions import CaptionEncoder
from proxytune.student.families.llamagen.checkpoint import COMPUTED_HERE, Student, save_student
from proxytune.student.families.llamagen.config import LlamaGenConfig, VQConfig
from proxytune.student.families.llamagen.transformer import LlamaGen
from proxytune.student.families.llamagen.vq import VQTokenizer
from proxytune.student.model_files import fill_strictly

ModelT = TypeVar("ModelT", bound=nn.Module)

# Where the official trainings put the weights: DDP, DeepSpeed, and the tokenizer's. FSDP writes them bare.
WEIGHTS_KEYS = ("model", "module", "state_dict")

# What the published names say: t2i_XL_stage1_256.pt and t2i_XL_stage2_512.pt.
_STAGE_SIZES = {"1": 256, "2": 512}
_NAMED_SIZE = re.compile(r"(?<![A-Za-z0-9])(?:stage(?P<stage>[12])|(?P<side>256|512))(?![A-Za-z0-9])")


@dataclass(frozen=True)
class Checkpoint:
    """Contents of an official file.

    Attributes:
        weights: by their official names, plain tensors.
        sizes: each side in pixels that the file says it was trained for, with where it says so.
    """

    weights: dict[str, Tensor]
    sizes: dict[str, int]


def read(file: Path, *, stride: int = 16, caption_slots: int = 120) -> Checkpoint:
    """Read an official `.pt`, whatever key its weights lie under.

    Args:
        stride: pixels along one side of a token, and
        caption_slots: slots before the tokens, to read the size off a stored rotary table.

    Raises:
        ProxytuneError: ModelMismatch for a file that cannot be read, contains code, or has no weights.
    """
    content = _unpickle(file)
    weights = next((content[key] for key in WEIGHTS_KEYS if isinstance(content.get(key), dict)), content)
    tensors = {name: value.detach() for name, value in weights.items() if isinstance(value, Tensor)}
    if not tensors or len(tensors) < len(weights):
        raise _unreadable(
            file, "it holds no weights under a known key", given=f"keys {', '.join(map(str, content))[:200]}"
        )
    sizes = {}
    arguments = content.get("args")
    trained = getattr(arguments, "image_size", None)
    if isinstance(trained, int):
        sizes["the command line of its training"] = trained
    table = tensors.get("freqs_cis")
    if table is not None:
        sizes["its rotary table"] = math.isqrt(max(0, len(table) - caption_slots)) * stride
    # A file may have any name; its contents are more reliable.
    return Checkpoint(tensors, sizes or _named_sizes(file))


def convert(
    out: Path,
    *,
    gpt: Path,
    vq: Path,
    text: Path,
    image_size: int,
    config: LlamaGenConfig | None = None,
    vq_config: VQConfig | None = None,
) -> None:
    """Write a model folder from the official files; every key and shape must be the model's.

    Args:
        out: the model folder.
        gpt: `t2i_XL_stage1_256.pt` or `t2i_XL_stage2_512.pt`. vq: `vq_ds16_t2i.pt`.
        text: a folder with flan-t5-xl and its tokenizer as transformers saves them.
        image_size: side in pixels that `gpt` was trained for. The shapes of the two stages are the same;
            where the file says a size, inside or else by its published name, it must be this.
        config, vq_config: other sizes than the official ones (GPT-XL, VQ-16); `block_size` follows the image.

    Raises:
        ProxytuneError: ModelMismatch, naming what does not fit.
    """
    vq_config = vq_config or VQConfig()
    grid = image_size // vq_config.stride
    config = replace(config or LlamaGenConfig(), block_size=max(1, grid) ** 2)
    checkpoint = read(gpt, stride=vq_config.stride, caption_slots=config.cls_token_num)
    _check_size(gpt, checkpoint, image_size)
    with torch.device("meta"):
        empty_gpt, empty_vq = LlamaGen(config), VQTokenizer(vq_config)
    student = Student(
        gpt=_filled(empty_gpt, checkpoint.weights, gpt),
        vq=_filled(empty_vq, read(vq).weights, vq),
        captions=_text(text, config.cls_token_num),
        image_size=image_size,
    )
    save_student(out, student)


def _unpickle(file: Path) -> dict[Any, Any]:
    # The trainings also stored their command line; a Namespace is a plain object with attributes.
    with torch.serialization.safe_globals([argparse.Namespace]):
        try:
            content = torch.load(file, map_location="cpu", weights_only=True, mmap=_is_zip(file))
        except UnpicklingError as error:
            # Around the line that names the code, torch advises how to allow it.
            lines = str(error).strip().splitlines()
            named = next((line.strip() for line in lines if "GLOBAL" in line), lines[0])
            raise _unreadable(file, "it contains code, which was not executed", given=named[:200]) from error
        except (OSError, RuntimeError, EOFError, ValueError) as error:
            raise _unreadable(file, "it is not a complete checkpoint", given=str(error)[:300]) from error
    if not isinstance(content, dict):
        raise _unreadable(file, "it holds no dictionary", given=type(content).__name__)
    return content


def _named_sizes(file: Path) -> dict[str, int]:
    """Read the sizes from a name such as the published ones, one entry for each part that has one."""
    return {
        f"{found[0]} in its name": _STAGE_SIZES[found["stage"]] if found["stage"] else int(found["side"])
        for found in _NAMED_SIZE.finditer(file.stem)
    }


def _is_zip(file: Path) -> bool:
    """Check if torch can map the file instead of reading it: the format since torch 1.6 is a zip."""
    with file.open("rb") as opened:
        return opened.read(2) == b"PK"


def _check_size(file: Path, checkpoint: Checkpoint, image_size: int) -> None:
    for source, size in checkpoint.sizes.items():
        if size != image_size:
            raise ProxytuneError(
                "ModelMismatch",
                what=f"{file.name} was trained for pictures of another size, as {source} says",
                given=f"image size {image_size}",
                allowed=str(size),
                remedy="name the size of the file's stage: weights of the other would generate noise. "
                "Rename a file that has the name of another",
            )


def _filled(model: ModelT, weights: dict[str, Tensor], file: Path) -> ModelT:
    fill_strictly(model, weights, file, computed=COMPUTED_HERE)
    return model.eval()


def _text(folder: Path, slots: int) -> CaptionEncoder:
    from transformers import AutoTokenizer, T5EncoderModel

    try:
        # bfloat16 as officially.
        encoder: Any = T5EncoderModel.from_pretrained(folder, dtype=torch.bfloat16, local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise _unreadable(folder, "it is not a T5 with its tokenizer", given=str(error)[:300]) from error
    return CaptionEncoder(encoder, tokenizer, slots)


def _unreadable(file: Path, why: str, *, given: str) -> ProxytuneError:
    return ProxytuneError(
        "ModelMismatch",
        what=f"{file} cannot be used: {why}",
        given=given,
        allowed="the files of peizesun/llamagen_t2i, and google/flan-t5-xl, as they are published",
        remedy="fetch the file again and compare its SHA-256 with the published one",
    )
