// Command loadgen opens many sessions against a Porchlight server, as many
// clients would, and reports what that cost: logins a second, their latency, the
// server's memory for each session and its processor time while they idle.
//
// It speaks the wire protocol of the clients with a codec of its own, so that a
// mistake of the server's is not cancelled by the same one here. It ends by
// itself, and it never sends anything beyond this machine's loopback addresses.
//
// A run is a row of phases ([phase]), carried out by one or more workers
// ([worker]), each a process with an event loop over its sockets ([swarm]). A new
// kind of load is a new phase: a script of requests for each session, or a rule
// for what arrives meanwhile.
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

// run is main with its surroundings given. Its exit codes: 0 all sessions logged
// in and stayed, 1 some did not, 2 the command line makes no sense.
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
	rep, err := load(ctx, cfg, stderr)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "loadgen:", err)
		return 1
	}
	if cfg.JSON {
		err = rep.writeJSON(stdout)
	} else {
		err = rep.writeText(stdout)
	}
	if err != nil || !rep.Good {
		return 1
	}
	return 0
}
