package friend_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/porchlight-im/porchlight/internal/app"
	"github.com/porchlight-im/porchlight/internal/friend"
	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store"
)

const testApp im.AppID = 1400000001

// world is the rules on a real store, with all that they told.
type world struct {
	*friend.Service
	t     testing.TB
	store *store.Store

	mu     sync.Mutex
	events []friend.Event
	deeds  []friend.Done
	done   []friend.Done
	refuse map[im.UserID]*im.Error // by the back end, before
	asked  int
	now    time.Time
}

func newWorld(t testing.TB, users ...im.UserID) *world {
	t.Helper()
	return openWorld(t, store.Config{Gather: time.Nanosecond}, users...)
}

func openWorld(t testing.TB, cfg store.Config, users ...im.UserID) *world {
	t.Helper()
	st, err := store.Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: st, refuse: map[im.UserID]*im.Error{}, now: time.Unix(1_795_400_000, 0)}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	w.Service = friend.New(friend.Config{
		Store: st, Lists: st, Tell: w.tell, Hooks: w, Now: func() time.Time { return w.now }, Log: slog.New(slog.DiscardHandler),
	})
	w.register(users...)
	return w
}

// register makes accounts.
func (w *world) register(users ...im.UserID) {
	w.t.Helper()
	var all sync.WaitGroup
	for i, u := range users {
		all.Go(func() {
			o := im.Opening{User: key(u), Session: im.SessionRow{Inst: im.InstID(i + 1), Opened: 1}}
			if _, err := w.store.OpenSession(context.Background(), o, 1); err != nil {
				w.t.Error(err)
			}
		})
	}
	all.Wait()
}

func (w *world) tell(e friend.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

func (w *world) Before(_ context.Context, ask friend.Ask) []*im.Error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	var refused []*im.Error
	for _, a := range ask.Adding {
		refused = append(refused, w.refuse[a.User])
	}
	for _, a := range ask.Answers {
		refused = append(refused, w.refuse[a.User])
	}
	return refused
}

// Events gives rows that name the deeds by their numbers.
func (w *world) Events(_ context.Context, deeds []friend.Done) (rows []im.EventRow) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range deeds {
		w.deeds = append(w.deeds, d)
		rows = append(rows, im.EventRow{ID: -int64(len(w.deeds))})
	}
	return rows
}

func (w *world) Tell(rows []im.EventRow) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range rows {
		w.done = append(w.done, w.deeds[-r.ID-1])
	}
}

func (w *world) Forsake([]im.EventRow) {}

// told gives what was told since the last time, as "alice: added bob".
func (w *world) told() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []string
	for _, e := range w.events {
		list = append(list, fmt.Sprintf("%s: %s", e.To.User, eventText(e)))
	}
	w.events = nil
	return list
}

func eventText(e friend.Event) string {
	kinds := map[friend.Kind]string{
		friend.Added: "added", friend.Removed: "removed", friend.Withdrawn: "withdrawn", friend.Seen: "seen",
		friend.Blocked: "blocked", friend.Unblocked: "unblocked", friend.Updated: "updated", friend.Applied: "applied",
	}
	words := []string{kinds[e.Kind]}
	for _, u := range e.Users {
		words = append(words, string(u))
	}
	for _, c := range e.Entries {
		words = append(words, string(c.User))
	}
	if a := e.Application; a != nil {
		direction := "from"
		if a.Outgoing {
			direction = "to"
		}
		words = append(words, direction, string(a.Peer))
	}
	return strings.Join(words, " ")
}

// did gives what was done since the last time, as "add alice-bob bob-alice by alice".
func (w *world) did() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []string
	for _, d := range w.done {
		words := []string{[]string{"add", "accept", "delete", "block", "unblock"}[d.Deed]}
		for _, p := range d.Pairs {
			words = append(words, fmt.Sprintf("%s-%s", p.From, p.To))
		}
		list = append(list, strings.Join(append(words, "by", string(d.Initiator)), " "))
	}
	w.done = nil
	return list
}

func key(u im.UserID) im.UserKey { return im.UserKey{App: testApp, User: u} }

func as(u im.UserID) friend.Caller { return friend.Caller{User: key(u)} }

func admin(u im.UserID) friend.Caller { return friend.Caller{User: key(u), Admin: "root"} }

// limits are those of an application that has set nothing.
func limits() friend.Limits {
	s := app.DefaultSettings()
	return friend.Limits{
		Friends: s.MaxFriends, Applications: s.MaxApplications, Blocked: s.MaxBlocked, Groups: s.MaxFriendGroups,
		Allow: s.AllowType.Value(), Fields: "Team,Level:number",
		GroupBytes: s.MaxGroupBytes, RemarkBytes: s.MaxRemarkBytes, WordingBytes: s.MaxWordingBytes, FieldBytes: s.MaxFieldBytes,
	}
}

func confirming() friend.Limits {
	l := limits()
	l.Allow = im.AllowConfirm
	return l
}

func adding(users ...im.UserID) []friend.Adding {
	var items []friend.Adding
	for _, u := range users {
		items = append(items, friend.Adding{User: u, Source: "Web"})
	}
	return items
}

// codes gives what became of each, as "bob 0".
func (w *world) codes(results []im.Result, err error) []string {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	var list []string
	for _, r := range results {
		code := im.CodeOK
		if r.Refusal != nil {
			code = r.Refusal.Code
			if r.Refusal.Text == "" {
				w.t.Errorf("%s is refused with %d without a word", r.User, code)
			}
		}
		list = append(list, fmt.Sprintf("%s %d", r.User, code))
	}
	return list
}

// add adds both ways and gives the code.
func (w *world) add(lim friend.Limits, from, to im.UserID) []string {
	w.t.Helper()
	return w.codes(w.Add(w.t.Context(), as(from), lim, friend.BothWays, adding(to)))
}

// edges gives who has whom among some users, as "alice-bob".
func (w *world) edges(users ...im.UserID) []string {
	w.t.Helper()
	var list []string
	for _, u := range users {
		friends, err := w.store.Friends(context.Background(), key(u))
		if err != nil {
			w.t.Fatal(err)
		}
		for _, f := range friends {
			list = append(list, fmt.Sprintf("%s-%s", u, f))
		}
		own, err := w.store.Relations(context.Background(), im.RelationQuery{User: key(u)})
		if err != nil || own.Friends != len(friends) {
			w.t.Errorf("%s has %d friends and counts %d: %v", u, len(friends), own.Friends, err)
		}
	}
	return list
}

// inbox gives a user's applications, as "from bob" and "to carol", new ones with
// an exclamation mark.
func (w *world) inbox(u im.UserID) []string {
	w.t.Helper()
	box, err := w.Applications(w.t.Context(), key(u), friend.EitherWay)
	if err != nil {
		w.t.Fatal(err)
	}
	var list []string
	unread := 0
	for _, a := range box.Applications {
		text := "from " + string(a.Peer)
		if a.Outgoing {
			text = "to " + string(a.Peer)
		} else if !a.Seen {
			text += "!"
			unread++
		}
		list = append(list, text)
	}
	if unread != box.Unread {
		w.t.Errorf("%d are unread, and it says %d", unread, box.Unread)
	}
	return list
}

func same[T any](t testing.TB, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got)\n%s", what, diff)
	}
}

func refused(t testing.TB, err error, want im.Code) {
	t.Helper()
	if refusal, known := im.Refusal(err); err == nil || !known || refusal.Code != want || refusal.Text == "" {
		t.Errorf("got %v, want %d", err, want)
	}
}

func list(words ...string) []string { return words }
