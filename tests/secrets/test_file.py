"""`${file:...}`: secrets in files."""

import logging
from pathlib import Path

import pytest

from routekit import BadOption, UnknownName
from routekit.secrets.file import LARGEST, FileSecrets


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "crm").write_text("kept well\n")
    (tmp_path / "crm").chmod(0o600)
    return tmp_path


def test_the_text_of_a_file(folder: Path) -> None:
    """Without the end of its last line, whatever else is in it."""
    assert FileSecrets().secret(f"{folder}/crm") == "kept well"
    (folder / "crm").write_bytes(b" two\nlines \r\n")
    assert FileSecrets(directory=folder).secret("crm") == " two\nlines "


def test_names_are_looked_for_in_the_directory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of the settings, else the one that systemd gives; without either it is said what to do."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert FileSecrets(directory=folder).secret("crm") == "kept well"
    with pytest.raises(BadOption, match=r"\[secrets\] directory"):
        FileSecrets().secret("crm")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    assert FileSecrets().secret("crm") == "kept well"


@pytest.mark.parametrize("name", ["../crm", "a/../../crm"])
def test_names_stay_in_the_directory(folder: Path, name: str) -> None:
    """What lies elsewhere is written with its whole path."""
    with pytest.raises(BadOption, match="leads out of"):
        FileSecrets(directory=folder / "below").secret(name)


def test_what_is_not_there(folder: Path) -> None:
    """Is told with the nearest that is."""
    with pytest.raises(UnknownName, match="did you mean 'crm'"):
        FileSecrets(directory=folder).secret("crn")
    with pytest.raises(UnknownName, match="there is no folder"):
        FileSecrets().secret("/nowhere/at/all")


def test_what_is_no_secret(folder: Path) -> None:
    """A folder, a pipe, a device, a large file or bytes are refused, and none of it is shown or waited for."""
    (folder / "large").write_bytes(b"x" * (LARGEST + 1))
    (folder / "bytes").write_bytes(b"abc\xff")
    (folder / "folder").mkdir()
    for name in ("large", "bytes", "folder", "/dev/null"):
        with pytest.raises(BadOption) as error:
            FileSecrets(directory=folder).secret(name)
        assert "abc" not in str(error.value)


def test_what_cannot_be_read(folder: Path) -> None:
    """The system's reason is told."""
    with pytest.raises(BadOption, match="Not a directory; look at its permissions"):
        FileSecrets(directory=folder / "crm").secret("below")


def test_who_may_read_it(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file that everybody may read is warned of; one of a group is not."""
    with caplog.at_level(logging.WARNING, "routekit"):
        (folder / "crm").chmod(0o640)
        FileSecrets(directory=folder).secret("crm")
        assert not caplog.messages
        (folder / "crm").chmod(0o644)
        FileSecrets(directory=folder).secret("crm")
    (line,) = caplog.messages
    assert line.startswith("everybody on this machine may read the secret in ")
    assert "kept well" not in line
