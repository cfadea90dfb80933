#!/usr/bin/env bash
# Seeded defects: each patch of testdata/defects is a small deliberate bug. Its
# first line is the go command that must notice it, its second says what is wrong.
# Each is applied to a copy of the tree, in which that command must then fail.
#
#   scripts/defects.sh          all of them
#   scripts/defects.sh 5        five, others with each commit
#   scripts/defects.sh NAME...  those whose file names hold one of the texts
#
# A patch that does not apply, a copy that does not compile and a command that
# finds no test are errors: mend the patch with the code. See docs/testing.md.
set -euo pipefail
cd "$(dirname "$0")/.."

patches=(testdata/defects/*.patch)
chosen=()
if [[ $# -eq 1 && $1 =~ ^[0-9]+$ ]]; then
	# A shallow clone counts few commits: then the day turns the wheel.
	turn=$(($(git rev-list --count HEAD 2>/dev/null || echo 0) + $(date +%j | sed 's/^0*//')))
	for ((i = 0; i < $1; i++)); do
		chosen+=("${patches[$(((turn * $1 + i) % ${#patches[@]}))]}")
	done
elif [[ $# -gt 0 ]]; then
	for patch in "${patches[@]}"; do
		for name in "$@"; do
			if [[ ${patch##*/} == *"$name"* ]]; then chosen+=("$patch"); fi
		done
	done
else
	chosen=("${patches[@]}")
fi
if [[ ${#chosen[@]} -eq 0 ]]; then
	echo "defects: no patch of that name in testdata/defects" >&2
	exit 1
fi

here=$PWD
scratch=$(mktemp -d)
export GIT_CEILING_DIRECTORIES=$scratch # it is no repository
trap 'rm -rf "$scratch"' EXIT
cp -R go.mod go.sum cmd internal testdata spec "$scratch"
if [[ -d client ]]; then cp -R client "$scratch"; fi

escaped=0
complain() {
	echo "defects: $1: $2" >&2
	escaped=$((escaped + 1))
}
for patch in "${chosen[@]}"; do
	name=$(basename "$patch" .patch)
	command=$(sed -n 1p "$patch")
	if [[ $command != "go test ./"*" -run '"*"'" ]]; then
		complain "$name" "the first line is no go test ./package -run 'Test', but: $command"
		continue
	fi
	arguments=${command#go test }
	package=${arguments%% *}
	tests=${arguments#* -run \'}
	tests=${tests%\'}
	if ! out=$(cd "$scratch" && git apply - <"$here/$patch" 2>&1); then
		complain "$name" "does not apply any more: $out"
		continue
	fi
	if out=$(cd "$scratch" && go test -count=1 -timeout 120s "$package" -run "$tests" 2>&1); then
		complain "$name" "NOT CAUGHT by $command"
	elif ! grep -q -e '--- FAIL' -e '^panic: ' <<<"$out"; then
		complain "$name" "no test failed, something else did: $(tail -5 <<<"$out")"
	else
		echo "caught $name: $(sed -n 2p "$patch")"
	fi
	(cd "$scratch" && git apply -R - <"$here/$patch")
done
echo "defects: ${#chosen[@]} tried, $((${#chosen[@]} - escaped)) caught, of ${#patches[@]}"
[[ $escaped -eq 0 ]]
