from proxytune.contract.errors import ProxytuneError
from proxytune.serving.failure_note import VARIABLE, leave_note

ERROR = ProxytuneError("ModelMissing", what="There is no model", remedy="bring it")


def test_the_note_is_the_line_of_a_failure_file(monkeypatch, tmp_path):
    note = tmp_path / "note.txt"
    monkeypatch.setenv(VARIABLE, note.as_uri())
    leave_note(ERROR)
    assert note.read_text() == ERROR.line
    assert ERROR.line.startswith("ModelMissing: There is no model")


def test_without_an_address_nothing_is_left_and_nothing_said(monkeypatch, capsys):
    monkeypatch.delenv(VARIABLE, raising=False)
    leave_note(ERROR)
    assert capsys.readouterr().out == ""


def test_a_note_that_cannot_be_written_does_not_hide_the_error(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv(VARIABLE, (tmp_path / "no" / "folder" / "note.txt").as_uri())
    leave_note(ERROR)
    assert "could not be written" in capsys.readouterr().out
