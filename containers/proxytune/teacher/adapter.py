"""A teacher's adapter: how it is made, written, and put on a network again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from proxytune.teacher.lora_file import WEIGHTS_FILE, read_layers, refused
from proxytune.training.adapter_checks import Tolerance, save_and_check
from proxytune.training.lora_products import compute_in_input_dtype

ADAPTER = "default"
# A bfloat16 network rounds the adapter's weights: measured 0.03 of the effect.
TOLERANCES = {torch.float32: Tolerance(1e-3, 1e-6), torch.bfloat16: Tolerance(0.2, 2.0**-8)}


def add_adapter(network: Any, *, rank: int, alpha: int, targets: Sequence[str]) -> None:
    """Put a new adapter on a frozen network; its weights are float32, whatever the network's type.

    Its products have the network's type.

    Args:
        targets: layers that carry it, by the ends of their names.
    """
    from peft import LoraConfig

    network.add_adapter(
        LoraConfig(r=rank, lora_alpha=alpha, init_lora_weights="gaussian", target_modules=list(targets)),
        ADAPTER,
    )
    for parameter in network.parameters():
        if parameter.requires_grad:
            # In bfloat16 the small steps of training would be rounded away.
            parameter.data = parameter.data.float()
    compute_in_input_dtype(network)


def save_adapter(
    network: Any,
    prefix: str,
    loader: Any,
    folder: Path,
    probe: Callable[[], Tensor],
    metadata: Mapping[str, str],
) -> None:
    """Write the adapter as `load_lora_weights` reads it, and prove it on this network.

    Afterwards the network carries the adapter that was read back.

    Args:
        prefix: the network's name in the file's keys.
        loader: diffusers' class that writes this family's adapters.
        probe: the network's output for one fixed noise, float32 on the CPU.
        metadata: more entries of the file's header.

    Raises:
        ProxytuneError: as `save_and_check`.
    """

    def remove(network: Any) -> Any:
        network.delete_adapters(ADAPTER)
        return network

    save_and_check(
        network,
        write=lambda network: _write(network, prefix, loader, folder, metadata),
        remove=remove,
        load=lambda network: load_adapter(network, prefix, folder),
        probe=lambda _network: probe(),
        probed="one fixed noise",
        tolerance=TOLERANCES[network.dtype],
        role="teacher",
        stage="teach",
    )


def load_adapter(network: Any, prefix: str, folder: Path) -> Any:
    """Put the adapter of `folder` on the network as diffusers' pipelines do, and check that it is complete.

    Returns:
        The network.

    Raises:
        ProxytuneError: ModelMismatch.
    """
    layers = read_layers(folder, prefix)
    try:
        network.load_lora_adapter(
            str(folder),
            prefix=prefix,
            adapter_name=ADAPTER,
            weight_name=WEIGHTS_FILE,
            use_safetensors=True,
            local_files_only=True,
        )
    except (RuntimeError, ValueError) as error:
        raise refused(str(error).strip().splitlines()[0]) from error
    loaded = _adapter_weights(network) if getattr(network, "_hf_peft_config_loaded", False) else {}
    for name, layer in layers.items():
        for key, value in ((f"{name}.lora_A.weight", layer.down), (f"{name}.lora_B.weight", layer.up)):
            tensor = loaded.get(key)
            if tensor is None or not torch.equal(tensor.float().cpu(), value.to(tensor.dtype).float()):
                raise refused(f"the tensor {key} was not loaded into the network")
    return network


def _write(network: Any, prefix: str, loader: Any, folder: Path, more: Mapping[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    metadata = network.peft_config[ADAPTER].to_dict()
    # peft stores them as a set, whose order changes from process to process; the file should not change.
    metadata["target_modules"] = sorted(metadata["target_modules"])
    trained = _adapter_weights(network).items()
    weights: dict[str, Any] = {key: value.detach().cpu().contiguous() for key, value in trained}
    loader.save_lora_weights(
        str(folder),
        weight_name=WEIGHTS_FILE,
        **{f"{prefix}_lora_layers": weights, f"{prefix}_lora_adapter_metadata": metadata},
    )
    file = folder / WEIGHTS_FILE
    with safe_open(file, "pt") as opened:
        header = opened.metadata()
        # An opened file can list its keys, but cannot be iterated.
        written = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
    save_file(written, file, {**header, **more})


def _adapter_weights(network: Any) -> dict[str, Tensor]:
    """Return the adapter with peft's key names, which diffusers reads for every kind of layer.

    (With convolutions, diffusers ignores the older names `.lora.down` and `.lora.up` of the U-Net's layers.)
    """
    from peft.utils import get_peft_model_state_dict

    weights: dict[str, Tensor] = get_peft_model_state_dict(network, adapter_name=ADAPTER)
    return weights
