"""XPath 1.0: what a path such as `//order/@id` finds in an XML document."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from ..absence import FAIL
from ..errors import BodyError, DefinitionError, did_you_mean
from ..extras import library
from ._picking import named, picked, shown


def xpath(path: str, *, namespaces: Mapping[str, str] | None = None, one: bool = False, missing: Any = FAIL) -> "XPath":
    """A function of the body: what an XPath 1.0 expression finds in an XML document.

    A path gives the list of what it finds: attributes and texts as text, elements as XML text of their own, so that
    each can be a part, a body and a letter. With `one=True` it has to find exactly one; `missing` then stands for one
    that is not there. An expression such as `count(//line)` or `//@paid = "yes"` gives its number, text or truth.

    `namespaces` maps the prefixes of the path to namespaces; names of a default namespace need a prefix here as well.
    The body is bytes or text. Documents with entities are refused, nothing is fetched. Raises DefinitionError, with
    the place, for what is no XPath. Needs `routekit-eip[xpath]`.
    """
    return XPath(path, dict(namespaces or {}), one, missing)


@dataclass(frozen=True)
class XPath:
    """A compiled path; what `xpath` gives."""

    path: str
    namespaces: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    one: bool = False
    missing: Any = FAIL
    _etree: Any = field(init=False, repr=False, compare=False)
    _find: Any = field(init=False, repr=False, compare=False)
    _parsers: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        asked = f"xpath({shown(self.path)})"
        named(self, asked)
        etree = library("lxml.etree", extra="xpath", asked="xpath")
        try:
            _check(self.path, self.namespaces)
            find = etree.XPath(self.path, namespaces=self.namespaces or None, regexp=False, smart_strings=False)
            find(etree.Element("nothing"))
        except (etree.XPathError, ValueError, TypeError) as error:
            raise DefinitionError(f"{asked} is no XPath: {_reason(error)}", hint="see XPath 1.0") from None
        object.__setattr__(self, "_etree", etree)
        object.__setattr__(self, "_find", find)
        object.__setattr__(self, "_parsers", (_parser(etree, None), _parser(etree, "utf-8")))

    def __call__(self, body: Any) -> Any:
        """What the path finds in the body; raises BodyError."""
        asked = f"xpath({shown(self.path)})"
        etree = self._etree
        try:
            found = self._find(_document(etree, body, self._parsers, asked))
        except etree.XPathError as error:
            raise BodyError(f"{asked} cannot be asked of the body: {_reason(error)}") from None
        if not isinstance(found, list):
            return found
        texts = [_plain(etree, node) for node in cast("list[Any]", found)]
        return picked(texts, one=self.one, missing=self.missing, asked=asked)


def _parser(etree: Any, encoding: str | None) -> Any:
    """One that reads no DTD, expands no entity and goes nowhere; text is not what its declaration says it is."""
    return etree.XMLParser(
        encoding=encoding,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
    )


def _document(etree: Any, body: object, parsers: tuple[Any, Any], asked: str) -> Any:
    if not isinstance(body, bytes | bytearray | str):
        raise BodyError(f"{asked} wants XML as bytes or text, found a {type(body).__name__}")
    as_bytes, as_text = parsers
    try:
        text = isinstance(body, str)
        root = etree.fromstring(body.encode() if text else bytes(body), as_text if text else as_bytes)
    except etree.XMLSyntaxError as error:
        raise BodyError(f"this is not XML: {error.msg}") from None
    if root.getroottree().docinfo.doctype and _has_entities(etree, root):
        raise BodyError("the XML document has entities", hint="they are refused, since they can name files and grow")
    return root


def _has_entities(etree: Any, root: Any) -> bool:
    dtd = root.getroottree().docinfo.internalDTD
    return any(True for _ in dtd.iterentities()) or any(True for _ in root.iter(etree.Entity))


def _plain(etree: Any, node: Any) -> Any:
    """An attribute, text or namespace as it is, an element as its XML."""
    return etree.tostring(node, encoding="unicode", with_tail=False) if etree.iselement(node) else node


_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_PREFIX = re.compile(r"([\w.-]+):(?=[\w*])(?<!::)")
_CALL = re.compile(r"(?<![\w:.-])([A-Za-z_][\w.-]*)\s*\(")
_FUNCTIONS = (
    "last position count id local-name namespace-uri name string concat starts-with contains substring-before "
    "substring-after substring string-length normalize-space translate boolean not true false lang number sum floor "
    "ceiling round"
)
_LIKE_CALLS = "comment text node processing-instruction and or div mod"


def _check(path: str, namespaces: Mapping[str, str]) -> None:
    """Find prefixes and functions that do not exist: in a predicate, libxml2 finds them with the first message."""
    bare = _QUOTED.sub(lambda quoted: "_" * len(quoted[0]), path)
    for found in _PREFIX.finditer(bare):
        if found[1] not in namespaces:
            raise ValueError(f"prefix '{found[1]}' has no namespace, at column {found.start() + 1}")
    for found in _CALL.finditer(bare):
        if found[1] not in f"{_FUNCTIONS} {_LIKE_CALLS}".split():
            near = did_you_mean(found[1], _FUNCTIONS.split())
            raise ValueError(f"there is no function {found[1]}(), at column {found.start() + 1}; {near}")


def _reason(error: Any) -> str:
    log = getattr(error, "error_log", None)
    at = next((entry.column for entry in log if entry.column), None) if log else None
    said = str(error)
    return f"{said[:1].lower()}{said[1:]}" + (f", at column {at + 1}" if at is not None else "")
