"""How an SDXL adapter is made, written, read back, and proven to be what was trained.

Two silent failures are known: keys without the `unet.` prefix load with no effect (diffusers issues 11657,
11790), and a file without metadata loses alpha, so that the adapter acts stronger or weaker (issue 6087). So
a file counts as written only after it was read back and gave the trained U-Net's numbers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from proxytune.contract.errors import ProxytuneError

WEIGHTS_FILE = "pytorch_lora_weights.safetensors"
# The attention projections of diffusers' SDXL DreamBooth-LoRA script.
ATTENTION = ("to_k", "to_out.0", "to_q", "to_v")
# What carries the adapter, by the ends of the layers' names. `all` is for small models trained in few steps,
# where the attention alone learns a subject's shape too slowly.
TARGETS = {
    "attention": ATTENTION,
    "all": (
        *ATTENTION,
        *("ff.net.0.proj", "ff.net.2", "proj_in", "proj_out"),
        *("conv", "conv1", "conv2", "conv_in", "conv_out", "conv_shortcut"),
    ),
}
ADAPTER = "default"
# How far the U-Net read back may be from the trained one: as a share of the adapter's effect (a lost alpha
# is 0.5 and more; a bfloat16 U-Net rounds the adapter's weights, measured 0.03) ...
SHARE_OF_EFFECT = {torch.float32: 1e-3, torch.bfloat16: 0.2}
# ... plus a share of the U-Net's answer itself, its rounding: it counts where training had next to no effect.
SHARE_OF_ANSWER = {torch.float32: 1e-6, torch.bfloat16: 2.0**-8}


def add_adapter(unet: Any, *, rank: int, alpha: int, adapted: str = "attention") -> None:
    """Put a fresh adapter on a frozen U-Net; its weights are float32 whatever the U-Net's type.

    Args:
        adapted: a key of TARGETS.
    """
    from peft import LoraConfig

    targets = list(TARGETS[adapted])
    unet.add_adapter(
        LoraConfig(r=rank, lora_alpha=alpha, init_lora_weights="gaussian", target_modules=targets), ADAPTER
    )
    for parameter in unet.parameters():
        if parameter.requires_grad:
            # In bfloat16 the small steps of training would be rounded away.
            parameter.data = parameter.data.float()


def save_adapter(unet: Any, folder: Path, conditions: dict[str, Any]) -> None:
    """Write the adapter as `load_lora_weights` reads it, and prove it on this U-Net.

    Afterwards the U-Net carries the adapter that was read back.

    Args:
        conditions: what the U-Net is called with beside latents and timestep.

    Raises:
        ProxytuneError: ModelMismatch when the file does not give the trained U-Net back.
    """
    trained = _probe(unet, conditions)
    _write(unet, folder)
    unet.delete_adapters(ADAPTER)
    untuned = _probe(unet, conditions)
    load_adapter(unet, folder)
    back = _probe(unet, conditions)
    effect, error = float((trained - untuned).norm()), float((back - trained).norm())
    allowed = SHARE_OF_EFFECT[unet.dtype] * effect + SHARE_OF_ANSWER[unet.dtype] * float(untuned.norm())
    print(f"adapter read back: effect {effect:.6g}, error {error:.6g}", flush=True)
    if error > allowed:
        raise ProxytuneError(
            "ModelMismatch",
            what="The adapter that was written does not give the trained teacher back",
            given=f"an error of {error:.6g} beside an effect of {effect:.6g}",
            allowed=f"at most {allowed:.6g}",
            remedy="use the package versions of containers/requirements.txt",
        )


def load_adapter(unet: Any, folder: Path) -> None:
    """Put the adapter of `folder` on the U-Net and check that all of it arrived.

    Raises:
        ProxytuneError: ModelMismatch.
    """
    from diffusers.loaders.lora_pipeline import StableDiffusionXLLoraLoaderMixin as Loader

    if not (folder / WEIGHTS_FILE).is_file():
        raise refused(f"the folder holds no {WEIGHTS_FILE}")
    try:
        weights, alphas, metadata = Loader.lora_state_dict(
            str(folder), weight_name=WEIGHTS_FILE, local_files_only=True, return_lora_metadata=True
        )
        if not metadata:
            raise refused("its file has no metadata, so that alpha is unknown")
        Loader.load_lora_into_unet(weights, alphas, unet, adapter_name=ADAPTER, metadata=metadata)
    except (RuntimeError, ValueError) as error:
        raise refused(str(error).strip().splitlines()[0]) from error
    loaded = _adapter_weights(unet) if getattr(unet, "_hf_peft_config_loaded", False) else {}
    wanted = {key.removeprefix("unet."): value for key, value in weights.items()}
    for key, value in wanted.items():
        if key not in loaded or not torch.equal(
            loaded[key].float().cpu(), value.to(loaded[key].dtype).float()
        ):
            raise refused(f"the tensor {key} did not arrive in the U-Net")


def _write(unet: Any, folder: Path) -> None:
    from diffusers.loaders.lora_pipeline import StableDiffusionXLLoraLoaderMixin as Loader

    folder.mkdir(parents=True, exist_ok=True)
    metadata = unet.peft_config[ADAPTER].to_dict()
    # peft holds them as a set, whose order changes from process to process; the file should not.
    metadata["target_modules"] = sorted(metadata["target_modules"])
    trained = _adapter_weights(unet).items()
    weights: dict[str, Any] = {key: value.detach().cpu().contiguous() for key, value in trained}
    Loader.save_lora_weights(
        str(folder),
        unet_lora_layers=weights,
        unet_lora_adapter_metadata=metadata,
        weight_name=WEIGHTS_FILE,
    )


def _adapter_weights(unet: Any) -> dict[str, Tensor]:
    """The adapter under peft's key names, which diffusers reads for every kind of layer.

    (Its older names for the U-Net's, `.lora.down` and `.lora.up`, get lost in reading beside convolutions.)
    """
    from peft.utils import get_peft_model_state_dict

    weights: dict[str, Tensor] = get_peft_model_state_dict(unet, adapter_name=ADAPTER)
    return weights


@torch.no_grad()
def _probe(unet: Any, conditions: dict[str, Any]) -> Tensor:
    """The U-Net's answer to one fixed noise, float32."""
    was_training = unet.training
    unet.eval()
    size = unet.config.sample_size
    noise = torch.randn((1, unet.config.in_channels, size, size), generator=torch.Generator().manual_seed(0))
    answer: Tensor = unet(
        noise.to(unet.device, unet.dtype),
        torch.tensor(500, device=unet.device),
        return_dict=False,
        **conditions,
    )[0]
    unet.train(was_training)
    return answer.float().cpu()


def refused(why: str) -> ProxytuneError:
    """The error of an adapter that cannot be put on this teacher."""
    return ProxytuneError(
        "ModelMismatch",
        what=f"The adapter does not fit the teacher: {why}",
        allowed=f"the {WEIGHTS_FILE} that the stage teach wrote for this model",
        remedy="give the job the adapter of the same run",
    )
