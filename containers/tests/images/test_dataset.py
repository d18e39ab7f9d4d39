import pytest
from test_shard import write

from proxytune.contract.errors import ProxytuneError
from proxytune.images.dataset import read_all, read_proxies


def test_shards_at_any_depth_are_one_sorted_dataset(tmp_path):
    write(tmp_path / "a" / "b" / "chunk-1.json.out", [2, 3])
    write(tmp_path / "chunk-0.json.out", [0, 1])
    (tmp_path / "chunk-0.json").write_text("the chunk itself is not a shard")
    assert [picture.record.index for picture in read_proxies(tmp_path, 4)] == [0, 1, 2, 3]


def test_an_index_that_a_later_attempt_generated_again_counts_once(tmp_path):
    write(tmp_path / "attempt-1" / "chunk-0.json.out", [0, 1])
    write(tmp_path / "attempt-2" / "chunk-0.json.out", [1, 2])
    pictures = read_proxies(tmp_path, 3)
    assert [picture.record.index for picture in pictures] == [0, 1, 2]
    assert pictures[1].shard.parent.name == "attempt-1"


def test_an_index_with_two_different_requests_is_refused(tmp_path):
    write(tmp_path / "a.out", [0, 1])
    write(tmp_path / "b.out", [1], seed=5)
    with pytest.raises(ProxytuneError, match="image 1 has another request than in a.out") as caught:
        read_all(tmp_path)
    assert caught.value.name == "ShardInvalid"


@pytest.mark.parametrize(
    ("indexes", "reason"),
    [([0, 2, 3], "no index 1"), ([0, 1, 2, 3, 4], "index 4"), ([3], "3 proxies are missing")],
)
def test_missing_and_surplus_indexes_are_reported(tmp_path, indexes, reason):
    write(tmp_path / "a.out", indexes)
    with pytest.raises(ProxytuneError, match=reason) as caught:
        read_proxies(tmp_path, 4)
    assert caught.value.name == "ProxiesIncomplete"


@pytest.mark.parametrize("changes", [{"variant": "base"}, {"stage": "sample-teacher"}])
def test_other_images_than_proxies_are_refused(tmp_path, changes):
    write(tmp_path / "a.out", [0, 1], **changes)
    with pytest.raises(ProxytuneError, match="Not all images are proxies") as caught:
        read_proxies(tmp_path, 2)
    assert caught.value.name == "ProxiesIncomplete"


def test_the_variants_of_one_index_are_two_images(tmp_path):
    write(tmp_path / "tuned.out", [0], stage="sample-teacher")
    write(tmp_path / "base.out", [0], stage="sample-teacher", variant="base")
    assert [picture.record.variant for picture in read_all(tmp_path)] == ["base", "tuned"]
