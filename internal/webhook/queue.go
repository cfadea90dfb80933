package webhook

import (
	"container/heap"
	"slices"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

// item is an event that waits for one URL.
type item struct {
	im.EventRow
	attempts int
	first    time.Time // of the first attempt
	gone     bool      // delivered, or given up
}

// line holds the events of one key, in order. It is busy while its first ones
// are being sent, so that no later one overtakes them.
type line struct {
	key   string
	items []*item
	busy  bool
	due   time.Time // when it may be tried again, zero for now
	at    int       // in the heap, -1 elsewhere
}

// queue holds what waits for one URL: a line for each key, and which of them may
// be sent. It is not safe for concurrent use and knows no clock.
//
// An event without a key comes after all that came before it and before all that
// comes later: until it is delivered, what follows is held.
type queue struct {
	lines   map[string]*line
	ready   []*line  // may be sent now, in turn
	waiting lineHeap // are to be tried again
	held    []*item  // behind an event without a key, which is the first or is being sent
	order   []*item  // in memory alone, oldest first, with some that are gone
	active  int      // events in lines
	memory  int      // events that are in memory alone
}

func newQueue() *queue { return &queue{lines: make(map[string]*line)} }

// size is how many events wait or are being sent.
func (q *queue) size() int { return q.active + len(q.held) }

// push adds an event at the end.
func (q *queue) push(it *item) {
	if !it.Kept() {
		q.memory++
		q.order = append(q.order, it)
	}
	_, fenced := q.lines[""]
	if fenced || len(q.held) > 0 || it.Key == "" && q.active > 0 {
		q.held = append(q.held, it)
		return
	}
	q.add(it)
}

func (q *queue) add(it *item) {
	q.active++
	l := q.lines[it.Key]
	if l == nil {
		l = &line{key: it.Key, at: -1}
		q.lines[it.Key] = l
		q.ready = append(q.ready, l)
	}
	l.items = append(l.items, it)
}

// take gives the next events to be sent together, at most so many: the first
// ones of lines that are ready. They are busy until they are settled.
func (q *queue) take(now time.Time, most int) (batch []*item) {
	for len(q.waiting) > 0 && !q.waiting[0].due.After(now) {
		q.ready = append(q.ready, heap.Pop(&q.waiting).(*line))
	}
	for len(q.ready) > 0 && len(batch) < most {
		l := q.ready[0]
		again := l.items[0].attempts > 0
		if again && len(batch) > 0 {
			break // it goes alone: it may be what the receiver refuses
		}
		q.ready = q.ready[1:]
		l.busy, l.due = true, time.Time{}
		if again {
			return l.items[:1:1]
		}
		batch = append(batch, l.items[:min(len(l.items), most-len(batch))]...)
	}
	return batch
}

// next says when there will be something to take, and false where there will not
// be before something else happens.
func (q *queue) next() (at time.Time, ok bool) {
	if len(q.ready) > 0 {
		return time.Time{}, true
	}
	if len(q.waiting) > 0 {
		return q.waiting[0].due, true
	}
	return time.Time{}, false
}

// settle takes the events that are gone out of the queue and lets the lines of
// the batch go on: at once, or, where their first event is still there, when it
// is due.
func (q *queue) settle(batch []*item, due time.Time) {
	for _, it := range batch {
		l := q.lines[it.Key]
		if l == nil || !l.busy {
			continue // of a line that was settled with an earlier one
		}
		first := l.items[0]
		q.drop(l)
		l.busy = false
		switch {
		case len(l.items) == 0:
			delete(q.lines, l.key)
		case l.items[0] == first && !due.IsZero():
			l.due = due
			heap.Push(&q.waiting, l)
		default:
			q.ready = append(q.ready, l)
		}
	}
	q.release()
}

// drop takes those events of a line that are gone out of it.
func (q *queue) drop(l *line) {
	before := len(l.items)
	l.items = slices.DeleteFunc(l.items, func(it *item) bool {
		if it.gone && !it.Kept() {
			q.memory--
		}
		return it.gone
	})
	q.active -= before - len(l.items)
}

// release lets out what was held, once nothing is before it.
func (q *queue) release() {
	for q.active == 0 && len(q.held) > 0 {
		n := 1
		for q.held[0].Key != "" && n < len(q.held) && q.held[n].Key != "" {
			n++
		}
		for _, it := range q.held[:n] {
			q.add(it)
		}
		q.held = slices.Delete(q.held, 0, n)
	}
}

// dropOldest gives up the oldest event that is in memory alone and not being
// sent. It gives nil where there is none.
func (q *queue) dropOldest() *item {
	for i, it := range q.order {
		if it.gone {
			continue
		}
		l := q.lines[it.Key]
		if l != nil && l.busy {
			continue
		}
		it.gone = true
		q.order = slices.Delete(q.order, i, i+1)
		if j := slices.Index(q.held, it); j >= 0 {
			q.held = slices.Delete(q.held, j, j+1)
			q.memory--
			return it
		}
		q.drop(l)
		if len(l.items) == 0 {
			q.unlist(l)
		}
		q.release()
		return it
	}
	return nil
}

// unlist takes an empty line out.
func (q *queue) unlist(l *line) {
	delete(q.lines, l.key)
	if l.at >= 0 {
		heap.Remove(&q.waiting, l.at)
		return
	}
	q.ready = slices.DeleteFunc(q.ready, func(o *line) bool { return o == l })
}

// compact forgets those in memory that are gone.
func (q *queue) compact() {
	if len(q.order) > 64 && len(q.order) > 2*q.memory {
		q.order = slices.DeleteFunc(q.order, func(it *item) bool { return it.gone })
	}
}

// hurry makes all that waits to be tried again ready now.
func (q *queue) hurry() {
	for len(q.waiting) > 0 {
		l := heap.Pop(&q.waiting).(*line)
		l.due = time.Time{}
		q.ready = append(q.ready, l)
	}
}

// each calls f for every event that is not gone.
func (q *queue) each(f func(*item)) {
	for _, l := range q.lines {
		for _, it := range l.items {
			f(it)
		}
	}
	for _, it := range q.held {
		f(it)
	}
}

// purge takes out the kept events of which drop says so, save those that are
// being sent, and says how many.
func (q *queue) purge(drop func(id int64) bool) (dropped int) {
	old := func(it *item) bool { return it.Kept() && !it.gone && drop(it.ID) }
	for _, l := range q.lines {
		if l.busy {
			continue
		}
		for _, it := range l.items {
			if old(it) {
				it.gone = true
				dropped++
			}
		}
		if q.drop(l); len(l.items) == 0 {
			q.unlist(l)
		}
	}
	before := len(q.held)
	q.held = slices.DeleteFunc(q.held, old)
	dropped += before - len(q.held)
	q.release()
	return dropped
}

// lineHeap has the line that is due first at its top.
type lineHeap []*line

func (h lineHeap) Len() int           { return len(h) }
func (h lineHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h lineHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push is for the heap package.
func (h *lineHeap) Push(x any) {
	l := x.(*line)
	l.at = len(*h)
	*h = append(*h, l)
}

// Pop is for the heap package.
func (h *lineHeap) Pop() any {
	last := len(*h) - 1
	l := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	l.at = -1
	return l
}
