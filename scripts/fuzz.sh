#!/usr/bin/env bash
# Runs every fuzz target of the module, each for the given time, and stops at the first that fails.
# Go keeps a failing input under the package's testdata/fuzz: commit it with the fix.
# Usage: scripts/fuzz.sh TIME     (as of go test -fuzztime: 5s, 10m)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
time=$1
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Before Go 1.27 a run that finds nothing can fail as its time is up (go.dev/issue/75804). It has then
# kept no failing input and says nothing but this.
only_out_of_time() {
	! grep -q -e 'Failing input written' -e '^panic:' "$log" && grep -qx '    context deadline exceeded' "$log"
}

list=$(go test -list '^Fuzz' ./...) || {
	printf '%s\n' "$list"
	exit 1
}
# The listing names a package's targets and then, after "ok", the package.
targets=$(awk '/^Fuzz/ { names[++n] = $1 } /^ok/ { for (i = 1; i <= n; i++) print $2, names[i]; n = 0 }' <<<"$list")
if [ -z "$targets" ]; then
	echo "no fuzz targets"
	exit 0
fi

count=0
while read -r package target; do
	if ! go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package" >"$log" 2>&1 </dev/null && ! only_out_of_time; then
		cat "$log"
		echo "fuzz: $target in $package failed" >&2
		exit 1
	fi
	execs=$(grep -o 'execs: [0-9]*' "$log" | tail -n 1 || true)
	printf '%s: %s in %s\n' "$target" "${execs:-execs: 0}" "$time"
	grep '^ok' "$log" || true
	count=$((count + 1))
done <<<"$targets"
echo "fuzzed $count targets for $time each"
