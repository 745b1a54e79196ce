"""Our own providers of secrets hold the contract, and the contract notices those that do not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backends.fail import Keyring as NoKeyring

from routekit import SecretProvider, UnknownName
from routekit.secrets.file import FileSecrets
from routekit.secrets.keyring import KeyringSecrets
from routekit.testing.conformance import SecretContract

from .test_keyring import Ring


class TestFiles(SecretContract):
    """Files in a directory."""

    present = ("crm", "kept well")
    absent = "nobody"
    malformed = ("../crm",)

    @pytest.fixture(autouse=True)
    def outside(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        (tmp_path / "crm").write_text("kept well\n")

    def provider(self) -> FileSecrets:
        return FileSecrets(directory=self.folder)


class TestKeyring(SecretContract):
    """The keyring of the system."""

    present = ("shop/crm/ann", "kept well")
    absent = "shop/crm/bob"
    malformed = ("crm", "/", "crm/")

    @pytest.fixture(autouse=True)
    def outside(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        before = keyring.get_keyring()
        keyring.set_keyring(Ring())
        yield
        keyring.set_keyring(before)

    def provider(self) -> KeyringSecrets:
        return KeyringSecrets()

    def away(self) -> KeyringSecrets:
        keyring.set_keyring(NoKeyring())
        return KeyringSecrets()


class Good(SecretProvider):
    """One that holds the contract."""

    def secret(self, reference: str) -> str:
        if reference != "crm":
            raise UnknownName(f"no '{reference}'", hint="put it there")
        return "hunter2"


class Hintless(Good):
    def secret(self, reference: str) -> str:
        if reference != "crm":
            raise UnknownName("no")
        return "hunter2"


class Talking(Good):
    def secret(self, reference: str) -> str:
        print("found hunter2")
        return super().secret(reference)


class Changing(Good):
    asked: int = 0

    def secret(self, reference: str) -> str:
        object.__setattr__(self, "asked", self.asked + 1)
        return super().secret(reference) if self.asked < 2 else "another"


class Foreign(Good):
    def secret(self, reference: str) -> str:
        return {"crm": "hunter2"}[reference]


class Keeping(Good):
    last: str = ""

    def secret(self, reference: str) -> str:
        object.__setattr__(self, "last", super().secret(reference))
        return self.last


def tried(kind: type[SecretProvider]) -> type[SecretContract]:
    """The contract of one kind, not collected by itself."""

    class Tried(SecretContract):
        present = ("crm", "hunter2")
        absent = "bob"

        def provider(self) -> SecretProvider:
            return kind()

    return Tried


@pytest.mark.parametrize(
    ("kind", "case"),
    [
        (Hintless, lambda contract: contract.test_one_that_is_not_there()),
        (Foreign, lambda contract: contract.test_one_that_is_not_there()),
        (Changing, lambda contract: contract.test_a_secret_is_what_was_put_there()),
        (Changing, lambda contract: contract.test_options_are_frozen()),
        (Keeping, lambda contract: contract.test_it_is_not_kept()),
    ],
)
def test_what_does_not_hold_is_noticed(kind: type[SecretProvider], case: Callable[[SecretContract], None]) -> None:
    """Each of these faults fails its case, which a good one passes."""
    if kind is not Changing:
        case(tried(Good)())
    with pytest.raises((AssertionError, KeyError)):
        case(tried(kind)())


def test_what_is_printed_is_noticed(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    """A provider that talks fails."""
    tried(Good)().test_nothing_is_shown(caplog, capfd)
    with pytest.raises(AssertionError, match="SecretStr"):
        tried(Talking)().test_nothing_is_shown(caplog, capfd)
