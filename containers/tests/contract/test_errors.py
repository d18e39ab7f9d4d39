import json
from pathlib import Path

import pytest

from proxytune.contract.errors import ProxytuneError, catalogue

CORE = Path(__file__).parents[3] / "lib" / "core" / "contract" / "errors.json"


def test_message_has_what_given_allowed_and_remedy_in_this_order():
    error = ProxytuneError(
        "ModelMismatch",
        what="The weights do not fit",
        given="dim 64",
        allowed="dim 1280.",
        remedy="import the model again",
    )
    expected = "The weights do not fit. Given: dim 64. Allowed: dim 1280. What to do: import the model again."
    assert str(error) == expected
    assert error.line == f"ModelMismatch: {expected}"


def test_omitted_parts_do_not_appear_in_the_message():
    error = ProxytuneError("OutOfDisk", what="The disk is full!", remedy="Free some space.")
    assert str(error) == "The disk is full! What to do: Free some space."


def test_a_name_outside_the_catalogue_is_refused():
    with pytest.raises(ValueError, match="NoSuchName"):
        ProxytuneError("NoSuchName", what="a", remedy="b")


def test_the_exported_catalogue_is_the_one_of_core():
    assert catalogue() == json.loads(CORE.read_text("utf-8"))
