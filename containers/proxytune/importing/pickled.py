"""Conversion of pickled weights to safetensors; pickled code is never executed."""

from __future__ import annotations

from pathlib import Path

from proxytune.contract.errors import ProxytuneError

PICKLE = "pytorch_model.bin"
SAFE = "model.safetensors"
# Positions that older versions of transformers stored, although the model computes them; not weights.
COMPUTED = ("position_ids",)


def to_safetensors(file: Path, out: Path) -> None:
    """Write the tensors of a `pytorch_model.bin` under the same names.

    The same tensors give the same bytes, so the file's SHA-256 is reproducible.

    Raises:
        ProxytuneError: ModelMismatch when it contains anything but named tensors.
    """
    import torch
    from safetensors.torch import save_file

    try:
        # The restricted unpickler creates tensors and plain containers, and calls nothing.
        state = torch.load(file, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:
        # Bytes that are not a pickle can raise anything: KeyError, ValueError and more.
        raise _unfit(file, (str(error).strip().splitlines() or [type(error).__name__])[0]) from error
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in state.items()
    ):
        raise _unfit(file, "it contains more than named tensors")
    weights = {
        name: value.detach().clone().contiguous()
        for name, value in sorted(state.items())
        if not name.endswith(COMPUTED)
    }
    save_file(weights, out, metadata={"format": "pt"})


def _unfit(file: Path, why: str) -> ProxytuneError:
    return ProxytuneError(
        "ModelMismatch",
        what=f"{file.name} cannot be converted to safetensors: {why}",
        given=file.name,
        allowed="a file of torch.save with named tensors",
        remedy="save the model with transformers' save_pretrained, and import that folder with --from",
    )
