package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

func keyVerbs() []verb {
	return []verb{
		{"key list", "APP", "List the secret keys of an application", 1, 1, noFlags(listKeys)},
		{"key add", "APP", "Add a secret key", 1, 1, addKey},
		{"key bound", "APP KEY", "Change when a key verifies UserSigs", 2, 2, boundKey},
		{"key withdraw", "APP KEY", "Withdraw a key for good, with all that was signed by it", 2, 2, noFlags(withdrawKey)},
	}
}

// key is a secret key as the API shows it.
type key struct {
	ID                  uint32
	NotBefore, NotAfter *time.Time
	Withdrawn, Active   bool
	Secret              string
}

func (k key) state(now time.Time) string {
	switch {
	case k.Withdrawn:
		return "withdrawn"
	case k.Active:
		return "active"
	case k.NotBefore != nil && now.Before(*k.NotBefore):
		return "not yet active"
	default:
		return "past its time"
	}
}

// printSecret shows the secret of a new key, unless it was given.
func (k key) printSecret(w io.Writer, given string) {
	if given != "" {
		_, _ = fmt.Fprintf(w, "Key %d is the secret key that you gave.\n", k.ID)
		return
	}
	_, _ = fmt.Fprintf(w, "The secret of key %d is\n\n  %s\n\n"+
		"It is not shown again. Keep it where your back end mints UserSigs, and nowhere else.\n", k.ID, k.Secret)
}

func printKeys(w io.Writer, keys []key) {
	now := time.Now()
	rows := [][]string{{"KEY", "STATE", "NOT BEFORE", "NOT AFTER"}}
	for _, k := range keys {
		rows = append(rows, []string{fmt.Sprint(k.ID), k.state(now), human(k.NotBefore, now), human(k.NotAfter, now)})
	}
	table(w, rows)
}

func listKeys(ctx context.Context, op *operator, args []string) error {
	path, err := appPath(args[0])
	if err != nil {
		return err
	}
	var a application
	if err := op.call(ctx, http.MethodGet, path, nil, &a); err != nil {
		return err
	}
	return op.print(func(w io.Writer) {
		if len(a.Keys) == 0 {
			_, _ = fmt.Fprintf(w, "The application has no secret key, so nobody can log in. Add one: porchlight app key add %d\n", a.ID)
			return
		}
		printKeys(w, a.Keys)
	})
}

// bounds adds the flags that bound a key, and gives what fills a request with
// those that are given.
func bounds(fs *flag.FlagSet) func(request map[string]any) error {
	before := fs.String("not-before", "", "`time` from which UserSigs verify: 2027-01-31, 2027-01-31T12:00:00Z, 24h or 7d from now, or none")
	after := fs.String("not-after", "", "`time` until which they verify, written likewise")
	return func(request map[string]any) error {
		for name, text := range map[string]string{"notBefore": *before, "notAfter": *after} {
			if text == "" {
				continue
			}
			t, err := parseWhen(text, time.Now())
			if err != nil {
				return err
			}
			request[name] = t
		}
		return nil
	}
}

func addKey(fs *flag.FlagSet) action {
	file, fill := secretFlag(fs), bounds(fs)
	return func(ctx context.Context, op *operator, args []string) error {
		path, err := appPath(args[0])
		if err != nil {
			return err
		}
		request := map[string]any{}
		if err := fill(request); err != nil {
			return err
		}
		secret, err := readSecret(*file)
		if err != nil {
			return err
		}
		if secret != "" {
			request["secret"] = secret
		}
		var k key
		if err := op.call(ctx, http.MethodPost, path+"/keys", request, &k); err != nil {
			return err
		}
		return op.print(func(w io.Writer) {
			_, _ = fmt.Fprintf(w, "Key %d of application %s is added.\n", k.ID, args[0])
			k.printSecret(w, secret)
		})
	}
}

func boundKey(fs *flag.FlagSet) action {
	fill := bounds(fs)
	return func(ctx context.Context, op *operator, args []string) error {
		request := map[string]any{}
		if err := fill(request); err != nil {
			return err
		}
		if len(request) == 0 {
			return misuse("give -not-before or -not-after")
		}
		return op.key(ctx, http.MethodPatch, args, "", request)
	}
}

func withdrawKey(ctx context.Context, op *operator, args []string) error {
	return op.key(ctx, http.MethodPost, args, "/withdraw", nil)
}

// key asks for something about a key, and shows it.
func (op *operator) key(ctx context.Context, method string, args []string, below string, body any) error {
	path, err := appPath(args[0])
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(args[1], 10, 32)
	if err != nil || n == 0 {
		return misusef("%q is no number of a key; porchlight app key list %s lists them", args[1], args[0])
	}
	var k key
	if err := op.call(ctx, method, fmt.Sprintf("%s/keys/%d%s", path, n, below), body, &k); err != nil {
		return err
	}
	return op.print(func(w io.Writer) { printKeys(w, []key{k}) })
}
