import errno

import pytest
import torch

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.failure import named, report
from proxytune.contract.folders import Folders


def test_the_failure_file_holds_the_name_and_the_message(tmp_path, capsys):
    error = ProxytuneError("ShardInvalid", what="It is cut", remedy="generate it again")
    assert report(error, Folders(tmp_path)) == 1
    expected = "ShardInvalid: It is cut. What to do: generate it again."
    assert (tmp_path / "output" / "failure").read_text() == expected
    output = capsys.readouterr()
    assert "ProxytuneError" in output.out
    assert output.err.strip() == expected


def test_an_error_without_a_name_is_reported_with_its_type(tmp_path):
    report(KeyError("colour"), Folders(tmp_path))
    assert (tmp_path / "output" / "failure").read_text().startswith("JobFailed: KeyError: 'colour'")


def test_a_long_message_is_cut_to_what_the_platform_takes(tmp_path):
    report(ValueError("x" * 5000), Folders(tmp_path))
    assert len((tmp_path / "output" / "failure").read_text()) == 1024


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (MemoryError(), "OutOfMemory"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "OutOfMemory"),
        (OSError(errno.ENOSPC, "No space left on device"), "OutOfDisk"),
        (OSError(errno.EACCES, "Permission denied"), "JobFailed"),
        (RuntimeError("shapes differ"), "JobFailed"),
    ],
)
def test_errors_of_the_system_get_their_names(error, name):
    assert named(error).name == name


def test_torch_without_memory_on_the_cpu_is_out_of_memory():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50)
    assert named(caught.value).name == "OutOfMemory"


def test_the_first_of_several_processes_to_fail_reports_why(tmp_path):
    report(ProxytuneError("TokenWordUnusable", what="It is lost", remedy="choose another"), Folders(tmp_path))
    report(RuntimeError("connection closed by peer"), Folders(tmp_path))
    assert (tmp_path / "output" / "failure").read_text().startswith("TokenWordUnusable: It is lost")
