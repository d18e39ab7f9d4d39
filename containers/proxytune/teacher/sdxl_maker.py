"""Drawing with SDXL, by its own name."""

from __future__ import annotations

from proxytune.teacher.maker import DiffusionMaker
from proxytune.teacher.sdxl import SDXL


class SDXLMaker(DiffusionMaker):
    """A `proxies.maker.PictureMaker` of the family `sdxl`."""

    def __init__(self) -> None:
        super().__init__(SDXL())
