// Command loadgen opens many sessions against a Porchlight server, as many
// clients would, and reports what that cost and whether all were told all: logins
// a second, the time from a status change to each who watches, the server's
// memory for each session and its processor time.
//
//	loadgen -dev /tmp/x -n 5000 -watch 20 -deliveries 20000 -for 20s -pid $server
//
// It speaks the wire protocol of the clients with a codec of its own, so that a
// mistake of the server's is not cancelled by the same one here. It ends by
// itself, and it never sends anything beyond this machine's loopback addresses.
//
// A run is a row of phases ([phase]), carried out by one or more workers
// ([worker]), each a process with an event loop over its sockets ([swarm]). A new
// kind of load is a new phase: a script of requests for each session, or a rule
// for what is done when. What the sessions are told meanwhile is judged by a
// [ledger]. With -rest it calls the REST API instead, as a back end does.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main with its surroundings given. Its exit codes: 0 all sessions came
// through and no check found anything, 1 that is not so, 2 the command line makes
// no sense.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 1 && args[0] == workerArgument {
		if err := work(ctx, stdin, stdout); err != nil {
			_, _ = fmt.Fprintln(stderr, "loadgen worker:", err)
			return 1
		}
		return 0
	}
	cfg, err := parseConfig(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "loadgen:", err)
		return 2
	}
	good, err := act(ctx, cfg, stdout, stderr)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "loadgen:", err)
	}
	if err != nil || !good {
		return 1
	}
	return 0
}

// written is a report of some kind.
type written interface {
	writeJSON(out io.Writer) error
	writeText(out io.Writer) error
}

// act does what was asked for and writes its report.
func act(ctx context.Context, cfg config, stdout, stderr io.Writer) (good bool, err error) {
	var outcome written
	switch {
	case len(cfg.Compare) > 0:
		good = true
		outcome, err = compareFiles(cfg.Compare)
	case cfg.REST != "":
		var rep *restReport
		rep, err = rest(ctx, cfg, stderr)
		outcome, good = rep, err == nil && rep.Good
	default:
		var rep *report
		rep, err = load(ctx, cfg, stderr)
		outcome, good = rep, err == nil && rep.Good
	}
	switch {
	case err != nil:
		return false, err
	case cfg.JSON:
		return good, outcome.writeJSON(stdout)
	default:
		return good, outcome.writeText(stdout)
	}
}
