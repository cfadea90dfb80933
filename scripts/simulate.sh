#!/usr/bin/env bash
# Runs the simulator of internal/status on the seeds from 1 on, in slices. Where it is
# interrupted the next run goes on with the slice that was cut short, as long as the
# test binary is the same: a file under the user's cache directory remembers.
#
#   scripts/simulate.sh COUNT [SLICE]     (such as 1000000; a slice is 10000)
#
# A slice that fails is run anew the next time.
set -euo pipefail
cd "$(dirname "$0")/.."
count=$1
slice=${2:-10000}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
go test -c -o "$scratch/simulate" ./internal/status
kept=${XDG_CACHE_HOME:-$HOME/.cache}/porchlight/simulate
mkdir -p "$kept"
state=$kept/$(sha256sum "$scratch/simulate" | cut -c 1-16)
next=1
if [[ -s $state ]]; then next=$(<"$state"); fi
if ((next > 1)); then echo "simulate: seeds 1 to $((next - 1)) are done, by this binary"; fi

cd internal/status
while ((next <= count)); do
	last=$((next + slice - 1 < count ? next + slice - 1 : count))
	PORCHLIGHT_SEED=$next-$last "$scratch/simulate" -test.run '^TestSimulate$' -test.v -test.timeout 30m >"$scratch/log" 2>&1 || {
		cat "$scratch/log"
		echo "simulate: a violation in seeds $next to $last" >&2
		exit 1
	}
	sed -n 's/^ *simulate_test.go:[0-9]*: //p' "$scratch/log"
	next=$((last + 1))
	echo "$next" >"$state.new"
	mv "$state.new" "$state"
done
echo "simulate: seeds 1 to $count, 0 violations"
