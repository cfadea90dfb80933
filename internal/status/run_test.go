package status

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/porchlight-im/porchlight/internal/im"
)

// TestST2_ST20_ReturnInTheLastMillisecond comes back just before a grace is over, by
// each way to begin one and to end it, or does not.
func TestST2_ST20_ReturnInTheLastMillisecond(t *testing.T) {
	comes := map[string]func(*testing.T, *Engine, Session){
		"return": func(t *testing.T, e *Engine, s Session) {
			if _, err := e.Return(t.Context(), s, &fakeOut{}, nil); err != nil {
				t.Fatal(err)
			}
		},
		"login elsewhere": func(t *testing.T, e *Engine, _ Session) { login(t, e, "bob", 9, im.Web) },
		"nobody":          func(*testing.T, *Engine, Session) {},
	}
	for cause, grace := range map[im.Cause]time.Duration{im.CauseBreak: im.GraceBreak, im.CauseNode: im.GraceNode, im.CauseClose: time.Millisecond} {
		for name, come := range comes {
			worldWith(t, func(_ *fakeStore, cfg *Config) { cfg.Rules.Grace[im.CauseClose] = time.Millisecond }, func(t *testing.T, f *fakeStore, e *Engine) {
				_, alice := login(t, e, "alice", 1, im.Web)
				bob, _ := login(t, e, "bob", 2, im.Android)
				if _, err := e.Subscribe(t.Context(), key("alice"), []im.UserID{"bob"}, 200); err != nil {
					t.Fatal(err)
				}
				e.Leave(key("bob"), 2, bob.Link, cause, e.Now())
				time.Sleep(grace - time.Millisecond)
				synctest.Wait()
				if got := alice.heard(); len(got) > 0 {
					t.Errorf("%v, %s: within the grace told %v", cause, name, got)
				}
				come(t, e, bob.Session)
				time.Sleep(time.Millisecond)
				synctest.Wait()
				want := map[string][]string{"nobody": {"bob OFFLINE"}}[name]
				if got := alice.heard(); !cmp.Equal(got, want) {
					t.Errorf("%v, %s: after it told %v, want %v", cause, name, got, want)
				}
				time.Sleep(time.Minute)
				if got := f.markOn("bob", im.Android).State; (got == im.MarkLost) != (name != "return") {
					t.Errorf("%v, %s: the store holds mark %d of the phone", cause, name, got)
				}
			})
		}
	}
}

// TestST2_ST18_GracesThatEndTogether has sessions of several users and devices lost at
// once and a moment apart: each user is told of when the last of theirs is over.
func TestST2_ST18_GracesThatEndTogether(t *testing.T) {
	world(t, func(t *testing.T, _ *fakeStore, e *Engine) {
		_, alice := login(t, e, "alice", 1, im.Web)
		if _, err := e.Subscribe(t.Context(), key("alice"), []im.UserID{"a", "b", "c"}, 200); err != nil {
			t.Fatal(err)
		}
		sessions := []struct {
			user im.UserID
			on   im.Platform
			at   time.Duration // of the loss
		}{{"a", im.Web, 0}, {"a", im.Android, 0}, {"b", im.Web, 0}, {"b", im.Web, time.Millisecond}, {"c", im.Web, 0}, {"c", im.IPad, 0}}
		var links []Attached
		for i, s := range sessions {
			at, _ := login(t, e, s.user, im.InstID(10+i), s.on)
			links = append(links, at)
		}
		alice.heard()
		for _, at := range []time.Duration{0, time.Millisecond} {
			for i, s := range sessions {
				if s.at == at {
					e.Leave(key(s.user), im.InstID(10+i), links[i].Link, im.CauseBreak, e.Now())
				}
			}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(im.GraceBreak - 3*time.Millisecond)
		for i, want := range [][]string{nil, {"a OFFLINE", "c OFFLINE"}, {"b UNLOGINED"}, nil} {
			synctest.Wait()
			got := alice.heard()
			if slices.Sort(got); !cmp.Equal(got, want) {
				t.Errorf("%d ms before the first is over told %v, want %v", 1-i, got, want)
			}
			time.Sleep(time.Millisecond)
		}
	})
}

// hardStore is a store whose writes of marks are noted, and refused or never answered.
type hardStore struct {
	*fakeStore
	began time.Time

	mu    sync.Mutex // guards the rest
	tries []time.Duration
	hangs bool
}

func (s *hardStore) SaveLive(ctx context.Context, marks []im.Mark, customs []im.CustomRow) error {
	s.mu.Lock()
	s.tries = append(s.tries, time.Since(s.began))
	hangs := s.hangs
	s.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return s.fakeStore.SaveLive(ctx, marks, customs)
}

// ran runs a test beside the engine's own goroutines, and gives how long it takes to
// stop them.
func ran(t *testing.T, test func(t *testing.T, s *hardStore, e *Engine)) (stopping time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &hardStore{fakeStore: newFakeStore(), began: time.Now()}
		e := newEngineWith(s.fakeStore, func(cfg *Config) { cfg.Store = s })
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { _ = e.Run(ctx); close(done) }()
		test(t, s, e)
		stop()
		began := time.Now()
		<-done
		stopping = time.Since(began)
	}) // which fails where a goroutine is left
	return stopping
}

// lose has a user who was there be lost.
func lose(t *testing.T, e *Engine, u im.UserID, inst im.InstID) {
	t.Helper()
	at, _ := login(t, e, u, inst, im.Web)
	e.Leave(key(u), inst, at.Link, im.CauseClose, e.Now())
}

// TestST21_ST32_LossIsTriedAgainOnceASecond fills the disk for a while: what waits is
// gathered for a tenth of a second and tried once a second until it is written, and
// what comes meanwhile goes with it.
func TestST21_ST32_LossIsTriedAgainOnceASecond(t *testing.T) {
	ran(t, func(t *testing.T, s *hardStore, e *Engine) {
		lose(t, e, "bob", 1)
		lose(t, e, "carol", 2)
		s.setFailing(true)
		time.Sleep(2200 * time.Millisecond)
		s.setFailing(false)
		lose(t, e, "dave", 3)
		time.Sleep(time.Minute)
		s.mu.Lock()
		defer s.mu.Unlock()
		want := []time.Duration{durableGather, durableGather + durableRetry, durableGather + 2*durableRetry, durableGather + 3*durableRetry}
		if !cmp.Equal(s.tries, want) {
			t.Errorf("tried at %v, want %v", s.tries, want)
		}
		for _, u := range []im.UserID{"bob", "carol", "dave"} {
			if got := s.mark(u); got != im.MarkLost {
				t.Errorf("the store holds mark %d of %s", got, u)
			}
		}
		if got := e.Stats().Unsaved; got != 3 {
			t.Errorf("%d failures are counted, want 3", got)
		}
	})
}

// TestST21_ST31_StopWritesTheRest stops the engine at any moment of its own work: it
// ends at once, or after five seconds where the store does not answer, has tried to
// write what waited, and leaves no goroutine.
func TestST21_ST31_StopWritesTheRest(t *testing.T) {
	for _, c := range []struct {
		name   string
		before func(*testing.T, *hardStore, *Engine)
		takes  time.Duration
		want   im.MarkState
	}{
		{"at rest", func(t *testing.T, _ *hardStore, e *Engine) { login(t, e, "bob", 1, im.Web) }, 0, im.MarkLive},
		{"at once", func(t *testing.T, _ *hardStore, e *Engine) { lose(t, e, "bob", 1) }, 0, im.MarkLost},
		{"while it gathers", func(t *testing.T, _ *hardStore, e *Engine) {
			lose(t, e, "bob", 1)
			time.Sleep(durableGather / 2)
		}, 0, im.MarkLost},
		{"when all is written", func(t *testing.T, _ *hardStore, e *Engine) {
			lose(t, e, "bob", 1)
			time.Sleep(time.Second)
		}, 0, im.MarkLost},
		{"between two tries, the disk is back", func(t *testing.T, s *hardStore, e *Engine) {
			lose(t, e, "bob", 1)
			s.setFailing(true)
			time.Sleep(durableRetry + durableRetry/2)
			s.setFailing(false)
		}, 0, im.MarkLost},
		{"between two tries, the disk is full", func(t *testing.T, s *hardStore, e *Engine) {
			lose(t, e, "bob", 1)
			s.setFailing(true)
			time.Sleep(durableRetry + durableRetry/2)
		}, 0, im.MarkLive},
		{"the store does not answer", func(t *testing.T, s *hardStore, e *Engine) {
			lose(t, e, "bob", 1)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.hangs = true
		}, durableLast, im.MarkLive},
		{"within a grace", func(t *testing.T, _ *hardStore, e *Engine) {
			at, _ := login(t, e, "bob", 1, im.Web)
			e.Leave(key("bob"), 1, at.Link, im.CauseBreak, e.Now())
		}, 0, im.MarkLive},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s *hardStore
			takes := ran(t, func(t *testing.T, hard *hardStore, e *Engine) {
				s = hard
				c.before(t, hard, e)
			})
			if got := s.mark("bob"); takes != c.takes || got != c.want {
				t.Errorf("it takes %v, want %v; the store holds mark %d, want %d", takes, c.takes, got, c.want)
			}
		})
	}
}
