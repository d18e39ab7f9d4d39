"""A check of values that a model computes once and that many steps depend on: they must be finite.

One infinity in the encoding of a prompt or a photo corrupts every later step and image, often silently: NaN
pixels become black, and the nearest code of a NaN latent is the first one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxytune.contract.errors import ProxytuneError

if TYPE_CHECKING:
    from torch import Tensor

CORRUPT = "import the model again: intact weights do not overflow at this precision, so these are corrupt"
TOO_NARROW = "compute this part in bfloat16 or float32, whose range is larger than float16's 65504"


def finite(values: Tensor, part: str, of: str, *, remedy: str = CORRUPT) -> Tensor:
    """Return the values if all of them are finite.

    Waits for the device, so use it for values that are computed once, not in each step.

    Args:
        values: in the precision in which they were computed.
        part: the part of a model that computed them.
        of: its input, for the message.
        remedy: what to do where the precision is not the cause.

    Raises:
        ProxytuneError: ModelNotFinite, naming part, precision and remedy.
    """
    valid = values.isfinite()
    if bool(valid.all()):
        return values
    precision = str(values.dtype).removeprefix("torch.")
    raise ProxytuneError(
        "ModelNotFinite",
        what=f"The {part} computed infinite or invalid numbers",
        given=f"{int((~valid).sum())} of {values.numel()} numbers in {precision}, for {of}",
        allowed="finite numbers",
        remedy=TOO_NARROW if precision == "float16" else remedy,
    )
