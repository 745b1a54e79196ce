"""Bodies as messages of a WebSocket: text, or bytes."""

from typing import Any

from routekit import Codec


def frame_of(body: Any, codec: Codec, *, always: bool) -> str | bytes:
    """Text and bytes as they are, others as text by the codec; with `always`, all by the codec."""
    if not always and isinstance(body, str | bytes | bytearray):
        return body if isinstance(body, str) else bytes(body)
    encoded = codec.encode(body)
    try:
        return encoded.decode()
    except UnicodeDecodeError:
        return encoded
