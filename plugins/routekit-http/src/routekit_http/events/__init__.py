"""Server-sent events: a source that listens to a stream, and a sink that serves one."""

from .sink import SseSink as SseSink
from .sink import SsesSink as SsesSink
from .source import SseSource as SseSource
from .source import SsesSource as SsesSource
