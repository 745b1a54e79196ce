"""Templates (Jinja): text made of a message."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import BodyError, DefinitionError, did_you_mean
from ..extras import library
from ..message import Message
from ._picking import named, shown

_NAMES = frozenset({"body", "headers", "id"})


def template(source: str | Path, *, html: bool = False) -> "Template":
    """A function of the message: the text that a Jinja template makes of `body`, `headers` and `id`.

    The template is the text `source`, or what the file at the path `source` holds, which is read here and now. With
    `html=True` what is put in is escaped for HTML. What is not there is an error, which refuses the message. Templates
    run in Jinja's immutable sandbox: they reach nothing but what they are given.

    Raises DefinitionError, with the line, for what is no template, and for a name that no message has. Needs
    `routekit-eip[template]`.
    """
    if not isinstance(source, Path):
        return Template(source, html, f"template({shown(source)})")
    try:
        return Template(source.read_text(encoding="utf-8"), html, f"template({source.name})")
    except (OSError, UnicodeDecodeError) as error:
        raise DefinitionError(f"the template {source} cannot be read: {error}", hint="give its path") from None


@dataclass(frozen=True)
class Template:
    """A compiled template; what `template` gives."""

    text: str
    html: bool = False
    name: str = "template"
    _render: Any = field(init=False, repr=False, compare=False)
    _broken: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        named(self, self.name)
        jinja = library("jinja2", extra="template", asked="template")
        sandbox = library("jinja2.sandbox", extra="template", asked="template")
        environment = sandbox.ImmutableSandboxedEnvironment(
            undefined=jinja.StrictUndefined, autoescape=self.html, keep_trailing_newline=True
        )
        try:
            self._check(environment, library("jinja2.meta", extra="template", asked="template"))
            render = environment.from_string(self.text).render
        except jinja.TemplateSyntaxError as error:
            raise DefinitionError(f"{self.name} is no template: {error.message}, at line {error.lineno}") from None
        object.__setattr__(self, "_render", render)
        object.__setattr__(self, "_broken", jinja.TemplateError)

    def __call__(self, body: Any, message: Message[Any]) -> str:
        """The text; raises BodyError if the message has not what the template asks for."""
        try:
            return self._render(body=body, headers=message.headers, id=message.id)
        except (self._broken, LookupError, ValueError, TypeError, ArithmeticError, AttributeError) as error:
            raise BodyError(f"{self.name} does not fit the message: {error}") from error

    def _check(self, environment: Any, meta: Any) -> None:
        tree = environment.parse(self.text)
        unknown: Iterable[str] = meta.find_undeclared_variables(tree) - _NAMES - set(environment.globals)
        for name in sorted(unknown):
            nodes = tree.find_all(library("jinja2.nodes", extra="template", asked="template").Name)
            line = next(node.lineno for node in nodes if node.name == name)
            raise DefinitionError(f"{self.name} asks for '{name}', at line {line}", hint=did_you_mean(name, _NAMES))
        if any(True for _ in meta.find_referenced_templates(tree)):
            raise DefinitionError(f"{self.name} includes another one", hint="put the text together in Python")
