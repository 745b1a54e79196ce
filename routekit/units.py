"""Durations and sizes as people write them in options: `30`, `2m30s`, `256KB`."""

import re
from typing import Annotated

from pydantic import BeforeValidator

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"": 1, "b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SIZE = re.compile(r"(\d+)\s*([kmg]?b?)", re.IGNORECASE)


def seconds(text: object) -> object:
    """A duration in seconds; what is not a text of units is left for pydantic to judge.

    >>> seconds("2m30s"), seconds("250ms"), seconds("5")
    (150.0, 0.25, '5')
    """
    if not isinstance(text, str) or not text:
        return text
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return text
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def size(text: object) -> object:
    """A number of bytes; 1 KB is 1,024 bytes.

    >>> size("256KB"), size("2gb"), size("many")
    (262144, 2147483648, 'many')
    """
    found = _SIZE.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return text
    number, unit = found[1], found[2].lower()
    return int(number) * _BYTES[unit if unit in _BYTES else unit + "b"]


Seconds = Annotated[float, BeforeValidator(seconds)]
"""An option in seconds, written `30`, `1.5`, `250ms`, `2m30s`, `1h` or `7d`."""

Bytes = Annotated[int, BeforeValidator(size)]
"""An option in bytes, written `4096`, `256KB`, `10MB` or `5GB`."""
