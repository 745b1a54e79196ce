"""extras"""

import doctest
import sys

import pytest

from routekit import DefinitionError, JsonSchema, extras, jmespath, jsonpath, template, xpath
from routekit.codecs.zstd import Zstd
from routekit.extras import library
from routekit.secrets.keyring import KeyringSecrets
from routekit.stores._cipher import Cipher

MISSING = {
    "jsonpath_rfc9535": (lambda: jsonpath("$.a"), "jsonpath"),
    "jmespath": (lambda: jmespath("a"), "jmespath"),
    "lxml": (lambda: xpath("//a"), "xpath"),
    "jinja2": (lambda: template("a"), "template"),
    "cryptography": (lambda: Cipher([b"a" * 32]), "encryption"),
    "jsonschema": (lambda: JsonSchema(True), "jsonschema"),
    "keyring": (lambda: KeyringSecrets().secret("crm/ann"), "serve"),
    **({} if sys.version_info >= (3, 14) else {"backports": (Zstd, "zstd")}),
}


def test_what_it_says() -> None:
    """Each doctest gives what it says."""
    assert doctest.testmod(extras).failed == 0


def test_a_library_that_is_there_is_given() -> None:
    """As the module itself."""
    assert library("json.decoder", extra="x", asked="y").__name__ == "json.decoder"


@pytest.mark.parametrize("module", MISSING)
def test_a_library_that_is_missing_is_named_with_what_to_install(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is written, so that `check` finds it."""
    write, extra = MISSING[module]
    for name in [name for name in sys.modules if name == module or name.startswith(f"{module}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_Nothing(module), *sys.meta_path])
    with pytest.raises(DefinitionError) as error:
        write()
    assert error.value.hint == f"pip install 'routekit-eip[{extra}]'"


def test_a_library_that_is_broken_is_not_called_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it lacks itself is another matter."""
    monkeypatch.setattr(sys, "meta_path", [_Nothing("antigravity", lacks="nowhere"), *sys.meta_path])
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        library("antigravity", extra="x", asked="y")


class _Nothing:
    """An import system in which one library is not installed, or lacks another one."""

    def __init__(self, module: str, lacks: str = "") -> None:
        self._module = module
        self._lacks = lacks

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.partition(".")[0] == self._module:
            lacks = self._lacks or name
            raise ModuleNotFoundError(f"No module named {lacks!r}", name=lacks)
