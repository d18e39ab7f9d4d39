"""What a model answers once and much is made of later, refused on the spot where it is not finite.

One infinity in what is known of a prompt or a photo spoils every step and picture that is made of it, hours
later and often without a word: NaN pixels become black ones, of NaN latents the first code is the nearest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxytune.contract.errors import ProxytuneError

if TYPE_CHECKING:
    from torch import Tensor

SPOILT = "import the model again: at this precision sound weights do not overflow, so its own are spoilt"
TOO_NARROW = "compute this part in bfloat16 or float32, which reach further than float16's 65504"


def finite(values: Tensor, part: str, of: str, *, remedy: str = SPOILT) -> Tensor:
    """The values themselves, when all of them are finite.

    Waits for the device: for what is computed once, not for what each step computes.

    Args:
        values: in the precision in which they were computed.
        part: of a model, which computed them.
        of: what it was asked about.
        remedy: what to do where the precision is not to blame.

    Raises:
        ProxytuneError: ModelNotFinite, naming part, precision and remedy.
    """
    held = values.isfinite()
    if bool(held.all()):
        return values
    precision = str(values.dtype).removeprefix("torch.")
    raise ProxytuneError(
        "ModelNotFinite",
        what=f"The {part} computed infinities, or what is no number",
        given=f"{int((~held).sum())} of {values.numel()} numbers in {precision}, for {of}",
        allowed="finite numbers",
        remedy=TOO_NARROW if precision == "float16" else remedy,
    )
