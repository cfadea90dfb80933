#!/usr/bin/env bash
# Runs one step of a longer job under a heading and says how long it took.
# Usage: scripts/step.sh HEADING COMMAND [ARGUMENT]...
set -u
heading=$1
shift
printf '\n== %s\n' "$heading"
start=$SECONDS
"$@"
code=$?
if [ "$code" -ne 0 ]; then
	printf '== %s: FAILED after %d s (exit code %d)\n' "$heading" "$((SECONDS - start))" "$code" >&2
	exit "$code"
fi
printf '== %s: %d s\n' "$heading" "$((SECONDS - start))"
