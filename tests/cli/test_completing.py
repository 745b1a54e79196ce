"""Shell completion: the script of bash in a real bash, and what all shells are answered."""

import shutil
import subprocess
from typing import Any

import pytest

ROUTES = """
print("a module that talks")
from routekit import from_

leads = from_("timer:l").to("log:x")
letters = from_("timer:l").to("log:x")
orders = from_("timer:o").to("log:x")
"""
ASK = """
eval "$(routekit completion bash)"
ask() {
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
    _routekit_completion routekit
    echo "${COMPREPLY[@]}"
}
"""


def asked(routekit: Any, shell: str, words: str, **environ: str) -> list[str]:
    """What a shell is answered for what has been typed."""
    done = routekit(
        _ROUTEKIT_COMPLETE=f"complete_{shell}",
        COMP_WORDS=words,
        COMP_CWORD=str(len(words.split()) - (0 if words.endswith(" ") else 1)),
        _TYPER_COMPLETE_ARGS=words,
        _TYPER_COMPLETE_FISH_ACTION="get-args",
        **environ,
    )
    assert done.err == ""
    return [line for line in done.out.splitlines() if line]


def test_bash(routekit: Any) -> None:
    """In bash commands, options, choices and names of routes are completed, by the script that is printed."""
    bash = shutil.which("bash")
    assert bash is not None
    routekit.write("routes/shop.py", ROUTES)
    lines = ["ask routekit rec", "ask routekit letters list --route shop.le", "ask routekit ps --js"]
    done = subprocess.run(
        [bash, "--norc", "-c", "\n".join([ASK, *lines])],
        cwd=routekit.folder,
        env=routekit.environ | {"PATH": f"{routekit.script.parent}:{routekit.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert (done.stdout.splitlines(), done.stderr) == (["receive", "shop.leads shop.letters", "--json"], "")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("routekit pause shop.l", ["shop.leads", "shop.letters"]),
        ("routekit explain-errors ", ["shop.leads", "shop.letters", "shop.orders"]),
        ("routekit serve other --route ", ["b.x"]),
        ("routekit send tim", ["timer:"]),
        ("routekit completion f", ["fish"]),
        ("routekit breaker open ", []),
    ],
)
def test_what_is_offered(routekit: Any, words: str, expected: list[str]) -> None:
    """Names come from the folder where no daemon runs; modules that print or are broken disturb nobody."""
    routekit.write("routes/shop.py", ROUTES)
    routekit.write("routes/broken.py", "1 / 0\n")
    routekit.write("other/b.py", 'from routekit import from_\nx = from_("timer:x").log("x")\n')
    assert asked(routekit, "bash", words) == expected


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells(routekit: Any, shell: str) -> None:
    """zsh and fish are answered in their own way, and their scripts ask for it."""
    routekit.write("routes/shop.py", ROUTES)
    told = "\n".join(asked(routekit, shell, "routekit pause shop.le"))
    assert "shop.leads" in told
    assert "shop.orders" not in told
    script = routekit("completion", shell).out
    assert f"_ROUTEKIT_COMPLETE=complete_{shell}" in script


def test_an_unknown_shell(routekit: Any) -> None:
    """A shell that there is no script for is exit code 2, with those that there are."""
    done = routekit("completion", "tcsh")
    assert done.code == 2
    assert "'bash', 'zsh', 'fish'" in done.err
