"""Convert DreamSim's published weights to a model folder of three encoders in transformers' layout.

The release (github.com/ssundaram21/dreamsim, `dreamsim_ensemble_checkpoint.zip`) holds both CLIPs with the
names of DINO's code, and LoRA of all three as peft saves it, which is merged. DINO itself is
`dino_vitbase16_pretrain.pth` of facebookresearch/dino.
"""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from proxytune.contract.errors import ProxytuneError
from proxytune.metrics.dreamsim import PARTS

HEAD_WIDTH = 64
"""Of every ViT-B; the number of heads follows from the width."""
# Names within a block: in DINO's code, in transformers' ViT, in its CLIP.
_BLOCK = {
    "norm1": ("layernorm_before", "layer_norm1"),
    "norm2": ("layernorm_after", "layer_norm2"),
    "attn.proj": ("attention.o_proj", "self_attn.out_proj"),
    "mlp.fc1": ("mlp.fc1", "mlp.fc1"),
    "mlp.fc2": ("mlp.fc2", "mlp.fc2"),
}


def convert(out: Path, *, dino: Path, clip: Path, open_clip: Path, lora: Path) -> None:
    """Write the model folder.

    Args:
        out: the folder, which is created.
        dino: dino_vitbase16_pretrain.pth.
        clip, open_clip: clip_vitb16_pretrain.pth.tar and open_clip_vitb16_pretrain.pth.tar.
        lora: the folder ensemble_lora.

    Raises:
        ProxytuneError: ModelMismatch when a file is none of these.
    """
    adapter, scale = _read_lora(lora)
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.json").write_text(json.dumps({"family": "dreamsim"}) + "\n", "utf-8")
    for number, (part, file) in enumerate(zip(PARTS, (dino, clip, open_clip), strict=True)):
        state = _read_state(file)
        merged = _merged(state, adapter, scale, f"extractor_list.{number}.model.")
        model = _vit(merged) if part == "dino" else _clip(merged, quick=part == "clip")
        model.eval().save_pretrained(out / part, safe_serialization=True)


def _read_state(file: Path) -> dict[str, Tensor]:
    try:
        content: Any = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
        raise _mismatch(f"{file.name} cannot be read", file) from error
    state = content.get("state_dict", content) if isinstance(content, dict) else {}
    if not isinstance(state, dict) or "patch_embed.proj.weight" not in state:
        raise _mismatch(f"{file.name} has no patch_embed.proj.weight", file)
    return {name: value.float() for name, value in state.items() if isinstance(value, Tensor)}


def _read_lora(folder: Path) -> tuple[dict[str, Tensor], float]:
    settings = json.loads((folder / "adapter_config.json").read_text("utf-8"))
    safe, pickled = folder / "adapter_model.safetensors", folder / "adapter_model.bin"
    if safe.is_file():
        tensors = load_file(safe)
    elif pickled.is_file():
        tensors = torch.load(pickled, map_location="cpu", weights_only=True)
    else:
        raise _mismatch("the folder has no adapter_model.safetensors or adapter_model.bin", folder)
    return tensors, settings["lora_alpha"] / settings["r"]


def _merged(
    state: Mapping[str, Tensor], adapter: Mapping[str, Tensor], scale: float, prefix: str
) -> dict[str, Tensor]:
    """Add to each weight what its LoRA layers add to its product."""
    merged = dict(state)
    for name, down in adapter.items():
        found = re.search(rf"{re.escape(prefix)}(.+)\.lora_A\.(?:default\.)?weight$", name)
        if found is None:
            continue
        weight = f"{found.group(1)}.weight"
        up = adapter[name.replace("lora_A", "lora_B")]
        if weight not in merged or merged[weight].shape != (up.shape[0], down.shape[1]):
            raise _mismatch(f"its LoRA layer {found.group(1)} fits no weight", Path(name))
        merged[weight] = merged[weight] + scale * (up.float() @ down.float())
    return merged


def _vit(state: Mapping[str, Tensor]) -> Any:
    from transformers import ViTConfig, ViTModel

    width, side, patch = _sizes(state)
    config = ViTConfig(
        hidden_size=width,
        intermediate_size=state["blocks.0.mlp.fc1.weight"].shape[0],
        num_hidden_layers=_layers(state),
        num_attention_heads=max(1, width // HEAD_WIDTH),
        image_size=side,
        patch_size=patch,
        # DINO's code, in place of transformers' 1e-12.
        layer_norm_eps=1e-6,
    )
    names = {
        "embeddings.cls_token": state["cls_token"],
        "embeddings.position_embeddings": state["pos_embed"],
        "embeddings.patch_embeddings.projection.weight": state["patch_embed.proj.weight"],
        "embeddings.patch_embeddings.projection.bias": state["patch_embed.proj.bias"],
        **_pair("layernorm", state, "norm"),
    }
    for layer in range(config.num_hidden_layers):
        to, of = f"layers.{layer}", f"blocks.{layer}"
        names |= _qkv(f"{to}.attention", state, of)
        for own, (renamed, _) in _BLOCK.items():
            names |= _pair(f"{to}.{renamed}", state, f"{of}.{own}")
    return _filled(ViTModel(config, add_pooling_layer=False), names)


def _clip(state: Mapping[str, Tensor], *, quick: bool) -> Any:
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    width, side, patch = _sizes(state)
    config = CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=state["blocks.0.mlp.fc1.weight"].shape[0],
        num_hidden_layers=_layers(state),
        num_attention_heads=max(1, width // HEAD_WIDTH),
        image_size=side,
        patch_size=patch,
        projection_dim=state["proj"].shape[1],
        hidden_act="quick_gelu" if quick else "gelu",
    )
    positions = state["pos_embed"][0].clone()
    # transformers' CLIP adds no bias to patches; they are added to their positions, so it goes there.
    positions[1:] += state["patch_embed.proj.bias"]
    base = "vision_model"
    names = {
        f"{base}.embeddings.class_embedding": state["cls_token"].flatten(),
        f"{base}.embeddings.patch_embedding.weight": state["patch_embed.proj.weight"],
        f"{base}.embeddings.position_embedding.weight": positions,
        **_pair(f"{base}.pre_layrnorm", state, "pos_drop"),
        **_pair(f"{base}.post_layernorm", state, "norm"),
        "visual_projection.weight": state["proj"].T,
    }
    for layer in range(config.num_hidden_layers):
        to, of = f"{base}.encoder.layers.{layer}", f"blocks.{layer}"
        names |= _qkv(f"{to}.self_attn", state, of)
        for own, (_, renamed) in _BLOCK.items():
            names |= _pair(f"{to}.{renamed}", state, f"{of}.{own}")
    return _filled(CLIPVisionModelWithProjection(config), names)


def _qkv(to: str, state: Mapping[str, Tensor], block: str) -> dict[str, Tensor]:
    named: dict[str, Tensor] = {}
    for kind in ("weight", "bias"):
        thirds = state[f"{block}.attn.qkv.{kind}"].chunk(3)
        named |= {f"{to}.{name}_proj.{kind}": third for name, third in zip("qkv", thirds, strict=True)}
    return named


def _pair(to: str, state: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    return {f"{to}.{kind}": state[f"{name}.{kind}"] for kind in ("weight", "bias")}


def _sizes(state: Mapping[str, Tensor]) -> tuple[int, int, int]:
    """The width, the image's side and the patch's, in pixels."""
    width, _, patch, _ = state["patch_embed.proj.weight"].shape
    return width, patch * round((state["pos_embed"].shape[1] - 1) ** 0.5), patch


def _layers(state: Mapping[str, Tensor]) -> int:
    return 1 + max(int(name.split(".")[1]) for name in state if name.startswith("blocks."))


def _filled(model: Any, tensors: Mapping[str, Tensor]) -> Any:
    try:
        model.load_state_dict({name: value.contiguous() for name, value in tensors.items()}, strict=True)
    except RuntimeError as error:
        raise _mismatch(f"the weights do not fit {type(model).__name__}: {error}", Path()) from error
    return model


def _mismatch(what: str, file: Path) -> ProxytuneError:
    return ProxytuneError(
        "ModelMismatch",
        what=f"DreamSim cannot be converted: {what}",
        given=str(file),
        allowed="the files of dreamsim_ensemble_checkpoint.zip, and dino_vitbase16_pretrain.pth",
        remedy="download them again; docs/models.md has their addresses",
    )
