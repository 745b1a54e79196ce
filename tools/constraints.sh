#!/usr/bin/env bash
# Rewrites constraints.txt: resolves every distribution with all extras, the routes' needs and the tools in a clean venv.
# Resolved on the oldest Python that is supported, so that every version exists for all newer ones.
set -euo pipefail
cd "$(dirname "$0")/.."
python="${PYTHON:-python3.11}"
room="$(mktemp -d)"
trap 'rm -rf "$room"' EXIT

"$python" -m venv "$room/venv"
pip() { "$room/venv/bin/python" -m pip --disable-pip-version-check --no-input "$@"; }
"$python" tools/requirements.py bench > "$room/requirements.txt"
pip install --quiet -r "$room/requirements.txt"
{
    echo "# Exact versions that the project is tested with; 'make serve' and 'make test' install no others."
    echo "# Made by 'make constraints' with $("$python" -c 'import sys; print("Python %d.%d" % sys.version_info[:2])'). Not edited by hand: what is needed is in the pyproject.toml files."
    # Names and versions only; what pip freezes with a marker of one platform has none of ours.
    pip freeze --exclude-editable | grep -E '^[A-Za-z0-9._-]+==[^ ]+$' | LC_ALL=C sort -f
} > "$room/constraints.txt"
mv "$room/constraints.txt" constraints.txt
echo "constraints.txt: $(grep -c == constraints.txt) packages"
