package status

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

// timers holds when time alone may change whose status: one heap and one timer
// for all. An entry is not taken out when a return makes it void; it finds that
// nothing is due.
type timers struct {
	mu   sync.Mutex // level 0
	heap timerHeap
	wake chan struct{} // holds one token when the soonest entry is new
}

type timerEntry struct {
	at  int64 // Unix ms
	key im.UserKey
}

func (t *timers) add(at int64, key im.UserKey) {
	t.mu.Lock()
	heap.Push(&t.heap, timerEntry{at, key})
	first := t.heap[0].at == at
	t.mu.Unlock()
	if first {
		signal(t.wake)
	}
}

// due takes out an entry that is due, or says when the soonest will be.
func (t *timers) due(now int64) (e timerEntry, ok bool, next int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.heap) == 0 {
		return e, false, 0
	}
	if at := t.heap[0].at; at > now {
		return e, false, at
	}
	return heap.Pop(&t.heap).(timerEntry), true, 0
}

// runTimers steps each user whose time has come, until ctx ends.
func (e *Engine) runTimers(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		next := e.fire()
		// The clock may be set back: look at least once a minute.
		wait := time.Minute
		if next != 0 {
			wait = min(wait, time.Duration(next-e.now())*time.Millisecond)
		}
		timer.Reset(max(wait, time.Millisecond))
		select {
		case <-ctx.Done():
			return
		case <-e.timers.wake:
		case <-timer.C:
		}
	}
}

// fire steps all who are due and says when the next one is, 0 for never.
func (e *Engine) fire() int64 {
	for {
		t, ok, next := e.timers.due(e.now())
		if !ok {
			return next
		}
		s := e.stripe(t.key)
		s.mu.Lock()
		if u := s.users[t.key]; u != nil {
			if u.timerAt == t.at {
				u.timerAt = 0
			}
			e.applyLocked(s, u, event{kind: evTick}, nil)
		}
		s.mu.Unlock()
	}
}

// signal leaves a token unless one is there.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

type timerHeap []timerEntry

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
