"""Pretrain the miniature models from scratch: `python containers/dev/tools/pretrain_miniature.py --work DIR`.

Two processes of one thread each run side by side. Interrupt it whenever you like (Ctrl-C or SIGTERM) and call
it again with the same folder: it continues where it was.
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
# One thread a worker: sums depend on the number of threads, and two single ones are faster than a pair.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from dev.pretraining.card import write_card
from dev.pretraining.corpus import draw_corpus
from dev.pretraining.precision import compute_type
from dev.pretraining.quality import measure
from dev.pretraining.settings import WORKERS, Settings
from dev.pretraining.workers import Pretraining
from proxytune.contract.signals import StopRequest


def main(arguments: list[str]) -> int:
    """Draw the corpus, then run the workers; the return value is the exit code."""
    parser = argparse.ArgumentParser(description="Pretrain the miniature models from scratch; resumable.")
    parser.add_argument("--work", type=Path, required=True, help="folder for the corpus and checkpoints")
    parser.add_argument("--processes", type=int, choices=(1, 2), default=2, help="workers side by side")
    parser.add_argument("--worker", choices=WORKERS, help="run this worker only, in this process")
    parser.add_argument("--out", type=Path, help="folder for the models and their card, once all is trained")
    given = parser.parse_args(arguments)
    given.work.mkdir(parents=True, exist_ok=True)
    if given.worker:
        return run_worker(given.work, given.worker)
    began = time.monotonic()
    log(f"drawing the corpus in {given.work / 'corpus'}")
    draw_corpus(given.work / "corpus", Settings(), given.processes)
    log(f"the corpus is complete after {time.monotonic() - began:.0f} s")
    if given.processes == 1:
        code = max(run_worker(given.work, worker) for worker in WORKERS)
    else:
        code = run_side_by_side(given.work)
    if code == 0 and given.out:
        write(given.work, given.out)
    return code


def run_worker(work: Path, worker: str) -> int:
    """Train the parts of a worker, one after the other."""
    stop = StopRequest().install()
    torch.set_num_threads(1)
    dtype = compute_type()
    log(f"worker {worker}: computing in {dtype}")
    pretraining = Pretraining(work, Settings(), dtype, log, stop)
    for part in WORKERS[worker]:
        pretraining.run(part)
    log(f"worker {worker}: done")
    return 0


def write(work: Path, out: Path) -> None:
    """Write the models and their card."""
    dtype = compute_type()
    Pretraining(work, Settings(), dtype, log, StopRequest()).write_models(out)
    log("measuring the models that were written")
    figures = measure(out, Settings())
    write_card(out, work, Settings(), dtype, figures)
    for name, value in figures.items():
        log(f"{name} {value:.4g}")


def run_side_by_side(work: Path) -> int:
    """Run each worker in its own process; a signal to this one reaches both, which keep their step."""
    command = [sys.executable, str(Path(__file__).resolve()), "--work", str(work), "--worker"]
    # Sessions of their own: Ctrl-C must reach them as SIGTERM, which they wait to answer.
    workers = [subprocess.Popen([*command, worker], start_new_session=True) for worker in WORKERS]

    def pass_on(_number: int, _frame: FrameType | None) -> None:
        for worker in workers:
            worker.terminate()

    signal.signal(signal.SIGTERM, pass_on)
    signal.signal(signal.SIGINT, pass_on)
    return max(abs(worker.wait()) for worker in workers)


def log(line: str) -> None:
    """Print a line of the log, with the time of day."""
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
