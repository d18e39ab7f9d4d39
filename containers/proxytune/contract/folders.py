"""Every path of a job, under SAGEMAKER_BASE_DIR (in a SageMaker container always /opt/ml)."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.model_manifest import check_folder

PLATFORM_BASE = PurePosixPath("/opt/ml")


@dataclass(frozen=True)
class Folders:
    """The folders of one training job; nothing is created or read before a method needs it."""

    base: Path

    @classmethod
    def from_environment(cls) -> Folders:
        """Use the folders under SAGEMAKER_BASE_DIR, or under /opt/ml where it is not set."""
        return cls(Path(os.environ.get("SAGEMAKER_BASE_DIR") or PLATFORM_BASE))

    @property
    def hyperparameters(self) -> Path:
        """The file of hyperparameters: one flat object of strings."""
        return self.base / "input" / "config" / "hyperparameters.json"

    @property
    def model(self) -> Path:
        """The output of the job; uploaded when it ends."""
        return self.base / "model"

    @property
    def failure(self) -> Path:
        """The file whose first 1024 characters become the job's FailureReason."""
        return self.base / "output" / "failure"

    @property
    def checkpoints(self) -> Path:
        """The folder that SageMaker mirrors to the bucket while the job runs.

        Its path is in checkpointconfig.json when the request has a CheckpointConfig. A path below /opt/ml is
        taken relative to `base`, so that the same request works with another base.
        """
        config = self.base / "input" / "config" / "checkpointconfig.json"
        if not config.exists():
            return self.base / "checkpoints"
        local = json.loads(config.read_text("utf-8")).get("LocalPath") or str(PLATFORM_BASE / "checkpoints")
        path = PurePosixPath(local)
        return (
            self.base / path.relative_to(PLATFORM_BASE) if path.is_relative_to(PLATFORM_BASE) else Path(path)
        )

    def optional_channel(self, name: str) -> Path | None:
        """The folder of an input channel that not every job has."""
        folder = self.base / "input" / "data" / name
        return folder if folder.is_dir() else None

    def host(self) -> tuple[int, int]:
        """Return the number of this instance among those of the job, from 0, and their count."""
        config = self.base / "input" / "config" / "resourceconfig.json"
        if not config.exists():
            return 0, 1
        resources = json.loads(config.read_text("utf-8"))
        # Sorted by number: algo-10 comes after algo-2.
        hosts = sorted(resources["hosts"], key=lambda name: (len(name), name))
        return hosts.index(resources["current_host"]), len(hosts)

    def channel(self, name: str) -> Path:
        """The folder of an input channel; a base model in it is compared with its manifest.

        Raises:
            ProxytuneError: ChannelMissing when the folder is absent or holds no file, ModelChanged.
        """
        folder = self.base / "input" / "data" / name
        if not any(path.is_file() for path in folder.rglob("*")):
            there = sorted(path.name for path in folder.parent.glob("*")) if folder.parent.is_dir() else []
            raise ProxytuneError(
                "ChannelMissing",
                what=f"The input channel '{name}' is absent or empty",
                given=f"channels {', '.join(there) or 'none'}",
                remedy="check that the S3 prefix of this channel in the job's request contains objects",
            )
        check_folder(folder)
        return folder
