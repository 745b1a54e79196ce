"""Limits of the system that is written: how long a text may be, of which characters, and which values there are."""

from collections.abc import Sequence
from dataclasses import dataclass

import annotated_types

from .errors import Unconvertible


@dataclass(frozen=True, slots=True)
class Limit:
    """What a target takes, as far as its model does not say it already.

    What does not fit is rejected with the reason, unless `truncate_ok`: then a text is cut, and that is counted.
    """

    length: int | None = None
    """Characters; None: as many as the type of the field says (`max_length`)."""
    bytes: int | None = None
    """In UTF-8."""
    charset: str = ""
    """An encoding that has to know every character, such as `ascii` or `latin-1`."""
    choices: Sequence[str] = ()
    truncate_ok: bool = False

    def cut(self, text: str) -> str:
        """The text as it fits.

        >>> Limit(5, truncate_ok=True).cut("abcdefg"), Limit(bytes=4, truncate_ok=True).cut("aéé!")
        ('abcde', 'aé')
        """
        self._known(text)
        found = text if self.length is None else text[: self.length]
        if self.bytes is not None:
            found = found.encode()[: self.bytes].decode(errors="ignore")
        if found != text and not self.truncate_ok:
            raise Unconvertible(f"has {len(text)} characters, and {self.most} are allowed")
        return found

    @property
    def most(self) -> str:
        """The length that is allowed, in words."""
        said = [] if self.length is None else [f"{self.length}"]
        return " or ".join([*said, *([] if self.bytes is None else [f"{self.bytes} bytes"])])

    def _known(self, text: str) -> None:
        if self.choices and text not in self.choices:
            raise Unconvertible(f"is none of the {len(self.choices)} choices")
        if self.charset:
            try:
                text.encode(self.charset)
            except UnicodeEncodeError as error:
                unknown = text[error.start]
                raise Unconvertible(
                    f"has a character that {self.charset} does not know: U+{ord(unknown):04X}"
                ) from None

    def __str__(self) -> str:
        said = [f"at most {self.most}"] if self.most else []
        said += [self.charset] if self.charset else []
        said += [f"one of {', '.join(self.choices)}"] if self.choices else []
        return ", ".join([*said, *(["cut to fit"] if self.truncate_ok else [])])


def declared_length(metadata: Sequence[object]) -> int | None:
    """The length that the type of a field allows, if it says so."""
    lengths = [mark.max_length for mark in metadata if isinstance(mark, annotated_types.MaxLen)]
    lengths += [found for mark in metadata if isinstance(found := getattr(mark, "max_length", None), int)]
    return min(lengths, default=None)
