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
		for _, want := range []string{"serve ", "app ", "user ", "audit ", "usersig ", "version ", "Usage: porchlight <command>", "porchlight serve -dev"} {
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

		"app":                                   "key withdraw APP KEY",
		"app key":                               "key withdraw APP KEY",
		"app nonsense":                          `there is no command "nonsense"`,
		"app key nonsense 5":                    `there is no command "key nonsense"`,
		"app list extra":                        `unexpected "extra"`,
		"app list -nonsense":                    "-nonsense",
		"app show":                              "want APP",
		"app show five":                         `"five" is no SDKAppID`,
		"app show 0":                            `"0" is no SDKAppID`,
		"app show 4294967296":                   `"4294967296" is no SDKAppID`,
		"app create -id 4294967296":             "4294967296",
		"app create -id five":                   "invalid value",
		"app create limit.query":                "name=value",
		"app create =5":                         "name=value",
		"app create limit.query=5 limit.query=": "twice",
		"app set 5":                             "want APP name=value",
		"app set 5 enabled=yes":                 "true or false",
		"app set 5 enabled=":                    "true or false",
		"app key bound 5 1":                     "-not-before",
		"app key bound 5 1 -not-after soon":     `"soon" is no time`,
		"app key bound 5 1 -not-after xd":       `"xd" is no time`,
		"app key add 5 -not-before 2027-13-01":  "is no time",
		"app key withdraw 5 one":                `"one" is no number of a key`,
		"app admin add 5":                       "want APP USER",
		"user":                                  "kick APP USER",
		"user kick":                             "want APP USER",
		"user kick alice 5":                     `"alice" is no SDKAppID`,
		"user show 5 alice bob":                 `unexpected "bob"`,
		"user show 5 -odd":                      "-odd",
		"audit extra":                           `unexpected "extra"`,
		"audit -limit many":                     "invalid value",
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
		"serve -h":        {"-config file", "-dev", "-listen address", "-data directory", "-set key.path=value", "SIGTERM", "127.0.0.1:7800"},
		"serve -help":     {"Usage: porchlight serve"},
		"usersig -h":      {"-app SDKAppID", "-expire duration", "-verify UserSig", "-json", "-data directory", secretEnv, "dev.json"},
		"usersig --help":  {"Usage: porchlight usersig"},
		"app -h":          {"Usage: porchlight app <command>", "list ", "key bound APP KEY", "porchlight app create -name shop"},
		"app help":        {"Usage: porchlight app <command>"},
		"app key -h":      {"key bound APP KEY"},
		"app key add -h":  {"Usage: porchlight app key add [flags] APP", "-secret-file file", "24h or 7d", tokenEnv, urlEnv, "-json"},
		"app list --help": {"Usage: porchlight app list [flags]\n"},
		"user -h":         {"Usage: porchlight user <command>", "unban APP USER", "-- -odd-"},
		"user kick -h":    {"Usage: porchlight user kick [flags] APP USER", "dead for good"},
		"audit -h":        {"Usage: porchlight audit [flags]\n", "-before number", "-app SDKAppID"},
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
