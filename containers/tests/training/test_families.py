"""Families are rows of a table: one look-up for both roles."""

import pytest

from proxytune.contract.errors import ProxytuneError
from proxytune.student.families import registry as students
from proxytune.teacher.families import registry as teachers
from proxytune.training.families import imported, look_up


@pytest.mark.parametrize(("table", "role"), [(students.FAMILIES, "student"), (teachers.FAMILIES, "teacher")])
def test_every_row_names_code_that_is_there(table, role):
    for name in table:
        row = look_up(table, name, role)
        assert all(isinstance(imported(place), type) for place in vars(row).values())


@pytest.mark.parametrize("role", ["student", "teacher"])
def test_an_unknown_family_is_told_with_its_role_and_what_there_is(role):
    with pytest.raises(ProxytuneError) as refused:
        look_up({"one": 1, "two": 2}, "three", role)
    assert refused.value.name == "ModelUnknown"
    assert all(words in str(refused.value) for words in (f"the {role}'s family", "three", "one, two"))
