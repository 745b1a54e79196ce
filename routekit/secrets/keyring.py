"""`${keyring:crm/password}`: a secret in the keyring of the system, put there by `keyring set crm password`."""

from collections.abc import Mapping

from ..errors import BadOption, Unavailable, UnknownName
from ..extras import library
from ..hookspecs import hookimpl
from ..secret import SecretProvider


class KeyringSecrets(SecretProvider):
    """Secrets in the keyring of the system: GNOME's or KDE's wallet, the macOS keychain, Windows credentials."""

    def secret(self, reference: str) -> str:
        """The password of `service/name`; the service may have a `/` itself."""
        service, slash, name = reference.rpartition("/")
        if not slash or not service or not name:
            raise BadOption(f"'{reference}' is no service and name", hint="write ${keyring:service/name}")
        keyring = library("keyring", extra="serve", asked=f"${{keyring:{reference}}}")
        errors = library("keyring.errors", extra="serve", asked=f"${{keyring:{reference}}}")
        try:
            found: str | None = keyring.get_password(service, name)
        except errors.NoKeyringError:
            hint = "log in where there is one, choose one with PYTHON_KEYRING_BACKEND, or take ${file:...}"
            raise Unavailable("this system has no keyring", hint=hint) from None
        except errors.KeyringLocked:
            raise Unavailable("the keyring is locked", hint="unlock it, and start again") from None
        except errors.KeyringError as error:
            raise Unavailable(f"the keyring does not answer: {type(error).__name__}", hint="keyring diagnose") from None
        if found is None:
            raise UnknownName(f"the keyring has no '{name}' of '{service}'", hint=f"keyring set {service} {name}")
        return found


@hookimpl
def register_secrets() -> Mapping[str, type[SecretProvider]]:
    return {"keyring": KeyringSecrets}
