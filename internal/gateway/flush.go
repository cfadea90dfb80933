package gateway

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// flusher writes what the status engine put into outboxes: as many goroutines
// as cores, and one pacer for those whose pace lets them wait. Nothing here
// grows with the connections but two lists of those that have something to
// write.
type flusher struct {
	g     *Gateway
	mu    sync.Mutex // level 0
	ready []*outbox
	wake  *sync.Cond
	done  bool

	pace pacer
}

// pacer is a wheel of slots of pacerSlot each; an outbox is looked at when its
// slot comes round.
type pacer struct {
	mu    sync.Mutex // level 0
	slots [][]*outbox
	at    int64         // the slot that comes next
	count int           // outboxes in the wheel
	start chan struct{} // a token: the wheel is not empty any more
}

const pacerSlot = 10 * time.Millisecond

func newFlusher(g *Gateway) *flusher {
	f := &flusher{g: g}
	f.wake = sync.NewCond(&f.mu)
	f.pace.slots = make([][]*outbox, int(g.lim.Tick/pacerSlot)+2)
	f.pace.start = make(chan struct{}, 1)
	return f
}

// add makes a flusher come to an outbox. It never blocks.
func (f *flusher) add(o *outbox) {
	f.mu.Lock()
	f.ready = append(f.ready, o)
	f.mu.Unlock()
	f.wake.Signal()
}

// later makes the pacer come to an outbox at a time in Unix ns, or a slot after
// it. Its caller holds the outbox.
func (f *flusher) later(o *outbox, at int64) {
	p := &f.pace
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.count == 0 {
		p.at = f.g.nanos() / int64(pacerSlot)
		select {
		case p.start <- struct{}{}:
		default:
		}
	}
	slot := at/int64(pacerSlot) + 1
	slot = min(max(slot, p.at), p.at+int64(len(p.slots))-1)
	i := slot % int64(len(p.slots))
	p.slots[i] = append(p.slots[i], o)
	p.count++
}

// run flushes until ctx ends.
func (f *flusher) run(ctx context.Context) {
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(f.work)
	}
	wg.Go(func() { f.turn(ctx) })
	<-ctx.Done()
	f.mu.Lock()
	f.done = true
	f.mu.Unlock()
	f.wake.Broadcast()
	wg.Wait()
}

// work is one flusher. It takes a share of what is ready, so that all have
// some.
func (f *flusher) work() {
	var batch []*outbox
	for {
		f.mu.Lock()
		for len(f.ready) == 0 && !f.done {
			f.wake.Wait()
		}
		if f.done {
			f.mu.Unlock()
			return
		}
		n := min(len(f.ready), 64)
		batch = append(batch[:0], f.ready[:n]...)
		rest := copy(f.ready, f.ready[n:])
		clear(f.ready[rest:])
		f.ready = f.ready[:rest]
		f.mu.Unlock()
		for i, o := range batch {
			o.flush()
			batch[i] = nil
		}
	}
}

// turn turns the pacer's wheel while there is something in it.
func (f *flusher) turn(ctx context.Context) {
	tick := time.NewTicker(pacerSlot)
	defer tick.Stop()
	for {
		if f.resting() {
			tick.Stop()
			select {
			case <-ctx.Done():
				return
			case <-f.pace.start:
			}
			tick.Reset(pacerSlot)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		f.advance(f.g.nanos() / int64(pacerSlot))
	}
}

func (f *flusher) resting() bool {
	f.pace.mu.Lock()
	defer f.pace.mu.Unlock()
	return f.pace.count == 0
}

// advance flushes the slots that have come, up to and with slot to.
func (f *flusher) advance(to int64) {
	p := &f.pace
	for {
		p.mu.Lock()
		if p.at > to || p.count == 0 {
			p.mu.Unlock()
			return
		}
		i := p.at % int64(len(p.slots))
		due := p.slots[i]
		p.slots[i] = nil
		p.count -= len(due)
		p.at++
		p.mu.Unlock()
		for _, o := range due {
			o.flushPaced()
		}
	}
}
