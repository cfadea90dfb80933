package store_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store"
)

func testServerSecret(t *testing.T, s *store.Store) {
	secrets := make([][]byte, 8)
	var calls sync.WaitGroup
	for i := range secrets {
		calls.Go(func() {
			var err error
			if secrets[i], err = s.ServerSecret(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	if got := len(secrets[0]); got != 32 {
		t.Errorf("the secret has %d bytes, want 32", got)
	}
	for _, secret := range secrets {
		equal(t, secret, secrets[0])
	}
}

func testNextEpoch(t *testing.T, s *store.Store) {
	for _, step := range []struct{ now, want int64 }{
		{1000, 1000},
		{1000, 1001}, // two starts in one second
		{900, 1002},  // the clock went back
		{-5, 1003},
		{1002, 1004},
		{2000, 2000},
	} {
		got, err := s.NextEpoch(t.Context(), time.Unix(step.now, 0))
		must(t, err)
		if got != uint64(step.want) {
			t.Errorf("at %d the epoch is %d, want %d", step.now, got, step.want)
		}
	}
}

func testPurge(t *testing.T, s *store.Store) {
	var rows []im.SessionRow
	for i := range 4 {
		o := login(alice, im.InstID(i+1), im.Web, int64(i))
		openSession(t, s, o)
		rows = append(rows, o.Session)
	}
	for i, closed := range []int64{5000, 4999, 1} { // the fourth stays open
		rows[i].Closed, rows[i].Cause = closed, im.CauseLogout
	}
	must(t, s.CloseSessions(t.Context(), alice, rows[:3], nil))
	openSession(t, s, login(bob, 1, im.Web, 1))
	must(t, s.SaveLive(t.Context(), nil, []im.CustomRow{
		{User: alice, Rev: 4_999_999},
		{User: bob, Text: "old but said", Rev: 1},
	}))

	gone, err := s.Purge(t.Context(), 5000)
	must(t, err)
	equal(t, gone, int64(3)) // two sessions and alice's empty text
	equal(t, user(t, s, alice).Sessions, []im.SessionRow{rows[0], rows[3]})
	equal(t, live(t, s, 0)[bob].Custom, "old but said")
	gone, err = s.Purge(t.Context(), 5000)
	must(t, err)
	equal(t, gone, int64(0))
}

func testPurgeChunks(t *testing.T, s *store.Store) {
	const sessions = 1001 // a chunk holds 1000
	var ended []im.SessionRow
	var calls sync.WaitGroup
	for i := range sessions {
		o := login(alice, im.InstID(i+1), im.Web, 1)
		o.Session.Closed = 2
		ended = append(ended, o.Session)
		calls.Go(func() {
			if _, err := s.OpenSession(t.Context(), o, 1); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	must(t, s.CloseSessions(t.Context(), alice, ended, nil))
	gone, err := s.Purge(t.Context(), 3)
	must(t, err)
	equal(t, gone, int64(sessions))
	equal(t, user(t, s, alice).Sessions, []im.SessionRow{})
}

func testCancelledContext(t *testing.T, s *store.Store) {
	openSession(t, s, login(alice, 1, im.Web, 1000))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.OpenSession(ctx, login(alice, 2, im.Web, 1000), 1); !errors.Is(err, context.Canceled) {
		t.Errorf("OpenSession gives %v, want Canceled", err)
	}
	if _, err := s.User(ctx, alice); !errors.Is(err, context.Canceled) {
		t.Errorf("User gives %v, want Canceled", err)
	}
	if err := s.Ping(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Ping gives %v, want Canceled", err)
	}
	must(t, s.Ping(t.Context()))
	if err := s.Live(ctx, 0, func(im.LiveRow) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("Live gives %v, want Canceled", err)
	}
	equal(t, len(user(t, s, alice).Sessions), 1)
}
