"""How a LlamaGen adapter is made, written, read back, and proven to be what was trained.

The files are peft's (adapter_model.safetensors, adapter_config.json) over the official module names, so that
peft's own `PeftModel.from_pretrained` reads them too.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from proxytune.contract.errors import ProxytuneError
from proxytune.student.llamagen.checkpoint import differences
from proxytune.student.llamagen.sampling import bare, evaluating
from proxytune.student.llamagen.transformer import LlamaGen

if TYPE_CHECKING:
    from peft import PeftModel

WEIGHTS_FILE, CONFIG_FILE = "adapter_model.safetensors", "adapter_config.json"
# How far the model read back may be from the trained one, as a share of the adapter's whole effect. The same
# numbers go through the same operations, so this only leaves room for kernels that sum in another order. A
# lost alpha or a lost layer is far above it.
TOLERANCE = 1e-3


def add_adapter(gpt: LlamaGen, *, rank: int, alpha: int) -> PeftModel:
    """Put a fresh adapter on a LlamaGen and freeze everything else; it is float32 whatever the model's type.

    Its first values are drawn from torch's global state; it changes nothing until it is trained.
    """
    from peft import LoraConfig

    return _wrap(gpt, LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(gpt.lora_targets)))


def save_adapter(model: PeftModel, folder: Path, tokens: Tensor, caption: Tensor) -> PeftModel:
    """Write the adapter and prove it: take it off, read it back, compare the logits of one picture.

    Args:
        tokens: (1, block_size) picture tokens to compare on.
        caption: (1, n, caption_dim) features of their caption.

    Returns:
        The model with the adapter that was read back.

    Raises:
        ProxytuneError: ModelMismatch when the file does not give the trained model back.
    """
    trained = _probe(model, tokens, caption)
    _write(model, folder)
    gpt = model.unload()
    untuned = _probe(gpt, tokens, caption)
    reread = load_adapter(gpt, folder)
    back = _probe(reread, tokens, caption)
    effect, error = float((trained - untuned).norm()), float((back - trained).norm())
    print(f"adapter read back: effect {effect:.6g}, error {error:.6g}", flush=True)
    # The floor: with a vanishing learning rate the effect itself is of the size of rounding errors.
    if error > TOLERANCE * effect + 1e-6 * float(untuned.norm()):
        raise ProxytuneError(
            "ModelMismatch",
            what="The adapter that was written does not give the trained student back",
            given=f"an error of {error:.6g} beside an effect of {effect:.6g}",
            allowed=f"at most {TOLERANCE} of the effect",
            remedy="use the package versions of containers/requirements.txt",
        )
    return reread


def load_adapter(gpt: LlamaGen, folder: Path) -> PeftModel:
    """Put the adapter of `folder` on a LlamaGen, tensor by tensor: nothing missing, nothing left over.

    Raises:
        ProxytuneError: ModelMismatch.
    """
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict

    for name in (WEIGHTS_FILE, CONFIG_FILE):
        if not (folder / name).is_file():
            raise _refused(f"the folder holds no {name}")
    try:
        config = LoraConfig.from_pretrained(str(folder))
        weights = load_file(folder / WEIGHTS_FILE)
        model = _wrap(gpt, config)
    except (SafetensorError, TypeError, ValueError) as error:
        raise _refused(str(error).strip().splitlines()[0]) from error
    wrong = differences(get_peft_model_state_dict(model), weights)
    if wrong:
        raise _refused("; ".join(wrong[:3]))
    set_peft_model_state_dict(model, weights)
    return model.eval()


@torch.no_grad()
def merged(model: PeftModel) -> LlamaGen:
    """A plain LlamaGen whose weights hold the adapter; what the adapter leaves alone is shared with `model`.

    Drawing computes one slot a row, where the adapter's own products cost nearly as much as the weights'. The
    sum is made in float32 and rounded once to the weights' type.
    """
    from peft.tuners.lora import LoraLayer

    gpt = bare(model)
    weights = {
        name.replace(".base_layer.", "."): value
        for name, value in gpt.state_dict().items()
        if ".lora_" not in name
    }
    for name, module in gpt.named_modules():
        if isinstance(module, LoraLayer):
            base: Tensor = module.get_base_layer().weight
            effect: Tensor = sum(module.get_delta_weight(active) for active in module.active_adapters)
            weights[f"{name}.weight"] = (base.float() + effect.float()).to(base.dtype)
    with torch.device("meta"):
        plain = LlamaGen(gpt.config)
    plain.load_state_dict(weights, strict=True, assign=True)
    return plain.requires_grad_(False).eval()


def _wrap(gpt: LlamaGen, config: Any) -> PeftModel:
    from peft import get_peft_model

    config.inference_mode = False
    return get_peft_model(gpt, config)


def _write(model: PeftModel, folder: Path) -> None:
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    folder.mkdir(parents=True, exist_ok=True)
    trained = get_peft_model_state_dict(model)
    save_file(
        {name: value.detach().cpu().contiguous() for name, value in trained.items()},
        folder / WEIGHTS_FILE,
        metadata={"format": "pt"},
    )
    used: Any = model.peft_config["default"]
    config = LoraConfig(r=used.r, lora_alpha=used.lora_alpha, inference_mode=True)
    # peft would hold them as a set, whose order changes from process to process; the file should not.
    config.target_modules = sorted(bare(model).lora_targets)
    config.save_pretrained(str(folder))


@torch.no_grad()
def _probe(model: Any, tokens: Tensor, caption: Tensor) -> Tensor:
    with evaluating(model):
        logits: Tensor = bare(model)(tokens[:, :-1], caption)
    return logits.float().cpu()


def _refused(why: str) -> ProxytuneError:
    return ProxytuneError(
        "ModelMismatch",
        what=f"The adapter does not fit the student: {why}",
        allowed=f"the {WEIGHTS_FILE} and {CONFIG_FILE} that the stage learn wrote for this model",
        remedy="give the job the adapter of the same run",
    )
