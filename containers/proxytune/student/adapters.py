"""The adapter of a student: made, written, read back, and proven to be what was trained.

The files are peft's (adapter_model.safetensors, adapter_config.json) over the model's own module names, so
that peft's own `PeftModel.from_pretrained` reads them too. The model says which of its modules carry the
adapter: `lora_targets`, endings of their names, or one regular expression for complete names; and, under
the names of `lora_choices`, which others a training may ask for.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from proxytune.contract.errors import ProxytuneError
from proxytune.student.modules import bare, differences
from proxytune.student.tuning.files import refused
from proxytune.student.tuning.proof import save_checked
from proxytune.training.lora_products import compute_in_input_dtype

if TYPE_CHECKING:
    from peft import PeftModel

WEIGHTS_FILE, CONFIG_FILE = "adapter_model.safetensors", "adapter_config.json"


def add_adapter(model: nn.Module, *, rank: int, alpha: int, targets: str | None = None) -> PeftModel:
    """Put a new adapter on a model and freeze everything else; it is float32 whatever the model's type.

    Its initial values come from torch's global random state; it changes nothing until it is trained.

    Args:
        targets: a name of the model's `lora_choices`; None takes its `lora_targets`.
    """
    from peft import LoraConfig

    return _wrap(model, LoraConfig(r=rank, lora_alpha=alpha, target_modules=_targets(model, targets)))


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
    reread = save_checked(
        model,
        write=lambda trained: write_adapter(trained, folder),
        remove=lambda trained: trained.unload(),
        load=lambda base: load_adapter(base, folder),
        probe=probe,
    )
    return cast("PeftModel", reread)


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


def _targets(model: nn.Module, choice: str | None) -> list[str] | str:
    inner: Any = bare(model, nn.Module)
    targets = inner.lora_targets if choice is None else inner.lora_choices[choice]
    return targets if isinstance(targets, str) else sorted(targets)


def _wrap(model: nn.Module, config: Any) -> PeftModel:
    from peft import get_peft_model

    config.inference_mode = False
    wrapped = get_peft_model(model, config)
    compute_in_input_dtype(wrapped)
    return wrapped


def write_adapter(model: PeftModel, folder: Path) -> None:
    """Write peft's files."""
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
    config.target_modules = used.target_modules
    if not isinstance(used.target_modules, str):
        config.target_modules = sorted(used.target_modules)
    config.save_pretrained(str(folder))


def _refused(why: str) -> ProxytuneError:
    return refused(why, f"{WEIGHTS_FILE} and {CONFIG_FILE}")
