package main

import (
	"flag"
	"fmt"
)

// secretEnv is where the key may stand, since every user of the machine can read
// a command line.
const secretEnv = "PORCHLIGHT_SECRET_KEY" //nolint:gosec // G101: a name

const help = `Loadgen opens many sessions against a Porchlight server on this machine and reports what that cost, and whether every
session was told all that it had to be told.

    porchlight serve -dev -data /tmp/x &

Memory and processor time of idle sessions, each watching 20 others:
    loadgen -dev /tmp/x -n 5000 -watch 20 -pid $!
Status changes, paced evenly; each is told to the 20 who watch. The time from send to each watcher is measured:
    loadgen -dev /tmp/x -n 5000 -watch 20 -deliveries 20000 -for 20s -pid $!
2,000 sessions change in the same moment, five times:
    loadgen -dev /tmp/x -n 5000 -watch 20 -burst 2000 -bursts 5
2,000 sockets are cut in the same moment, every other by a reset, and come back, while the others go on changing:
    loadgen -dev /tmp/x -n 5000 -watch 20 -deliveries 5000 -storm 2000 -storms 3 -storm-changes -return-delay 2s
All leave and log in anew, with their lists of 20 stored:
    loadgen -dev /tmp/x -n 5000 -watch 20 -relogin
A back end asks for the status of 500 of 100,000 accounts, 20 times a second, and of one, as often as it can:
    loadgen -dev /tmp/x -n 100000 -rest openim/query_online_status -accounts 500 -rate 20 -for 20s -pid $!
    loadgen -dev /tmp/x -n 100000 -rest openim/query_online_status -inflight 16 -for 20s -pid $!
Before and after a change of the server, from reports made with -json:
    loadgen -compare before.json after.json

What is checked, on every status that arrives: a user's changes come in order and none comes twice; nobody is told of a
user whom they do not watch; no user who has not left is shown as anything but ONLINE. After each load: the last that
everyone was told of everyone they watch, and what they are answered when they ask, is the last that was acknowledged.

Mind the server's pace: it pushes to a session 5 times a second, and gathers what comes more often. With more than 5
deliveries a second for each session, most wait for the next push, for up to 0.2 s.

Exit codes: 0 all sessions came through and every check found nothing, 1 something did not, 2 the command line makes
no sense.

Options:
`

// usage explains the command.
func usage(flags *flag.FlagSet) {
	_, _ = fmt.Fprint(flags.Output(), help) // nobody is left to tell
	flags.PrintDefaults()
}
