"""A run in this process, without a cloud: its jobs as the planner plans them, one after the other.

Settings are chosen with it, and the held-back subjects are measured with it. The planner (bin/plan-jobs.ts)
decides everything about the jobs; here they get the folders that SageMaker would give them.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proxytune.__main__ import STAGES
from proxytune.contract import hyperparameters
from proxytune.contract.entry_points import load_entry_point
from proxytune.contract.folders import Folders
from proxytune.contract.names import CHUNKS, FILES
from proxytune.contract.signals import StopRequest
from proxytune.contract.types.plan import GenerationPlan, Plan, TrainingPlan
from proxytune.generation.rendering import render_shard
from proxytune.images import chunk as chunks
from proxytune.serving.server import load_generator
from proxytune.serving.settings import Settings

REPOSITORY = Path(__file__).parents[2]
NODE = REPOSITORY / "node_modules" / "node" / "bin" / "node"
PLANNER = REPOSITORY / "bin" / "plan-jobs.ts"
# The planner names no real bucket; its keys are folders here.
BUCKET = "s3://planned/"


@dataclass(frozen=True)
class PlannedRun:
    """A run as the planner plans it.

    Attributes:
        plan: plan.json.
        trainings: stage to its CreateTrainingJob request.
        chunks: stage to its chunks by name.
        keys: of the plan, the references, the curation, and of each stage's images, by `pictures`.
    """

    plan: Plan
    trainings: dict[str, dict[str, Any]]
    chunks: dict[str, dict[str, dict[str, Any]]]
    keys: dict[str, Any]


def plan_run(subject: Path) -> PlannedRun:
    """Plan the request of a subject's folder.

    Raises:
        ValueError: the planner refuses the request, or it needs decisions that only the cloud's lambdas make.
    """
    command = [str(NODE), str(PLANNER), str(subject / "subject.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ValueError(done.stderr.strip())
    planned = PlannedRun(**json.loads(done.stdout))
    curation = planned.plan["curation"]
    if curation is not None and len(curation["rounds"]) > 1:
        raise ValueError("the request generates proxies in rounds, which lambdas decide; leave them out here")
    return planned


class Pipeline:
    """The jobs of one subject.

    Args:
        models: contains a folder for each model of the plan, by its id.
        work: the jobs' folders are created here; must be empty.
        subject: a folder with `photos` and `subject.json`.
        report: called with a line of progress.
    """

    def __init__(
        self, models: Path, work: Path, subject: Path, report: Callable[[str], None] = lambda _: None
    ) -> None:
        self._work, self._report = work, report
        self._planned = plan_run(subject)
        plan = self._at("plan")
        plan.parent.mkdir(parents=True)
        plan.write_text(json.dumps(self._planned.plan), "utf-8")
        _link(self._at("references"), subject / "photos")
        _link(self._bucket(f"{BUCKET}models"), models)

    def run(self) -> dict[str, Any]:
        """Run every job; the return value is the content of metrics.json."""
        for stage in self._planned.plan["stages"]:
            self.run_stage(stage["stage"])
            self._report(f"{stage['stage']} is done")
        metrics: dict[str, Any] = json.loads((self.page / FILES.metrics).read_text("utf-8"))
        return metrics

    def run_stage(self, name: str) -> Path:
        """Run the jobs of one stage; those of the earlier stages must have run.

        Returns:
            The folder with the stage's results.

        Raises:
            KeyError: the plan has no such stage.
        """
        stages: dict[str, TrainingPlan | GenerationPlan] = {
            stage["stage"]: stage for stage in self._planned.plan["stages"]
        }
        stage = stages[name]
        if stage["kind"] == "training":
            self._train(name)
            if name == "curate":
                # As the lambda does it that decides what follows; without rounds it is the next stage.
                _link(self._at("curation"), self._job(name).model)
            return self._job(name).model
        self._generate(stage)
        return self._pictures(name)

    @property
    def token(self) -> str:
        """The word that stands for the subject in prompts."""
        return self._planned.plan["tokenWord"]

    @property
    def page(self) -> Path:
        """The folder of the report; the files of metrics.json are relative to it."""
        return self._job("evaluate").model

    def _train(self, stage: str) -> None:
        request, folders = self._planned.trainings[stage], self._job(stage)
        for channel in request["InputDataConfig"]:
            content = self._bucket(channel["DataSource"]["S3DataSource"]["S3Uri"])
            target = folders.base / "input" / "data" / channel["ChannelName"]
            # As SageMaker does it, a prefix that is one object becomes a file in the channel's folder.
            _link(target / content.name if content.is_file() else target, content)
        kept = self._bucket(request["CheckpointConfig"]["S3Uri"])
        kept.mkdir(parents=True)
        _link(folders.checkpoints, kept)
        folders.hyperparameters.parent.mkdir(parents=True)
        folders.hyperparameters.write_text(json.dumps(request["HyperParameters"]), "utf-8")
        folders.model.mkdir()
        given = hyperparameters.read(folders)
        load_entry_point(STAGES[given["stage"]])(folders, given, StopRequest())

    def _generate(self, stage: GenerationPlan) -> None:
        """Answer the chunks of a transform, as the server does."""
        name, role = stage["stage"], stage["role"]
        models = self._planned.plan["models"]
        model = models["teacher"] if role == "teacher" else models["student"]
        settings = Settings(
            role=role,
            family=model["family"],
            model=model["id"],
            base_model=self._bucket(f"{BUCKET}models/{model['id']}").as_uri(),
            adapter=self._job(stage["adapterOf"]).model,
            host="",
            port=0,
        )
        target = self._pictures(name)
        target.mkdir(parents=True)
        with ExitStack() as kept:
            generator = load_generator(settings, kept)
            for file, planned in self._planned.chunks[name].items():
                chunk = chunks.parse(json.dumps(planned).encode())
                content = render_shard(generator, chunk, model["id"])
                (target / f"{file}{CHUNKS.shard_ending}").write_bytes(content)

    def _job(self, stage: str) -> Folders:
        return Folders(self._work / "jobs" / stage)

    def _at(self, key: str) -> Path:
        return self._bucket(BUCKET + self._planned.keys[key])

    def _pictures(self, stage: str) -> Path:
        return self._bucket(BUCKET + self._planned.keys["pictures"][stage])

    def _bucket(self, address: str) -> Path:
        return self._work / "bucket" / address.removeprefix(BUCKET)


def _link(place: Path, target: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target.resolve())
