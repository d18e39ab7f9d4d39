"""What a family of diffusion models says about itself; trainer and maker are the same for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from proxytune.teacher.exports import Place
from proxytune.teacher.memory import Activations
from proxytune.teacher.objectives import Objective
from proxytune.teacher.text import TextEncoders, Texts


@dataclass(frozen=True)
class View:
    """Which part of which picture latents are of, in pixels.

    Attributes:
        original: height and width of the whole picture.
        corner: top and left of the part.
        size: side of the square part.
    """

    original: tuple[int, int]
    corner: tuple[int, int]
    size: int


@dataclass(frozen=True)
class Drawing:
    """What one batch of pictures is drawn from.

    Attributes:
        texts: one prompt a picture.
        empty: the empty prompt, for guidance; None without guidance by it.
        noise: (B, C, h, w) float32, on the CPU.
        generators: one a picture, for samplers that draw more noise.
        size: side of the pictures in pixels.
        steps, guidance: the sampler's.
    """

    texts: Texts
    empty: Texts | None
    noise: Tensor
    generators: list[torch.Generator]
    size: int
    steps: int
    guidance: float


class DiffusionFamily(Protocol):
    """A family.

    Attributes:
        network: name of the network that is trained: its folder, and the prefix of its adapter's keys.
        targets: which layers carry an adapter, by the ends of their names; keys are the setting `adapted`.
        architecture: its name in the metadata of adapters (SAI model spec).
        vae_float32: whether the VAE overflows in half precision.
        patch: latents along one side of what the network sees as one.
        blocks: classes of the network's layers that it repeats most, which are worth compiling.
    """

    network: str
    targets: Mapping[str, Sequence[str]]
    architecture: str
    vae_float32: bool
    patch: int
    blocks: Sequence[str]

    def network_class(self) -> Any:
        """diffusers' class of the network."""
        ...

    def loader(self) -> Any:
        """diffusers' class that writes and reads this family's adapters."""
        ...

    def load_texts(self, base: Path, dtype: torch.dtype) -> TextEncoders:
        """The text encoders, on the CPU."""
        ...

    def encode(self, texts: TextEncoders, prompts: list[str]) -> Texts:
        """What the network is told about each prompt, whatever the others are."""
        ...

    def objective(self, base: Path, snr_gamma: float | None) -> Objective:
        """How the network was trained.

        Raises:
            ProxytuneError: ModelMismatch; HyperparameterInvalid where `snr_gamma` means nothing.
        """
        ...

    def place(self, layer: str, config: Any) -> Place:
        """Where a layer lies in the authors' own checkpoint.

        Args:
            layer: its name in the network.
            config: the network's.
        """
        ...

    def activations(self, config: Any, size: int, text_length: int) -> Activations:
        """What the gradient of one picture needs.

        Args:
            config: the network's.
            size: side of the picture in pixels.
            text_length: length of the texts' states.
        """
        ...

    def channels(self, network: Any) -> int:
        """Channels of the latents."""
        ...

    def answer(self, network: Any, latents: Tensor, times: Tensor, texts: Texts, views: list[View]) -> Tensor:
        """The network's answer to noisy latents, (B, C, h, w) as these.

        Args:
            times: (B,) as `Noised.times`.
        """
        ...

    def pipeline(self, base: Path, network: Any, vae: Any) -> Any:
        """diffusers' pipeline without text encoders."""
        ...

    def needs_empty(self, pipeline: Any, guidance: float) -> bool:
        """Whether drawing with this guidance needs the empty prompt."""
        ...

    def draw(self, pipeline: Any, drawing: Drawing) -> Tensor:
        """(B, C, h, w) latents of finished pictures, normalised."""
        ...
