"""The order of ids, and the positions that they may have."""

import pytest
import torch
from lumina_tiny import CODES, LAYOUT, VOCABULARY

from dev.golden.lumina_crops import best_crop, crop_sizes
from dev.golden.lumina_lm import LAYOUT as OFFICIAL
from proxytune.contract.errors import ProxytuneError
from proxytune.student.families.lumina.layout import Grid
from proxytune.student.families.lumina.vocabulary import Vocabulary, code_name


def test_a_square_of_768_pixels_is_2356_ids_in_the_official_order():
    grid = OFFICIAL.grid(768, 768)
    assert grid == Grid(48, 48)
    codes = torch.arange(grid.tokens)[None] * 3 % 8192
    block = OFFICIAL.block(codes, grid)[0].tolist()
    assert len(block) == grid.block == 2356
    assert block[:3] == [8197, 8828, 8828]
    assert block[-1] == 8196
    for row in range(48):
        start = 3 + 49 * row
        assert block[start : start + 48] == [4 + int(code) for code in codes[0, 48 * row : 48 * row + 48]]
        assert block[start + 48] == 8803
    sequence = OFFICIAL.sequence(OFFICIAL.prompt([9000, 9001]), torch.tensor(block)).tolist()
    assert sequence == [0, 9000, 9001, 8710, *block, 8710]


@pytest.mark.parametrize(("width", "height"), [(1536, 384), (384, 1536), (768, 768), (1312, 448)])
def test_the_header_names_height_first(width, height):
    grid = OFFICIAL.grid(width, height)
    assert OFFICIAL.header(grid) == [8197, 8804 + height // 32, 8804 + width // 32]
    assert (grid.rows, grid.columns) == (height // 16, width // 16)
    assert (width, height) in crop_sizes(768)


@pytest.mark.parametrize(("width", "height"), [(64, 32), (32, 96), (96, 96)])
def test_blocks_and_tokens_undo_each_other(width, height):
    grid = LAYOUT.grid(width, height)
    codes = torch.randint(CODES, (3, grid.tokens), generator=torch.Generator().manual_seed(1))
    block = LAYOUT.block(codes, grid)
    assert torch.equal(LAYOUT.tokens(block, grid), codes)
    body = block[0, 3:].tolist()
    for place, token in enumerate(body):
        forced = LAYOUT.forced(place, grid)
        assert token == forced if forced is not None else token in VOCABULARY.codes


@pytest.mark.parametrize(("place", "token"), [(0, 70), (1, 84), (3, 81), (3, 5), (7, 30), (-1, 81), (-2, 33)])
def test_ids_of_an_incomplete_image_are_refused(place, token):
    grid = LAYOUT.grid(64, 32)
    block = LAYOUT.block(torch.zeros(1, 8, dtype=torch.long), grid)
    block[0, place] = token
    with pytest.raises(ValueError, match="not a complete image of 2 x 4 tokens"):
        LAYOUT.tokens(block, grid)


@pytest.mark.parametrize(("width", "height"), [(48, 32), (0, 32), (32, 256), (-32, 32)])
def test_sizes_without_a_header_are_refused(width, height):
    with pytest.raises(ValueError, match="multiples of 32, at most 224"):
        LAYOUT.grid(width, height)


def test_codes_are_found_by_name_not_by_order():
    names = VOCABULARY.names()
    assert names[code_name(12)] == VOCABULARY.codes[12] == 30 + (7 * 12 + 3) % 40
    assert code_name(8190) == "IMGIMGIBJAZ"
    assert Vocabulary.from_names({**names, "hello": 1}) == VOCABULARY


@pytest.mark.parametrize(
    "name", ["<s>", "<racm3:break>", "<eoss>", "<reserved08706>", "<reserved08799>", "IMGIMGDZ"]
)
def test_a_vocabulary_without_one_of_the_names_is_refused(name):
    names = VOCABULARY.names()
    del names[name]
    with pytest.raises(ProxytuneError, match="not that of a Chameleon") as refused:
        Vocabulary.from_names(names)
    assert refused.value.name == "ModelMismatch"
    assert (name in str(refused.value)) != name.startswith("IMG")


def test_special_ids_are_all_that_no_text_may_contain():
    assert {0, *range(30, 72), *range(80, 90)} == VOCABULARY.special


@pytest.mark.parametrize("size", [64, 512, 768, 1024])
def test_square_proxies_are_cropped_to_the_square_that_is_learned(size):
    for side in (size, size + 1, 3 * size // 2, 2 * size):
        assert best_crop(size, side, side) == (size, size)
