"""The trained parts as model folders, as the product reads them; every weight in 16 bits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from dev.pretraining import student as student_part
from dev.pretraining import teacher as teacher_part
from dev.pretraining.encoders import make_clip_tokenizer
from dev.pretraining.references import ReferenceAdapter
from dev.pretraining.vae import fold
from dev.tiny_models.encoders import CLIP_MEAN, CLIP_STD, IMAGENET_MEAN, IMAGENET_STD
from dev.tiny_models.sdxl import model_index
from proxytune.drawn_world.render import SIZE


def write_teacher(folder: Path, vae: Any, module: Any, shift: Tensor, scale: Tensor) -> None:
    """Write the teacher in diffusers' layout.

    Args:
        vae: a trained AutoencoderKL.
        module: of `TeacherTrainable`, trained.
        shift, scale: (C,) mean and deviation of the VAE's latents over the corpus, folded into its weights.
    """
    fold(vae, shift, scale)
    parts = {"vae": vae, **{name: module[name] for name in ("unet", "text_encoder", "text_encoder_2")}}
    for name, part in parts.items():
        part.eval().to(memory_format=torch.contiguous_format).save_pretrained(
            folder / name, safe_serialization=True
        )
    tokenizers = zip(("tokenizer", "tokenizer_2"), teacher_part.make_tokenizers(), strict=True)
    for name, tokenizer in tokenizers:
        tokenizer.save_pretrained(folder / name)
    teacher_part.make_schedule().save_pretrained(folder / "scheduler")
    index = model_index(scheduler="DDIMScheduler")
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n", "utf-8")
    halve(folder)


def write_references(folder: Path, module: Any) -> None:
    """Write the IP-Adapter of the teacher; `module` is that of `TeacherTrainable`, trained."""
    adapter: ReferenceAdapter = module["references"]
    adapter.write(folder)
    halve(folder)


def write_student(folder: Path, vq: Any, module: Any) -> None:
    """Write the student in LlamaGen's layout; `module` is that of `StudentTrainable`, trained."""
    from proxytune.student.families.llamagen import CaptionEncoder, Student, save_student

    # What training counted there means nothing to anyone else.
    vq.quantize.codebook_used.zero_()
    captions = CaptionEncoder(module["text"], student_part.make_tokenizer(), student_part.SLOTS)
    save_student(folder, Student(module["gpt"].eval(), vq.eval(), captions, SIZE))
    halve(folder)


def write_clip(folder: Path, clip: Any) -> None:
    """Write the CLIP with its tokenizer and preprocessor_config.json."""
    clip.eval().save_pretrained(folder, safe_serialization=True)
    make_clip_tokenizer().save_pretrained(folder)
    _write_preprocessor(folder, "CLIPImageProcessor", CLIP_MEAN, CLIP_STD)
    halve(folder)


def write_dino(folder: Path, vit: Any) -> None:
    """Write the ViT without what only its training needed."""
    weights = {name: value for name, value in vit.state_dict().items() if name != "sharpness"}
    vit.eval().save_pretrained(folder, state_dict=weights, safe_serialization=True)
    _write_preprocessor(folder, "ViTImageProcessor", IMAGENET_MEAN, IMAGENET_STD)
    halve(folder)


def halve(folder: Path) -> None:
    """Rewrite every safetensors file in float16: the weights are small numbers, and its mantissa is longer.

    Raises:
        OverflowError: a weight that float16 cannot hold.
    """
    for file in sorted(folder.rglob("*.safetensors")):
        halved = {name: _half(name, value) for name, value in load_file(file).items()}
        save_file(halved, file, metadata={"format": "pt"})


def size_of(folder: Path) -> int:
    """Bytes of all weights in a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*.safetensors"))


def _half(name: str, value: Tensor) -> Tensor:
    if not value.is_floating_point():
        return value
    half = value.half()
    if not bool(torch.isfinite(half).all()):
        raise OverflowError(f"{name} holds {float(value.abs().max()):.3g}; float16 ends at 65504")
    return half.contiguous()


def _write_preprocessor(folder: Path, kind: str, mean: list[float], std: list[float]) -> None:
    facts = {
        "image_processor_type": kind,
        "do_resize": True,
        "size": {"shortest_edge": SIZE},
        "resample": 3,
        "do_center_crop": True,
        "crop_size": {"height": SIZE, "width": SIZE},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": mean,
        "image_std": std,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(facts, indent=2) + "\n", "utf-8")
