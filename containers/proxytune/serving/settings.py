"""The settings of this process, from the environment of the transform job's model."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.names import ENVIRONMENT, STAGE_ROLES

# Role -> the stages whose images it generates. The package proxytune.<role>.families knows its families.
STAGES = {
    role: tuple(stage for stage in STAGE_ROLES if STAGE_ROLES[stage] == role)
    for role in dict.fromkeys(STAGE_ROLES.values())
}


@dataclass(frozen=True)
class Settings:
    """The model that this process serves, and its address.

    Attributes:
        role: teacher or student.
        family: of the role's families, the model's.
        model: catalogue id of the base model; written into every record.
        base_model: s3://bucket/prefix/ or file:///folder.
        chunks: address of the chunks that will be sent, of the same kinds; empty if unknown.
        adapter: the folder that SageMaker unpacked model.tar.gz into.
        host: address to listen on; all by default, as SageMaker connects from outside of the container.
        port: port to listen on.
    """

    role: str
    family: str
    model: str
    base_model: str
    adapter: Path
    host: str
    port: int
    chunks: str = ""

    @classmethod
    def from_environment(cls) -> Settings:
        """Read and check the environment.

        Raises:
            ProxytuneError: HyperparameterInvalid.
        """
        role = _required(ENVIRONMENT.role)
        if role not in STAGES:
            raise _invalid(f"{ENVIRONMENT.role} is not a role that generates images", role, ", ".join(STAGES))
        port = os.environ.get("SAGEMAKER_BIND_TO_PORT") or "8080"
        if not port.isdecimal():
            raise _invalid("SAGEMAKER_BIND_TO_PORT is not a port", port, "1 to 65535")
        return cls(
            role=role,
            family=_required(ENVIRONMENT.family),
            model=_required(ENVIRONMENT.model),
            base_model=_required(ENVIRONMENT.base_model),
            adapter=Path(os.environ.get("SAGEMAKER_BASE_DIR") or "/opt/ml") / "model",
            host=os.environ.get(ENVIRONMENT.bind_host) or "0.0.0.0",
            port=int(port),
            chunks=os.environ.get(ENVIRONMENT.chunks) or "",
        )


def _required(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise _invalid(f"The environment variable {name} is not set", None, None)
    return value


def _invalid(what: str, given: str | None, allowed: str | None) -> ProxytuneError:
    return ProxytuneError(
        "HyperparameterInvalid",
        what=what,
        given=given,
        allowed=allowed,
        remedy="create the SageMaker model with the environment that this version of Proxytune plans",
    )
