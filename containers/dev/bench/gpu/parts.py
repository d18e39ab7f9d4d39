"""The parts of the GPU bench, the most valuable first, and how long each may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# Seconds before the first part: the libraries are imported once, for all parts.
START = 20
# The most that a bench may take, in seconds.
MOST = 12 * 60


@dataclass(frozen=True)
class Part:
    """A part.

    Attributes:
        name: of the measurement, as `--only` takes it.
        function: `module:function` of this package.
        seconds: time limit, after which the part is killed; its recorded numbers stay.
        given: arguments of the function besides the bench.
    """

    name: str
    function: str
    seconds: int
    given: dict[str, Any]


def _part(name: str, function: str, seconds: int, **given: Any) -> Part:
    return Part(name, function, seconds, given)


# The default pipeline first, then what must work whatever the model, then the other models; compiling last,
# as it takes longest to give one number.
PARTS = (
    _part("sdxl step", "dev.bench.gpu.training:teacher_step", 50, model="sdxl"),
    _part("llamagen-xl step", "dev.bench.gpu.training:student_step", 40, model="llamagen-xl"),
    _part("sdxl images", "dev.bench.gpu.diffusion:images", 45, model="sdxl"),
    _part("llamagen-xl images", "dev.bench.gpu.sampling:images", 60, model="llamagen-xl"),
    _part("SIGTERM and resume", "dev.bench.gpu.interruption:resume", 45),
    _part("out of memory", "dev.bench.gpu.out_of_memory:fallbacks", 40),
    _part("waiting", "dev.bench.gpu.waiting:steps_and_tokens", 35),
    _part("bfloat16 and float32", "dev.bench.gpu.precision:losses", 45),
    _part("lumina-mgpt-7b step", "dev.bench.gpu.training:student_step", 45, model="lumina-mgpt-7b"),
    _part("lumina-mgpt-7b images", "dev.bench.gpu.sampling:images", 50, model="lumina-mgpt-7b"),
    _part("sd3-medium step", "dev.bench.gpu.training:teacher_step", 30, model="sd3-medium"),
    _part("flux-dev step", "dev.bench.gpu.training:teacher_step", 40, model="flux-dev"),
    _part("janus-pro-1b step", "dev.bench.gpu.training:student_step", 25, model="janus-pro-1b"),
    _part("janus-pro-1b images", "dev.bench.gpu.sampling:images", 40, model="janus-pro-1b"),
    _part("sd3.5-large step", "dev.bench.gpu.training:teacher_step", 35, model="sd3.5-large"),
    _part("llamagen-xl compiled", "dev.bench.gpu.sampling:compiled", 75, model="llamagen-xl"),
)


def total() -> int:
    """Return the most seconds that all parts take together."""
    return START + sum(part.seconds for part in PARTS)


def plan() -> str:
    """Format the parts and their limits for people."""
    lines = [f"{START:5} s  start: the libraries, once for all parts"]
    lines += [f"{part.seconds:5} s  {part.name}" for part in PARTS]
    minutes, seconds = divmod(total(), 60)
    return "\n".join([*lines, f"{total():5} s  in all at most: {minutes} min {seconds} s"])
