import hashlib
import io
import json
import tarfile

import pytest
from PIL import Image

from proxytune.contract.errors import ProxytuneError
from proxytune.images import shard
from proxytune.images.png import encode_png


def facts(index: int, **changes) -> dict:
    return {
        "index": index,
        "prompt": "a ohwx dog",
        "seed": 100 + index,
        "variant": "tuned",
        "stage": "synthesize",
        "size": 8,
        "model": "sdxl-tiny",
        **changes,
    }


def png(index: int) -> bytes:
    return encode_png(Image.new("RGB", (8, 8), (index, 2 * index, 3 * index)))


def write(path, indexes, **changes):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(shard.write((png(index), facts(index, **changes)) for index in indexes))
    return path


def write_entries(path, entries: list[tuple[str, bytes]]):
    with tarfile.open(path, "w") as tar:
        for name, content in entries:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def record_text(index: int, **changes) -> bytes:
    sha256 = hashlib.sha256(png(index)).hexdigest()
    return json.dumps({**facts(index), "sha256": sha256, **changes}).encode()


def test_a_written_shard_is_read_back(tmp_path):
    pictures = shard.read(write(tmp_path / "c.out", [7, 3]))
    assert [picture.record.index for picture in pictures] == [3, 7]
    assert [picture.png() for picture in pictures] == [png(3), png(7)]
    assert pictures[0].image().getpixel((0, 0)) == (3, 6, 9)
    assert pictures[0].record.seed == 103


def test_equal_images_give_equal_bytes_in_any_order():
    one = shard.write((png(index), facts(index)) for index in (1, 2))
    assert one == shard.write((png(index), facts(index)) for index in (2, 1))


def test_a_shard_is_a_plain_tar_in_the_webdataset_layout(tmp_path):
    path = write(tmp_path / "c.out", [0, 1])
    with tarfile.open(path) as tar:
        assert tar.getnames() == ["000000.png", "000000.json", "000001.png", "000001.json"]
        assert {(entry.mtime, entry.uid, entry.uname) for entry in tar} == {(0, 0, "")}


PAIR = [("000001.png", png(1)), ("000001.json", record_text(1))]


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ([], "no images"),
        (PAIR[:1], "pair of 000001.json is incomplete"),
        (PAIR[1:], "pair of 000001.png is incomplete"),
        ([*PAIR, PAIR[0]], "twice"),
        ([*PAIR, ("readme.txt", b"x")], "pair of readme.json is incomplete"),
        ([("000001.png", png(2)), PAIR[1]], "SHA-256 of 000001.png"),
        ([("000002.png", png(1)), ("000002.json", record_text(1))], "has index 1"),
        ([PAIR[0], ("000001.json", b"{")], "not valid JSON"),
        ([PAIR[0], ("000001.json", record_text(1, variant="other"))], "variant"),
        ([PAIR[0], ("000001.json", record_text(1, colour="red"))], "colour"),
    ],
)
def test_an_invalid_shard_is_refused_with_the_reason(tmp_path, entries, reason):
    with pytest.raises(ProxytuneError, match=reason) as caught:
        shard.read(write_entries(tmp_path / "c.out", entries))
    assert caught.value.name == "ShardInvalid"
    assert "c.out" in str(caught.value)


@pytest.mark.parametrize("keep", [0, 100, 700, 1100])
def test_a_truncated_shard_is_refused(tmp_path, keep):
    path = write(tmp_path / "c.out", [1, 2])
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ProxytuneError) as caught:
        shard.read(path)
    assert caught.value.name == "ShardInvalid"
