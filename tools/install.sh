#!/usr/bin/env bash
# Makes .venv and installs what is needed into it: `tools/install.sh serve`, `... test` or `... bench`.
# When nothing changed since the last time it does nothing, in some milliseconds.
set -euo pipefail
cd "$(dirname "$0")/.."
want=$1

# The place belongs to the state: scripts in .venv/bin and editable installs hold absolute paths.
state="$(pwd) $(cat pyproject.toml plugins/*/pyproject.toml constraints.txt tools/requirements.py | cksum)"
# A real system that tests talk to needs a newer Python than Debian 12 has.
newer() {
    local candidate
    for candidate in python3 python3.12 python3.13 python3.14 "${PYENV_ROOT:-${HOME:-/root}/.pyenv}"/versions/3.1[2-9].*/bin/python; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1; then return; fi
    done
    return 1
}
# Tests of plugins start servers of their own. What is missing of their programs comes from Debian, whose own services are
# not started; where that cannot be, the tests say so. The folders are those of Debian that are on no path.
servers() {
    local wanted=()
    has() { PATH="$PATH:/usr/sbin:$(echo /usr/lib/postgresql/*/bin | tr ' ' :)" command -v "$1" >/dev/null; }
    has initdb || wanted+=(postgresql)
    has mariadbd || wanted+=(mariadb-server)
    has rabbitmq-server || wanted+=(rabbitmq-server)
    has openssl || wanted+=(openssl)
    has curl || wanted+=(curl)
    has chromium || wanted+=(chromium)
    if ! newer && { apt-cache show python3.13-venv || ! ls /var/lib/apt/lists/*_Packages; } >/dev/null 2>&1; then
        wanted+=(python3.13-venv)
    fi
    [ ${#wanted[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "Tests need: ${wanted[*]}. Install them, on Debian and Ubuntu with 'sudo apt-get install ${wanted[*]}'." >&2
        return 0
    fi
    echo "Installing ${wanted[*]} ..."
    local policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' > "$policy"
        chmod +x "$policy"
        trap "rm -f $policy" EXIT
    fi
    apt-get update -qq || true
    local one  # each by itself: one that this distribution does not have is not to keep the others away
    for one in "${wanted[@]}"; do
        DEBIAN_FRONTEND=noninteractive \
            apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "$one" >/dev/null 2>&1 ||
            echo "Could not install $one: the tests that need it will say so." >&2
    done
}
if [ "$want" != serve ]; then servers; fi

installed() { [ -x .venv/bin/python ] && [ "$(cat ".venv/.installed-$1" 2>/dev/null)" = "$state" ]; }
# The systems that connectors are tested on, each in an environment of its own; what cannot be had, the tests say.
real() {
    if [ "$want" = serve ]; then return; fi
    local folder=plugins/routekit-connectors/src/routekit_connectors/testing made
    made="$(find "$folder" -name '*.pyc' -prune -o -type f -print | sort | xargs cat | cksum)"
    if [ "$(cat .venv/real/.made 2>/dev/null)" = "$made" ]; then return; fi
    echo "Installing Tryton, BottleCRM and Roundup, which takes two minutes ..."
    if .venv/bin/python -m routekit_connectors.testing.installing; then echo "$made" > .venv/real/.made; fi
}
# Each has what the ones before it have.
for more in $(echo "serve test bench" | grep -oE "$want.*"); do if installed "$more"; then real; exit 0; fi; done

usable() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

interpreter() {
    local candidate
    for candidate in ${PYTHON:-python3.14 python3.13 python3.12 python3.11 python3}; do
        if usable "$candidate"; then command -v "$candidate" && return; fi
    done
    return 1
}

# Debian's python3 comes without venv and ensurepip.
if ! interpreter >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing python3-venv ..."
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null
fi
if ! python="$(interpreter)"; then
    echo "No Python 3.11 or newer with the modules venv and ensurepip (looked for ${PYTHON:-python3.14 ... python3.11, python3})." >&2
    echo "Install one, on Debian and Ubuntu with 'sudo apt-get install python3-venv', or name one: make PYTHON=/path/to/python3.12 ..." >&2
    exit 1
fi

moved() { [ -e .venv/.place ] && [ "$(cat .venv/.place)" != "$(pwd)" ]; }
if moved || ! usable .venv/bin/python || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    echo "Making .venv with $("$python" --version) ..."
    "$python" -m venv --clear .venv
fi
pwd > .venv/.place

echo "Installing what 'make $want' needs ..."
rm -f .venv/.installed-*
pip() { .venv/bin/python -m pip --disable-pip-version-check --no-input --quiet "$@"; }
gone="$(.venv/bin/python tools/requirements.py gone)"
if [ -n "$gone" ]; then pip uninstall --yes $gone; fi
.venv/bin/python tools/requirements.py "$want" > .venv/requirements.txt
# The build backend comes first, once: with build isolation pip would install it anew for every distribution.
pip install -c constraints.txt hatchling editables
pip install -c constraints.txt --no-build-isolation -r .venv/requirements.txt
echo "$state" > ".venv/.installed-$want"
real
