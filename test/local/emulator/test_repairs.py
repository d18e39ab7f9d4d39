import re
from pathlib import Path

import repairs

FOLDER = Path(repairs.__file__).parent
ADR = FOLDER.parents[3] / "docs/adr/0003-ministack.md"
NAMES = [repair.__name__.removeprefix("repairs.") for repair in repairs.REPAIRS]


def test_every_file_with_a_repair_is_applied():
    files = [path.stem for path in FOLDER.glob("*.py") if "def apply()" in path.read_text()]
    assert sorted(files) == sorted(NAMES)


def test_every_repair_is_listed_with_the_unmodified_behaviour():
    rows = re.findall(r"^\| (`.+?) \| (.+?) \| (.+?) \|$", ADR.read_text(), re.MULTILINE)
    assert sorted(name for names, *_ in rows for name in re.findall(r"`(\w+)`", names)) == sorted(NAMES)
