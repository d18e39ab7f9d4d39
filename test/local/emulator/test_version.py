import pytest
from repairs.version import SUPPORTED, EmulatorVersion, require_supported_version


def test_the_installed_version_is_accepted():
    require_supported_version()


@pytest.mark.parametrize("other", ["1.5.32", "1.5.34", "2.0.0", "none"])
def test_any_other_version_is_rejected_with_a_remedy(other):
    with pytest.raises(EmulatorVersion, match=rf"ministack {other}.*pip install ministack=={SUPPORTED}"):
        require_supported_version(other)
