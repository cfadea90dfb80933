#!/usr/bin/env bash
# Makes this machine ready for `make test`. On Debian and Ubuntu it installs what is missing; elsewhere it says what
# to install. What stays missing leaves suites out: it says so in a banner that `make` prints again at its end, and
# with CI=true it is an error.
#
#   scripts/setup.sh            install and report
#   scripts/setup.sh -check     only print the banner; nothing where nothing is missing
#   scripts/setup.sh -has NAME  exit 0 if NAME (web, loopback, chromium, race, postgres) is there, and print nothing
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.."

node_wanted=20 # the oldest major version that the tests' packages run on

# Whether a part is there. It must stay quick: make asks before each step that needs one.
has() {
	case $1 in
	go) command -v go >/dev/null && go env GOVERSION >/dev/null 2>&1 ;; # in this folder it holds go.mod's version against it
	make | git) command -v "$1" >/dev/null ;;
	race) command -v "$(go env CC 2>/dev/null || echo cc)" >/dev/null ;;
	node) command -v node >/dev/null && [ "$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)" -ge "$node_wanted" ] ;;
	web) has node && command -v npm >/dev/null ;;
	loopback) command -v unshare >/dev/null && command -v ip >/dev/null && { unshare -n true || unshare -rn true; } 2>/dev/null ;;
	postgres) scripts/postgres.sh -has ;;
	chromium) command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null ;;
	*) echo "scripts/setup.sh: no part is called $1" >&2 && exit 2 ;;
	esac
}

# What each part is for, and so what is left out without it.
left_out() {
	case $1 in
	go) echo "EVERYTHING: install Go $(awk '$1 == "go" { print $2 }' go.mod) or newer from https://go.dev/dl/" ;;
	make) echo "make itself" ;;
	git) echo "the version that a build carries" ;;
	race) echo "the race detector: the Go tests run without it (a C compiler is missing)" ;;
	web) echo "the official SDK's suite, the TypeScript checks and the example (Node $node_wanted or newer with npm: https://nodejs.org/)" ;;
	loopback) echo "the official SDK's suite and the latency figures: they run where no network but loopback exists (unshare, ip, and leave to use them)" ;;
	chromium) echo "the official SDK's suite in a browser" ;;
	postgres) echo "the store and the server on PostgreSQL (initdb and postgres of release 14 or newer, and setpriv)" ;;
	esac
}

packages_of() {
	case $1 in
	make | git | chromium) echo "$1" ;;
	race) echo "gcc libc6-dev" ;;
	web) echo "nodejs npm" ;;
	loopback) echo "iproute2 util-linux" ;;
	postgres) echo "postgresql util-linux" ;;
	esac
}

missing() {
	local part
	for part in go make git race web loopback chromium postgres; do
		has "$part" || echo "$part"
	done
}

banner() {
	local part
	[ $# -gt 0 ] || return 0
	echo
	echo "######################################################################"
	echo "#  LEFT OUT ON THIS MACHINE. A pass does not speak for these:"
	for part in "$@"; do
		echo "#    without $part: $(left_out "$part")"
	done
	if [ "$(uname -s)" = Linux ]; then
		echo "#  scripts/setup.sh installs them on Debian and Ubuntu."
	else
		echo "#  Install them by hand; what needs unshare and ip runs on Linux only."
	fi
	echo "######################################################################"
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		echo "setup: not root, and no sudo here; run as root: $*" >&2
		return 1
	fi
}

# One part at a time, so that a package which this release lacks stops no other.
install() {
	local part packages
	as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q || echo "setup: could not refresh the package lists" >&2
	for part in "$@"; do
		packages=$(packages_of "$part")
		[ -n "$packages" ] || continue
		echo "setup: installing $packages"
		# shellcheck disable=SC2086 # several packages are several words
		as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $packages ||
			echo "setup: could not install $packages" >&2
	done
}

case ${1-} in
-has)
	has "$2"
	exit
	;;
-check) ;;
'')
	lacking=$(missing)
	if [ -z "$lacking" ]; then
		echo "setup: Go $(go env GOVERSION | sed 's/^go//'), Node $(node --version), C compiler, Chromium, PostgreSQL, unshare, ip: all there"
		exit 0
	fi
	echo "setup: missing here: $(echo $lacking)"
	if command -v apt-get >/dev/null; then
		# shellcheck disable=SC2086 # one word a part
		install $lacking
	fi
	;;
*)
	echo "usage: scripts/setup.sh [-check | -has NAME]" >&2
	exit 2
	;;
esac

lacking=$(missing)
# shellcheck disable=SC2086 # one word a part
banner $lacking
if [ -n "$lacking" ] && { [ "${CI-}" = true ] || ! has go; }; then
	echo "setup: with CI=true, and for Go always, this is an error" >&2
	exit 1
fi
exit 0
