"""`routekit config` and profiles, as a person types them."""

from .conftest import Command

SETTINGS = """\
[routekit]
store = "memory:"
retries = 1

[values]
WHO = "world"
PASSWORD = "hunter2"

[sql.crm]
url = "sql://me:${PASSWORD}@h"
"""


def test_every_setting_with_its_origin(routekit: Command) -> None:
    """Default, file, profile, environment and --set, in text and in JSON."""
    routekit.write("routekit.toml", SETTINGS)
    routekit.write("routekit.prod.toml", "[routekit]\nretries = 2\n")
    done = routekit("--set", "drain=7s", "config", "show", "--profile", "prod", "--json", "--origin", WHO="me")
    assert done.code == 0, done.said
    told = {one["name"]: (one["value"], one["origin"]) for one in done.json}
    assert told["routekit.store"] == ("memory:", "routekit.toml:2")
    assert told["routekit.retries"] == ("2", "routekit.prod.toml:2")
    assert told["routekit.drain"] == ("7s", "--set")
    assert told["routekit.log"] == ("info", "default")
    assert told["values.WHO"] == ("me", "environment WHO")
    assert told["sql.crm.url"] == ("sql://me:***@h", "routekit.toml:10")
    assert "hunter2" not in done.said
    some = routekit("config", "show", "--origin", "routekit.retries", "values.WHO").out.split("\n")
    assert [line.split() for line in some if line] == [
        ["setting", "value", "origin"],
        ["routekit.retries", "1", "routekit.toml:3"],
        ["values.WHO", "world", "routekit.toml:6"],
    ]


def test_a_profile_before_the_command_and_after_it(routekit: Command) -> None:
    """And by the environment; the last one said wins."""
    routekit.write("routekit.toml", SETTINGS)
    routekit.write("routekit.a.toml", "[values]\nWHO = 'ann'\n")
    routekit.write("routekit.b.toml", "[values]\nWHO = 'bob'\n")
    routekit.write(
        "routes/r.py", "from routekit import from_\nr = from_('timer:t?every=10ms&repeat=1').to('log:${WHO}')\n"
    )
    assert "r.r: ann: 1" in routekit("--profile", "a", "run").said
    assert "r.r: bob: 1" in routekit("--profile", "a", "serve", "--profile", "b").said
    assert "r.r: bob: 1" in routekit("run", ROUTEKIT_PROFILE="b").said
    wrong = routekit("serve", "--profile", "c")
    assert wrong.code == 2
    assert wrong.err == "error: there is no profile 'c'\n  known: a, b; make routekit.c.toml\n"


def test_what_is_wrong_is_told_before_anything_runs(routekit: Command) -> None:
    """By `config check` and by `serve`, with the line of the setting; tables that nobody reads only by the first."""
    routekit.write("routekit.toml", SETTINGS + 'pool = "${file:/nowhere/pool}"\n[sqll.x]\na = 1\n')
    routekit.write("routes/r.py", "from routekit import from_\nr = from_('timer:t?every=10ms&repeat=1').to('log:x')\n")
    checked, served = routekit("config", "check"), routekit("serve")
    assert (checked.code, served.code) == (2, 2)
    secret = "routekit.toml:11: [sql.crm] pool: the secret ${file:/nowhere/pool}: there is no file /nowhere/pool\n"
    assert secret in checked.err
    assert secret in served.err
    assert "nothing was started" in served.err
    assert "routekit.toml:13: nobody reads the table [sqll]\n    did you mean 'sql'?\n" in checked.err
    assert [one["place"] for one in routekit("config", "check", "--json").json["problems"]] == [
        "routekit.toml:11",
        "routekit.toml:13",
    ]


def test_settings_that_are_fine(routekit: Command) -> None:
    """Say which files they are, and which profiles there are besides."""
    assert routekit("config", "check").out == "no file: no problems\n"
    routekit.write("routekit.toml", SETTINGS + "[profile.a.routekit]\nretries = 0\n")
    routekit.write("routekit.b.toml", "")
    assert routekit("config", "check").out == "routekit.toml: no problems; other profiles: a, b\n"
    both = routekit("config", "check", "--profile", "b")
    assert both.out == "routekit.toml, routekit.b.toml: no problems; other profiles: a\n"


def test_a_secret_is_nowhere(routekit: Command) -> None:
    """Not in the log of a route that fails with it, not in `config show`, and not in a letter's reason."""
    routekit.write("secret", "swordfish-4711\n").chmod(0o600)
    routekit.write("routekit.toml", f'[values]\nHARMLESS = "${{file:{routekit.folder}/secret}}"\n')
    routekit.write(
        "routes/r.py",
        "from routekit import from_\n"
        "def failing(body):\n    raise ValueError('no way to ${HARMLESS} and swordfish-4711')\n"
        "r = from_('timer:t?every=10ms&repeat=1').log('at swordfish-4711').to('mock:${HARMLESS}').transform(failing)\n",
    )
    done = routekit("run")
    assert done.code == 1, done.said
    assert "r.r: at ***" in done.said
    everything = [done, *(routekit(*words.split()) for words in ("config show --origin", "letters list", "check -v"))]
    assert not [one.said for one in everything if "swordfish" in one.said]
