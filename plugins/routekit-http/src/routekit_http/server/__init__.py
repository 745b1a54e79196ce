"""The source that serves: routes that are called over HTTP."""

from .source import HttpServer as HttpServer
from .source import HttpsServer as HttpsServer
