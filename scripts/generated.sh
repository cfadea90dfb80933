#!/usr/bin/env bash
# Generates sqlc's code anew beside the tree and compares: what is committed must be what its SQL says.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[ -f internal/store/sqlc.yaml ] || exit 0
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
cp -R internal/store/. "$fresh"
rm -rf "$fresh/sqlc"
CGO_ENABLED=0 go tool -modfile=tools.mod sqlc generate -f "$fresh/sqlc.yaml"
diff -r internal/store/sqlc "$fresh/sqlc" || {
	echo "internal/store/sqlc is not what its queries generate: run make generate and commit the outcome" >&2
	exit 1
}
