"""A transform in a process of its own, whose second chunk needs code that cannot be compiled.

Run as `python failing_compiler.py MODEL`, with the folder of an SDXL; prints what happened, as JSON.
"""

import json
import sys
import tempfile
from pathlib import Path

BATCHES = (2, 1)


def main(base: Path) -> None:
    """Send a chunk for each batch size; after the first, the compiler fails."""
    # First of all, as in a container: its entry point sets up the environment before torch is imported.
    import numpy as np
    import torch
    from starlette.testclient import TestClient

    import proxytune.__main__  # noqa: F401
    from proxytune.images.chunk import parse
    from proxytune.serving.app import Loaded, make_app
    from proxytune.teacher.families.sdxl import SDXL
    from proxytune.teacher.generator import DiffusionGenerator

    calls = {"compiled": 0, "failed": 0}
    results = []

    def breaks(graph, _inputs):
        if results:
            calls["failed"] += 1
            raise RuntimeError("the compiler is gone")
        calls["compiled"] += 1
        return graph.forward

    torch._dynamo.register_backend(breaks, name="breaks")
    generator = DiffusionGenerator(SDXL(), compiled=True, backend="breaks")
    plain = DiffusionGenerator(SDXL(), compiled=False)
    for one in (generator, plain):
        one.load(base, None, torch.device("cpu"))
    app = make_app("teacher", "sdxl-tiny", Loaded(generator))
    for batch in BATCHES:
        body = json.dumps({**CHUNK, "batch_size": batch}).encode()
        with TestClient(app, raise_server_exceptions=False) as client:
            answer = client.post("/invocations", content=body)
        result = {"status": answer.status_code, **calls}
        results.append(result)
        if answer.status_code == 200:
            result["largest_difference"] = int(
                max(
                    np.abs(np.asarray(ours, int) - np.asarray(expected, int)).max()
                    for ours, expected in zip(
                        generated(answer.content), plain.generate(parse(body)), strict=True
                    )
                )
            )
    print(json.dumps(results))


def generated(content: bytes):
    """The images of a shard, in order."""
    from proxytune.images import shard

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "chunk.out"
        file.write_bytes(content)
        return [picture.image() for picture in shard.read(file)]


CHUNK = {
    "version": 1,
    "stage": "sample-teacher",
    "chunk": 0,
    "variant": "base",
    "size": 64,
    "sampler": {"kind": "diffusion", "steps": 2, "guidance": 5},
    "pictures": [{"index": number, "prompt": "a dog", "seed": number} for number in range(2)],
}

if __name__ == "__main__":
    main(Path(sys.argv[1]))
