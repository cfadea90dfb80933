package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

// many is no bound on operands.
const many = 1000

func appFamily() family {
	return family{
		name:  "app",
		about: "App manages the applications of a running server: their keys, administrators and settings.",
		examples: `  porchlight app create -name shop login.policy=multi
  porchlight app set 1400000002 limit.query=200 status.on=false
  porchlight app set 1400000002 limit.query=        # back to its default
  porchlight app key add 1400000002 -not-before 24h
  porchlight app key bound 1400000002 1 -not-after 7d`,
		verbs: append([]verb{
			{"list", "", "List the applications", 0, 0, noFlags(listApps)},
			{"show", "APP", "Show an application", 1, 1, noFlags(showApp)},
			{"create", "[name=value]...", "Make an application, with settings of its own", 0, many, createApp},
			{"set", "APP name=value...", "Change settings, name= for the default; also name=... and enabled=true|false", 2, many, noFlags(setApp)},
			{"settings", "", "List what can be set", 0, 0, noFlags(listSettings)},
			{"admin add", "APP USER", "Make a user an administrator", 2, 2, noFlags(addAdmin)},
			{"admin remove", "APP USER", "Make a user no administrator", 2, 2, noFlags(removeAdmin)},
		}, keyVerbs()...),
	}
}

// application is one as the API shows it.
type application struct {
	ID       im.AppID
	Name     string
	Enabled  bool
	Created  *time.Time
	Keys     []key
	Admins   []string
	Settings map[string]any
	Changed  []string
}

func (a application) state() string {
	if a.Enabled {
		return "enabled"
	}
	return "disabled"
}

// print shows the application in words.
func (a application) print(w io.Writer) {
	now := time.Now()
	admins := "none"
	if len(a.Admins) > 0 {
		admins = strings.Join(a.Admins, ", ")
	}
	table(w, [][]string{
		{"SDKAppID", a.ID.String()},
		{"name", clean(a.Name)},
		{"state", a.state()},
		{"created", human(a.Created, now)},
		{"administrators", clean(admins)},
	})
	_, _ = fmt.Fprintln(w)
	printKeys(w, a.Keys)
	if len(a.Changed) == 0 {
		_, _ = fmt.Fprintf(w, "\nAll settings have their defaults: porchlight app settings\n")
		return
	}
	_, _ = fmt.Fprintln(w)
	rows := [][]string{{"SETTING", "VALUE"}}
	for _, name := range a.Changed {
		rows = append(rows, []string{name, fmt.Sprint(a.Settings[name])})
	}
	table(w, rows)
	_, _ = fmt.Fprintf(w, "\nThe other settings have their defaults: porchlight app settings\n")
}

func listApps(ctx context.Context, op *operator, _ []string) error {
	var list struct{ Apps []application }
	if err := op.call(ctx, http.MethodGet, "/apps", nil, &list); err != nil {
		return err
	}
	return op.print(func(w io.Writer) {
		if len(list.Apps) == 0 {
			_, _ = fmt.Fprintln(w, "There are no applications yet. Make one: porchlight app create -name shop")
			return
		}
		rows := [][]string{{"SDKAPPID", "NAME", "STATE", "ACTIVE KEYS", "CHANGED SETTINGS"}}
		for _, a := range list.Apps {
			active := 0
			for _, k := range a.Keys {
				if k.Active {
					active++
				}
			}
			rows = append(rows, []string{a.ID.String(), clean(a.Name), a.state(), strconv.Itoa(active), strings.Join(a.Changed, " ")})
		}
		table(w, rows)
	})
}

func showApp(ctx context.Context, op *operator, args []string) error {
	path, err := appPath(args[0])
	if err != nil {
		return err
	}
	return op.application(ctx, http.MethodGet, path, nil)
}

// application asks for an application and shows it.
func (op *operator) application(ctx context.Context, method, path string, body any) error {
	var a application
	if err := op.call(ctx, method, path, body, &a); err != nil {
		return err
	}
	return op.print(a.print)
}

func createApp(fs *flag.FlagSet) action {
	var admins repeated
	id := fs.Uint("id", 0, "`SDKAppID` (default the next free one)")
	name := fs.String("name", "", "`name` for people (default app-SDKAppID)")
	fs.Var(&admins, "admin", "a `user` to be an administrator; may be repeated")
	file := secretFlag(fs)
	return func(ctx context.Context, op *operator, args []string) error {
		if *id > math.MaxUint32 {
			return misusef("%d is no SDKAppID: it is over %d", *id, uint32(math.MaxUint32))
		}
		settings, err := assignments(args)
		if err != nil {
			return err
		}
		secret, err := readSecret(*file)
		if err != nil {
			return err
		}
		var a application
		if err := op.call(ctx, http.MethodPost, "/apps", struct {
			ID       uint               `json:"id,omitempty"`
			Name     string             `json:"name,omitempty"`
			Secret   string             `json:"secret,omitempty"`
			Admins   []string           `json:"admins,omitempty"`
			Settings map[string]*string `json:"settings,omitempty"`
		}{*id, *name, secret, admins, settings}, &a); err != nil {
			return err
		}
		return op.print(func(w io.Writer) {
			_, _ = fmt.Fprintf(w, "Application %d, %s, is made.\n", a.ID, clean(a.Name))
			for _, k := range a.Keys {
				k.printSecret(w, secret)
			}
		})
	}
}

func setApp(ctx context.Context, op *operator, args []string) error {
	path, err := appPath(args[0])
	if err != nil {
		return err
	}
	settings, err := assignments(args[1:])
	if err != nil {
		return err
	}
	change := map[string]any{}
	if name, ok := settings["name"]; ok {
		delete(settings, "name")
		change["name"] = ""
		if name != nil {
			change["name"] = *name
		}
	}
	if enabled, ok := settings["enabled"]; ok {
		delete(settings, "enabled")
		if enabled == nil || *enabled != "true" && *enabled != "false" {
			return misuse("enabled is true or false")
		}
		change["enabled"] = *enabled == "true"
	}
	if len(settings) > 0 {
		change["settings"] = settings
	}
	return op.application(ctx, http.MethodPatch, path, change)
}

// assignments reads name=value operands; nil is the default.
func assignments(args []string) (map[string]*string, error) {
	values := map[string]*string{}
	for _, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
		if !ok || name == "" {
			return nil, misusef("%q is not name=value; porchlight app settings lists the names", arg)
		}
		if _, twice := values[name]; twice {
			return nil, misusef("%s is there twice", name)
		}
		values[name] = nil
		if value != "" {
			values[name] = &value
		}
	}
	return values, nil
}

func listSettings(ctx context.Context, op *operator, _ []string) error {
	var list struct {
		Settings []struct {
			Name, Kind, Doc string
			Default         any
			Min, Max        *int64
		}
	}
	if err := op.call(ctx, http.MethodGet, "/settings", nil, &list); err != nil {
		return err
	}
	return op.print(func(w io.Writer) {
		rows := [][]string{{"SETTING", "DEFAULT", "RANGE", "MEANING"}}
		for _, s := range list.Settings {
			span := "-"
			switch {
			case s.Min == nil || s.Max == nil:
			case s.Kind == "duration":
				span = short(time.Duration(*s.Min)*time.Second) + " to " + short(time.Duration(*s.Max)*time.Second)
			default:
				span = fmt.Sprintf("%d to %d", *s.Min, *s.Max)
			}
			rows = append(rows, []string{s.Name, fmt.Sprint(s.Default), span, s.Doc})
		}
		table(w, rows)
	})
}

func addAdmin(ctx context.Context, op *operator, args []string) error {
	return op.admin(ctx, http.MethodPut, args, "%s is an administrator of application %s.\n")
}

func removeAdmin(ctx context.Context, op *operator, args []string) error {
	return op.admin(ctx, http.MethodDelete, args, "%s is no administrator of application %s.\n")
}

func (op *operator) admin(ctx context.Context, method string, args []string, said string) error {
	path, err := appPath(args[0])
	if err != nil {
		return err
	}
	if err := op.call(ctx, method, path+"/admins/"+segment(args[1]), nil, nil); err != nil {
		return err
	}
	return op.print(func(w io.Writer) { _, _ = fmt.Fprintf(w, said, args[1], args[0]) })
}

// appPath gives the path of an application from its number.
func appPath(text string) (string, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == 0 {
		return "", misusef("%q is no SDKAppID; porchlight app list lists them", text)
	}
	return fmt.Sprintf("/apps/%d", n), nil
}

// secretFlag adds the flag that names a file with a secret key.
func secretFlag(fs *flag.FlagSet) *string {
	return fs.String("secret-file", "", "`file` with the secret key, - for standard input (default a random one)")
}

// readSecret reads a secret key from a file, "" for no file.
func readSecret(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	from := io.Reader(os.Stdin)
	if file != "-" {
		f, err := os.Open(file) //nolint:gosec // G304: the user names the file
		if err != nil {
			return "", fmt.Errorf("read the secret key: %w", err)
		}
		defer func() { _ = f.Close() }() // only read
		from = f
	}
	text, err := io.ReadAll(io.LimitReader(from, 4<<10))
	if err != nil {
		return "", fmt.Errorf("read the secret key: %w", err)
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" {
		return "", fmt.Errorf("read the secret key: there is none in %s", file)
	}
	return secret, nil
}
