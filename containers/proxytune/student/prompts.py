"""The error of a prompt in which a student would read parts of its own sequences."""

from __future__ import annotations

from proxytune.contract.errors import ProxytuneError


def reserved_words(prompt: str, remedy: str) -> ProxytuneError:
    """Make the error of a prompt that spells special tokens of images."""
    return ProxytuneError(
        "HyperparameterInvalid",
        what="The prompt spells words that this student reads as parts of images",
        given=prompt,
        allowed="prompts in plain words",
        remedy=remedy,
    )
