"""Source: Python and JSON in colours, which are classes of the style sheet."""

import re

from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers.data import JsonLexer
from pygments.lexers.python import PythonLexer

_CODE = re.compile("`([^`]+)`")
_PLAIN = 60_000
"""Characters above which a text is not coloured: that would take longer than a page may."""


def coloured(text: str, language: str = "python") -> Markup:
    """A text as escaped HTML, in spans with classes that begin with `c-`.

    >>> coloured("<b>", "text")
    Markup('&lt;b&gt;')
    """
    if language not in ("python", "json") or len(text) > _PLAIN:
        return Markup.escape(text)
    lexer = PythonLexer(stripnl=False) if language == "python" else JsonLexer(stripnl=False)
    formatter = HtmlFormatter[str](nowrap=True, classprefix="c-")
    return Markup(highlight(text, lexer, formatter))  # noqa: S704  # Pygments escapes what it colours


def coded(text: str) -> Markup:
    """A sentence as escaped HTML, with what stands between backticks as code.

    >>> coded("`a` < b")
    Markup('<code>a</code> &lt; b')
    """
    return Markup(_CODE.sub(r"<code>\1</code>", str(Markup.escape(text))))  # noqa: S704  # escaped right here
