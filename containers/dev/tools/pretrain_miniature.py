"""Pretrain the miniature models from nothing: `python containers/dev/tools/pretrain_miniature.py --work DIR`.

Two processes of one thread each run side by side. Interrupt it whenever you like (Ctrl-C or SIGTERM) and call
it again with the same folder: it goes on where it was.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
# One thread a lane: sums depend on the number of threads, and two single ones are faster than a shared pair.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from dev.pretraining.card import write_card
from dev.pretraining.corpus import draw_corpus
from dev.pretraining.lanes import Pretraining
from dev.pretraining.precision import compute_type
from dev.pretraining.quality import measure
from dev.pretraining.settings import LANES, Settings
from proxytune.contract.signals import StopRequest


def main(arguments: list[str]) -> int:
    """Draw the corpus, then run the lanes; the return value is the exit code."""
    parser = argparse.ArgumentParser(description="Pretrain the miniature models from nothing; resumable.")
    parser.add_argument("--work", type=Path, required=True, help="folder for the corpus and checkpoints")
    parser.add_argument("--processes", type=int, choices=(1, 2), default=2, help="lanes side by side")
    parser.add_argument("--lane", choices=LANES, help="run this lane only, in this process")
    parser.add_argument("--out", type=Path, help="folder for the models and their card, once all is trained")
    given = parser.parse_args(arguments)
    given.work.mkdir(parents=True, exist_ok=True)
    if given.lane:
        return run_lane(given.work, given.lane)
    began = time.monotonic()
    say(f"drawing the corpus in {given.work / 'corpus'}")
    draw_corpus(given.work / "corpus", Settings(), given.processes)
    say(f"the corpus is there after {time.monotonic() - began:.0f} s")
    if given.processes == 1:
        code = max(run_lane(given.work, lane) for lane in LANES)
    else:
        code = run_side_by_side(given.work)
    if code == 0 and given.out:
        write(given.work, given.out)
    return code


def run_lane(work: Path, lane: str) -> int:
    """Train the parts of a lane, one after the other."""
    stop = StopRequest().install()
    torch.set_num_threads(1)
    dtype = compute_type()
    say(f"lane {lane}: computing in {dtype}")
    pretraining = Pretraining(work, Settings(), dtype, say, stop)
    for part in LANES[lane]:
        pretraining.run(part)
    say(f"lane {lane}: done")
    return 0


def write(work: Path, out: Path) -> None:
    """Write the models and their card."""
    dtype = compute_type()
    Pretraining(work, Settings(), dtype, say, StopRequest()).write_models(out)
    say("measuring the models that were written")
    figures = measure(out, Settings())
    write_card(out, work, Settings(), dtype, figures)
    for name, value in figures.items():
        say(f"{name} {value:.4g}")


def run_side_by_side(work: Path) -> int:
    """Each lane in a process of its own; a signal to this one reaches both, which keep their step."""
    command = [sys.executable, str(Path(__file__).resolve()), "--work", str(work), "--lane"]
    # Sessions of their own: Ctrl-C must reach them as SIGTERM, which they wait to answer.
    lanes = [subprocess.Popen([*command, lane], start_new_session=True) for lane in LANES]

    def pass_on(_number: int, _frame: FrameType | None) -> None:
        for lane in lanes:
            lane.terminate()

    signal.signal(signal.SIGTERM, pass_on)
    signal.signal(signal.SIGINT, pass_on)
    return max(abs(lane.wait()) for lane in lanes)


def say(line: str) -> None:
    """One line of the log, with the time of day."""
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
