#!/usr/bin/env bash
# Builds the server, starts it for development with an example application on it, and says what to do next. Ctrl-C
# ends both. PORT and EXAMPLE_PORT take the place of 7800 and 7801, DATA that of porchlight-data.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
port=${PORT:-7800}
example_port=${EXAMPLE_PORT:-7801}
data=${DATA:-porchlight-data}
example=examples/web-status
server_pid=
example_pid=
ready=

die() {
	printf '\nmake run: %s\n' "$1" >&2
	exit 1
}

# Ends what this script started, and nothing else. The second Ctrl-C does not wait.
stop() {
	trap 'kill -KILL $server_pid $example_pid 2>/dev/null' INT TERM
	for pid in $server_pid $example_pid; do
		kill -TERM "$pid" 2>/dev/null || true
	done
	for pid in $server_pid $example_pid; do
		while kill -0 "$pid" 2>/dev/null; do
			wait "$pid" || true
		done
	done
	rm -f "$ready"
}

need_port() { # number, what for, variable
	if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then
		who=$(ss -Hltnp "sport = :$1" 2>/dev/null | grep -o '"[^"]*",pid=[0-9]*' | head -n 1 || true)
		die "port $1, for $2, is in use${who:+ by $who}. End that, or take another: make run $3=$(($1 + 10))"
	fi
}

scripts/setup.sh -has go || die "this needs Go $(awk '$1 == "go" { print $2 }' go.mod) or newer: https://go.dev/dl/"
need_port "$port" 'the server' PORT
echo "Building the server; the first time this takes a minute or two."
"${MAKE:-make}" -s build || die 'the server does not build; the reason stands above'

left_out=
if ! scripts/setup.sh -has web; then
	left_out='it needs Node 20 or newer with npm (https://nodejs.org/)'
elif ! scripts/npm.sh "$example"; then
	left_out='npm could not install what it needs; the reason stands above'
fi
[ -n "$left_out" ] || need_port "$example_port" 'the example' EXAMPLE_PORT

trap 'exit 0' INT TERM
trap stop EXIT
ready=$(mktemp)
bin/porchlight serve -dev -listen "127.0.0.1:$port" -data "$data" >"$ready" &
server_pid=$!
for ((i = 0; i < 300; i++)); do
	[ ! -s "$ready" ] || break
	kill -0 "$server_pid" 2>/dev/null || die 'the server did not start; what it says stands above'
	sleep 0.1
done
[ -s "$ready" ] || die 'the server was not ready in 30 s'

if [ -f internal/console/demo/dist/chat.js ]; then
	echo "Open   http://127.0.0.1:$port/demo/    two phones side by side on our SDK: set a status, pull the plug"
fi
if [ -z "$left_out" ]; then
	node "$example/server.mjs" --port "$example_port" --data "$data" >/dev/null &
	example_pid=$!
	echo "Open   http://127.0.0.1:$example_port/         the same on the official SDK: an application's own page and back end"
else
	echo "LEFT OUT: the example, for $left_out. The server runs."
fi
cat <<EOT
Your own page: give the official SDK  proxyServer: 'ws://127.0.0.1:$port'  beside the SDKAppID above; a user logs in with
       bin/porchlight usersig -data $data alice
Many at once:
       go run ./cmd/loadgen -dev $data/dev.json -n 1000 -pid $server_pid
Ctrl-C ends it all. What is stored stays in $data.
EOT
wait "$server_pid" || die "the server ended with exit code $?"
