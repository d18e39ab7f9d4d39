"""Parts of a diffusers model folder. Missing weights, or weights of another shape, are an error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from proxytune.contract.entry_points import load_entry_point
from proxytune.contract.errors import ProxytuneError


def load_part(model_class: Any, base: Path, name: str, dtype: torch.dtype) -> Any:
    """Load a frozen model in eval mode from `base/name`, on the CPU.

    Args:
        model_class: a diffusers or transformers class with `from_pretrained`.

    Raises:
        ProxytuneError: ModelMissing when the folder has no such part, ModelMismatch when weights do not fit.
    """
    # diffusers still names it torch_dtype; transformers renamed it and warns about the old name.
    dtype_name = "dtype" if model_class.__module__.startswith("transformers.") else "torch_dtype"
    try:
        model, info = model_class.from_pretrained(
            str(part_folder(base, name)),
            output_loading_info=True,
            local_files_only=True,
            use_safetensors=True,
            **{dtype_name: dtype},
        )
    except (RuntimeError, ValueError, SafetensorError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # from the system (full disk, no read permission), not from the weights
        raise _mismatch(name, str(error).strip().splitlines()[0]) from error
    missing = sorted(info["missing_keys"])
    if missing:
        raise _mismatch(name, f"{len(missing)} tensors are missing, such as {missing[0]}")
    if info["mismatched_keys"]:
        raise _mismatch(name, f"tensors of another shape: {sorted(map(str, info['mismatched_keys']))[0]}")
    return model.requires_grad_(False).eval()


def load_named(base: Path, name: str) -> Any:
    """Load the scheduler or tokenizer `name`, of the class that model_index.json gives it."""
    library, class_name = model_index(base)[name]
    return load_entry_point(f"{library}:{class_name}").from_pretrained(
        str(part_folder(base, name)), local_files_only=True
    )


def model_index(base: Path) -> dict[str, Any]:
    """Read the folder's model_index.json.

    Raises:
        ProxytuneError: ModelMissing.
    """
    file = base / "model_index.json"
    if not file.exists():
        raise _missing(base, "model_index.json")
    index: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return index


def part_folder(base: Path, name: str) -> Path:
    """Return the folder of a part.

    Raises:
        ProxytuneError: ModelMissing when it does not exist.
    """
    folder = base / name
    if not folder.is_dir():
        raise _missing(base, f"{name}/")
    return folder


def _missing(base: Path, what: str) -> ProxytuneError:
    return ProxytuneError(
        "ModelMissing",
        what=f"The model folder has no {what}",
        given=", ".join(sorted(path.name for path in base.glob("*"))) or "an empty folder",
        allowed="a folder as diffusers' save_pretrained writes it",
        remedy="import the model again",
    )


def _mismatch(name: str, why: str) -> ProxytuneError:
    return ProxytuneError(
        "ModelMismatch",
        what=f"The weights of {name} do not fit its config: {why}",
        remedy="import the model again; the download may have been incomplete",
    )
