package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

func webhookFamily() family {
	return family{
		name:  "webhook",
		about: "Webhook manages what the back end of an application is told, on a running server.",
		examples: `  porchlight webhook add 1400000002 https://shop.example/im
  porchlight webhook token 1400000002 -file token.txt
  porchlight webhook set 1400000002 durable=true Sns.CallbackPrevFriendAdd=true
  porchlight webhook test 1400000002 1
  porchlight webhook log 1400000002 -failed
  porchlight webhook replay 1400000002 1 -since 2h`,
		verbs: []verb{
			{"show", "APP", "Show what is told, and how it goes", 1, 1, noFlags(showWebhooks)},
			{"set", "APP name=value...", "Change durable, batch, retry, strict, signBody or a command", 2, many, noFlags(setWebhooks)},
			{"token", "APP", "Set the token that signs requests", 1, 1, setHookToken},
			{"add", "APP URL", "Add a URL that is told of what happens from now on", 2, 2, addHook},
			{"change", "APP NUMBER URL", "Change a URL and what is sent there", 3, 3, changeHook},
			{"remove", "APP NUMBER", "Remove a URL, with what waits for it", 2, 2, noFlags(removeHook)},
			{"test", "APP NUMBER", "Send a test to a URL now, and tell what became of it; success ends a pause", 2, 2, testHook},
			{"log", "APP", "List the latest requests", 1, 1, listDeliveries},
			{"replay", "APP NUMBER", "Send kept events again", 2, 2, replayHook},
			{"commands", "", "List what a back end can be told", 0, 0, noFlags(listHookCommands)},
		},
	}
}

// webhooks are an application's as the API shows them.
type webhooks struct {
	URLs []struct {
		ID             uint32
		URL            string
		Commands       []string
		Waiting        int64
		Oldest, LastOK *time.Time
		Failing        int
		PausedMS       int64
		Last           int64
		Sent, Failed   uint64
		Dropped        uint64
	}
	Commands                                map[string]bool
	Token, SignBody, Retry, Strict, Durable bool
	Batch                                   int
}

// print shows them in words.
func (h webhooks) print(w io.Writer) {
	table(w, [][]string{
		{"token", map[bool]string{true: "set", false: "none: requests are not signed"}[h.Token]},
		{"durable", fmt.Sprint(h.Durable)},
		{"batch", strconv.Itoa(h.Batch)},
		{"retry", fmt.Sprint(h.Retry)},
		{"signBody", fmt.Sprint(h.SignBody)},
		{"strict", fmt.Sprint(h.Strict)},
	})
	_, _ = fmt.Fprintln(w)
	rows := [][]string{{"COMMAND", "SENT"}}
	for _, name := range slices.Sorted(maps.Keys(h.Commands)) {
		rows = append(rows, []string{name, fmt.Sprint(h.Commands[name])})
	}
	table(w, rows)
	if len(h.URLs) == 0 {
		_, _ = fmt.Fprintln(w, "\nThere is no URL, so nothing is sent. Add one: porchlight webhook add APP URL")
		return
	}
	_, _ = fmt.Fprintln(w)
	now := time.Now()
	rows = [][]string{{"NUMBER", "URL", "FOR", "WAITING", "SENT", "FAILED", "DROPPED", "LAST EVENT", "LAST SUCCESS", "STATE"}}
	for _, u := range h.URLs {
		what, state := "everything", "ok"
		if len(u.Commands) > 0 {
			what = strings.Join(u.Commands, " ")
		}
		if u.PausedMS > 0 {
			state = fmt.Sprintf("left alone after %d failures", u.Failing)
		}
		rows = append(rows, []string{
			strconv.Itoa(int(u.ID)), clean(u.URL), what, strconv.FormatInt(u.Waiting, 10), strconv.FormatUint(u.Sent, 10),
			strconv.FormatUint(u.Failed, 10), strconv.FormatUint(u.Dropped, 10), strconv.FormatInt(u.Last, 10), human(u.LastOK, now), state,
		})
	}
	table(w, rows)
}

// webhooks asks for an application's webhooks and shows them.
func (op *operator) webhooks(ctx context.Context, method, app, path string, body any) error {
	at, err := appPath(app)
	if err != nil {
		return err
	}
	var h webhooks
	if err := op.call(ctx, method, at+"/webhooks"+path, body, &h); err != nil {
		return err
	}
	return op.print(h.print)
}

func showWebhooks(ctx context.Context, op *operator, args []string) error {
	return op.webhooks(ctx, http.MethodGet, args[0], "", nil)
}

func setWebhooks(ctx context.Context, op *operator, args []string) error {
	values, err := assignments(args[1:])
	if err != nil {
		return err
	}
	change, commands := map[string]any{}, map[string]any{}
	for name, value := range values {
		switch {
		case name == "batch":
			n := 1
			if value != nil {
				if n, err = strconv.Atoi(*value); err != nil {
					return misuse("batch is a number of events")
				}
			}
			change[name] = n
		case value == nil && strings.Contains(name, "."):
			commands[name] = nil
		case value == nil:
			change[name] = false
		case *value != "true" && *value != "false":
			return misusef("%s is true or false", name)
		case strings.Contains(name, "."):
			commands[name] = *value == "true"
		default:
			change[name] = *value == "true"
		}
	}
	if len(commands) > 0 {
		change["commands"] = commands
	}
	return op.webhooks(ctx, http.MethodPatch, args[0], "", change)
}

func setHookToken(fs *flag.FlagSet) action {
	file := fs.String("file", "-", "`file` with the token, - for standard input")
	none := fs.Bool("none", false, "have no token: requests are not signed")
	return func(ctx context.Context, op *operator, args []string) error {
		token := ""
		if !*none {
			var err error
			if token, err = readSecret(*file); err != nil {
				return err
			}
		}
		return op.webhooks(ctx, http.MethodPatch, args[0], "", map[string]any{"token": token})
	}
}

// hookBody is a URL and what is sent there.
type hookBody struct {
	URL      string   `json:"url"`
	Commands []string `json:"commands,omitempty"`
}

func forFlag(fs *flag.FlagSet) *repeated {
	var commands repeated
	fs.Var(&commands, "for", "a `command` that is sent there; may be repeated (default everything)")
	return &commands
}

func addHook(fs *flag.FlagSet) action {
	commands := forFlag(fs)
	return func(ctx context.Context, op *operator, args []string) error {
		return op.webhooks(ctx, http.MethodPost, args[0], "/urls", hookBody{args[1], *commands})
	}
}

func changeHook(fs *flag.FlagSet) action {
	commands := forFlag(fs)
	return func(ctx context.Context, op *operator, args []string) error {
		return op.webhooks(ctx, http.MethodPut, args[0], "/urls/"+segment(args[1]), hookBody{args[2], *commands})
	}
}

func removeHook(ctx context.Context, op *operator, args []string) error {
	return op.webhooks(ctx, http.MethodDelete, args[0], "/urls/"+segment(args[1]), nil)
}

// delivery is one request as the API shows it.
type delivery struct {
	At                              *time.Time
	URL                             uint32
	Event, Command, Outcome, Detail string
	Attempt, Status                 int
	TookMS                          float64
	Body                            string
}

func (d delivery) row(now time.Time) []string {
	return []string{
		human(d.At, now), strconv.Itoa(int(d.URL)), d.Command, d.Event, strconv.Itoa(d.Attempt), strconv.Itoa(d.Status),
		fmt.Sprintf("%.1f", d.TookMS), d.Outcome, clean(d.Detail), clean(d.Body),
	}
}

var deliveryHead = []string{"WHEN", "URL", "COMMAND", "EVENT", "ATTEMPT", "STATUS", "MS", "OUTCOME", "WHY", "BODY"}

func testHook(fs *flag.FlagSet) action {
	user := fs.String("user", "porchlight-test", "the `user` that the test speaks of")
	return func(ctx context.Context, op *operator, args []string) error {
		path, err := appPath(args[0])
		if err != nil {
			return err
		}
		var d delivery
		body := map[string]string{"user": *user}
		if err := op.call(ctx, http.MethodPost, path+"/webhooks/urls/"+segment(args[1])+"/test", body, &d); err != nil {
			return err
		}
		if err := op.print(func(w io.Writer) { table(w, [][]string{deliveryHead, d.row(time.Now())}) }); err != nil {
			return err
		}
		if d.Outcome != "ok" {
			return fmt.Errorf("the test failed (%s): %s", d.Outcome, clean(d.Detail))
		}
		return nil
	}
}

func listDeliveries(fs *flag.FlagSet) action {
	failed := fs.Bool("failed", false, "only those that failed, of which more are remembered")
	limit := fs.Int("limit", 50, "at most so `many`")
	return func(ctx context.Context, op *operator, args []string) error {
		path, err := appPath(args[0])
		if err != nil {
			return err
		}
		var list struct{ Deliveries []delivery }
		if err := op.call(ctx, http.MethodGet, fmt.Sprintf("%s/webhooks/log?limit=%d&failed=%t", path, *limit, *failed), nil, &list); err != nil {
			return err
		}
		return op.print(func(w io.Writer) {
			rows := [][]string{deliveryHead}
			for _, d := range list.Deliveries {
				rows = append(rows, d.row(time.Now()))
			}
			table(w, rows)
		})
	}
}

func replayHook(fs *flag.FlagSet) action {
	after := fs.Int64("after", -1, "send what came after this `event`, the number after the dot of its ID")
	since := fs.Duration("since", 0, "or what came since so long `ago`, such as 2h")
	return func(ctx context.Context, op *operator, args []string) error {
		path, err := appPath(args[0])
		if err != nil {
			return err
		}
		if (*after < 0) == (*since <= 0) {
			return misuse("want either -after or -since")
		}
		body := map[string]any{"after": *after}
		if *after < 0 {
			body = map[string]any{"since": time.Now().Add(-*since).UTC().Format(time.RFC3339Nano)}
		}
		var from struct{ After int64 }
		if err := op.call(ctx, http.MethodPost, path+"/webhooks/urls/"+segment(args[1])+"/replay", body, &from); err != nil {
			return err
		}
		return op.print(func(w io.Writer) { _, _ = fmt.Fprintf(w, "What came after event %d is sent again.\n", from.After) })
	}
}

func listHookCommands(ctx context.Context, op *operator, _ []string) error {
	var list struct {
		Commands []struct {
			Name, Doc       string
			Before, Default bool
		}
	}
	if err := op.call(ctx, http.MethodGet, "/webhook-commands", nil, &list); err != nil {
		return err
	}
	return op.print(func(w io.Writer) {
		rows := [][]string{{"COMMAND", "SENT BY DEFAULT", "MAY REFUSE", "MEANING"}}
		for _, c := range list.Commands {
			rows = append(rows, []string{c.Name, fmt.Sprint(c.Default), fmt.Sprint(c.Before), c.Doc})
		}
		table(w, rows)
	})
}
