"""Settings: where they come from, which one wins, and what is said when they are wrong."""

from pathlib import Path

import pytest

from routekit.errors import BadOption, DefinitionError, UnknownName
from routekit.settings import load_settings


def written(folder: Path, text: str) -> Path:
    file = folder / "routekit.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_defaults_need_no_file() -> None:
    """Without a file, environment or --set there are settings that keep state in `data`."""
    settings = load_settings(None)
    assert settings.options.data == Path("data")
    assert settings.options.store == "sqlite:${data}/routekit.db"
    assert settings.options.drain == 30.0


def test_environment_wins_over_file(tmp_path: Path) -> None:
    """An option of the file gives way to the environment's."""
    file = written(tmp_path, '[routekit]\ndrain = "5s"\n')
    assert load_settings(file).options.drain == 5.0
    assert load_settings(file, environ={"ROUTEKIT_DRAIN": "10s"}).options.drain == 10.0


def test_command_line_wins_over_environment(tmp_path: Path) -> None:
    """--set wins over the environment and the file."""
    file = written(tmp_path, '[routekit]\ndrain = "5s"\n')
    assert load_settings(file, ["drain=1m"], {"ROUTEKIT_DRAIN": "10s"}).options.drain == 60.0


@pytest.mark.parametrize("asked", ["WHERE=line", "values.WHERE=line"])
def test_placeholder_of_the_command_line_wins(tmp_path: Path, asked: str) -> None:
    """A placeholder is taken from --set, however it is written, then the environment, then [values]."""
    file = written(tmp_path, '[values]\nWHERE = "file"\n')
    environ = {"WHERE": "environment"}
    assert load_settings(file).lookup("WHERE") == "file"
    assert load_settings(file, environ=environ).lookup("WHERE") == "environment"
    assert load_settings(file, [asked], environ).lookup("WHERE") == "line"


def test_nested_table_from_all_three(tmp_path: Path) -> None:
    """Options of one table may come from the file, the environment and --set, and the later ones win."""
    file = written(tmp_path, '[sql.crm]\nurl = "file"\nschema = "s"\npool = 3\n')
    settings = load_settings(file, ["sql.crm.schema=t"], {"ROUTEKIT_SQL__CRM__URL": "environment"})
    assert settings.table("sql", "crm") == {"url": "environment", "schema": "t", "pool": 3}


def test_table_without_a_file() -> None:
    """A table needs no file: the environment can make it."""
    assert load_settings(None, environ={"ROUTEKIT_SQL__CRM__URL": "u"}).table("sql", "crm") == {"url": "u"}


def test_table_that_nobody_wrote() -> None:
    """A table that does not exist is None, not an empty one."""
    settings = load_settings(None, ["sql.crm.url=u"])
    assert settings.table("sql", "erp") is None
    assert settings.table("kafka", "crm") is None


def test_placeholders_of_a_table_are_filled(tmp_path: Path) -> None:
    """`${NAME}`, `${NAME:default}` and `${data}` are filled in the texts of a table."""
    text = '[routekit]\ndata = "d"\n[values]\nHOST = "h"\n[sql.crm]\nurl = "${HOST}:${PORT:5432}/${data}"\n'
    assert load_settings(written(tmp_path, text)).table("sql", "crm") == {"url": "h:5432/d"}


def test_placeholders_deep_in_a_table_are_filled(tmp_path: Path) -> None:
    """In tables within tables and in lists, too; what is no text stays what it is."""
    text = '[values]\nPW = "p"\n[http.crm]\nlist = ["${PW}", 1]\n[http.crm.auth]\nkeys = [{ a = "${PW}", n = 2 }]\n'
    table = load_settings(written(tmp_path, text)).table("http", "crm")
    assert table == {"list": ["p", 1], "auth": {"keys": [{"a": "p", "n": 2}]}}


def test_all_missing_placeholders_are_found(tmp_path: Path) -> None:
    """Each with its table, its line and what to do, and without the text around it, which may be a secret."""
    text = '[http.crm]\nurl = "${HOST:x}"\n[http.crm.auth]\ntokens = ["Bearer hunter2 ${TOKEN}"]\n'
    (problem,) = load_settings(written(tmp_path, text)).missing()
    assert (problem.place.line, problem.message) == (4, "[http.crm.auth.tokens] 1: no value for ${TOKEN}")
    assert problem.hint.startswith("set the environment variable TOKEN")
    assert load_settings(tmp_path / "routekit.toml", ["TOKEN=t"]).missing() == []


def test_missing_placeholder_of_a_table(tmp_path: Path) -> None:
    """A placeholder without a value is an error that offers the nearest one and says how to set it."""
    settings = load_settings(written(tmp_path, '[values]\nHOST = "h"\n[sql.crm]\nurl = "${HSOT}"\n'))
    with pytest.raises(UnknownName) as caught:
        settings.table("sql", "crm")
    assert "${HSOT}" in caught.value.message
    assert "did you mean ${HOST}?" in caught.value.hint
    assert "--set HSOT=..." in caught.value.hint


def test_values_may_hold_placeholders(tmp_path: Path) -> None:
    """A value of [values] is filled with others and with the data folder, which may have one itself."""
    text = '[routekit]\ndata = "${ROOT}/d"\n[values]\nIN = "${LEADS}/in"\nLEADS = "${data}/leads"\nROOT = "/r"\n'
    settings = load_settings(written(tmp_path, text))
    assert settings.options.data == Path("/r/d")
    assert settings.lookup("IN") == "/r/d/leads/in"


def test_environment_is_taken_as_it_is(tmp_path: Path) -> None:
    """A text of the environment, such as a password, is never searched for placeholders."""
    file = written(tmp_path, '[values]\nURL = "u:${PASSWORD}"\n')
    assert load_settings(file, environ={"PASSWORD": "a${b}"}).lookup("URL") == "u:a${b}"


def test_values_in_a_circle(tmp_path: Path) -> None:
    """Values that need each other are an error that shows the circle."""
    file = written(tmp_path, '[values]\nA = "${B}"\nB = "${A}"\n')
    with pytest.raises(BadOption, match="needs itself; A -> B -> A"):
        load_settings(file)


def test_values_are_texts_as_written(tmp_path: Path) -> None:
    """Numbers and booleans of [values] become the text that stands in the file; what is no text is refused."""
    settings = load_settings(written(tmp_path, "[values]\nPORT = 8080\nFSYNC = false\n"))
    assert (settings.lookup("PORT"), settings.lookup("FSYNC")) == ("8080", "false")
    with pytest.raises(BadOption, match="PORTS is a list"):
        load_settings(written(tmp_path, "[values]\nPORTS = [1, 2]\n"))


def test_defaults_of_policies() -> None:
    """Concurrency, retries and deadline of the settings are the policy of routes that say nothing."""
    policy = load_settings(None, ["concurrency=4", "retries=2", "deadline=1m"]).policy()
    assert (policy.concurrency, policy.retries[0].attempts, policy.deadline) == (4, 2, 60.0)
    assert load_settings(None).policy().retries == ()


def test_unknown_option_of_the_file(tmp_path: Path) -> None:
    """An option that does not exist is refused with the nearest one."""
    with pytest.raises(BadOption, match=r"has no option 'drian'; did you mean 'drain'\?"):
        load_settings(written(tmp_path, "[routekit]\ndrian = 3\n"))


@pytest.mark.parametrize(("sets", "environ"), [(["drian=3"], {}), ([], {"ROUTEKIT_DRIAN": "3"})])
def test_option_misspelt_outside_the_file(sets: list[str], environ: dict[str, str]) -> None:
    """A name that is nearly an option's is refused, and does not become a placeholder that nobody asks for."""
    with pytest.raises(BadOption, match=r"no option 'drian'; did you mean 'drain'\?"):
        load_settings(None, sets, environ)


def test_other_names_are_placeholders() -> None:
    """A name that is not like any option is a placeholder, also one that begins with ROUTEKIT_."""
    settings = load_settings(None, ["LEADS=in"], {"ROUTEKIT_HOME": "/opt"})
    assert (settings.lookup("LEADS"), settings.lookup("ROUTEKIT_HOME")) == ("in", "/opt")


def test_wrong_values_are_named_all_at_once(tmp_path: Path) -> None:
    """Every wrong value is named, with what was found."""
    with pytest.raises(BadOption) as caught:
        load_settings(written(tmp_path, '[routekit]\ndrain = "soon"\nconcurrency = 0\nlog = "loud"\n'))
    for said in ("'drain'", "found 'soon'", "'concurrency'", "found 0", "'log'", "found 'loud'"):
        assert said in caught.value.message


def test_not_toml(tmp_path: Path) -> None:
    """A file that is not TOML is named, with the line."""
    file = written(tmp_path, "[routekit]\ndrain = 5s\n")
    with pytest.raises(DefinitionError, match=r"routekit\.toml is not TOML: .*line 2"):
        load_settings(file)


def test_not_text(tmp_path: Path) -> None:
    """A file in another encoding is reported, not a crash."""
    file = tmp_path / "routekit.toml"
    file.write_bytes(b"[values]\nA = '\xff'\n")
    with pytest.raises(DefinitionError, match="is not TOML"):
        load_settings(file)


def test_missing_file(tmp_path: Path) -> None:
    """A settings file that does not exist is an error, not empty settings."""
    with pytest.raises(DefinitionError, match=r"cannot read the settings .*nope\.toml: No such file"):
        load_settings(tmp_path / "nope.toml")


@pytest.mark.parametrize(("line", "table"), [('store = "memory:"', "routekit"), ("port = 8080", "values")])
def test_a_value_outside_of_any_table(tmp_path: Path, line: str, table: str) -> None:
    """Nobody would read it, so it is refused, with the table where it may belong."""
    file = tmp_path / "routekit.toml"
    file.write_text(line)
    with pytest.raises(BadOption, match=rf"stands outside of any table; write it below \[{table}\]"):
        load_settings(file)


@pytest.mark.parametrize("name", ["routekit", "values"])
def test_table_that_is_a_value(tmp_path: Path, name: str) -> None:
    """A value where a table belongs is refused, and the error says how to write the table."""
    with pytest.raises(BadOption, match=rf"\[{name}\] in .* is no table; write \[{name}\] and lines below it"):
        load_settings(written(tmp_path, f"{name} = 3\n"))


def test_option_below_a_value(tmp_path: Path) -> None:
    """--set of an option below something that is a value says which."""
    with pytest.raises(BadOption, match=r"'sql\.crm\.url' cannot be set; 'crm' is a value, not a table"):
        load_settings(written(tmp_path, "[sql]\ncrm = 3\n"), ["sql.crm.url=u"])


@pytest.mark.parametrize("text", ["drain", "=5"])
def test_set_without_a_value(text: str) -> None:
    """--set needs a name and a value."""
    with pytest.raises(BadOption, match="write --set name=value"):
        load_settings(None, [text])


def test_set_to_an_empty_text() -> None:
    """An empty value is a value, and the rest of a value may hold `=`."""
    settings = load_settings(None, ["EMPTY=", "QUERY=a=b"])
    assert (settings.lookup("EMPTY"), settings.lookup("QUERY")) == ("", "a=b")
