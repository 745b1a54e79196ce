"""What the command loads before it knows what is asked: everybody waits for that, at each Tab too."""

import subprocess
import sys

from routekit.cli.commands import COMMANDS, commands

LATER = {
    "asyncio",
    "http.client",
    "jinja2",
    "keyring",
    "playwright",
    "pytest",
    "routekit.control.client",
    "routekit.lettering.trying",
    "routekit.operating.sights",
    "routekit.simulate.simulation",
    "routekit.testing",
    "routekit.web.app",
    "ssl",
    "starlette",
    "trio",
    "uvicorn",
    "watchfiles",
}
"""What takes long to load, and what only some commands need."""


def test_nothing_is_loaded_too_early() -> None:
    """Loading all commands loads nothing that only some of them need."""
    code = "import sys; from routekit.cli.commands import commands; commands(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert LATER & set(done.stdout.split()) == set()


def test_the_list_of_commands_loads_none() -> None:
    """Whoever asks what there is waits for no command; whoever asks for one waits for that alone."""
    code = (
        "import sys; sys.argv = ['routekit', *{words}]; from routekit.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(*[name for name in sys.modules if name.startswith('routekit.cli.')])"
    )

    def loaded(*words: str) -> set[str]:
        run = [sys.executable, "-c", code.format(words=words)]
        done = subprocess.run(run, capture_output=True, text=True, check=True)
        return {name.removeprefix("routekit.cli.") for name in done.stdout.splitlines()[-1].split()}

    assert loaded("--help") == {"app", "commands"}
    assert "simulating" not in loaded("plugins", "--help")


def test_every_command_is_in_the_list() -> None:
    """What is listed is there, from the modules that the list names, and nothing is there besides."""
    there = commands()
    assert set(there) == set(COMMANDS)
    for name, listed in COMMANDS.items():
        inner = getattr(there[name], "commands", {}).values()
        homes = {one.callback.__module__.removeprefix("routekit.cli.") for one in inner or [there[name]]}
        assert homes == set(listed.modules.split()), name
