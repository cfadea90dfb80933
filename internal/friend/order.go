package friend

import "sync"

// order tells what happened in the order in which it was decided, which is that
// of the commits: each transaction takes a ticket as it decides, and is told when
// it and all before it are known to be committed or not. So a device that hears
// of a friend's coming and going hears of it in that order, though nobody holds a
// lock while a commit is waited for.
type order struct {
	tell func(happening) // set at start

	mu      sync.Mutex // level 0; guards all below
	queue   []*ticket
	telling bool // somebody is
}

// ticket is one decision's place in the order.
type ticket struct {
	what    happening
	settled bool          // it is known whether it counts
	told    chan struct{} // closed when it has been told, or counts for nothing
}

// enter gives a decision its place. A decision that was made once more leaves
// the place it had.
func (o *order) enter(before *ticket, what happening) *ticket {
	o.mu.Lock()
	defer o.mu.Unlock()
	if before != nil {
		before.what, before.settled = happening{}, true
	}
	t := &ticket{what: what, told: make(chan struct{})}
	o.queue = append(o.queue, t)
	return t
}

// settle says whether a decision was committed, and returns when that has been
// told.
func (o *order) settle(t *ticket, failed error) {
	if t == nil {
		return // nothing was decided
	}
	o.mu.Lock()
	if t.settled = true; failed != nil {
		t.what = happening{}
	}
	if !o.telling {
		o.telling = true
		o.drainUnlock()
	} else {
		o.mu.Unlock()
	}
	<-t.told
}

// drainUnlock tells what is known at the head of the queue. It is called with
// the lock held and unlocks.
func (o *order) drainUnlock() {
	for len(o.queue) > 0 && o.queue[0].settled {
		t := o.queue[0]
		o.queue[0] = nil
		if o.queue = o.queue[1:]; len(o.queue) == 0 {
			o.queue = nil
		}
		o.mu.Unlock()
		o.tell(t.what)
		close(t.told)
		o.mu.Lock()
	}
	o.telling = false
	o.mu.Unlock()
}
