"""Rendering of a chunk as a shard: images are encoded as PNG while the next ones are generated."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from proxytune.generation.generator import ImageGenerator
from proxytune.images import shard
from proxytune.images.chunk import Chunk
from proxytune.images.png import encode_png

# Encoding an image of 1024 pixels takes a core a quarter of a second, during which Pillow releases the GIL
# at least every 10 ms (both measured): the GPU does not wait.
ENCODERS = 2


def render_shard(generator: ImageGenerator, chunk: Chunk, model: str) -> bytes:
    """Generate all images of a chunk and pack them into a shard; it is complete, or an error is raised.

    Args:
        model: catalogue id of the base model; written into every record.
    """
    with ThreadPoolExecutor(ENCODERS, thread_name_prefix="png") as pool:
        images = [
            (
                pool.submit(encode_png, image),
                {
                    "index": request.index,
                    "prompt": request.prompt,
                    "seed": request.seed,
                    "variant": chunk.variant,
                    "stage": chunk.stage,
                    "size": chunk.size,
                    "model": model,
                },
            )
            for request, image in generator.stream(chunk)
        ]
        return shard.write((png.result(), record) for png, record in images)
