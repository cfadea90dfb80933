#!/usr/bin/env bash
# Runs a command beside a PostgreSQL server of its own, whose address PORCHLIGHT_TEST_POSTGRES gives it. The server has
# its data and its socket in a temporary directory and no port; it ends, and the directory goes, when the command ends
# or this script does, however that is. A server that dies meanwhile is started again: tests kill it, by
# PORCHLIGHT_TEST_POSTGRES_PID.
# Usage: scripts/postgres.sh COMMAND [ARGUMENT]...     the exit code is the command's
#        scripts/postgres.sh -has                      exit 0 if this machine has what that needs
set -euo pipefail

# Debian keeps the programs of each release in a directory of their own.
bin=
for dir in "$(dirname "$(readlink -f "$(command -v initdb || echo /none/initdb)")")" $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -Vr); do
	[ ! -x "$dir/initdb" ] || [ ! -x "$dir/postgres" ] || { bin=$dir && break; }
done

# PostgreSQL refuses to run as root.
as=(setpriv --pdeathsig QUIT --)
user=$(id -un)
if [ "$(id -u)" = 0 ]; then
	for user in postgres nobody; do
		! id "$user" >/dev/null 2>&1 || break
	done
	as=(setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups --pdeathsig QUIT --)
fi

if [ "${1-}" = -has ]; then
	[ -n "$bin" ] && command -v setpriv >/dev/null
	exit
fi
# Keeps a server running until it is told to end, which it also is when the script that started it has died. What is
# acknowledged must survive, so fsync stays on. The socket is the only way in.
serve() {
	local server= over=
	trap 'over=1; [ -z "$server" ] || kill -QUIT "$server" 2>/dev/null || true' TERM
	trap '' INT HUP
	while [ -z "$over" ]; do
		"${as[@]}" "$bin/postgres" -D "$dir/data" -k "$dir" -c listen_addresses= \
			-c max_connections=300 -c shared_buffers=64MB -c max_wal_size=512MB </dev/null >>"$dir/log" 2>&1 &
		server=$!
		echo "$server" >"$dir/pid.new" && mv "$dir/pid.new" "$dir/pid"
		[ -z "$over" ] || kill -QUIT "$server" 2>/dev/null || true # told so before there was a server to tell
		wait "$server" || wait "$server" || true                   # the first is cut short by the trap
		[ -n "$over" ] || sleep 0.1
	done
	rm -rf "$dir"
}
if [ "${1-}" = --serve ]; then
	dir=$2
	serve
	exit
fi

[ $# -gt 0 ] || {
	echo "usage: scripts/postgres.sh COMMAND [ARGUMENT]... | -has" >&2
	exit 2
}
[ -n "$bin" ] || {
	echo "postgres.sh: there is no PostgreSQL server here: install Debian's postgresql, or run scripts/setup.sh" >&2
	exit 1
}

dir=$(mktemp -d "${TMPDIR:-/tmp}/porchlight-postgres.XXXXXX")
chown "$user:" "$dir"
supervisor=
command=

end() {
	trap '' INT TERM HUP
	[ -z "$command" ] || kill -TERM "$command" 2>/dev/null || true
	[ -z "$supervisor" ] || kill -TERM "$supervisor" 2>/dev/null || true
	[ -z "$supervisor" ] || wait "$supervisor" 2>/dev/null || true
	rm -rf "$dir"
}
trap end EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

"${as[@]}" "$bin/initdb" -D "$dir/data" -U porchlight -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$dir/initdb.log" 2>&1 || {
	cat "$dir/initdb.log" >&2
	exit 1
}

setpriv --pdeathsig TERM -- "$0" --serve "$dir" 2>>"$dir/log" &
supervisor=$!

ready=
for ((i = 0; i < 600; i++)); do
	! "$bin/pg_isready" -q -h "$dir" -d postgres || { ready=1 && break; }
	kill -0 "$supervisor" 2>/dev/null || break
	sleep 0.05
done
[ -n "$ready" ] || {
	echo "postgres.sh: the server did not start in 30 s" >&2
	cat "$dir/log" >&2
	exit 1
}

export PORCHLIGHT_TEST_POSTGRES="postgres://porchlight@/postgres?host=$dir"
export PORCHLIGHT_TEST_POSTGRES_PID="$dir/pid"
"$@" <&0 &
command=$!
code=0
wait "$command" || code=$?
command=
exit "$code"
