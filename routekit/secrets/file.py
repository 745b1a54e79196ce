"""`${file:/run/secrets/crm}`: a secret in a file of its own, as Docker, Kubernetes and systemd give them."""

import logging
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import Field

from ..errors import BadOption, UnknownName, did_you_mean
from ..hookspecs import hookimpl
from ..secret import SecretProvider

_log = logging.getLogger("routekit.secrets")

LARGEST: Final = 65_536
"""Bytes of the largest file that is taken for a secret."""


class FileSecrets(SecretProvider):
    """Secrets in files: the whole text of one, without the line's end at its end."""

    directory: Path | None = Field(
        default=None,
        description="where names that do not begin with `/` are; unset: what systemd gives, else none",
    )

    def secret(self, reference: str) -> str:
        """The text of a file; warns once if everybody may read it."""
        file = self._file(reference)
        try:
            with file.open("rb") as opened:
                mode = os.fstat(opened.fileno()).st_mode
                if not stat.S_ISREG(mode):
                    raise BadOption(f"{file} is no file", hint="a secret is a file of its own")
                found = opened.read(LARGEST + 1)
        except FileNotFoundError:
            raise UnknownName(f"there is no file {file}", hint=self._near(file)) from None
        except OSError as error:
            who = f"the user {os.getuid()} runs this" if hasattr(os, "getuid") else "is it yours?"
            raise BadOption(f"cannot read {file}: {error.strerror}", hint=f"look at its permissions; {who}") from None
        if len(found) > LARGEST:
            raise BadOption(f"{file} is larger than {LARGEST:,} bytes", hint="a secret is a file of its own")
        if mode & stat.S_IROTH:
            _log.warning("everybody on this machine may read the secret in %s: chmod o= %s", file, file)
        try:
            return found.decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise BadOption(f"{file} holds no text", hint="a secret is text in UTF-8") from None

    def _file(self, reference: str) -> Path:
        if reference.startswith("/"):
            return Path(reference)
        folder = self.directory or os.environ.get("CREDENTIALS_DIRECTORY")
        if not folder:
            hint = "write the whole path, or [secrets] directory = ... in routekit.toml"
            raise BadOption(f"'{reference}' is in no known directory", hint=hint)
        if ".." in Path(reference).parts:
            raise BadOption(f"'{reference}' leads out of {folder}", hint="write the whole path")
        return Path(folder, reference)

    def _near(self, file: Path) -> str:
        """The file that is meant, perhaps."""
        try:
            return did_you_mean(file.name, [other.name for other in file.parent.iterdir() if other.is_file()])
        except OSError:
            return f"there is no folder {file.parent} that can be read"


@hookimpl
def register_secrets() -> Mapping[str, type[SecretProvider]]:
    return {"file": FileSecrets}
