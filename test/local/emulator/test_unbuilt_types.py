import pytest
from ministack.services.cloudformation import provisioners
from repairs import unbuilt_types
from repairs.version import EmulatorVersion


def test_each_stub_has_a_reason_and_says_that_it_is_one():
    for resource_type, reason in unbuilt_types.STUBS.items():
        assert len(reason) > 10
        made, attributes = provisioners._RESOURCE_HANDLERS[resource_type]["create"]("Thing", {}, "stack")
        assert made == "stub-stack-Thing"
        assert attributes["Arn"].startswith("arn:aws:stub:")


def test_a_type_that_the_emulator_builds_itself_is_refused(monkeypatch):
    monkeypatch.setattr(unbuilt_types, "STUBS", {"AWS::S3::Bucket": "it would hide the real one"})
    with pytest.raises(EmulatorVersion, match="AWS::S3::Bucket"):
        unbuilt_types.apply()
