import json

import pytest

from proxytune.contract.errors import ProxytuneError
from proxytune.images.chunk import parse

CHUNK = {
    "version": 1,
    "stage": "synthesize",
    "chunk": 0,
    "variant": "tuned",
    "size": 64,
    "batch_size": 2,
    "sampler": {"kind": "diffusion", "steps": 2, "guidance": 5},
    "pictures": [{"index": number, "prompt": "a ohwx dog", "seed": number} for number in range(5)],
}


def test_a_chunk_is_parsed():
    chunk = parse(json.dumps(CHUNK).encode())
    assert chunk.sampler["steps"] == 2
    assert [request.index for request in chunk.pictures] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "not valid JSON"),
        (b"[]", "does not fit"),
        (json.dumps({**CHUNK, "size": 7}).encode(), "size"),
        (json.dumps({**CHUNK, "pictures": []}).encode(), "pictures"),
        (json.dumps({**CHUNK, "more": 1}).encode(), "more"),
        (json.dumps({**CHUNK, "sampler": {"kind": "diffusion"}}).encode(), "sampler"),
        (json.dumps({**CHUNK, "pictures": CHUNK["pictures"][:1] * 2}).encode(), "more than once"),
    ],
)
def test_an_invalid_chunk_is_refused(body, reason):
    with pytest.raises(ProxytuneError, match=reason) as caught:
        parse(body)
    assert caught.value.name == "HyperparameterInvalid"
