package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store"
	"github.com/porchlight-im/porchlight/internal/store/sqlc"
	"github.com/porchlight-im/porchlight/internal/testkit"
)

// behindProxy gives a store that reaches its database through a proxy, and a
// place that is the same database without it. The server has all the time it
// likes, however busy the machine is.
func behindProxy(t *testing.T) (*store.Store, *testkit.Proxy, place) {
	t.Helper()
	direct := with(t, testkit.Postgres(t), "lock_timeout", "60000")
	proxy, dsn := testkit.NewProxy(t, direct)
	s := postgresPlaceAt(dsn).open(t)
	s.AnswerWithinForTest(time.Minute)
	return s, proxy, postgresPlaceAt(direct)
}

// back waits until a store writes again, and gives how long that took.
func back(t *testing.T, s *store.Store) time.Duration {
	t.Helper()
	start := time.Now()
	for {
		err := s.Revoke(t.Context(), im.Order{User: bob, Before: 1})
		if err == nil {
			return time.Since(start)
		}
		if time.Since(start) > time.Minute {
			t.Fatalf("the store does not come back: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// A commit whose answer is lost is neither acknowledged nor tried again,
// whether it took place or not.
func TestPostgresUnknownCommitIsNoSuccess(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault testkit.Fault
		kept  bool
	}{
		"lost on the way there": {testkit.Lose, false},
		"lost on the way back":  {testkit.LoseBack, true},
	} {
		t.Run(name, func(t *testing.T) {
			s, proxy, _ := behindProxy(t)
			openSession(t, s, login(alice, 1, im.Web, 1000))
			before := s.Stats()
			proxy.Each(func(text []byte) testkit.Fault {
				if bytes.HasSuffix(text, []byte("commit\x00")) {
					return c.fault
				}
				return testkit.Pass
			})
			errs := logins(t, s, 10)
			proxy.Each(nil)
			back(t, s)
			unknown := 0
			for i, err := range errs {
				if err == nil {
					t.Error("a login was acknowledged by nobody")
				}
				if errors.Is(err, store.ErrUnknown) {
					unknown++
				}
				// Those that no commit was sent for are not there in either case.
				equal(t, user(t, s, loginN(i).User).Found, c.kept && errors.Is(err, store.ErrUnknown))
			}
			after := s.Stats()
			equal(t, after.Unknown-before.Unknown, uint64(unknown))
			equal(t, after.Failed-before.Failed, 10)
			if unknown == 0 {
				t.Error("no commit was lost")
			}
		})
	}
}

// A connection that breaks in the middle of a transaction costs nobody
// anything: it is tried again on the next, and done once.
func TestPostgresBrokenTransactionIsTriedAgain(t *testing.T) {
	t.Parallel()
	s, proxy, direct := behindProxy(t)
	openSession(t, s, loginN(0))
	before, runs := s.Stats(), 0
	must(t, s.WriteForTest(t.Context(), func(ctx context.Context, q *sqlc.Queries) error {
		if _, err := q.CountUp(ctx, "test"); err != nil {
			return err
		}
		if runs++; runs == 1 {
			proxy.Cut()
		}
		_, err := q.CountUp(ctx, "test")
		return err
	}))
	equal(t, runs, 2)
	equal(t, s.Stats().Retried-before.Retried, 1)
	equal(t, s.Stats().Failed, 0)
	var count int
	must(t, direct.raw(t).QueryRowContext(t.Context(), "SELECT value FROM counter WHERE name = 'test'").Scan(&count))
	equal(t, count, 2)
}

// Connections that broke while they were idle cost nobody an error.
func TestPostgresIdleConnectionsThatBreak(t *testing.T) {
	t.Parallel()
	s, proxy, _ := behindProxy(t)
	for i := range 5 {
		var calls sync.WaitGroup
		for range 8 {
			calls.Go(func() { must(t, s.Ping(t.Context())) })
		}
		calls.Wait()
		openSession(t, s, loginN(i))
		proxy.Cut()
		equal(t, user(t, s, loginN(i).User).Found, true)
	}
	equal(t, s.Stats().Failed, 0)
}

// While the server cannot be reached each call has an error soon, and the store
// works again by itself when it can.
func TestPostgresLostAndFound(t *testing.T) {
	t.Parallel()
	s, proxy, _ := behindProxy(t)
	openSession(t, s, loginN(0))
	proxy.Down()
	for i := range 3 {
		for _, err := range logins(t, s, 10) {
			if err == nil || errors.Is(err, store.ErrUnknown) {
				t.Errorf("round %d: without a server a login gives %v", i, err)
			}
		}
		if s.Ping(t.Context()) == nil {
			t.Error("without a server reading works")
		}
	}
	proxy.Up()
	t.Logf("it wrote again after %v", back(t, s))
	must(t, s.Ping(t.Context()))
	for i, err := range logins(t, s, 10) {
		if i > 0 {
			must(t, err)
		}
	}
	equal(t, len(live(t, s, 0)), 10)
}

// A server that says nothing, as when it was stopped or the network swallows all,
// is given up after a while, and taken again when it speaks.
func TestPostgresSilentServerIsGivenUp(t *testing.T) {
	t.Parallel()
	s, proxy, _ := behindProxy(t)
	openSession(t, s, loginN(0))
	s.AnswerWithinForTest(200 * time.Millisecond)
	proxy.Stall()
	for _, err := range logins(t, s, 3) {
		if err == nil {
			t.Error("a login passed without a word of the server")
		}
	}
	if s.Ping(t.Context()) == nil {
		t.Error("reading worked without a word of the server")
	}
	s.AnswerWithinForTest(time.Minute)
	proxy.Flow()
	back(t, s)
	must(t, s.Ping(t.Context()))
}

// rounds has writers write, each by its own users, until stop is closed. It gives
// what was acknowledged, and what may have been kept though it was not.
func rounds(t *testing.T, s *store.Store, stop <-chan struct{}) (acked, unknown map[im.UserID]bool, failed int) {
	acked, unknown = map[im.UserID]bool{}, map[im.UserID]bool{}
	var mu sync.Mutex
	var calls sync.WaitGroup
	for w := range crashWriters {
		calls.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				o := login(im.UserKey{App: testApp, User: im.UserID(fmt.Sprintf("%d.%d", w, n))}, 1, im.Web, 1000)
				_, err := s.OpenSession(t.Context(), o, 1)
				mu.Lock()
				switch {
				case err == nil:
					acked[o.User.User] = true
				case errors.Is(err, store.ErrUnknown):
					unknown[o.User.User] = true
				default:
					failed++
				}
				mu.Unlock()
				if err != nil {
					time.Sleep(time.Millisecond) // a server that is gone refuses at once
				}
			}
		})
	}
	calls.Wait()
	return acked, unknown, failed
}

// A PostgreSQL server that dies in the middle of everything, or one of its
// sessions, has lost nothing that was acknowledged, and keeps nothing that was
// refused. The store goes on by itself.
func TestPostgresServerKilledLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	cluster := testkit.StartCluster(t)
	p := postgresPlaceAt(testkit.PostgresAt(t, cluster.DSN))
	s := p.open(t)
	stop := make(chan struct{})
	var acked, unknown map[im.UserID]bool
	var failed int
	var calls sync.WaitGroup
	calls.Go(func() { acked, unknown, failed = rounds(t, s, stop) })
	waitFor := func(more uint64) {
		for at := s.Stats().Ops; s.Stats().Ops < at+more; {
			time.Sleep(time.Millisecond)
		}
	}
	var longest time.Duration
	for _, kill := range []func(){
		func() { cluster.Kill(syscall.SIGQUIT) }, // a crash of all its sessions
		func() { cluster.Kill(syscall.SIGKILL) },
		func() { killWriters(t, cluster) },
		func() { cluster.Kill(syscall.SIGINT) }, // a restart by its operator
		func() { killWriters(t, cluster) },
	} {
		waitFor(50)
		kill()
		longest = max(longest, back(t, s))
	}
	waitFor(50)
	close(stop)
	calls.Wait()
	t.Logf("acknowledged %d, unknown %d, failed %d; tried again %d; back after %v at most", len(acked), len(unknown), failed, s.Stats().Retried, longest)

	must(t, s.Close())
	s = p.open(t)
	kept := live(t, s, 0)
	for id := range acked {
		if _, ok := kept[im.UserKey{App: testApp, User: id}]; !ok {
			t.Errorf("%s was acknowledged and is lost", id)
		}
	}
	for key := range kept {
		if !acked[key.User] && !unknown[key.User] {
			t.Errorf("%s was refused and is there", key.User)
		}
	}
	seen := make(map[int64]bool)
	for key := range kept {
		u := user(t, s, key)
		if seen[u.TinyID] || len(u.Sessions) != 1 {
			t.Errorf("%v is half there or has another's number: %+v", key, u)
		}
		seen[u.TinyID] = true
	}
}

// killWriters ends every session of a server that is in a transaction, when there
// is one.
func killWriters(t *testing.T, cluster *testkit.Cluster) {
	db := place{driver: "pgx", source: cluster.DSN}.raw(t)
	start := time.Now()
	for {
		var n int64
		err := db.QueryRowContext(t.Context(), `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE application_name = 'porchlight' AND xact_start IS NOT NULL`).Scan(&n)
		if err == nil && n > 0 {
			return
		}
		if time.Since(start) > time.Minute {
			t.Fatalf("no session writes: %v", err)
		}
	}
}
