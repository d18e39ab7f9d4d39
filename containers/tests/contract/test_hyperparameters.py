import json

import pytest

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.folders import Folders
from proxytune.contract.hyperparameters import parse, read, settings_hash

TEACH = {
    "stage": "teach",
    "family": "sdxl",
    "model": "sdxl-tiny",
    "seed": "7",
    "rank": "4",
    "alpha": "8",
    "learning_rate": "1e-4",
    "steps": "6",
    "batch_size": "2",
    "size": "64",
    "checkpoint_every": "4",
    "token_word": "ohwx",
    "prompts": '["a ohwx dog"]',
}


def test_strings_become_the_types_of_the_schema():
    parsed = parse(TEACH)
    assert parsed["learning_rate"] == 1e-4
    assert parsed["steps"] == 6
    assert parsed["prompts"] == ["a ohwx dog"]


def test_a_string_that_looks_like_a_number_stays_a_string():
    assert parse({**TEACH, "token_word": "42"})["token_word"] == "42"


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"rank": "4.5"}, "rank"),
        ({"rank": "four"}, "rank"),
        ({"rank": "0"}, "rank"),
        ({"learning_rate": "NaN"}, "learning_rate"),
        ({"learning_rate": "0"}, "learning_rate"),
        ({"prompts": "[]"}, "prompts"),
        ({"seed": "2147483648"}, "seed"),
        ({"color": "blue"}, "color"),
        ({"adapted": "some"}, "adapted"),
        ({"stage": "teech"}, "teech"),
    ],
)
def test_an_invalid_value_is_refused_with_its_name(change, place):
    with pytest.raises(ProxytuneError, match=place) as caught:
        parse({**TEACH, **change})
    assert caught.value.name == "HyperparameterInvalid"


def test_a_missing_one_is_refused_with_its_name():
    with pytest.raises(ProxytuneError, match="'rank'"):
        parse({key: value for key, value in TEACH.items() if key != "rank"})


def test_a_missing_file_is_reported(tmp_path):
    with pytest.raises(ProxytuneError, match="hyperparameters.json"):
        read(Folders(tmp_path))


def test_the_settings_hash_depends_only_on_what_is_trained():
    first = settings_hash(parse(TEACH), ["a", "b"])
    assert first == settings_hash(parse(dict(reversed(TEACH.items()))), ["a", "b"])
    assert first == settings_hash(parse({**TEACH, "checkpoint_every": "5"}), ["a", "b"])
    assert first != settings_hash(parse({**TEACH, "seed": "8"}), ["a", "b"])
    assert first != settings_hash(parse(TEACH), ["a", "c"])
    assert json.dumps(parse(TEACH))
