package store_test

import (
	"errors"
	"math"
	"testing"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store"
)

// event is the event of a user at a place; its time is a hundred times that.
func event(app im.AppID, id int64, user im.UserID) im.EventRow {
	return im.EventRow{
		App: app, ID: id, Key: string(user), Command: "State.StateChange", At: id * 100,
		Version: im.Version{Epoch: 7, Seq: uint64(id)}, Addr: "192.0.2.1", Device: "Web", Body: `{"x":"é\u0000"}`,
	}
}

func events(t *testing.T, s *store.Store, app im.AppID, after, upTo int64, limit int) []im.EventRow {
	t.Helper()
	rows, err := s.Events(t.Context(), app, after, upTo, limit)
	must(t, err)
	return rows
}

func testWebhooks(t *testing.T, s *store.Store) {
	ctx := t.Context()
	rows, err := s.Webhooks(ctx)
	must(t, err)
	equal(t, rows, nil)
	one := im.WebhookRow{
		App: 1, Token: "tok", Durable: true, SignBody: true, Retry: true, Strict: true, Batch: 50,
		Switches: map[string]bool{"State.StateChange": false, "Sns.CallbackPrevFriendAdd": true},
		URLs: []im.WebhookURL{
			{ID: 1, URL: "https://a.example/x"}, {ID: 3, URL: "http://b.example:81", Commands: []string{"Sns.A", "Sns.B"}},
		},
	}
	two := im.WebhookRow{App: 2, Switches: map[string]bool{}}
	must(t, s.SaveWebhook(ctx, two, im.AuditRow{Action: "webhook.change"}))
	must(t, s.SaveWebhook(ctx, one, im.AuditRow{Action: "webhook.change", Detail: "all"}))
	rows, err = s.Webhooks(ctx)
	must(t, err)
	equal(t, rows, []im.WebhookRow{one, two})
	one.Token, one.URLs, one.Switches = "", one.URLs[:1], map[string]bool{}
	must(t, s.SaveWebhook(ctx, one, im.AuditRow{Action: "webhook.change", Detail: "less"}))
	rows, err = s.Webhooks(ctx)
	must(t, err)
	equal(t, rows, []im.WebhookRow{one, two})
	audit, err := s.Audit(ctx, 1, 0, 10)
	must(t, err)
	if len(audit) != 2 || audit[0].Detail != "less" || audit[1].Detail != "all" {
		t.Errorf("the audit is %+v", audit)
	}
}

func testEvents(t *testing.T, s *store.Store) {
	ctx := t.Context()
	all := []im.EventRow{event(1, 3, "alice"), event(1, 5, "bob"), event(1, 9, "")}
	must(t, s.SaveKept(ctx, im.Kept{Events: append(all[:2:2], im.EventRow{App: 1, Body: "in memory"})}))
	must(t, s.SaveKept(ctx, im.Kept{Events: append(all[2:3:3], event(2, 4, "eve"))}))
	equal(t, events(t, s, 1, 0, math.MaxInt64, 10), all)
	equal(t, events(t, s, 1, 3, 8, 10), all[1:2])
	equal(t, events(t, s, 1, 0, math.MaxInt64, 2), all[:2])
	equal(t, events(t, s, 2, 0, math.MaxInt64, 10), []im.EventRow{event(2, 4, "eve")})
	some, err := s.EventsOf(ctx, 1, []int64{3, 4, 9})
	must(t, err)
	equal(t, some, []im.EventRow{all[0], all[2]})
	first, last, err := s.EventRange(ctx, 1)
	must(t, err)
	equal(t, [2]int64{first, last}, [2]int64{3, 9})
	first, last, err = s.EventRange(ctx, 9)
	must(t, err)
	equal(t, [2]int64{first, last}, [2]int64{0, 0})
	for at, want := range map[int64]int64{0: 3, 300: 3, 301: 5, 500: 5, 501: 9, 900: 9, 901: 10} {
		id, err := s.EventSince(ctx, 1, at)
		must(t, err)
		if got := events(t, s, 1, id-1, math.MaxInt64, 1); len(got) > 0 && got[0].ID != want || len(got) == 0 && want != 10 {
			t.Errorf("since %d: event %d, want %d", at, id, want)
		}
	}
	// A place is taken once: nothing of a change is there without its event.
	openSession(t, s, login(alice, 1, im.Web, 1000))
	o := login(alice, 2, im.Web, 2000)
	o.Events = []im.EventRow{event(1, 3, "alice")}
	if _, err := s.OpenSession(ctx, o, 1); err == nil {
		t.Error("an event took the place of another")
	}
	equal(t, len(user(t, s, alice).Sessions), 1)
}

func testEventsAreKeptWithTheirChange(t *testing.T, s *store.Store) {
	ctx := t.Context()
	o := login(alice, 1, im.Web, 1000)
	o.Events = []im.EventRow{event(testApp, 1, "alice")}
	openSession(t, s, o)
	ended := o.Session
	ended.Closed, ended.Cause = 2000, im.CauseLogout
	custom := im.CustomRow{User: alice, Text: "busy", Rev: 3000}
	must(t, s.SaveKept(ctx, im.Kept{
		User: alice, Ended: []im.SessionRow{ended}, Customs: []im.CustomRow{custom},
		Marks:  []im.Mark{{User: alice, Platform: im.Web, State: im.MarkLost, At: 2000, Rev: 2_000_000}},
		Events: []im.EventRow{event(testApp, 2, "alice")},
	}))
	must(t, s.Revoke(ctx, im.Order{User: alice, Before: 9, Events: []im.EventRow{event(testApp, 3, "alice")}}))
	if n := len(events(t, s, testApp, 0, math.MaxInt64, 10)); n != 3 {
		t.Errorf("%d events are kept", n)
	}
	u := user(t, s, alice)
	if u.Sessions[0].Closed != 2000 || u.RevokedBefore != 9 || live(t, s, 0)[alice].Custom != "busy" {
		t.Errorf("the changes are not there: %+v", u)
	}
	o.Session.Inst, o.Events = 5, []im.EventRow{event(testApp, 4, "alice")}
	if _, err := s.OpenSession(ctx, o, 1); !errors.Is(err, im.Err(im.CodeSigExpired)) {
		t.Errorf("a revoked login: %v", err)
	}
	if n := len(events(t, s, testApp, 0, math.MaxInt64, 10)); n != 3 {
		t.Errorf("a refused login left an event: %d are kept", n)
	}
}

func testCursors(t *testing.T, s *store.Store) {
	ctx := t.Context()
	cursors := func() []im.WebhookCursor {
		c, err := s.Cursors(ctx, 1)
		must(t, err)
		return c
	}
	row := im.WebhookRow{App: 1, URLs: []im.WebhookURL{{ID: 1, URL: "a"}}}
	save := func() { must(t, s.SaveWebhook(ctx, row, im.AuditRow{Action: "webhook.change"})) }
	save()
	equal(t, cursors(), []im.WebhookCursor{{URL: 1}})
	must(t, s.SaveCursor(ctx, 1, im.WebhookCursor{URL: 1, Last: 40, Pending: []int64{7, 12}}))
	must(t, s.SaveCursor(ctx, 1, im.WebhookCursor{URL: 2, Last: 40})) // no such URL
	must(t, s.SaveKept(ctx, im.Kept{Events: []im.EventRow{event(1, 50, "alice")}}))
	row.URLs = append(row.URLs, im.WebhookURL{ID: 2, URL: "b"})
	save() // the new one is told of what comes
	equal(t, cursors(), []im.WebhookCursor{{URL: 1, Last: 40, Pending: []int64{7, 12}}, {URL: 2, Last: 50}})
	row.URLs = row.URLs[1:]
	save()
	equal(t, cursors(), []im.WebhookCursor{{URL: 2, Last: 50}})
	must(t, s.SaveCursor(ctx, 1, im.WebhookCursor{URL: 1, Last: 60}))
	equal(t, cursors(), []im.WebhookCursor{{URL: 2, Last: 50}})
}

func testPurgeEvents(t *testing.T, s *store.Store) {
	ctx := t.Context()
	var rows []im.EventRow
	for id := int64(1); id <= 2500; id++ {
		rows = append(rows, event(1, id, "alice"))
	}
	must(t, s.SaveKept(ctx, im.Kept{Events: append(rows, event(2, 1, "eve"))}))
	purge := func(before, upTo, want int64) {
		t.Helper()
		last, err := s.PurgeEvents(ctx, 1, before, upTo)
		must(t, err)
		first, _, err := s.EventRange(ctx, 1)
		must(t, err)
		if last != want || want != 0 && first != want+1 {
			t.Errorf("purge before %d, up to %d: the last was %d, the first is %d; want %d", before, upTo, last, first, want)
		}
	}
	purge(0, 0, 0)
	purge(1001*100, 0, 1000)
	purge(1001*100, 0, 0)
	purge(0, 2222, 2222)
	equal(t, len(events(t, s, 2, 0, math.MaxInt64, 10)), 1)
}
