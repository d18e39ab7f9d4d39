"""The emulator version that the repairs support."""

from __future__ import annotations

from importlib import metadata

SUPPORTED = "1.5.33"


class EmulatorVersion(RuntimeError):  # noqa: N818 - the name is the product's own, the same in TypeScript
    """The installed MiniStack is not the supported version."""


def require_supported_version(installed: str | None = None) -> None:
    """Require MiniStack ``SUPPORTED``.

    A repair replaces functions of the emulator by name. In another version the same names may have another
    meaning, which would cause wrong results instead of an error, so the version must be exact.

    Args:
        installed: version to check; by default that of the installed distribution, or "none".

    Raises:
        EmulatorVersion: if the version is another one or MiniStack is not installed.
    """
    if installed is None:
        try:
            installed = metadata.version("ministack")
        except metadata.PackageNotFoundError:
            installed = "none"
    if installed != SUPPORTED:
        raise EmulatorVersion(
            "The installed emulator is not the version that its repairs were written for. "
            f"Given: ministack {installed}. Allowed: ministack {SUPPORTED}. "
            f"What to do: run `.venv/bin/pip install ministack=={SUPPORTED}`, "
            "or delete .venv and start again."
        )
