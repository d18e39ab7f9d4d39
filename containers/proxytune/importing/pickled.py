"""Weights that a repository holds only as a pickle, as safetensors. Pickled code is never run."""

from __future__ import annotations

from pathlib import Path

from proxytune.contract.errors import ProxytuneError

PICKLE = "pytorch_model.bin"
SAFE = "model.safetensors"
# Positions that older versions of transformers stored although they are counted up anew; no weight.
COUNTED = ("position_ids",)


def to_safetensors(file: Path, out: Path) -> None:
    """Write the tensors of a `pytorch_model.bin` under the same names.

    The same tensors give the same bytes, so that the file's SHA-256 is the same wherever it is made.

    Raises:
        ProxytuneError: ModelMismatch when it holds anything but tensors by name.
    """
    import torch
    from safetensors.torch import save_file

    try:
        # The restricted unpickler makes tensors and plain containers, and calls nothing.
        state = torch.load(file, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:
        # Bytes that are no pickle end in whatever their first one stands for: KeyError, ValueError and more.
        raise _unfit(file, (str(error).strip().splitlines() or [type(error).__name__])[0]) from error
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in state.items()
    ):
        raise _unfit(file, "it holds more than tensors by name")
    weights = {
        name: value.detach().clone().contiguous()
        for name, value in sorted(state.items())
        if not name.endswith(COUNTED)
    }
    save_file(weights, out, metadata={"format": "pt"})


def _unfit(file: Path, why: str) -> ProxytuneError:
    return ProxytuneError(
        "ModelMismatch",
        what=f"{file.name} cannot be made into safetensors: {why}",
        given=file.name,
        allowed="a file of torch.save with tensors by name",
        remedy="save the model with transformers' save_pretrained, and bring that folder with --from",
    )
