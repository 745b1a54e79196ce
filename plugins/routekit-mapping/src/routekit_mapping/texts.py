"""Texts: templates that can be read again, spaces, HTML, and numbers that are written as text."""

import re
from collections.abc import Sequence
from decimal import Decimal
from html import escape, unescape
from html.parser import HTMLParser

from .converting import Converter
from .errors import BadMapping, Unconvertible

_PLACE = re.compile(r"\{\}")


def trimmed() -> Converter[str, str]:
    """A text without spaces around it, and with single ones in it, in both directions."""

    def trim(text: str) -> str:
        return " ".join(text.split())

    return Converter("trimmed", trim, trim, "spaces", ("a b", " a  b "), ("a b",))


def split_name() -> Converter[str, tuple[str | None, str | None]]:
    """A full name for given and family name: the last word is the family name, with the particles before it.

    >>> split_name().to("Ludwig van Beethoven"), split_name().to("Plato"), split_name().back(("Ada", None))
    (('Ludwig', 'van Beethoven'), (None, 'Plato'), 'Ada')
    """
    particles = {"van", "von", "der", "den", "de", "del", "della", "di", "da", "dos", "du", "la", "le", "zu", "bin"}

    def split(name: str) -> tuple[str | None, str | None]:
        words = name.split()
        if not words:
            raise Unconvertible("is no name")
        cut = len(words) - 1
        while cut > 1 and words[cut - 1].lower() in particles:
            cut -= 1
        return " ".join(words[:cut]) or None, " ".join(words[cut:])

    def join(parts: tuple[str | None, str | None]) -> str:
        return " ".join(part for part in parts if part)

    samples = ("Ada Lovelace", "Ludwig van Beethoven", "Plato", "Mary Jane Watson")
    both = tuple(split(name) for name in samples)
    return Converter(
        "given and family name", split, join, "spaces, where a name of several words is cut", samples, both
    )


def template(text: str, *, samples: Sequence[tuple[str | None, str | None]] = ()) -> Converter[
    tuple[str | None, str | None], str
]:  # fmt: skip
    """Two fields in one text, which is read again at what stands between them: `template("{} {}")`.

    >>> place = template("{} {}")
    >>> place.to(("10115", "Berlin Mitte")), place.back("10115 Berlin Mitte")
    ('10115 Berlin Mitte', ('10115', 'Berlin Mitte'))

    The first field ends where what stands between begins for the first time: a value of it that holds that is refused,
    as it would not come back.
    """
    if len(_PLACE.findall(text)) != 2:
        raise BadMapping(f"template({text!r}) needs two places: '{{}} {{}}'")
    before, between, after = text.split("{}")
    if not between:
        raise BadMapping(f"template({text!r}) cannot be read again: nothing stands between its places")

    def fill(parts: tuple[str | None, str | None]) -> str:
        first, second = (part or "" for part in parts)
        if between in first:
            raise Unconvertible(f"would not come back: its first part has '{between}' in it")
        return f"{before}{first}{between}{second}{after}"

    def read(whole: str) -> tuple[str | None, str | None]:
        inner = whole.removeprefix(before)
        inner = inner[: len(inner) - len(after)] if after and inner.endswith(after) else inner
        first, found, second = inner.partition(between)
        if not found or before + inner + after != whole:
            raise Unconvertible(f"is not of the form '{text}'")
        return first or None, second or None

    given = tuple(samples) or (("a", "b"), ("10115", "Berlin"), (None, "b"))
    return Converter(f"template '{text}'", fill, read, "", given, tuple(fill(one) for one in given))


def html_text() -> Converter[str, str]:
    r"""HTML as plain text, and plain text as HTML: paragraphs and line breaks stay, other markup is lost.

    >>> html_text().to("<p>Hello<br>Ada &amp; all</p><script>x()</script>"), html_text().back("Ada & Bob")
    ('Hello\nAda & all', '<p>Ada &amp; Bob</p>')
    """

    def read(html: str) -> str:
        reader = _Text()
        reader.feed(html)
        reader.close()
        lines = [" ".join(line.split()) for line in "".join(reader.found).split("\n")]
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()

    def write(text: str) -> str:
        paragraphs = re.split(r"\n\s*\n", text.strip())
        return "".join(f"<p>{escape(one, quote=False).replace(chr(10), '<br>')}</p>" for one in paragraphs if one)

    samples = ("<p>Hello</p>", "<p>a<br>b</p><p>c &lt; d</p>", "plain", "<ul><li>one</li><li>two</li></ul>", "")
    return Converter("HTML as text", read, write, "markup", samples, ("Hello", "a\nb\n\nc < d", "plain", ""))


class _Text(HTMLParser):
    """The text of a page, without what is not shown."""

    hidden = ("script", "style", "head", "title")
    lines = ("br", "li", "tr", "div")

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._inside = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.hidden:
            self._inside += 1
        elif tag in self.lines:
            self.found.append("\n")
        elif tag == "p":
            self.found.append("\n\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self.hidden:
            self._inside = max(self._inside - 1, 0)
        elif tag == "p":
            self.found.append("\n\n")

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.found.append(unescape(data).replace("\n", " "))


def decimal_text(decimal: str = ".", group: str = "", places: int | None = None) -> Converter[str, Decimal]:
    """A number as people write it: `decimal_text(",", ".")` reads `1.234,50`.

    >>> german = decimal_text(",", ".", places=2)
    >>> german.to("1.234,50"), german.back(Decimal("1234.5"))
    (Decimal('1234.50'), '1.234,50')
    """
    number = re.compile(rf"[+-]?\d+(?:{re.escape(group)}\d{{3}})*" if group else r"[+-]?\d+")

    def read(text: str) -> Decimal:
        whole, _, rest = text.strip().partition(decimal)
        if not number.fullmatch(whole) or not (rest == "" or rest.isdecimal()):
            raise Unconvertible(f"is no number with '{decimal}'")
        digits = whole.replace(group, "") if group else whole
        return Decimal(f"{digits}.{rest}" if rest else digits)

    def write(value: Decimal) -> str:
        if not value.is_finite():
            raise Unconvertible("is no number that can be written")
        text = f"{value:,.{places}f}" if places is not None else f"{value:,f}"
        return text.replace(",", "\0").replace(".", decimal).replace("\0", group)

    samples = tuple(write(Decimal(one)) for one in ("0", "1.5", "1234.25", "-7"))
    said = f"number with '{decimal}'" + (f" and '{group}'" if group else "")
    return Converter(
        f"{said}{'' if places is None else f', {places} places'}", read, write, "how it is written",
        samples, tuple(read(one) for one in samples),
    )  # fmt: skip


def number_text() -> Converter[str, int]:
    """A whole number that is written as text.

    >>> number_text().to(" 042"), number_text().back(42)
    (42, '42')
    """

    def read(text: str) -> int:
        if not re.fullmatch(r"\s*[+-]?[0-9]{1,40}\s*", text):
            raise Unconvertible("is no whole number")
        return int(text)

    return Converter("whole number", read, str, "zeros in front, spaces", ("0", "42", "-7", "007"))
