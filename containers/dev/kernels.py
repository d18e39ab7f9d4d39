"""The CPU kernels that stored numbers were computed with.

Kernels for wider registers add in another order. Where a formula's weights amplify the rounding, that is
enough to choose another of two almost equal codes and to move a decoded picture by 3e-4, which float64 shows
to be rounding and nothing else. With AVX2 kernels the golden numbers come out bit for bit.
"""

from __future__ import annotations

import os

_KERNELS = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}


def use_stored_kernels() -> None:
    """Compute with AVX2 kernels from now on, unless the environment says otherwise.

    PyTorch and oneDNN choose their kernels at the first computation: call this before. Processors without
    AVX2 ignore it.
    """
    for name, value in _KERNELS.items():
        os.environ.setdefault(name, value)
