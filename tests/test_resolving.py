"""Resolving: secrets in settings are had from who has them, once, and never shown."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import Field, SecretStr

from routekit import BadOption, SecretProvider, Unavailable, UnknownName, hookimpl, secrecy
from routekit.errors import DefinitionError
from routekit.options import masked
from routekit.plugins import Catalog
from routekit.reference import describe
from routekit.resolving import Secrets
from routekit.settings import MODELS, Settings, load_settings


@pytest.fixture(autouse=True)
def no_secrets_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is a secret here is none in the tests that follow in this process."""
    monkeypatch.setattr(secrecy, "_known", secrecy._Known())  # there is no way to forget one, on purpose


class Vault(SecretProvider):
    """Secrets in memory, whoever has the key."""

    key: SecretStr = SecretStr("")
    asked: list[str] = Field(default_factory=list[str])
    away: bool = False

    def secret(self, reference: str) -> str:
        self.asked.append(reference)
        if self.away:
            raise Unavailable("the vault is away", hint="start it")
        if reference == "broken":
            raise ZeroDivisionError("at https://me:hunter2@vault")
        found: Any = {"crm": "swordfish-9", "key": self.key.get_secret_value(), "none": "", "short": "abc", "number": 7}
        if reference not in found:
            raise UnknownName(f"the vault has no '{reference}'", hint="put it there")
        return found[reference]


class _Plugin:
    @hookimpl
    def register_secrets(self) -> Mapping[str, type[SecretProvider]]:
        return {"vault": Vault}


def secrets(table: Mapping[str, Any] | None = None) -> tuple[Secrets, list[SecretProvider]]:
    """The secrets of a run with the vault installed, and the providers that are made for it."""
    catalog = Catalog(modules=[_Plugin()])
    made: list[SecretProvider] = []

    def find(name: str, options: Mapping[str, Any]) -> SecretProvider:
        made.append(catalog.secrets(name, options))
        return made[-1]

    return Secrets(table or {}, find), made


def settings(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> Settings:
    file = folder / "routekit.toml"
    file.write_text(text)
    return load_settings(file, environ=environ)


@pytest.fixture
def crm(tmp_path: Path) -> Path:
    """A file with a secret in it."""
    file = tmp_path / "crm"
    file.write_text("albatross/&7\n")
    file.chmod(0o600)
    return file


def test_a_secret_is_asked_for_once() -> None:
    """However often it is needed, of a provider that is made once."""
    found, made = secrets()
    assert [found.value("vault:crm") for _ in range(3)] == ["swordfish-9"] * 3
    (vault,) = made
    assert isinstance(vault, Vault)
    assert vault.asked.count("crm") == 1


def test_a_secret_is_known_to_be_one() -> None:
    """From then on it is masked, wherever it stands."""
    found, _ = secrets()
    found.value("vault:crm")
    assert masked("a text with swordfish-9 in it") == "a text with *** in it"


def test_options_of_a_provider_may_have_placeholders() -> None:
    """But not a secret of its own, which would never come to an end."""
    found, _ = secrets({"vault": {"key": "${KEY}"}})
    found.filling(lambda options: {name: value.replace("${KEY}", "k-e-y-1") for name, value in options.items()})
    assert found.value("vault:key") == "k-e-y-1"
    circle, _ = secrets({"vault": {"key": "x"}})
    circle.filling(lambda options: {"key": circle.value("vault:crm")})
    with pytest.raises(BadOption, match=r"\[secrets\.vault\] needs a secret of 'vault' itself"):
        circle.value("vault:crm")


@pytest.mark.parametrize(
    ("reference", "kind", "said"),
    [
        ("vault:nobody", UnknownName, r"\$\{vault:nobody\}: the vault has no 'nobody'; put it there"),
        ("vault:broken", Unavailable, r"\$\{vault:broken\} could not be had: ZeroDivisionError: at https://me:\*\*\*@"),
        ("vault:none", BadOption, "is empty"),
        ("vault:short", BadOption, "too short"),
        ("vault:number", BadOption, "is no text, but int"),
        ("valt:crm", UnknownName, "nobody|no installed plugin gives secrets of 'valt'; did you mean 'vault'"),
    ],
)
def test_what_cannot_be_had(reference: str, kind: type[Exception], said: str) -> None:
    """Is told by the reference and what to do, and no secret is in it."""
    found, _ = secrets()
    with pytest.raises(kind, match=said):
        found.value(reference)


def test_options_of_a_provider_are_checked() -> None:
    """As those of every plugin."""
    found, _ = secrets({"vault": {"kay": "x"}})
    with pytest.raises(BadOption, match=r"secret\.vault: has no option 'kay'; did you mean 'key'"):
        found.value("vault:crm")
    found, _ = secrets({"vault": "x"})
    with pytest.raises(BadOption, match=r"write \[secrets\.vault\]"):
        found.value("vault:crm")


def test_a_secret_that_was_away_is_asked_for_again() -> None:
    """A failure is not kept."""
    found, made = secrets({"vault": {"away": True}})
    with pytest.raises(Unavailable, match=r"\$\{vault:crm\}: the vault is away; start it"):
        found.value("vault:crm")
    object.__setattr__(made[0], "away", False)
    assert found.value("vault:crm") == "swordfish-9"


def test_secrets_in_tables_values_and_uris(tmp_path: Path, crm: Path) -> None:
    """Wherever a placeholder may stand."""
    text = (
        f'[values]\nPW = "${{file:{crm}}}"\nURL = "me:${{PW}}@x"\n[http.crm]\nauth = {{ token = "${{file:{crm}}}" }}\n'
    )
    given = settings(tmp_path, text)
    assert given.lookup("PW") == given.lookup(f"file:{crm}") == "albatross/&7"
    assert given.lookup("URL") == "me:albatross/&7@x"
    assert given.table("http", "crm") == {"auth": {"token": "albatross/&7"}}
    assert masked("at x?y=albatross/%267") == "at x?y=***"


def test_the_directory_of_secrets(tmp_path: Path, crm: Path) -> None:
    """Files in it are placeholders by their names, after everything else that has a value."""
    text = f'[secrets]\ndirectory = "{tmp_path}"\n[http.crm]\ntoken = "${{crm}}"\nsame = "${{file:crm}}"\n'
    assert settings(tmp_path, text).table("http", "crm") == {"token": "albatross/&7", "same": "albatross/&7"}
    assert settings(tmp_path, text, {"crm": "mine"}).lookup("crm") == "mine"
    assert settings(tmp_path, text).lookup("nobody") is None


def test_settings_are_loaded_without_asking(tmp_path: Path) -> None:
    """A secret that is away stops nobody who does not need it; what needs it is told with its line."""
    given = settings(tmp_path, '[values]\nPW = "${file:/nowhere/pw}"\n[sql.crm]\nurl = "u"\npw = "${PW}"\n')
    assert given.options.drain == 30
    table, value = given.missing()
    assert (table.place.line, value.place.line) == (5, 2)
    assert table.message == "[sql.crm] pw: the secret ${file:/nowhere/pw}: there is no file /nowhere/pw"


def test_nothing_is_shown(tmp_path: Path, crm: Path) -> None:
    """Names that sound secret, secrets and passwords in URIs are masked; none of them is asked for."""
    text = (
        '[values]\nDB = "sql://me:${file:/nowhere}@h"\nKIND = "${DB}"\n'
        '[http.crm]\npassword = "hunter2"\nurl = "http://a:hunter2@h"\nmine = "x${CRM_TOKEN}"\nplain = "${KIND}"\n'
    )
    given = settings(tmp_path, text, {"CRM_TOKEN": "hunter2", "HUNTER": "hunter2"})
    shown = {one.name: one for one in given.shown()}
    assert "hunter2" not in str(shown)
    assert shown["values.DB"].value == "sql://me:***@h"
    assert shown["values.DB"].origin == f"{tmp_path / 'routekit.toml'}:2, secret file:/nowhere"
    assert shown["http.crm.plain"].value == "sql://me:***@h"
    assert [shown[f"http.crm.{name}"].value for name in ("password", "url", "mine")] == [
        "***",
        "http://a:***@h",
        "x***",
    ]


def test_a_reference_is_never_taken_for_a_default() -> None:
    """Where nobody gives such secrets, and the settings have no value of that name."""
    with pytest.raises(DefinitionError, match="no installed plugin gives secrets of 'valt'"):
        load_settings(None, ["a.b.c=${valt:x}"]).table("a", "b")
    assert load_settings(None, ["a.b.c=${valt:x}", "valt=v"]).table("a", "b") == {"c": "v"}


def test_a_plugin_that_gives_what_is_built_in_is_used() -> None:
    """The last one that registers a name has it, as with stores."""
    files = SimpleNamespace(register_secrets=hookimpl(lambda: {"file": Vault}))
    assert isinstance(Catalog(modules=[files]).secrets("file", {}), SecretProvider)


def test_every_setting_is_shown_with_its_default() -> None:
    """Those of every table that RouteKit itself reads, and a token is none of what is shown."""
    given = load_settings(None, ["control.token=0123456789abcdef"])
    shown = {one.name: (one.value, one.origin) for one in given.shown()}
    known = {f"{table}.{option}" for table, model in MODELS.items() for option in model.model_fields}
    assert set(shown) == known
    assert shown["control.token"] == ("***", "--set")
    assert shown["control.reader_token"] == ("", "default")
    assert shown["routekit.drain"] == ("30.0", "default")


def test_a_giver_of_secrets_is_described() -> None:
    """With its options, as every plugin is."""
    (entry,) = describe("secret.vault", Catalog(modules=[_Plugin()]))
    assert (entry.usage, entry.doc) == ("${vault:reference}", "Secrets in memory, whoever has the key.")
    assert {"key", "away"} <= {option.name for option in entry.options}
    with pytest.raises(UnknownName, match="did you mean 'vault'"):
        describe("secret.valt", Catalog(modules=[_Plugin()]))
