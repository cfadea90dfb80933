package main

import (
	"bytes"
	"errors"
	"flag"
	"strings"
	"testing"
)

// outcome is what a command line came to.
type outcome struct {
	out, errs string
	err       error
}

// all is everything that its user sees.
func (o outcome) all() string {
	text := o.out + o.errs
	if o.err != nil {
		text += o.err.Error()
	}
	return text
}

// try carries out a command line in this process.
func try(t *testing.T, args ...string) outcome {
	t.Helper()
	var out, errs bytes.Buffer
	err := run(t.Context(), args, &out, &errs)
	return outcome{out.String(), errs.String(), err}
}

func TestHelpListsTheCommands(t *testing.T) {
	for _, arg := range []string{"help", "-h", "-help", "--help"} {
		o := try(t, arg)
		if o.err != nil || o.errs != "" {
			t.Errorf("%s: %v, %q", arg, o.err, o.errs)
		}
		for _, want := range []string{"serve ", "usersig ", "version ", "Usage: porchlight <command>", "porchlight serve -dev"} {
			if !strings.Contains(o.out, want) {
				t.Errorf("%s does not tell of %q:\n%s", arg, want, o.out)
			}
		}
	}
}

func TestCommandLinesThatAreNone(t *testing.T) {
	for line, want := range map[string]string{
		"":                        "Usage: porchlight <command>",
		"nonsense":                `there is no command "nonsense"`,
		"Serve":                   `there is no command "Serve"`,
		"-dev":                    `there is no command "-dev"`,
		"serve -nonsense":         "-nonsense",
		"serve extra":             `unexpected "extra"`,
		"serve -dev extra":        `unexpected "extra"`,
		"serve -listen":           "needs an argument",
		"usersig":                 "Usage: porchlight usersig",
		"usersig -app five alice": "invalid value",
		"usersig -app -1 alice":   "invalid value",
		"usersig alice bob":       `unexpected "bob"`,
		"usersig alice -json":     `unexpected "-json"`,
		"usersig -expire 5 alice": "invalid value",
	} {
		o := try(t, strings.Fields(line)...)
		if !errors.Is(o.err, errUsage) || o.out != "" {
			t.Errorf("%q: %v, printed %q", line, o.err, o.out)
		}
		if !strings.Contains(o.errs, want) {
			t.Errorf("%q does not say %q:\n%s", line, want, o.errs)
		}
	}
}

func TestEachCommandExplainsItself(t *testing.T) {
	for line, wants := range map[string][]string{
		"serve -h":       {"-config file", "-dev", "-listen address", "-data directory", "-set key.path=value", "SIGTERM", "127.0.0.1:7800"},
		"serve -help":    {"Usage: porchlight serve"},
		"usersig -h":     {"-app SDKAppID", "-expire duration", "-verify UserSig", "-json", "-data directory", secretEnv, "dev.json"},
		"usersig --help": {"Usage: porchlight usersig"},
	} {
		o := try(t, strings.Fields(line)...)
		if !errors.Is(o.err, flag.ErrHelp) || o.out != "" {
			t.Errorf("%s: %v, printed %q", line, o.err, o.out)
		}
		for _, want := range wants {
			if !strings.Contains(o.errs, want) {
				t.Errorf("%s does not tell of %q:\n%s", line, want, o.errs)
			}
		}
	}
}

func TestVersionIsTheStampOrWhatTheBuildKnows(t *testing.T) {
	if o := try(t, "version"); o.err != nil || o.errs != "" || !strings.HasPrefix(o.out, "porchlight ") || strings.Count(o.out, "\n") != 1 {
		t.Errorf("%+v", o)
	}
	defer func(was string) { version = was }(version)
	version = "v1.2.3"
	if o := try(t, "version"); o.out != "porchlight v1.2.3\n" {
		t.Errorf("stamped: %q", o.out)
	}
}
