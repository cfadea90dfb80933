package status

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Several devices subscribe at once: the list ends exactly as long as it may be,
// in memory, in the store and where the watched are.
func TestST30_LimitHoldsUnderConcurrency(t *testing.T) {
	f := newFakeStore()
	e := newEngine(f)
	login(t, e, "alice", 1, im.Web)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 10 {
				var users []im.UserID
				for n := range 30 {
					users = append(users, im.UserID(fmt.Sprintf("u%d", (g*131+i*17+n*7)%500)))
				}
				if _, err := e.Subscribe(t.Context(), key("alice"), users, 200); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	row, _ := f.User(t.Context(), key("alice"))
	if n := e.Stats().Watches; n != 200 || len(row.Watching) != 200 || len(unique(row.Watching)) != 200 {
		t.Errorf("%d watches and a list of %d, want 200", n, len(row.Watching))
	}
}

// forgettingOut is a connection that keeps what it is to forget.
type forgettingOut struct {
	fakeOut
	forgot []im.UserID
}

func (o *forgettingOut) Forget(users []im.UserID) { o.forgot = append(o.forgot, users...) }

// Whoever leaves a list, by whatever call, is dropped from what waits to be
// written to every connection of the account.
func TestST8_NothingWaitsAfterAnUnsubscribe(t *testing.T) {
	world(t, func(t *testing.T, _ *fakeStore, e *Engine) {
		outs := [2]*forgettingOut{{}, {}}
		for i, out := range outs {
			l := Login{User: key("alice"), Policy: multi, Expires: 1 << 40, Out: out}
			if _, err := e.Login(t.Context(), l, im.InstID(i+1)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := e.Subscribe(t.Context(), key("alice"), []im.UserID{"a", "b", "c", "d"}, 4); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Subscribe(t.Context(), key("alice"), []im.UserID{"e"}, 4); err != nil { // a makes room
			t.Fatal(err)
		}
		if _, err := e.Unsubscribe(t.Context(), key("alice"), []im.UserID{"b", "x"}); err != nil {
			t.Fatal(err)
		}
		if err := e.UnsubscribeAll(t.Context(), key("alice")); err != nil {
			t.Fatal(err)
		}
		for _, out := range outs {
			if got := fmt.Sprint(out.forgot); got != "[a b c d e]" {
				t.Errorf("it is to forget %s", got)
			}
		}
	})
}

// Who leaves and is forgotten comes back with a higher version all the same.
func TestST13_ForgottenUsersVersionsRise(t *testing.T) {
	world(t, func(t *testing.T, _ *fakeStore, e *Engine) {
		version := func() im.Version {
			found, _, err := e.Status(t.Context(), 1, []im.UserID{"bob"})
			if err != nil || len(found) != 1 {
				t.Fatal(found, err)
			}
			return found[0].Version
		}
		var last im.Version
		for i := range 3 {
			at, _ := login(t, e, "bob", im.InstID(i+1), im.Web)
			say(t, e, "bob", "here")
			here := version()
			if err := e.End(t.Context(), at.Session, im.CauseLogout); err != nil {
				t.Fatal(err)
			}
			if gone := version(); !last.Less(here) || gone.Less(here) || e.Stats().Users != 0 {
				t.Errorf("%v, then %v and %v with %d users in memory", last, here, gone, e.Stats().Users)
			}
			last = here
		}
	})
}

// crowd makes an engine with one user and so many who watch the user, each with
// one connection, which is shared.
func crowd(tb testing.TB, watchers int) (e *Engine, shared *countingOut) {
	tb.Helper()
	e = newEngine(newFakeStore())
	shared = &countingOut{}
	come := func(u im.UserID) {
		if _, err := e.Login(tb.Context(), Login{User: key(u), Policy: multi, Expires: 1 << 40, Out: shared}, 1); err != nil {
			tb.Fatal(err)
		}
	}
	come("star")
	for i := range watchers {
		u := im.UserID(fmt.Sprintf("w%d", i))
		come(u)
		if _, err := e.Subscribe(tb.Context(), key(u), []im.UserID{"star"}, 200); err != nil {
			tb.Fatal(err)
		}
	}
	return e, shared
}

// A change of a user whom a crowd watches is encoded once and told to
// each of them once; when they have left nothing of them stays.
func TestST31_ST33_CrowdWatchesOne(t *testing.T) {
	const watchers = 20_000 // BenchmarkHotUser has the hundred thousand
	e, shared := crowd(t, watchers)
	encoded := 0
	e.cfg.Encode = func(*im.Notice) { encoded++ }
	before := shared.n
	e.step(key("star"), event{kind: evCustom, custom: "hello"})
	if told := shared.n - before; told != watchers+1 || encoded != 1 {
		t.Errorf("told %d times and encoded %d times, want %d and once", told, encoded, watchers+1)
	}
	for i := range watchers {
		if err := e.UnsubscribeAll(t.Context(), key(im.UserID(fmt.Sprintf("w%d", i)))); err != nil {
			t.Fatal(err)
		}
	}
	before = shared.n
	e.step(key("star"), event{kind: evCustom, custom: "anybody?"})
	if told := shared.n - before; told != 1 || e.Stats().Watches != 0 {
		t.Errorf("told %d times with %d watches, want its own device alone", told, e.Stats().Watches)
	}
}

// cycle has accounts come, subscribe and leave, in every way there is, so many
// times; the store forgets them too.
func cycle(tb testing.TB, f *fakeStore, e *Engine, times int) {
	tb.Helper()
	out := &countingOut{}
	for i := range times {
		u := im.UserID(fmt.Sprintf("u%d", i%1000))
		at, err := e.Login(tb.Context(), Login{User: key(u), Policy: multi, Expires: 1 << 40, Out: out}, im.InstID(i+1))
		if err != nil {
			tb.Fatal(err)
		}
		targets := []im.UserID{"star", im.UserID(fmt.Sprintf("u%d", (i+1)%1000)), im.UserID(fmt.Sprintf("t%d", i%7))}
		if _, err := e.Subscribe(tb.Context(), key(u), targets, 200); err != nil {
			tb.Fatal(err)
		}
		switch i % 4 {
		case 0:
			err = e.UnsubscribeAll(tb.Context(), key(u))
			e.Leave(key(u), at.Session.Inst, at.Link, im.CauseClose, 0)
		case 1:
			err = e.End(tb.Context(), at.Session, im.CauseLogout)
		case 2:
			err = e.Kick(tb.Context(), key(u), "operator")
		default:
			e.Leave(key(u), at.Session.Inst, at.Link, im.CauseSilence, 0)
		}
		if err != nil {
			tb.Fatal(err)
		}
		if i%1000 == 999 {
			e.saveDurable(tb.Context())
			f.reset()
		}
	}
}

// reset empties the store.
func (f *fakeStore) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.orders = nil
	clear(f.rows)
	clear(f.customs)
	clear(f.marks)
}

// heapInUse gives how much is in use once all that is unused was freed.
func heapInUse() uint64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// leaves checks that cycles of subscribing and leaving end with every map empty
// and the heap within a hundredth of what it was after the first of them.
func leaves(tb testing.TB, times int) {
	tb.Helper()
	f := newFakeStore()
	e := newEngine(f)
	ballast := make([]byte, 16<<20) // so that a hundredth is more than the noise of a few small objects
	cycle(tb, f, e, 10_000)
	before := heapInUse()
	cycle(tb, f, e, times)
	after := heapInUse()
	runtime.KeepAlive(ballast)
	for i := range e.stripes {
		if s := &e.stripes[i]; len(s.users)+len(s.accounts) != 0 {
			tb.Errorf("stripe %d holds %d users and %d accounts", i, len(s.users), len(s.accounts))
		}
	}
	if s := e.Stats(); s.Users != 0 || s.Watches != 0 || s.Accounts != 0 {
		tb.Errorf("left behind: %+v", s)
	}
	if n := len(e.timers.soon) + len(e.timers.late); n != 0 {
		tb.Errorf("%d timers are left", n)
	}
	if float64(after) > float64(before)*1.01 {
		tb.Errorf("the heap was %d bytes and is %d after %d cycles", before, after, times)
	}
	tb.Logf("%d cycles: the heap was %d bytes and is %d", times, before, after)
}

func TestST31_CyclesOfSubscribeAndLeave(t *testing.T) {
	times := 100_000
	if testing.Short() {
		times = 10_000
	}
	leaves(t, times)
}

// BenchmarkLeaves is the same a million times over, once.
func BenchmarkLeaves(b *testing.B) {
	start := time.Now()
	leaves(b, 1_000_000)
	b.ReportMetric(1_000_000/time.Since(start).Seconds(), "cycles/s")
	b.ReportMetric(0, "ns/op")
}
