"""Who is trusted, and as whom to log in: contexts for TLS."""

import ssl
from pathlib import Path

import httpx
from pydantic import SecretStr

from routekit import DefinitionError


def client_context(
    ca: Path | None, cert: Path | None, key: Path | None, password: SecretStr | None, *, verify: bool, where: str
) -> ssl.SSLContext:
    """The context of a client; raises DefinitionError, which names `where` the files were given."""
    try:
        context = ssl.create_default_context(cafile=str(ca)) if ca else httpx.create_ssl_context()
        if cert is not None:
            context.load_cert_chain(cert, key, None if password is None else password.get_secret_value())
    except OSError as error:  # ssl.SSLError is one
        raise DefinitionError(f"{where}: certificates cannot be loaded: {error}", hint="see ca, cert, key") from error
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def server_context(
    cert: Path, key: Path | None, password: SecretStr | None, ca: Path | None, where: str
) -> ssl.SSLContext:
    """The context of a server; with `ca`, clients need a certificate of those authorities."""
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(cert, key, None if password is None else password.get_secret_value())
        if ca is not None:
            context.load_verify_locations(ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:
        raise DefinitionError(f"{where}: certificates cannot be loaded: {error}", hint="see cert, key, ca") from error
    return context
