"""Decoding of a batch of images, token by token: one step for every family, on a GPU as recorded CUDA graphs.

A GPU's kernels take a few microseconds each and would wait for Python between two of them. So a complete
step, the choice of the tokens included, is recorded once and replayed. For that a step runs the same
operations on the same memory every time: what changes from token to token lies in tensors, the index of the
token too. Only the part of the key-value cache that is attended to grows, in steps of `WINDOW_STEP`
positions, and each size has its recording: attending to all of it would read twice as much as is filled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from proxytune.student.sampling import Choose

WINDOW_STEP = 256
# Steps computed before a recording, as CUDA's libraries allocate what they need in the first ones.
WARM_UP = 2


@dataclass(frozen=True)
class StepShape:
    """Everything by which one step's operations may differ from another's.

    Attributes:
        window: positions of the key-value cache that are attended to, filled or not.
        fed: ids of each row that the step feeds.
    """

    window: int
    fed: int = 1


class Decoder(Protocol):
    """The state of a batch while it is decoded: what is particular to a family.

    Attributes:
        images: in the batch.
        tokens_per_image: that are sampled for each.
    """

    images: int
    tokens_per_image: int

    def first(self) -> Tensor:
        """Feed the prompts; return the guided logits (images, V) of the first token."""

    def shape(self, index: int) -> StepShape:
        """Return the shape of the step that feeds token `index`."""

    def feed(self, tokens: Tensor, index: Tensor, shape: StepShape) -> Tensor:
        """Feed token `index` of each image; return the guided logits (images, V) of the one after it.

        Args:
            tokens: (images,) int64, as they were chosen.
            index: (1,) int64 on the device.
            shape: that of this index.
        """


def window(filled: int, length: int) -> int:
    """Return how many positions of a cache to attend to when `filled` of its `length` are filled."""
    return min(length, -(-filled // WINDOW_STEP) * WINDOW_STEP)


def by_graphs(device: torch.device) -> bool:
    """Return True where steps are recorded: on a GPU."""
    return device.type == "cuda"


def decode(decoder: Decoder, choose: Choose) -> Tensor:
    """Sample all tokens: (images, tokens per image) int64, on the device of the logits."""
    step = SamplingStep(decoder, choose)
    run = Recordings(step).run if by_graphs(step.tokens.device) else step.run
    for index in range(decoder.tokens_per_image - 1):
        run(decoder.shape(index))
    return step.tokens


class SamplingStep:
    """One step: it feeds the newest tokens and samples those after them.

    Attributes:
        tokens: (images, tokens per image) int64; the first of each is sampled when the step is made.
    """

    def __init__(self, decoder: Decoder, choose: Choose) -> None:
        self._decoder, self._choose = decoder, choose
        logits = decoder.first()
        self._index = torch.zeros(1, dtype=torch.long, device=logits.device)
        self._newest = choose(logits, self._index).clone()
        self.tokens = torch.zeros(
            decoder.images, decoder.tokens_per_image, dtype=torch.long, device=logits.device
        )
        self.tokens[:, 0] = self._newest

    def run(self, shape: StepShape) -> None:
        """Take the step, whose operations depend on its shape only."""
        logits = self._decoder.feed(self._newest, self._index, shape)
        self._index += 1
        self._newest.copy_(self._choose(logits, self._index))
        self.tokens.index_copy_(1, self._index, self._newest[:, None])

    def rehearse(self, shape: StepShape, times: int) -> None:
        """Take the step and go back, several times: the next real one computes and stores the same again."""
        index, newest = self._index.clone(), self._newest.clone()
        for _ in range(times):
            self.run(shape)
            self._index.copy_(index)
            self._newest.copy_(newest)


class Recordings:
    """Steps of a batch as CUDA graphs, one for each shape, or step by step where CUDA refuses to record."""

    def __init__(self, step: SamplingStep) -> None:
        self._step = step
        self._graphs: dict[StepShape, torch.cuda.CUDAGraph] = {}
        self._refused = False

    def run(self, shape: StepShape) -> None:
        """Replay the step of this shape; the first one is recorded."""
        graph = None if self._refused else self._graph(shape)
        if graph is None:
            self._step.run(shape)
        else:
            graph.replay()

    def _graph(self, shape: StepShape) -> torch.cuda.CUDAGraph | None:
        if shape not in self._graphs:
            # Graphs share their memory: none is replayed while another one runs, and what a step leaves
            # behind lies outside of it.
            pool = next((graph.pool() for graph in self._graphs.values()), None)
            graph = record(self._step, shape, pool)
            if graph is None:
                self._refused = True
                return None
            self._graphs[shape] = graph
        return self._graphs[shape]


def record(step: SamplingStep, shape: StepShape, pool: Any) -> torch.cuda.CUDAGraph | None:
    """Record a step as a graph, without taking it; None where CUDA refuses.

    Args:
        pool: the memory of another graph, to be shared; None takes memory of its own.
    """
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        step.rehearse(shape, WARM_UP)
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph, pool=pool):
            step.run(shape)
    except RuntimeError as error:
        print(f"sampled without a CUDA graph: {error}", flush=True)
        return None
    return graph
