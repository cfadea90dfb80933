package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"modernc.org/sqlite"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store"
)

// inBubble runs test on a store with the usual settings and fake time.
func inBubble(t *testing.T, p place, test func(t *testing.T, s *store.Store)) {
	p.config.Gather = 0
	synctest.Test(t, func(t *testing.T) {
		s, err := store.Open(t.Context(), p.config)
		must(t, err)
		defer func() { must(t, s.Close()) }()
		test(t, s)
	})
}

// badApp is an application that no database takes: two keys have one number.
var badApp = im.AppRow{ID: 7, Name: "bad", Keys: []im.AppKey{{ID: 1, Secret: "a"}, {ID: 1, Secret: "b"}}}

// logins opens a session for each of n users at once and gives the errors.
func logins(t *testing.T, s *store.Store, n int) []error {
	errs := make([]error, n)
	var calls sync.WaitGroup
	for i := range errs {
		calls.Go(func() { _, errs[i] = s.OpenSession(t.Context(), loginN(i), 1) })
	}
	calls.Wait()
	return errs
}

func loginN(i int) im.Opening {
	return login(im.UserKey{App: testApp, User: im.UserID(fmt.Sprintf("user%d", i))}, 1, im.Web, int64(1000+i))
}

func testCommitsAreGathered(t *testing.T, p place) {
	inBubble(t, p, func(t *testing.T, s *store.Store) {
		before, start := s.Stats(), time.Now()
		const n = 600 // 500 at once, the rest when none has come for 1 ms
		must(t, errors.Join(logins(t, s, n)...))
		equal(t, time.Since(start), time.Millisecond)
		after := s.Stats()
		equal(t, after.Ops-before.Ops, n)
		equal(t, after.Commits-before.Commits, 2)
		equal(t, after.Batch, 100)
		equal(t, after.Queue, 0)
		equal(t, after.Failed, 0)
	})
}

// While ops keep coming the writer gathers them, but for 5 ms at most.
func testGatheringEnds(t *testing.T, p place) {
	inBubble(t, p, func(t *testing.T, s *store.Store) {
		const every = 900 * time.Microsecond
		start := time.Now()
		var calls sync.WaitGroup
		for i := range 7 {
			calls.Go(func() {
				<-time.After(time.Duration(i) * every)
				if _, err := s.OpenSession(t.Context(), loginN(i), 1); err != nil {
					t.Error(err)
				}
			})
		}
		calls.Wait()
		equal(t, time.Since(start), 6*every+time.Millisecond) // the seventh came after the first commit
		equal(t, s.Stats(), store.Stats{Commits: 2, Ops: 7, Batch: 1})
	})
}

func testBadOpFailsAlone(t *testing.T, p place) {
	inBubble(t, p, func(t *testing.T, s *store.Store) {
		var bad error
		var calls sync.WaitGroup
		calls.Go(func() { bad = s.CreateApp(t.Context(), badApp) })
		must(t, errors.Join(logins(t, s, 20)...))
		calls.Wait()
		if bad == nil || errors.Is(bad, store.ErrExists) {
			t.Errorf("the bad application gives %v, want the database's error", bad)
		}
		apps, err := s.Apps(t.Context())
		must(t, err)
		equal(t, apps, []im.AppRow{})
		equal(t, len(live(t, s, 0)), 20)
		equal(t, s.Stats(), store.Stats{Commits: 20, Ops: 20, Failed: 1, Batch: 1})
	})
}

func testRefusalLeavesTheBatchWhole(t *testing.T, p place) {
	inBubble(t, p, func(t *testing.T, s *store.Store) {
		must(t, s.Revoke(t.Context(), im.Order{User: loginN(3).User, Before: 1}))
		errs := logins(t, s, 20)
		for i, err := range errs {
			if i != 3 {
				must(t, err)
			}
		}
		if !errors.Is(errs[3], im.Err(im.CodeSigExpired)) {
			t.Errorf("the revoked login gives %v", errs[3])
		}
		equal(t, s.Stats(), store.Stats{Commits: 2, Ops: 21, Refused: 1, Batch: 20})
	})
}

func testOpGivenUpNeverRuns(t *testing.T, p place) {
	inBubble(t, p, func(t *testing.T, s *store.Store) {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Microsecond) // the commit comes after 1 ms
		defer cancel()
		start := time.Now()
		if _, err := s.OpenSession(ctx, loginN(0), 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the login gives %v, want DeadlineExceeded", err)
		}
		equal(t, time.Since(start), 500*time.Microsecond)
		openSession(t, s, loginN(1))
		equal(t, user(t, s, loginN(0).User).Found, false)
		equal(t, s.Stats(), store.Stats{Commits: 1, Ops: 1, Skipped: 1, Batch: 1})
	})
}

// An op that has begun is answered with the truth, whatever became of its
// caller's context meanwhile.
func TestSQLiteOpBegunIsAnsweredTruly(t *testing.T) {
	p := sqlitePlace(t)
	inBubble(t, p, func(t *testing.T, s *store.Store) {
		lock := p.raw(t)
		execSQL(t, lock, "BEGIN IMMEDIATE")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second) // BEGIN waits up to 5 s for the lock
		defer cancel()
		var calls sync.WaitGroup
		calls.Go(func() {
			if _, err := s.OpenSession(ctx, loginN(0), 1); err != nil {
				t.Errorf("the login gives %v, but it was committed", err)
			}
		})
		<-time.After(2 * time.Second)
		execSQL(t, lock, "ROLLBACK")
		calls.Wait()
		equal(t, user(t, s, loginN(0).User).Found, true)
	})
}

func TestSQLiteLockedDatabaseFailsTheBatchAtOnce(t *testing.T) {
	p := sqlitePlace(t)
	inBubble(t, p, func(t *testing.T, s *store.Store) {
		lock := p.raw(t)
		execSQL(t, lock, "BEGIN IMMEDIATE")
		start := time.Now()
		for _, err := range logins(t, s, 20) {
			if err == nil {
				t.Error("a login passed while the database was locked")
			}
		}
		if took := time.Since(start); took > 6*time.Second {
			t.Errorf("20 ops waited %v for a lock, want one wait of 5 s", took)
		}
		execSQL(t, lock, "ROLLBACK")
		must(t, errors.Join(logins(t, s, 20)...))
		equal(t, s.Stats(), store.Stats{Commits: 1, Ops: 20, Failed: 20, Batch: 20})
	})
}

func TestSQLiteFullQueueHonoursTheContext(t *testing.T) {
	p := sqlitePlace(t)
	inBubble(t, p, func(t *testing.T, s *store.Store) {
		lock := p.raw(t)
		execSQL(t, lock, "BEGIN IMMEDIATE")
		var calls sync.WaitGroup
		var failed atomic.Int32
		const most = store.MaxQueueForTest + 1000 // two batches at the writer at most, the rest queued
		for range most {
			calls.Go(func() {
				if s.Revoke(t.Context(), im.Order{User: alice, Before: 1}) != nil {
					failed.Add(1)
				}
			})
		}
		<-time.After(time.Second)
		equal(t, s.Stats().Queue, store.MaxQueueForTest)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Revoke(ctx, im.Order{User: bob, Before: 1}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("behind a full queue an op gives %v, want DeadlineExceeded", err)
		}
		execSQL(t, lock, "ROLLBACK")
		calls.Wait()
		equal(t, failed.Load(), 0)
		equal(t, user(t, s, bob).RevokedBefore, 0)
	})
}

func TestSQLiteDiskFullThenFreed(t *testing.T) {
	inBubble(t, sqlitePlace(t), func(t *testing.T, s *store.Store) {
		openSession(t, s, login(alice, 1, im.Web, 1000))
		db := s.WritingForTest()
		var pages int
		must(t, db.QueryRowContext(t.Context(), "PRAGMA page_count").Scan(&pages))
		execSQL(t, db, fmt.Sprintf("PRAGMA max_page_count = %d", pages))
		const logged = 150
		passed := 0
		for i, err := range logins(t, s, logged) {
			if user(t, s, loginN(i).User).Found != (err == nil) {
				t.Errorf("login %d gives %v, the database says otherwise", i, err)
			}
			if err == nil {
				passed++
			}
		}
		if passed == logged {
			t.Error("all logins fit into a full disk")
		}
		equal(t, user(t, s, alice).Found, true) // reading goes on
		execSQL(t, db, "PRAGMA max_page_count = 1000000")
		for i := range logged {
			if !user(t, s, loginN(i).User).Found {
				openSession(t, s, loginN(i))
			}
		}
		var verdict string
		must(t, db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict))
		equal(t, verdict, "ok")
	})
}

func TestSQLiteFailedCommitIsTriedSingly(t *testing.T) {
	inBubble(t, sqlitePlace(t), func(t *testing.T, s *store.Store) {
		var commits int
		hook(t, s, func() int32 { // not zero turns the commit into a rollback
			commits++
			if commits == 1 {
				return 1
			}
			return 0
		})
		must(t, errors.Join(logins(t, s, 10)...))
		equal(t, commits, 11)
		equal(t, len(live(t, s, 0)), 10)
		equal(t, s.Stats(), store.Stats{Commits: 10, Ops: 10, Batch: 1})

		hook(t, s, func() int32 { return 1 })
		for i, err := range logins(t, s, 10) {
			if err == nil {
				t.Errorf("login %d passed though nothing can be committed", i)
			}
		}
		equal(t, s.Stats().Failed, 10)
		hook(t, s, func() int32 { return 0 })
		openSession(t, s, login(alice, 1, im.Web, 1000))
	})
}

// hook has each commit of the writer ask f.
func hook(t *testing.T, s *store.Store, f func() int32) {
	t.Helper()
	conn, err := s.WritingForTest().Conn(t.Context())
	must(t, err)
	must(t, conn.Raw(func(c any) error {
		c.(sqlite.HookRegisterer).RegisterCommitHook(f)
		return nil
	}))
	must(t, conn.Close())
}

func testCloseFinishesTheQueue(t *testing.T, p place) {
	waits := p.config
	waits.Gather = time.Hour
	synctest.Test(t, func(t *testing.T) {
		s, err := store.Open(t.Context(), waits)
		must(t, err)
		var calls sync.WaitGroup
		calls.Go(func() { must(t, errors.Join(logins(t, s, 520)...)) })
		synctest.Wait()
		equal(t, s.Stats().Ops, 500) // the others wait for company
		start := time.Now()
		must(t, s.Close())
		calls.Wait()
		equal(t, time.Since(start), 0)
		must(t, s.Close())
		if _, err := s.OpenSession(t.Context(), loginN(0), 1); !errors.Is(err, store.ErrClosed) {
			t.Errorf("after Close a login gives %v, want ErrClosed", err)
		}
		if s.Ping(t.Context()) == nil {
			t.Error("after Close reading still works")
		}
	})
	equal(t, len(live(t, p.open(t), 0)), 520)
}

// Callers that come while Close runs have the truth too: done, or closed.
func testCloseAmongCallers(t *testing.T, p place) {
	s := p.open(t)
	errs := make([]error, 200)
	var calls sync.WaitGroup
	for i := range errs {
		calls.Go(func() { _, errs[i] = s.OpenSession(t.Context(), loginN(i), 1) })
		if i == 100 {
			calls.Go(func() { must(t, s.Close()) })
		}
	}
	calls.Wait()
	s = p.open(t)
	for i, err := range errs {
		if err != nil && !errors.Is(err, store.ErrClosed) {
			t.Errorf("login %d gives %v", i, err)
		}
		equal(t, user(t, s, loginN(i).User).Found, err == nil)
	}
}

func TestSQLiteFailureIsLoggedOnceAndItsEndToo(t *testing.T) {
	var log bytes.Buffer
	s, err := store.Open(t.Context(), store.Config{Gather: time.Nanosecond, Log: slog.New(slog.NewTextHandler(&log, nil))})
	must(t, err)
	if s.CreateApp(t.Context(), badApp) == nil { // its caller's fault, not the database's
		t.Error("the bad application was taken")
	}
	hook(t, s, func() int32 { return 1 })
	for range 3 {
		if s.Revoke(t.Context(), im.Order{User: alice, Before: 1}) == nil {
			t.Error("a commit passed that cannot have")
		}
	}
	hook(t, s, func() int32 { return 0 })
	openSession(t, s, loginN(0))
	openSession(t, s, loginN(1))
	must(t, s.Close())
	equal(t, strings.Count(log.String(), "fails"), 1)
	equal(t, strings.Count(log.String(), "works again"), 1)
}
