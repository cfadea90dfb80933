// Porchlight is a chat server that people run themselves, for applications
// written against Tencent Cloud Chat. This command is the server and the tools
// that go with it; "porchlight help" lists them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// version is stamped by the build; a plain go build has the commit instead.
var version = ""

// subcommand is one verb of the command line.
type subcommand struct {
	name, summary string
	run           func(ctx context.Context, args []string, out, errs io.Writer) error
}

func subcommands() []subcommand {
	return []subcommand{
		{"serve", "run the server", serve},
		{"app", "manage the applications of a running server", appFamily().run},
		{"user", "show, kick and ban users of a running server", userFamily().run},
		{"webhook", "manage what the back end of an application is told", webhookFamily().run},
		{"audit", "tell who has ordered what", audit},
		{"usersig", "mint a UserSig, or look into one", userSig},
		{"version", "print the version", printVersion},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "porchlight:", err)
		os.Exit(1)
	}
}

// errUsage says that the command line is wrong and that this has been said.
var errUsage = errors.New("usage")

// run carries out a command line.
func run(ctx context.Context, args []string, out, errs io.Writer) error {
	if len(args) > 0 {
		for _, c := range subcommands() {
			if c.name == args[0] {
				return c.run(ctx, args[1:], out, errs)
			}
		}
		switch args[0] {
		case "help", "-h", "-help", "--help":
			usage(out)
			return nil
		}
		_, _ = fmt.Fprintf(errs, "porchlight: there is no command %q\n\n", args[0])
	}
	usage(errs)
	return errUsage
}

func usage(w io.Writer) {
	_, _ = fmt.Fprintf(w, "Porchlight is a chat server that you run yourself.\n\nUsage: porchlight <command> [flags]\n\n")
	for _, c := range subcommands() {
		_, _ = fmt.Fprintf(w, "  %-9s %s\n", c.name, c.summary)
	}
	_, _ = fmt.Fprintf(w, "\nEach command explains its flags with -h. To try it: porchlight serve -dev\n")
}

// newFlags makes the flag set of a subcommand.
func newFlags(name, about string, errs io.Writer) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(errs)
	fs.Usage = func() {
		_, _ = fmt.Fprintf(errs, "%s\n\nUsage: porchlight %s [flags]\n\n", about, name)
		fs.PrintDefaults()
	}
	return fs
}

// parse parses flags and refuses what is left over.
func parse(fs *flag.FlagSet, args []string, rest int) error {
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	if fs.NArg() > rest {
		_, _ = fmt.Fprintf(fs.Output(), "porchlight %s: unexpected %q\n", fs.Name(), fs.Arg(rest))
		return errUsage
	}
	return nil
}

func printVersion(_ context.Context, _ []string, out, _ io.Writer) error {
	_, err := fmt.Fprintln(out, "porchlight", programVersion())
	return err
}

// programVersion gives the stamped version, or what the build knows.
func programVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "dev-" + s.Value[:12]
		}
	}
	return "dev"
}
