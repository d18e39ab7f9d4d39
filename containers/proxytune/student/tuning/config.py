"""The settings of a tuning."""

from __future__ import annotations

from dataclasses import dataclass

from proxytune.contract.types.hyperparameters import LearnHyperparameters


@dataclass(frozen=True)
class TuningConfig:
    """The parts of a student that are trained, and how strongly they are held back.

    Attributes:
        kind: a row of the registry.
        lora_targets: layers that carry LoRA: `qkv` or `attention`; None takes the family's own.
    """

    kind: str = "lora"
    lora_targets: str | None = None

    @classmethod
    def from_hyperparameters(cls, hyperparameters: LearnHyperparameters) -> TuningConfig:
        """Read the settings from the hyperparameters of stage learn."""
        return cls(
            kind=hyperparameters.get("tuning", "lora"), lora_targets=hyperparameters.get("lora_targets")
        )
