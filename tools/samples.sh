#!/usr/bin/env bash
# Puts sample leads into the drop folders, once: the first `make serve` has something to do, later ones leave your data alone.
set -euo pipefail
cd "$(dirname "$0")/.."
drop=data/leads

if [ -e "$drop/.samples" ]; then exit 0; fi
for samples in examples/data/leads/*/; do
    [ -d "$samples" ] || continue
    folder="$drop/$(basename "$samples")"
    mkdir -p "$folder"
    if [ -n "$(ls -A "$folder")" ]; then continue; fi
    cp "$samples"* "$folder/"
    echo "Sample leads are in $folder"
done
mkdir -p "$drop"
touch "$drop/.samples"
