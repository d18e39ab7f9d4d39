"""Checks of the Dockerfile without building the image, as few machines that run these tests have Docker."""

import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

CONTAINERS = Path(__file__).parents[2]
# As Docker reads it: continued lines joined, comments removed.
LINES = re.sub(
    r"\\\n", "", re.sub(r"^#.*\n", "", (CONTAINERS / "Dockerfile").read_text(), flags=re.M)
).splitlines()


def instruction(name: str) -> list[str]:
    return [line.removeprefix(name).strip() for line in LINES if line.startswith(f"{name} ")]


def pinned(file: Path) -> dict[str, str]:
    pairs = (line.split("==") for line in file.read_text().splitlines() if "==" in line and line[0] != "#")
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pairs}


def test_the_entry_point_is_a_process_of_its_own_that_receives_the_signals():
    assert json.loads(instruction("ENTRYPOINT")[0]) == ["python", "-m", "proxytune"]
    assert "--platform=linux/amd64" in instruction("FROM")[0]


def test_the_base_image_is_fixed_by_its_digest_and_names_its_version():
    (base,) = instruction("FROM")
    assert re.fullmatch(
        r"--platform=linux/amd64 python:3\.12\.\d+-slim-bookworm@sha256:[0-9a-f]{64}",
        base,
    )


def pip_installs() -> list[list[str]]:
    """List the options of each `pip install`, in order."""
    commands = (part for line in instruction("RUN") for part in line.split("&&"))
    return [words[2:] for words in map(shlex.split, commands) if words[:2] == ["pip", "install"]]


def test_torch_comes_from_one_index_and_no_other_build_can_replace_it():
    torch, rest, own = pip_installs()
    assert torch == ["--index-url", "${TORCH_INDEX}", "--requirement", "torch.txt"]
    assert instruction("ARG") == ["TORCH_INDEX=https://download.pytorch.org/whl/cu126"]
    # The installed build is a constraint, and PyPI has no local versions, so nothing there can replace it.
    constraints = ["--constraint", "torch.txt", "--constraint", "requirements.txt"]
    assert rest == [*constraints, "--requirement", "runtime.txt"]
    assert own == ["--no-deps", "."]
    (fixing,) = (line for line in instruction("RUN") if "${TORCH_INDEX}" in line)
    assert fixing.startswith("grep '^torch==' requirements.txt > torch.txt")
    assert fixing.endswith("pip freeze | grep '^torch==' > torch.txt")


@pytest.mark.parametrize(("cuda", "built"), [("12.6", True), ("12.8", True), ("13.0", False), (None, False)])
def test_the_build_fails_for_a_torch_of_another_cuda(tmp_path, cuda, built):
    steps = instruction("RUN")
    (step,) = (line for line in steps if "torch.version.cuda" in line)
    assert steps.index(step) > max(at for at, line in enumerate(steps) if "torch.txt" in line)
    (tmp_path / "torch.py").write_text(
        f"from types import SimpleNamespace\nversion = SimpleNamespace(cuda={cuda!r})\n"
    )
    command = step.replace("python ", f"{sys.executable} ", 1)
    ended = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert (ended.returncode == 0) is built
    assert built or f"torch is built for CUDA {cuda or 'none'}" in ended.stderr


def test_the_container_asks_the_host_for_its_gpus():
    (variables,) = instruction("ENV")
    assert {"NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_DRIVER_CAPABILITIES=compute,utility"} <= set(
        variables.split()
    )


def test_train_and_serve_are_the_only_arguments():
    wrong = subprocess.run([sys.executable, "-m", "proxytune", "tune"], capture_output=True, text=True)
    assert wrong.returncode == 2
    assert "train|serve" in wrong.stderr


def test_the_step_that_lists_the_dependencies_lists_all_and_nothing_else(tmp_path):
    (step,) = (line for line in instruction("RUN") if "runtime.txt" in line and "tomllib" in line)
    for name in ("pyproject.toml", "requirements.txt"):
        (tmp_path / name).write_text((CONTAINERS / name).read_text())
    subprocess.run(["sh", "-c", step.replace("python ", f"{sys.executable} ", 1)], cwd=tmp_path, check=True)
    wanted = tomllib.loads((CONTAINERS / "pyproject.toml").read_text())["project"]["dependencies"]
    assert (tmp_path / "runtime.txt").read_text().split() == wanted


def test_the_image_has_the_compiler_that_torch_compile_needs():
    # proxytune/training/compilation.py looks for it, and computes eagerly without it.
    (step,) = (line for line in instruction("RUN") if "apt-get install" in line)
    assert {"gcc", "libc6-dev"} <= set(step.split())


def test_nothing_of_dev_is_copied_into_the_image():
    copied = {source for line in instruction("COPY") for source in line.split()[:-1]}
    assert copied == {"pyproject.toml", "requirements.txt", "proxytune"}
    assert instruction("ADD") == []


def test_every_dependency_is_pinned():
    project = tomllib.loads((CONTAINERS / "pyproject.toml").read_text())["project"]
    names = project["dependencies"] + project["optional-dependencies"]["dev"]
    assert [name for name in names if name not in pinned(CONTAINERS / "requirements.txt")] == []
