"""Comparison of two ways to compute the same: in one run, in turns, each in seconds and in memory.

Turns matter: a machine's clock, its other processes and its temperature change within minutes. A ratio of two
measurements side by side is robust to that, two separate measurements are not.
"""

from __future__ import annotations

import argparse
import multiprocessing
import platform
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

MIB = 2**20


@dataclass(frozen=True)
class Comparison:
    """Seconds of each turn: ours and the reference's."""

    ours: list[float]
    reference: list[float]

    @property
    def ratio(self) -> float:
        """Speed of ours relative to the reference: the median over the turns of their ratio."""
        pairs = zip(self.ours, self.reference, strict=True)
        return statistics.median(theirs / mine for mine, theirs in pairs)

    @property
    def spread(self) -> tuple[float, float]:
        """The smallest and the largest ratio of a turn."""
        ratios = [theirs / mine for mine, theirs in zip(self.ours, self.reference, strict=True)]
        return min(ratios), max(ratios)


def in_turns(
    ours: Callable[[], object],
    reference: Callable[[], object],
    turns: int,
    clock: Callable[[], float] = time.perf_counter,
) -> Comparison:
    """Run both `turns` times in turns, after one run each that is not counted.

    Whoever is first in one turn is second in the next.

    Args:
        clock: `time.process_time` counts what this process computed, also where others share the processor.
    """
    turns_of: dict[Callable[[], object], list[float]] = {ours: [], reference: []}
    for turn in range(-1, turns):
        for side in (ours, reference) if turn % 2 else (reference, ours):
            took = seconds(side, clock)
            if turn >= 0:
                turns_of[side].append(took)
    return Comparison(turns_of[ours], turns_of[reference])


def compare_sides(
    make: Callable[..., Callable[[], object]],
    reference: str,
    arguments: Sequence[Any],
    *,
    turns: int,
    units: int,
    whole: bool = False,
) -> dict[str, Any]:
    """Measure two sides of an activity in turns, in speed and in memory.

    Args:
        make: called with the name of a side and the arguments; returns what is run. See `peak_mib`.
        reference: name of the side that ours is compared with.
        units: of work in one run, such as tokens or pictures.
        whole: count the memory that `make` needs too.

    Returns:
        Units a second and MiB of both sides, and the ratio of their speeds.
    """
    compared = in_turns(make("ours", *arguments), make(reference, *arguments), turns)
    return {
        "per_second": round(units / statistics.median(compared.ours), 3),
        f"{reference}_per_second": round(units / statistics.median(compared.reference), 3),
        "ratio": round(compared.ratio, 2),
        "ratio_spread": [round(edge, 2) for edge in compared.spread],
        "peak_mib": round(peak_mib(make, "ours", *arguments, whole=whole)),
        f"{reference}_peak_mib": round(peak_mib(make, reference, *arguments, whole=whole)),
    }


def table(result: dict[str, Any], title: str, reference: str, activities: Sequence[str]) -> str:
    """Format a result for people.

    Args:
        result: has a result of `compare_sides` for each activity, and `machine`.
        title: the model and its sizes.
    """
    machine = result["machine"]
    lines = [
        title,
        f"{machine['gpu'] or machine['processor']}, {machine['threads']} threads, torch {machine['torch']}",
        f"{'':10}{'ours /s':>11}{f'{reference} /s':>14}{'ratio':>8}{'(turns)':>14}{'MiB':>8}{reference:>11}",
    ]
    for activity in activities:
        one = result[activity]
        low, high = one["ratio_spread"]
        lines.append(
            f"{activity:10}{one['per_second']:11.2f}{one[f'{reference}_per_second']:14.2f}"
            f"{one['ratio']:8.2f}{f'{low:.2f}-{high:.2f}':>14}"
            f"{one['peak_mib']:8}{one[f'{reference}_peak_mib']:11}"
        )
    return "\n".join(lines)


def peak_mib(make: Callable[..., Callable[[], object]], *arguments: Any, whole: bool = False) -> float:
    """Measure the memory that one run needs in addition to what is in use before it, in MiB.

    On a CPU in a process of its own, since a process never gives its peak back. `make(*arguments)` returns
    what is run; it must be importable, and is called once more in that process.

    Args:
        whole: count what `make` needs too.
    """
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run = make(*arguments)
        if not whole:
            before = torch.cuda.memory_allocated()
            torch.cuda.reset_peak_memory_stats()
        run()
        return (torch.cuda.max_memory_allocated() - before) / MIB
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_peak_here, (make, arguments, torch.get_num_threads(), whole))


def _peak_here(
    make: Callable[..., Callable[[], object]], arguments: tuple[Any, ...], threads: int, whole: bool
) -> float:
    torch.set_num_threads(threads)
    before = _resident()
    run = make(*arguments)
    if not whole:
        before = _resident()
    run()
    return max(0.0, _peak() - before) / MIB


def _peak() -> int:
    """The most memory that this process ever had resident, in bytes.

    Linux's ru_maxrss is not that: a process inherits it from the one that started it, which may be larger.
    """
    try:
        status = Path("/proc/self/status").read_text("ascii")
        return 1024 * int(status.partition("VmHWM:")[2].split()[0])
    except OSError:
        # macOS counts bytes.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _resident() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except OSError:
        return 0
    return pages * resource.getpagesize()


def seconds(side: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Measure the time of one run, including all of its work on a GPU."""
    _wait()
    began = clock()
    side()
    _wait()
    return clock() - began


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def optimizer_step(parameters: list[torch.nn.Parameter], loss: Callable[[], Tensor]) -> Callable[[], None]:
    """Return a step of training, the same for every side: AdamW, gradients clipped."""
    optimizer = torch.optim.AdamW(parameters, lr=1e-4)

    def step() -> None:
        loss().backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def machine() -> dict[str, Any]:
    """Describe the machine and its software."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "processor": _processor(),
        "gpu": gpu,
        "threads": torch.get_num_threads(),
        "system": platform.platform(terse=True),
        "torch": torch.__version__,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.machine()


def positive(text: str) -> int:
    """Parse a whole number from 1 on, as an argument of a bench."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}: allowed are whole numbers from 1 on")
    return value
