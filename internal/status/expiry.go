package status

import (
	"cmp"
	"container/heap"
	"context"
	"sync"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

// timers holds when time alone may change whose status: a heap by each clock and
// one timer for all. An entry is not taken out when a return makes it void; it
// finds that nothing is due.
type timers struct {
	mu   sync.Mutex    // level 0
	soon timerHeap     // by the steady clock: graces
	late timerHeap     // by the wall clock: what lasts for days
	wake chan struct{} // holds one token when the soonest entry is new
}

type timerEntry struct {
	at  int64 // ms, of its heap's clock
	key im.UserKey
}

// add sets the timers of a user, each where it is not 0.
func (t *timers) add(at moment, key im.UserKey) {
	t.mu.Lock()
	first := t.soon.set(at.steady, key)
	first = t.late.set(at.wall, key) || first
	t.mu.Unlock()
	if first {
		signal(t.wake)
	}
}

// due takes out an entry that is due and gives its times, 0 in the clock that it
// is not of, or says how long it is until the next, at most a minute: the wall
// clock may be set meanwhile.
func (t *timers) due(now moment) (at moment, key im.UserKey, wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	wait = time.Minute
	if e, ok := t.soon.due(now.steady, &wait); ok {
		return moment{steady: e.at}, e.key, 0
	}
	if e, ok := t.late.due(now.wall, &wait); ok {
		return moment{wall: e.at}, e.key, 0
	}
	return at, key, wait
}

// runTimers steps each user whose time has come, until ctx ends.
func (e *Engine) runTimers(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(e.fire())
		select {
		case <-ctx.Done():
			return
		case <-e.timers.wake:
		case <-timer.C:
		}
	}
}

// fire steps all who are due and says how long it is until the next, at most a
// minute.
func (e *Engine) fire() time.Duration {
	for {
		at, key, wait := e.timers.due(e.moment())
		if wait > 0 {
			return wait
		}
		s := e.stripe(key)
		s.mu.Lock()
		if u := s.users[key]; u != nil {
			if u.timers.steady == at.steady {
				u.timers.steady = 0
			}
			if u.timers.wall == at.wall {
				u.timers.wall = 0
			}
			e.applyLocked(s, u, event{kind: evTick}, nil)
		}
		s.mu.Unlock()
	}
}

// remindLocked sets the user's timers, unless they are set as soon already.
func (e *Engine) remindLocked(u *user, wake moment) {
	if u.timers.steady != 0 && wake.steady >= u.timers.steady {
		wake.steady = 0
	}
	if u.timers.wall != 0 && wake.wall >= u.timers.wall {
		wake.wall = 0
	}
	if wake == (moment{}) {
		return
	}
	u.timers = moment{cmp.Or(wake.steady, u.timers.steady), cmp.Or(wake.wall, u.timers.wall)}
	e.timers.add(wake, u.key)
}

// signal leaves a token unless one is there.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// timerHeap is a heap of entries, the soonest first.
type timerHeap []timerEntry

// set adds an entry, unless at is 0, and reports whether it is the soonest.
func (h *timerHeap) set(at int64, key im.UserKey) (first bool) {
	if at == 0 {
		return false
	}
	heap.Push(h, timerEntry{at, key})
	return (*h)[0].at == at
}

// due takes out the soonest entry if it is due, or lowers wait to when it will be.
func (h *timerHeap) due(now int64, wait *time.Duration) (e timerEntry, ok bool) {
	if len(*h) == 0 {
		return e, false
	}
	if at := (*h)[0].at; at > now {
		if at-now < wait.Milliseconds() {
			*wait = time.Duration(at-now) * time.Millisecond
		}
		return e, false
	}
	return heap.Pop(h).(timerEntry), true
}

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h timerHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *timerHeap) Push(x any)        { *h = append(*h, x.(timerEntry)) }
func (h *timerHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	old[len(old)-1] = timerEntry{}
	*h = old[:len(old)-1]
	return x
}
