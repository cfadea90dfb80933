package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// action carries out a verb with its operands.
type action func(ctx context.Context, op *operator, args []string) error

// verb is one thing that a command does over the operator's API.
type verb struct {
	name, args, about string
	least, most       int                        // operands
	flags             func(*flag.FlagSet) action // adds its own
}

// family is a command that has verbs.
type family struct {
	name, about, examples string
	verbs                 []verb
}

// run finds the verb that a command line begins with, and carries it out.
func (f family) run(ctx context.Context, args []string, out, errs io.Writer) error {
	left, at := f.verbs, 0
	for at < len(args) {
		var next []verb
		for _, v := range left {
			words := strings.Fields(v.name)
			if at >= len(words) || words[at] != args[at] {
				continue
			}
			if at == len(words)-1 {
				return v.run(ctx, f.name, args[at+1:], &operator{out: out, errs: errs})
			}
			next = append(next, v)
		}
		if next == nil {
			break
		}
		left, at = next, at+1
	}
	if at < len(args) {
		switch args[at] {
		case "help", "-h", "-help", "--help":
			f.usage(errs, left)
			return flag.ErrHelp
		}
		_, _ = fmt.Fprintf(errs, "porchlight %s: there is no command %q\n\n", f.name, strings.Join(args[:at+1], " "))
	}
	f.usage(errs, left)
	return errUsage
}

func (f family) usage(w io.Writer, verbs []verb) {
	_, _ = fmt.Fprintf(w, "%s\n\nUsage: porchlight %s <command> [flags]\n\n", f.about, f.name)
	for _, v := range verbs {
		_, _ = fmt.Fprintf(w, "  %-24s %s\n", strings.TrimSpace(v.name+" "+v.args), v.about)
	}
	_, _ = fmt.Fprintf(w, "\nEach command explains its flags with -h. Examples:\n\n%s\n", f.examples)
}

// run carries out the verb of a family, "" for none.
func (v verb) run(ctx context.Context, family string, args []string, op *operator) error {
	fs := newFlags(strings.TrimSpace(family+" "+v.name), "", op.errs)
	fs.Usage = func() {
		_, _ = fmt.Fprintf(op.errs, "%s.\n\nUsage: porchlight %s\n\n", v.about, strings.TrimSpace(fs.Name()+" [flags] "+v.args))
		fs.PrintDefaults()
	}
	act := v.flags(fs)
	fs.StringVar(&op.data, "data", "porchlight-data", "data `directory` of the server: the operator's token is there,\n"+
		"and with -dev the URL; "+tokenEnv+" in the environment goes first")
	fs.StringVar(&op.url, "url", "", "`URL` of the server (default "+urlEnv+", or that of dev.json, or "+defaultURL+")")
	fs.BoolVar(&op.json, "json", false, "print the server's answer as JSON")
	operands, err := mixed(fs, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return err
	case err != nil:
		return errUsage
	case len(operands) < v.least:
		return misused(fs, "want %s", v.args)
	case len(operands) > v.most:
		return misused(fs, "unexpected %q", operands[v.most])
	}
	err = act(ctx, op, operands)
	if wrong := misuse(""); errors.As(err, &wrong) {
		return misused(fs, "%s", wrong)
	}
	return err
}

// misuse is an error of who typed the command line.
type misuse string

// Error says what is wrong.
func (m misuse) Error() string { return string(m) }

func misusef(format string, args ...any) error { return misuse(fmt.Sprintf(format, args...)) }

func misused(fs *flag.FlagSet, format string, args ...any) error {
	_, _ = fmt.Fprintf(fs.Output(), "porchlight %s: %s; -h explains\n", fs.Name(), fmt.Sprintf(format, args...))
	return errUsage
}

// mixed parses flags wherever they stand and gives the rest. What follows -- is
// no flag: a UserID may begin with a dash.
func mixed(fs *flag.FlagSet, args []string) (rest []string, err error) {
	for {
		if err := fs.Parse(args); err != nil {
			return nil, err
		}
		parsed := len(args) - fs.NArg()
		if fs.NArg() == 0 || parsed > 0 && args[parsed-1] == "--" {
			return append(rest, fs.Args()...), nil
		}
		rest, args = append(rest, fs.Arg(0)), fs.Args()[1:]
	}
}

// noFlags is for a verb without flags of its own.
func noFlags(act action) func(*flag.FlagSet) action {
	return func(*flag.FlagSet) action { return act }
}
