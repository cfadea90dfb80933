package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

func userFamily() family {
	return family{
		name:  "user",
		about: "User shows what a running server knows of a user, throws users out and bans them.",
		examples: `  porchlight user show 1400000001 alice
  porchlight user kick 1400000001 alice
  porchlight user ban 1400000001 -- -odd-`,
		verbs: []verb{
			{"show", "APP USER", "Show the status, sessions and account of a user", 2, 2, noFlags(showUser)},
			{"kick", "APP USER", "End all sessions of a user; UserSigs minted until now are dead for good", 2, 2, order(
				http.MethodPost, "/kick", "User %[2]s of application %[1]s is thrown out. Their UserSigs are dead; mint a new one to let them in.\n",
			)},
			{"ban", "APP USER", "Throw a user out and let them in no more", 2, 2, order(
				http.MethodPut, "/ban", "User %[2]s of application %[1]s is banned. To lift the ban: porchlight user unban %[1]s %[2]s\n",
			)},
			{"unban", "APP USER", "Lift a ban", 2, 2, order(
				http.MethodDelete, "/ban", "User %[2]s of application %[1]s may log in again, with a new UserSig.\n",
			)},
		},
	}
}

// user is one as the API shows it.
type user struct {
	App                im.AppID
	User               string
	TinyID             string
	Status, Custom     string
	Banned             bool
	RevokedBefore      *time.Time
	Watching, Watchers int
	Sessions           []session
}

type session struct {
	Inst            uint32
	Platform, Cause string
	Key             uint32
	Opened, Expires *time.Time
	Connected       bool
	Until, Closed   *time.Time
}

func (s session) state(now time.Time) string {
	switch {
	case s.Closed != nil:
		return s.Cause + " " + human(s.Closed, now)
	case s.Connected:
		return "connected"
	case s.Until != nil:
		return "lost; grace ends " + human(s.Until, now)
	default:
		return "not connected"
	}
}

// userPath gives the path of a user from an application's number and a UserID.
func userPath(args []string) (string, error) {
	path, err := appPath(args[0])
	return path + "/users/" + segment(args[1]), err
}

func showUser(ctx context.Context, op *operator, args []string) error {
	path, err := userPath(args)
	if err != nil {
		return err
	}
	var u user
	if err := op.call(ctx, http.MethodGet, path, nil, &u); err != nil {
		return err
	}
	return op.print(u.print)
}

// print shows the user in words.
func (u user) print(w io.Writer) {
	now := time.Now()
	rows := [][]string{
		{"user", u.User},
		{"SDKAppID", u.App.String()},
		{"account", u.TinyID},
		{"status", u.Status},
	}
	if u.Custom != "" {
		rows = append(rows, []string{"custom status", clean(u.Custom)})
	}
	if u.Banned {
		rows = append(rows, []string{"banned", "yes"})
	}
	if u.RevokedBefore != nil {
		rows = append(rows, []string{"UserSigs dead", "those until " + human(u.RevokedBefore, now)})
	}
	table(w, append(rows, []string{"watches", plural(u.Watching, "user")}, []string{"watched by", plural(u.Watchers, "account")}))
	_, _ = fmt.Fprintln(w)
	if len(u.Sessions) == 0 {
		_, _ = fmt.Fprintln(w, "There are no sessions. A user logs in with a UserSig that the back end mints.")
		return
	}
	rows = [][]string{{"SESSION", "PLATFORM", "STATE", "KEY", "OPENED", "USERSIG EXPIRES"}}
	for _, s := range u.Sessions {
		rows = append(rows, []string{
			fmt.Sprint(s.Inst), s.Platform, s.state(now), fmt.Sprint(s.Key), human(s.Opened, now), human(s.Expires, now),
		})
	}
	table(w, rows)
}

// order gives the action that has an order about a user carried out.
func order(method, below, said string) func(*flag.FlagSet) action {
	return noFlags(func(ctx context.Context, op *operator, args []string) error {
		path, err := userPath(args)
		if err != nil {
			return err
		}
		if err := op.call(ctx, method, path+below, nil, nil); err != nil {
			return err
		}
		return op.print(func(w io.Writer) { _, _ = fmt.Fprintf(w, said, args[0], args[1]) })
	})
}

// audit tells who has ordered what.
func audit(ctx context.Context, args []string, out, errs io.Writer) error {
	v := verb{"audit", "", "Audit tells who has ordered what, the newest first", 0, 0, auditFlags}
	return v.run(ctx, "", args, &operator{out: out, errs: errs})
}

func auditFlags(fs *flag.FlagSet) action {
	app := fs.Uint("app", 0, "`SDKAppID` (default all applications)")
	before := fs.Int64("before", 0, "`number` of a row: those before it")
	limit := fs.Int("limit", 50, "at most so `many` rows, up to 200")
	return func(ctx context.Context, op *operator, _ []string) error {
		query := url.Values{"limit": {strconv.Itoa(*limit)}}
		if *app != 0 {
			query.Set("app", strconv.FormatUint(uint64(*app), 10))
		}
		if *before != 0 {
			query.Set("before", strconv.FormatInt(*before, 10))
		}
		var page struct {
			Rows []struct {
				ID                          int64
				At                          *time.Time
				Actor, User, Action, Detail string
				App                         im.AppID
			}
			Next int64
		}
		if err := op.call(ctx, http.MethodGet, "/audit?"+query.Encode(), nil, &page); err != nil {
			return err
		}
		return op.print(func(w io.Writer) {
			if len(page.Rows) == 0 {
				_, _ = fmt.Fprintln(w, "There are no such rows. What porchlight app and porchlight user change will be told here.")
				return
			}
			rows := [][]string{{"ROW", "WHEN", "WHO", "SDKAPPID", "USER", "ACTION", "WHAT"}}
			now := time.Now()
			for _, r := range page.Rows {
				rows = append(rows, []string{
					strconv.FormatInt(r.ID, 10), human(r.At, now), clean(r.Actor), r.App.String(), clean(r.User), r.Action, clean(r.Detail),
				})
			}
			table(w, rows)
			if page.Next != 0 {
				_, _ = fmt.Fprintf(w, "\nFor more, add -before %d\n", page.Next)
			}
		})
	}
}
