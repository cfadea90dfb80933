#!/bin/sh
# loopback.sh CMD...: runs CMD in a network namespace of its own, in which there is loopback and nothing else.
#
# The suites run the official SDK, which knows the addresses of the service it was written for; here it can reach
# none of them. The exit code is CMD's. Whatever CMD has started and left behind is ended with it.
set -eu

fail() {
	echo "loopback.sh: $*" >&2
	exit 125
}

lo_is_up() {
	grep -q '127\.0\.0\.1' /proc/net/fib_trie 2>/dev/null
}

# The flags of an interface by the ioctl that ip and ifconfig use, for a machine that has neither.
lo_up_by_perl() {
	perl -e '
		socket(my $s, 2, 2, 0) or exit 1;
		my $request = pack("a16 s x22", "lo", 1);
		exit(ioctl($s, 0x8914, $request) ? 0 : 1);'
}

lo_up_by_python() {
	python3 -c '
import fcntl, socket, struct
fcntl.ioctl(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0x8914, struct.pack("16sh22x", b"lo", 1))'
}

bring_lo_up() {
	for way in "ip link set lo up" "ifconfig lo up" lo_up_by_perl lo_up_by_python "busybox ip link set lo up"; do
		$way 2>/dev/null || true
		if lo_is_up; then return; fi
	done
	fail "cannot bring the loopback interface up: install iproute2"
}

# Everything that lives in this namespace was started by CMD. A second round is for what was being started in the first.
end_the_rest() {
	own=$(readlink /proc/self/ns/net)
	for signal in TERM KILL KILL; do
		left=
		for dir in /proc/[0-9]*; do
			pid=${dir#/proc/}
			if [ "$pid" != "$$" ] && [ "$(readlink "$dir/ns/net" 2>/dev/null)" = "$own" ] &&
				kill -"$signal" "$pid" 2>/dev/null; then left=$pid; fi
		done
		if [ -z "$left" ]; then return; fi
		sleep 0.3
	done
}

inside() {
	bring_lo_up
	"$@" <&0 &
	child=$!
	trap 'kill -TERM "$child" 2>/dev/null || true' INT TERM HUP
	code=0
	wait "$child" || code=$?
	while kill -0 "$child" 2>/dev/null; do # a signal to this script ends a wait early
		code=0
		wait "$child" || code=$?
	done
	trap '' INT TERM HUP
	end_the_rest
	exit "$code"
}

if [ "${1-}" = --inside ]; then
	shift
	inside "$@"
fi
[ $# -gt 0 ] || fail "usage: scripts/loopback.sh CMD..."
[ "$(uname -s)" = Linux ] || fail "needs Linux: network namespaces are its own"
command -v unshare >/dev/null || fail "unshare not found: install util-linux"
if [ "$(id -u)" = 0 ]; then as="-n"; else as="-rn"; fi
unshare "$as" true 2>/dev/null || fail "unshare $as is not allowed here: run as root, or allow unprivileged user namespaces" \
	"(sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0; in a container: CAP_SYS_ADMIN)"
exec unshare "$as" -- "$0" --inside "$@"
