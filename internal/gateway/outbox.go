package gateway

import (
	"sync"

	"github.com/gobwas/ws"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/wire"
)

// outbox is what waits to be written to a connection, in two lanes. Answers and
// messages are ordered and never dropped: too many of them end the connection.
// Statuses conflate: one entry a user, the newest wins, so that they need no
// more memory than there are users watched, and at a pace.
//
// There is no writer goroutine. Whoever finds the outbox at rest takes the turn,
// takes what is due, unlocks and writes. Only when the socket takes no more does
// a goroutine wait for it.
type outbox struct {
	c  *conn // set at accept
	wr writer

	mu      sync.Mutex // level 0; guards all below
	writing bool       // somebody has the turn
	ready   bool       // a flusher will come
	paced   bool       // the pacer will come when others are due again
	ended   bool       // nothing more is taken
	held    int        // the status lane waits for so many answers
	idle    chan struct{}
	queue   []queued
	bytes   int
	own     pending // at most one entry
	lane    lane
	pace    gcra
}

// queued is one frame of the ordered lane. last is a close, after which nothing
// is written.
type queued struct {
	op   ws.OpCode
	data []byte
	last bool
}

// reply queues an answer and writes.
func (o *outbox) reply(payload []byte) { o.push(queued{op: o.c.opcode, data: payload}) }

// control queues a copy of a control frame and writes.
func (o *outbox) control(op ws.OpCode, payload []byte) {
	o.push(queued{op: op, data: append([]byte(nil), payload...)})
}

// finish queues a close, drops the statuses, and takes nothing after it.
func (o *outbox) finish(body []byte) {
	o.forgetAll()
	o.push(queued{op: ws.OpClose, data: body, last: true})
}

func (o *outbox) push(q queued) {
	lim := &o.c.g.lim
	o.mu.Lock()
	if o.ended {
		o.mu.Unlock()
		return
	}
	if len(o.queue) > 0 && (o.bytes+len(q.data) > lim.QueueBytes || len(o.queue) >= lim.QueueFrames) {
		o.mu.Unlock()
		o.c.drop("slow")
		return
	}
	o.queue = append(o.queue, q)
	o.bytes += len(q.data)
	o.ended = q.last
	o.takeTurn() // unlocks
}

// post queues a frame in the ordered lane for a flusher to write. Its caller may
// be telling many.
func (o *outbox) post(payload []byte) {
	lim := &o.c.g.lim
	o.mu.Lock()
	if o.ended {
		o.mu.Unlock()
		return
	}
	if len(o.queue) > 0 && (o.bytes+len(payload) > lim.QueueBytes || len(o.queue) >= lim.QueueFrames) {
		o.mu.Unlock()
		o.c.drop("slow")
		return
	}
	o.queue = append(o.queue, queued{op: o.c.opcode, data: payload})
	o.bytes += len(payload)
	wake := !o.writing && !o.ready
	o.ready = o.ready || wake
	o.mu.Unlock()
	if wake {
		o.c.g.flush.add(o)
	}
}

// hold keeps the status lane back until release, so that nothing newer is
// written before the answer that is being made.
func (o *outbox) hold() {
	o.mu.Lock()
	o.held++
	o.own.first = nil
	o.lane.doubt()
	o.mu.Unlock()
}

// release undoes hold and writes what waited.
func (o *outbox) release() {
	o.mu.Lock()
	o.held--
	o.takeTurn() // unlocks
}

// others takes a notice about someone else. It never blocks and never writes:
// its caller holds a stripe.
func (o *outbox) others(n *im.Notice) {
	o.mu.Lock()
	if o.ended {
		o.mu.Unlock()
		return
	}
	if o.lane.put(n, o.held == 0) {
		o.c.g.metrics.conflated.Add(1)
	}
	o.wakeFlusher() // unlocks
}

// ownStatus takes a notice about the connection's own user.
func (o *outbox) ownStatus(n *im.Notice) {
	o.mu.Lock()
	if o.ended {
		o.mu.Unlock()
		return
	}
	if o.own.put(n, o.held == 0) {
		o.c.g.metrics.conflated.Add(1)
	}
	o.wakeFlusher() // unlocks
}

// wakeFlusher asks for a flusher, unless one will look anyway. It unlocks.
func (o *outbox) wakeFlusher() {
	wake := !o.writing && !o.ready && o.held == 0 && (!o.paced || o.own.n != nil)
	o.ready = o.ready || wake
	o.mu.Unlock()
	if wake {
		o.c.g.flush.add(o)
	}
}

// statusless reports whether no status waits to be written.
func (o *outbox) statusless() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.own.n == nil && o.lane.empty()
}

// forget drops what rests on having watched these users.
func (o *outbox) forget(users []im.UserID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lane.forget(users)
}

// forgetAll drops all statuses.
func (o *outbox) forgetAll() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.own, o.lane = pending{}, lane{}
}

// close takes nothing more and drops what waits.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	o.queue, o.bytes, o.own, o.lane = nil, 0, pending{}, lane{}
}

// waitIdle waits until nobody writes: until all that is due is written or the
// write deadline has passed.
func (o *outbox) waitIdle() {
	o.mu.Lock()
	if !o.writing {
		o.mu.Unlock()
		return
	}
	if o.idle == nil {
		o.idle = make(chan struct{})
	}
	idle := o.idle
	o.mu.Unlock()
	<-idle
}

// flush is how a flusher comes.
func (o *outbox) flush() {
	o.mu.Lock()
	o.ready = false
	o.takeTurn() // unlocks
}

// flushPaced is how the pacer comes.
func (o *outbox) flushPaced() {
	o.mu.Lock()
	o.paced = false
	o.takeTurn() // unlocks
}

// takeTurn writes what is due if nobody else is writing. It is called with the
// lock held and unlocks.
func (o *outbox) takeTurn() {
	if o.writing {
		o.mu.Unlock()
		return
	}
	buf := buffers.Get().(*[]byte)
	for {
		last := o.collect(buf)
		if len(*buf) == 0 {
			o.restLocked()
			o.mu.Unlock()
			returnBuffer(buf)
			return
		}
		o.writing = true
		o.mu.Unlock()
		n, err := o.c.writeNow(*buf)
		if err != nil || n < len(*buf) {
			if err == nil {
				go o.finishWriting(buf, n, last)
				return
			}
			o.fail(buf)
			return
		}
		*buf = (*buf)[:0]
		o.mu.Lock()
		o.writing = false
	}
}

// restLocked ends a turn.
func (o *outbox) restLocked() {
	o.writing = false
	if o.idle != nil {
		close(o.idle)
		o.idle = nil
	}
}

// finishWriting has the turn while the socket takes no more at once.
func (o *outbox) finishWriting(buf *[]byte, written int, last bool) {
	err := o.c.writeAll((*buf)[written:])
	for err == nil && !last {
		*buf = (*buf)[:0]
		o.mu.Lock()
		last = o.collect(buf)
		if len(*buf) == 0 {
			o.restLocked()
			o.mu.Unlock()
			returnBuffer(buf)
			return
		}
		o.mu.Unlock()
		err = o.c.writeAll(*buf)
	}
	if err != nil {
		o.fail(buf)
		return
	}
	returnBuffer(buf)
	o.mu.Lock()
	o.restLocked()
	o.mu.Unlock()
}

// fail ends a connection that could not be written to.
func (o *outbox) fail(buf *[]byte) {
	returnBuffer(buf)
	o.close()
	o.mu.Lock()
	o.restLocked()
	o.mu.Unlock()
	o.c.drop("write")
}

// collect takes all that is due into buf, as frames in order, and reports
// whether a close is the last of them.
func (o *outbox) collect(buf *[]byte) (last bool) {
	b := *buf
	for _, q := range o.queue {
		b = appendFrame(b, q.op, q.data)
		last = q.last
	}
	o.queue, o.bytes = nil, 0
	if !last && o.held == 0 {
		b = o.collectStatuses(b)
	}
	*buf = b
	return last
}

// collectStatuses appends the own status and as many frames about others as
// the pace allows now; for the rest it asks the pacer to come.
func (o *outbox) collectStatuses(b []byte) []byte {
	g := o.c.g
	if n := o.own.take(); n != nil {
		b = appendFrame(b, o.c.opcode, n.Push)
	}
	step := int64(g.lim.Tick)
	var few [8]*im.Notice // more are rare: they take memory of their own
	for !o.lane.empty() {
		now := g.nanos()
		if !o.pace.allow(now, step, g.lim.Burst) {
			if !o.paced {
				o.paced = true
				g.flush.later(o, o.pace.next(step, g.lim.Burst))
			}
			break
		}
		b = o.appendOthers(b, o.lane.take(few[:0], g.lim.PushItems))
	}
	return b
}

// appendOthers appends one frame of statuses.
func (o *outbox) appendOthers(b []byte, batch []*im.Notice) []byte {
	if len(batch) == 0 {
		return b
	}
	o.c.g.metrics.pushed.Add(float64(len(batch)))
	if len(batch) == 1 {
		return appendFrame(b, o.c.opcode, batch[0].Push)
	}
	size := len(wire.StatusPushOpen) + len(wire.StatusPushClose) + len(batch) - 1
	for _, n := range batch {
		size += len(n.Item)
	}
	b = appendFrameHead(b, o.c.opcode, size)
	b = append(b, wire.StatusPushOpen...)
	for i, n := range batch {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, n.Item...)
	}
	return append(b, wire.StatusPushClose...)
}

// drop ends the connection without a close: its peer does not read.
func (c *conn) drop(reason string) {
	c.setCause(im.CauseBreak)
	c.g.metrics.dropped.WithLabelValues(reason).Inc()
	_ = c.nc.Close() // the read loop notices and cleans up
}
