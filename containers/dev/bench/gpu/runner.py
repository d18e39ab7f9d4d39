"""Running parts one after another, each in a process of its own with a time limit.

A part that crashes, runs out of memory or hangs ends alone. The processes are forked, so that the libraries
are imported once; nothing before the fork may use the GPU, which a forked process could not use again.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dev.bench.gpu.bench import Bench, append
from dev.bench.gpu.parts import Part
from proxytune.contract.entry_points import load_entry_point

# Of a part's log, where it failed.
LOG_CHARACTERS = 2000


def preload() -> None:
    """Import what the parts need, once for all of them."""
    import peft
    import transformers
    from diffusers.models.autoencoders import autoencoder_kl

    from proxytune.student.families import registry as students
    from proxytune.teacher.families import registry as teachers

    del autoencoder_kl, peft
    for name in ("CLIPTextModelWithProjection", "CLIPTokenizer", "T5EncoderModel", "T5Tokenizer"):
        getattr(transformers, name)
    for row in teachers.FAMILIES:
        family = teachers.teacher_family(row)
        for reference in (family.network_type, family.lora_type, family.pipeline_type):
            load_entry_point(reference)
    for row in students.FAMILIES:
        students.student_family(row)


def run_parts(parts: Sequence[Part], results: Path, *, tiny: bool, seconds: float) -> bool:
    """Run parts in this order.

    Args:
        results: where they write; each part's last line has its `outcome`.
        tiny: see `Bench`.
        seconds: for all of them; a part is cut where they end, and those after it are skipped.

    Returns:
        True when all of them ended well.
    """
    deadline, well = time.monotonic() + seconds, True
    preload()
    for part in parts:
        left = deadline - time.monotonic()
        outcome = {"outcome": "skipped"} if left <= 0 else _run(part, results, min(part.seconds, left), tiny)
        append(results, {"part": part.name, **outcome})
        print(f"{part.name}: {outcome['outcome']} ({outcome.get('seconds', 0)} s)", flush=True)
        well = well and outcome["outcome"] == "done"
    return well


def _run(part: Part, results: Path, limit: float, tiny: bool) -> dict[str, Any]:
    """Run a part in a process and return how it ended."""
    folder = Path(tempfile.mkdtemp(prefix="proxytune-gpu-"))
    log = folder / "log.txt"
    # Before the fork, so that the limit is the part's alone; importing does not use the GPU.
    function = load_entry_point(part.function)
    began = time.monotonic()
    try:
        bench = Bench(part.name, tiny, folder, results)
        process = multiprocessing.get_context("fork").Process(
            target=_work, args=(function, bench, part.given, log)
        )
        process.start()
        process.join(limit)
        outcome: dict[str, Any] = {"outcome": "done" if process.exitcode == 0 else "failed"}
        if process.exitcode is None:
            _kill(process.pid)
            process.join()
            outcome = {"outcome": "time limit"}
        if outcome["outcome"] != "done":
            outcome |= {"exit_code": process.exitcode, "log": log.read_text("utf-8")[-LOG_CHARACTERS:]}
        return {**outcome, "seconds": round(time.monotonic() - began, 1)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _work(function: Any, bench: Bench, given: dict[str, Any], log: Path) -> None:
    """Run the part's function in a session of its own, whose processes can be killed together."""
    os.setsid()
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    try:
        function(bench, **given)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def _kill(pid: int | None) -> None:
    if pid is not None:
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            # Not yet in a session of its own.
            os.kill(pid, signal.SIGKILL)
