"""Families are rows of a table, found and imported in the same way for both roles."""

import pytest

from proxytune.contract.entry_points import find_family, load_entry_point
from proxytune.contract.errors import ProxytuneError
from proxytune.student.families import registry as students
from proxytune.teacher.families import registry as teachers


def entry_points(row):
    """Those of a row: the teachers' rows are one each."""
    return [row] if isinstance(row, str) else list(vars(row).values())


@pytest.mark.parametrize(("table", "role"), [(students.FAMILIES, "student"), (teachers.FAMILIES, "teacher")])
def test_every_row_names_code_that_is_there(table, role):
    for name in table:
        references = entry_points(find_family(table, name, role))
        assert references
        assert all(isinstance(load_entry_point(reference), type) for reference in references)


@pytest.mark.parametrize("role", ["student", "teacher"])
def test_an_unknown_family_is_reported_with_its_role_and_the_known_ones(role):
    with pytest.raises(ProxytuneError) as refused:
        find_family({"one": 1, "two": 2}, "three", role)
    assert refused.value.name == "ModelUnknown"
    assert all(words in str(refused.value) for words in (f"the {role}'s family", "three", "one, two"))
