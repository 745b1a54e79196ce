"""The contract of who gives secrets."""

import logging
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import pytest

from ...errors import BadOption, RouteKitError, Unavailable, UnknownName
from ...secret import SecretProvider


class SecretContract:
    """Tries a provider of secrets: subclass it, and say how one is made and what it knows.

    class TestVault(SecretContract):
        present = ("crm/password", "hunter2")
        absent = "crm/nobody"
        private = ("s.token",)

        def provider(self):
            return Vault(url=self.server.url, token="s.token")

        def away(self):
            return Vault(url="http://127.0.0.1:9", token="s.token")

    The tests are plain functions, and take at most what the provider itself takes.
    """

    present: ClassVar[tuple[str, str]]
    """A reference, and the secret that it leads to."""
    absent: ClassVar[str]
    """A reference that is well written, and leads to nothing."""
    malformed: ClassVar[Sequence[str]] = ()
    """References that cannot be ones; none if every text can."""
    private: ClassVar[Sequence[str]] = ()
    """What is secret in its own options: tokens and passwords."""

    @abstractmethod
    def provider(self) -> SecretProvider:
        """A new one that works."""

    def away(self) -> SecretProvider | None:
        """One whose other side is not there, or None if there is no other side."""
        return None

    def test_a_secret_is_what_was_put_there(self) -> None:
        """A reference leads to its secret, again and again, and for every one that is made alike."""
        reference, value = self.present
        provider = self.provider()
        assert [provider.secret(reference), provider.secret(reference)] == [value, value]
        assert self.provider().secret(reference) == value

    def test_one_that_is_not_there(self) -> None:
        """It raises UnknownName, says what to do, and is no less usable afterwards."""
        provider = self.provider()
        with pytest.raises(UnknownName) as error:
            provider.secret(self.absent)
        self._told(error.value, "raise UnknownName(..., hint=...) for what is not there")
        assert provider.secret(self.present[0]) == self.present[1]

    def test_what_is_no_reference(self) -> None:
        """It raises BadOption that shows how one is written."""
        for reference in self.malformed:
            with pytest.raises(BadOption) as error:
                self.provider().secret(reference)
            self._told(error.value, "raise BadOption(..., hint=...) for what cannot be a reference")

    def test_one_that_is_away(self) -> None:
        """It raises Unavailable that says what to do, and not what a library has raised."""
        provider = self.away()
        if provider is not None:
            with pytest.raises(Unavailable) as error:
                provider.secret(self.present[0])
            self._told(error.value, "raise Unavailable(..., hint=...) while the other side is away")

    def test_nothing_is_shown(self, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
        """Neither a secret nor a private option is in what it logs or prints, or in its repr."""
        provider = self.provider()
        with caplog.at_level(logging.DEBUG):
            provider.secret(self.present[0])
        said = "".join([repr(provider), str(provider), caplog.text, *capfd.readouterr()])
        self._hidden(said, "give the option the type SecretStr, and log references only")

    def test_options_are_frozen(self) -> None:
        """What it is told stays as it is, and what is no option is refused."""
        kind = type(self.provider())
        assert kind.model_config.get("frozen"), "keep `model_config` as SecretProvider has it"
        assert kind.model_config.get("extra") == "forbid", "keep `model_config` as SecretProvider has it"
        assert all(field.description for field in kind.model_fields.values()), "describe every option"

    def test_it_is_not_kept(self) -> None:
        """A provider that has given a secret does not bring it along where its options are written."""
        provider = self.provider()
        value = provider.secret(self.present[0])
        assert value not in provider.model_dump_json(), "keep no secret in a field"

    def _told(self, error: RouteKitError, advice: str) -> None:
        assert error.hint, advice
        self._hidden("".join(map(str, (error, error.__cause__, *error.args))), "name the reference, and no value")

    def _hidden(self, text: str, advice: str) -> None:
        for secret in (self.present[1], *self.private):
            assert secret not in text, advice
