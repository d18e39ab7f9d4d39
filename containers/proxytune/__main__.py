"""The container's entry point: `python -m proxytune train` for trainings, `serve` for batch transforms."""

from __future__ import annotations

import os
import sys

# Before anything imports the libraries: no access to model hubs, no telemetry, no progress bars in logs, and
# no warning about the missing torchvision, which nothing here uses.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
# Waiting threads sleep instead of spinning: locally several jobs share the cores of one machine, and spinning
# made the same twelve training steps take 2 to 18 seconds instead of 1.2 (measured on two busy cores).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Layers that cannot be compiled run uncompiled. Set in the environment, because a value in torch's own
# configuration is lost after the request that sets it: it belongs to the request's context (contextvars).
os.environ.setdefault("TORCHDYNAMO_SUPPRESS_ERRORS", "1")

# Stage -> its function: (folders, hyperparameters, stop) -> None. Imported only when used.
STAGES = {
    "teach": "proxytune.teacher.trainer:train",
    "synthesize": "proxytune.generation.job:synthesize",
    "curate": "proxytune.curation.curate:curate",
    "learn": "proxytune.student.trainer:train",
    "evaluate": "proxytune.evaluation.evaluate:evaluate",
    "import-model": "proxytune.importing.job:import_model",
}
USAGE = "usage: python -m proxytune train|serve"


def main(arguments: list[str]) -> int:
    """Run the command that SageMaker passes; returns the exit code."""
    if arguments == ["train"]:
        return train()
    if arguments == ["serve"]:
        from proxytune.serving.server import serve

        return serve()
    print(USAGE, file=sys.stderr)
    return 2


def train() -> int:
    """Run the training job whose folders are in SAGEMAKER_BASE_DIR; returns the exit code."""
    from proxytune.contract import failure, hyperparameters
    from proxytune.contract.entry_points import load_entry_point
    from proxytune.contract.folders import Folders
    from proxytune.contract.signals import StopRequest
    from proxytune.training.gpus import require_gpus
    from proxytune.training.launch import launch, processes_for

    folders = Folders.from_environment()
    try:
        stop = StopRequest().install()
        given = hyperparameters.read(folders)
        require_gpus()
        processes = processes_for(given)
        if processes > 1:
            return launch(processes)
        folders.model.mkdir(parents=True, exist_ok=True)
        load_entry_point(STAGES[given["stage"]])(folders, given, stop)
    except Exception as error:
        return failure.report(error, folders)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
