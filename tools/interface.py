"""Write what is made of the plugin interface: `docs/plugins/hooks.md`, and the record of it that a test keeps.

    python tools/interface.py            # writes both
    python tools/interface.py --check    # fails, with the lines that differ, if they are not up to date

Both are read from the source, so that names, signatures and docstrings stand there as somebody wrote them.
"""

import ast
import inspect
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from textwrap import dedent, indent
from types import ModuleType
from typing import Any

import routekit
import routekit.commanding
import routekit.remotes
import routekit.testing
import routekit.testing.conformance
import routekit.testing.remote
from routekit import hookspecs

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "plugins" / "hooks.md"
RECORD = ROOT / "tests" / "packaging" / "interface.txt"

SECTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "What a plugin gives": (
        "Subclass them; what is abstract has to be written.",
        ("Endpoint", "Consumer", "Listener", "Producer", "Transactor", "Codec", "Step", "Twin", "SecretProvider"),
    ),
    "What a plugin says of itself": ("Values, given as class variables.", ("Capabilities", "About", "Conduct")),
    "What goes through": (
        "Values that a plugin makes and gets.",
        ("Message", "Meta", "Delivery", "Record", "Outgoing"),
    ),
    "What a plugin may ask for": ("There is no other door to the engine.", ("Runtime",)),
    "What a place of transactions does": ("A protocol: nothing has to be subclassed.", ("Transactions",)),
    "What a store holds": (
        "Protocols: nothing has to be subclassed.",
        ("Store", "Keys", "Marks", "Groups", "Journal", "Values", "Outbox", "Letters", "Audit", "Exclusive", "Shared"),
    ),
}


@dataclass(frozen=True)
class Member:
    """A field or method: what is written in its first line, and its docstring."""

    line: str
    doc: str


def main() -> None:
    """Write, or check, both files."""
    texts = {PAGE: page(), RECORD: record()}
    if "--check" not in sys.argv:
        for path, text in texts.items():
            path.write_text(text, encoding="utf-8")
        return
    wrong = [path for path, text in texts.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in wrong:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        sys.stdout.writelines(
            unified_diff(_lines(before), _lines(texts[path]), str(path.relative_to(ROOT)), "the code")
        )
    if wrong:
        sys.exit(
            "the plugin interface has changed: if that is meant, write these files anew by `make interface`, and say it"
            " in CHANGELOG.md; docs/plugins/versions.md says what else a change needs"
        )


def record() -> str:
    """All names and signatures that plugins may rely on, one a line."""
    lines = [f"interface {hookspecs.INTERFACE}, held since {hookspecs.OLDEST}", "", "hooks"]
    lines += [f"  {hook.line}" for hook in hooks()]
    for _, names in SECTIONS.values():
        for name in names:
            kind = getattr(routekit, name)
            lines += ["", f"class {_head(kind)}", *(f"  {member.line}" for member in members(kind))]
    lines += ["", "errors"]
    lines += [f"  {name}({kind.__base__.__name__})" for name, kind in _named(routekit) if _is_error(kind)]
    for module in (routekit, routekit.testing, routekit.testing.conformance):
        lines += ["", f"from {module.__name__}", *(f"  {name}" for name, _ in _named(module))]
    for module in (routekit.commanding, routekit.remotes, routekit.testing.remote):
        lines += ["", f"from {module.__name__}", *(f"  {name}" for name in _written(module))]
    return "\n".join(lines) + "\n"


def page() -> str:
    """The page of all hooks and contracts."""
    parts = [
        "# Hooks and contracts",
        "After this page you can look up what RouteKit asks of a plugin, and what a plugin may ask of RouteKit.\n"
        "It is made from the code by `make interface`; [versions](versions.md) says what you may rely on.",
        "## Hooks",
        "Functions of a module that is named in the entry point group `routekit`, each marked `@hookimpl`.\n"
        "A hook takes only the arguments that it names.",
        *(_entry(hook) for hook in hooks()),
    ]
    for title, (about, names) in SECTIONS.items():
        parts += [f"## {title}", about]
        for name in names:
            kind = getattr(routekit, name)
            found = [_entry(member) for member in members(kind)]
            parts += [f"### {name}", *filter(None, [_doc(inspect.getdoc(kind) or "")]), *found]
    return "\n\n".join(parts) + "\n"


def hooks() -> list[Member]:
    """The hooks, in the order of their file."""
    marked = [value for value in vars(hookspecs).values() if hasattr(value, "routekit_spec")]
    return [_method(_tree(hook)) for hook in marked]


def members(kind: type[Any]) -> Iterator[Member]:
    """The public fields and methods that a class itself has, in the order of its source."""
    body = _tree(kind).body
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if not node.name.startswith("_") or node.name == "__init__":
                yield _method(node)
        elif isinstance(node, ast.AnnAssign) and not ast.unparse(node.target).startswith("_"):
            yield Member(_field(node), _description(node.value) or _text(after))


def _method(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Member:
    marks = [ast.unparse(mark) for mark in node.decorator_list if ast.unparse(mark) not in ("hookspec", "wraps")]
    words = [*marks, *(["async"] if isinstance(node, ast.AsyncFunctionDef) else [])]
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    signature = f"{node.name}({ast.unparse(node.args)}){returns}".replace("(self, ", "(").replace("(self)", "()")
    return Member(" ".join([*words, signature.replace("(cls)", "()")]), ast.get_docstring(node) or "")


def _field(node: ast.AnnAssign) -> str:
    default = node.value
    if isinstance(default, ast.Call) and ast.unparse(default.func) in ("Field", "field"):
        default = next((word.value for word in default.keywords if word.arg in ("default", "default_factory")), None)
    given = f" = {ast.unparse(default)}" if default is not None else ""
    return f"{ast.unparse(node.target)}: {ast.unparse(node.annotation)}{given}"


def _description(value: ast.expr | None) -> str:
    """The `description=` of a field."""
    words = value.keywords if isinstance(value, ast.Call) else []
    return next((str(ast.literal_eval(word.value)) for word in words if word.arg == "description"), "")


def _text(node: ast.stmt | None) -> str:
    """The string that stands below a field."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return inspect.cleandoc(node.value.value)
    return ""


def _tree(thing: Any) -> Any:
    return ast.parse(dedent(inspect.getsource(thing))).body[0]


def _head(kind: type[Any]) -> str:
    bases = ", ".join(ast.unparse(base) for base in _tree(kind).bases)
    return f"{kind.__name__}({bases})" if bases else kind.__name__


def _entry(member: Member) -> str:
    doc = _doc(member.doc)
    return f"- `{member.line}`" + (f"\n\n{indent(doc, '  ')}" if doc else "")


def _doc(text: str) -> str:
    """A docstring as Markdown: what is indented is a block of its own."""
    blocks: list[str] = []
    for block in text.split("\n\n"):
        lines = block.splitlines()
        indented = bool(lines) and all(line.startswith("    ") for line in lines)
        blocks.append(f"```text\n{dedent(block)}\n```" if indented else block)
    return "\n\n".join(blocks)


def _named(module: ModuleType) -> Sequence[tuple[str, Any]]:
    """What a face exports, sorted."""
    found = [(name, value) for name, value in vars(module).items() if not name.startswith("_")]
    return sorted((name, value) for name, value in found if not isinstance(value, ModuleType) and name != "library")


def _written(module: ModuleType) -> Sequence[str]:
    """What a face exports that has code of its own, sorted: what it defines, and what it imports `as` itself."""
    found: set[str] = set()
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.name for alias in node.names if alias.asname == alias.name}
        elif isinstance(node, ast.Assign | ast.AnnAssign) and not _is_variable(node.value):
            places = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {ast.unparse(place) for place in places}
    return sorted(name for name in found if not name.startswith("_"))


def _is_variable(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Call) and ast.unparse(value.func) == "TypeVar"


def _is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Exception)


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


if __name__ == "__main__":
    main()
