"""From a chunk to its shard: pictures are packed as PNG while the next ones are drawn."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from proxytune.generation.generator import ImageGenerator
from proxytune.images import shard
from proxytune.images.chunk import Chunk
from proxytune.images.png import encode_png

# Packing a picture of 1024 pixels takes a core a quarter of a second, in which Pillow lets go of the
# interpreter at least every 10 ms (both measured): the GPU is not kept waiting.
PACKERS = 2


def draw_shard(maker: ImageGenerator, chunk: Chunk, model: str) -> bytes:
    """Draw all pictures of a chunk and pack them; either the whole shard or an error.

    Args:
        model: catalogue id of the base model; written into every record.
    """
    with ThreadPoolExecutor(PACKERS, thread_name_prefix="png") as pool:
        packed = [
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
            for request, image in maker.stream(chunk)
        ]
        return shard.write((png.result(), record) for png, record in packed)
