"""`${keyring:service/name}`: secrets in the keyring of the system; here in one in memory."""

from collections.abc import Iterator

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring
from keyring.errors import KeyringError, KeyringLocked

from routekit import BadOption, Unavailable, UnknownName
from routekit.secrets.keyring import KeyringSecrets


class Ring(KeyringBackend):
    """A keyring of one entry, which may be locked."""

    priority = 1  # pyright: ignore[reportAssignmentType]
    error: KeyringError | None = None

    def get_password(self, service: str, username: str) -> str | None:
        if self.error is not None:
            raise self.error
        return {("shop/crm", "ann"): "kept well"}.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None: ...

    def delete_password(self, service: str, username: str) -> None: ...


@pytest.fixture
def ring() -> Iterator[Ring]:
    before, ring = keyring.get_keyring(), Ring()
    keyring.set_keyring(ring)
    yield ring
    keyring.set_keyring(before)


def test_a_password_by_service_and_name(ring: Ring) -> None:
    """What follows the last `/` is the name."""
    assert KeyringSecrets().secret("shop/crm/ann") == "kept well"


def test_one_that_is_not_there(ring: Ring) -> None:
    """Is told with the command that puts it there."""
    with pytest.raises(UnknownName, match="the keyring has no 'bob' of 'shop/crm'; keyring set shop/crm bob"):
        KeyringSecrets().secret("shop/crm/bob")


@pytest.mark.parametrize("reference", ["crm", "/ann", "crm/", "/"])
def test_what_is_no_reference(ring: Ring, reference: str) -> None:
    """Is refused with how it is written."""
    with pytest.raises(BadOption, match=r"\$\{keyring:service/name\}"):
        KeyringSecrets().secret(reference)


@pytest.mark.parametrize(
    ("error", "said"),
    [(KeyringLocked("hunter2"), "is locked; unlock it"), (KeyringError("hunter2"), "does not answer: KeyringError")],
)
def test_a_keyring_that_gives_nothing(ring: Ring, error: KeyringError, said: str) -> None:
    """It is away, and what it says itself is not repeated."""
    ring.error = error
    with pytest.raises(Unavailable, match=said) as raised:
        KeyringSecrets().secret("crm/ann")
    assert "hunter2" not in str(raised.value)


def test_a_system_without_one(ring: Ring) -> None:
    """As many servers are: what else can be done is said."""
    keyring.set_keyring(NoKeyring())
    with pytest.raises(Unavailable, match=r"no keyring; log in where there is one, .* or take \$\{file:"):
        KeyringSecrets().secret("crm/ann")
