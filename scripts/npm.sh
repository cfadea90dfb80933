#!/usr/bin/env bash
# Installs what a folder's package-lock.json lists, unless exactly that is installed already.
# Usage: scripts/npm.sh FOLDER
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
dir=$1
[ -f "$dir/package-lock.json" ] || exit 0 # it depends on nothing
stamp=$dir/node_modules/.installed
want="$(node --version) $(cksum <"$dir/package-lock.json")"
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ]; then
	exit 0
fi
echo "npm: installing what $dir/package-lock.json lists"
npm ci --prefix "$dir" --no-audit --no-fund
printf '%s\n' "$want" >"$stamp"
