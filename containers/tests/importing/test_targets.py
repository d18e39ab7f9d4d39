"""The targets of an import, without a hub: full disks, corrupt files, other folders, concurrent uploads."""

import errno
import hashlib
import uuid

import pytest

from dev.tools.alone import full
from proxytune.contract.errors import ProxytuneError
from proxytune.importing import targets
from proxytune.importing.pickled import to_safetensors
from proxytune.importing.targets import Bucket, Folder

LARGE = bytes(range(256)) * 64


def test_a_full_disk_leaves_no_partial_file(tmp_path):
    def content():
        yield LARGE
        raise OSError(errno.ENOSPC, "No space left on device")

    folder = Folder(tmp_path / "out")
    with pytest.raises(OSError, match="No space left"):
        folder.write("unet/config.json", 2 * len(LARGE), None, content())
    assert [path for path in folder.folder.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("content", [b"", b"not a pickle", b"\x80\x02.", b"PK\x03\x04"])
def test_a_file_that_is_not_a_pickle_is_refused(tmp_path, content):
    (tmp_path / "pytorch_model.bin").write_bytes(content)
    with pytest.raises(ProxytuneError) as caught:
        to_safetensors(tmp_path / "pytorch_model.bin", tmp_path / "model.safetensors")
    assert caught.value.name == "ModelMismatch"


def test_a_full_disk_on_this_machine_is_reported_without_mentioning_instances(tmp_path):
    line = full(tmp_path, OSError(errno.ENOSPC, "No space left on device")).line
    assert line.startswith("OutOfDisk: The disk is full: No space left")
    assert "--data" in line
    assert "instance" not in line


def test_a_folder_of_anything_else_keeps_its_files(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "dog.jpg").write_bytes(b"dog")
    with pytest.raises(ProxytuneError, match="none of them belongs to this model") as caught:
        Folder(tmp_path).begin(["unet/config.json"])
    assert caught.value.name == "ModelMismatch"
    assert (tmp_path / "photos" / "dog.jpg").read_bytes() == b"dog"


@pytest.mark.parametrize(("other", "same"), [(LARGE, True), (LARGE[::-1], False), (None, False)])
def test_an_upload_that_another_import_ends_is_accepted_or_reported(aws, monkeypatch, other, same):
    client, name = aws("s3"), f"targets-{uuid.uuid4().hex}"
    client.create_bucket(Bucket=name)
    monkeypatch.setattr(targets, "PART_BYTES", 6000)
    sha256 = hashlib.sha256(LARGE).hexdigest()

    def content():
        yield LARGE[:9000]
        # The other import continues this upload, which it has found in the bucket.
        (upload,) = client.list_multipart_uploads(Bucket=name)["Uploads"]
        at = {"Bucket": name, "Key": upload["Key"], "UploadId": upload["UploadId"]}
        client.abort_multipart_upload(**at)
        if other is not None:
            metadata = {"sha256": hashlib.sha256(other).hexdigest()}
            client.put_object(Bucket=name, Key=upload["Key"], Body=other, Metadata=metadata)
        yield LARGE[9000:]

    target = Bucket(name, "models/x/")
    if same:
        entry = target.write("unet/a.safetensors", len(LARGE), sha256, content())
        assert entry == target.same("unet/a.safetensors", len(LARGE), sha256)
        return
    with pytest.raises(ProxytuneError, match="Another import") as caught:
        target.write("unet/a.safetensors", len(LARGE), sha256, content())
    assert caught.value.name == "RunActive"


def test_an_aborted_upload_does_not_hide_the_error_of_the_import(aws, monkeypatch):
    client, name = aws("s3"), f"targets-{uuid.uuid4().hex}"
    client.create_bucket(Bucket=name)
    monkeypatch.setattr(targets, "PART_BYTES", 6000)

    def content():
        yield LARGE[:9000]
        (upload,) = client.list_multipart_uploads(Bucket=name)["Uploads"]
        client.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
        raise ProxytuneError("HubFailed", what="The stream broke off", remedy="call again")

    with pytest.raises(ProxytuneError, match="broke off"):
        Bucket(name, "models/x/").write("a.safetensors", len(LARGE), "0" * 64, content())


@pytest.mark.parametrize("begun", ["unet/config.json", "manifest.json", "unet/.config.json.part"])
def test_an_import_that_was_begun_is_resumed_without_the_stray_files(tmp_path, begun):
    (tmp_path / "unet").mkdir()
    (tmp_path / begun).write_bytes(b"x")
    if not begun.endswith(".part"):
        (tmp_path / "stray.safetensors").write_bytes(b"x")
    Folder(tmp_path).begin(["unet/config.json"])
    left = [file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file()]
    assert left == (["unet/config.json"] if begun == "unet/config.json" else [])
