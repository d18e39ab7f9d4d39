"""The adapter of a student: made, written, read back, and proven to be what was trained.

The files are peft's (adapter_model.safetensors, adapter_config.json) over the model's own module names, so
that peft's own `PeftModel.from_pretrained` reads them too. The model says which of its modules carry the
adapter: `lora_targets`, endings of their names, or one regular expression for complete names.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from proxytune.contract.errors import ProxytuneError
from proxytune.student.modules import bare, differences, evaluating
from proxytune.training.adapter_checks import Tolerance, save_and_check
from proxytune.training.lora_products import compute_in_input_dtype

if TYPE_CHECKING:
    from peft import PeftModel

WEIGHTS_FILE, CONFIG_FILE = "adapter_model.safetensors", "adapter_config.json"
# The same numbers go through the same operations, so this only allows for kernels that sum in another order.
# The share of the output is a floor: with a vanishing learning rate the effect itself is of the size of
# rounding errors.
TOLERANCE = Tolerance(of_effect=1e-3, of_output=1e-6)


def add_adapter(model: nn.Module, *, rank: int, alpha: int) -> PeftModel:
    """Put a new adapter on a model and freeze everything else; it is float32 whatever the model's type.

    Its initial values come from torch's global random state; it changes nothing until it is trained.
    """
    from peft import LoraConfig

    return _wrap(model, LoraConfig(r=rank, lora_alpha=alpha, target_modules=_targets(model)))


def save_adapter(model: PeftModel, folder: Path, probe: Callable[[Any], Tensor]) -> PeftModel:
    """Write the adapter and prove it: take it off, read it back, compare what the model computes.

    Args:
        probe: some numbers of the bare model in which the whole adapter takes part.

    Returns:
        The model with the adapter that was read back.

    Raises:
        ProxytuneError: ModelMismatch when the file does not give the trained model back; ModelNotFinite
            when the last step corrupted it, which no loss shows any more.
    """
    reread = save_and_check(
        cast("nn.Module", model),
        write=lambda trained: _write(cast("PeftModel", trained), folder),
        remove=lambda trained: cast("PeftModel", trained).unload(),
        load=lambda base: load_adapter(base, folder),
        probe=lambda probed: evaluate_probe(probed, probe).float().cpu(),
        probed="its first proxy",
        tolerance=TOLERANCE,
        role="student",
        stage="learn",
    )
    return cast("PeftModel", reread)


@torch.no_grad()
def evaluate_probe(model: nn.Module, probe: Callable[[Any], Tensor]) -> Tensor:
    """Compute a probe of the bare model, in eval mode and without gradient."""
    with evaluating(model):
        return probe(bare(model, nn.Module))


def load_adapter(model: nn.Module, folder: Path) -> PeftModel:
    """Put the adapter of `folder` on a model, tensor by tensor: nothing missing, nothing left over.

    Raises:
        ProxytuneError: ModelMismatch.
    """
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict

    for name in (WEIGHTS_FILE, CONFIG_FILE):
        if not (folder / name).is_file():
            raise _refused(f"the folder has no {name}")
    try:
        config = LoraConfig.from_pretrained(str(folder))
        weights = load_file(folder / WEIGHTS_FILE)
        wrapped = _wrap(model, config)
    except (SafetensorError, TypeError, ValueError) as error:
        raise _refused(str(error).strip().splitlines()[0]) from error
    wrong = differences(get_peft_model_state_dict(wrapped), weights)
    if wrong:
        raise _refused("; ".join(wrong[:3]))
    set_peft_model_state_dict(wrapped, weights)
    return wrapped.eval()


def _targets(model: nn.Module) -> list[str] | str:
    targets = cast("tuple[str, ...] | str", bare(model, nn.Module).lora_targets)
    return targets if isinstance(targets, str) else sorted(targets)


def _wrap(model: nn.Module, config: Any) -> PeftModel:
    from peft import get_peft_model

    config.inference_mode = False
    wrapped = get_peft_model(model, config)
    compute_in_input_dtype(wrapped)
    return wrapped


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
    # peft would keep names as a set, whose order changes from process to process; the file should not.
    config.target_modules = _targets(model)
    config.save_pretrained(str(folder))


def _refused(why: str) -> ProxytuneError:
    return ProxytuneError(
        "ModelMismatch",
        what=f"The adapter does not fit the student: {why}",
        allowed=f"the {WEIGHTS_FILE} and {CONFIG_FILE} that the stage learn wrote for this model",
        remedy="give the job the adapter of the same run",
    )
