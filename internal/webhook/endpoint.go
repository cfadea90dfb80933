package webhook

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

// What one URL may cost.
const (
	maxInFlight = 12 // requests with events at a time
	maxAsking   = 4  // questions at a time
	maxLoaded   = 4096
	loadPage    = 512
	saveEvery   = 250 * time.Millisecond
	lastFor     = 2 * time.Second // to send what is in memory when the server ends
)

// giveUpAfter is how often a URL that takes other events may refuse one.
const giveUpAfter = 20

// target is what is set of a URL, as a whole.
type target struct {
	row *im.WebhookRow
	url im.WebhookURL
}

// endpoint sends events to one URL of one application. What one costs never
// holds up another: each has a queue, connections and a breaker of its own.
type endpoint struct {
	d      *Dispatcher // set at start
	tenant *tenant     // set at start
	id     uint32      // set at start
	client *http.Client
	conf   atomic.Pointer[target]
	wake   chan struct{} // holds a token when there may be something to do
	quit   chan struct{} // closed when the URL is taken away
	gone   chan struct{} // closed when it has stopped
	asking chan struct{} // holds a token for each question on its way

	mu       sync.Mutex // level 0; guards all below
	q        *queue
	b        breaker
	ask      breaker // of the questions
	inflight int
	loaded   int64 // the last kept event that was taken up
	dirty    bool  // the cursor is to be saved
	reset    bool  // set by replay: loading begins anew
	stopping bool  // nothing more is begun
	lastOK   time.Time
	sent     uint64
	failed   uint64
	dropped  uint64
}

func (d *Dispatcher) newEndpoint(t *tenant, tg *target) *endpoint {
	ep := &endpoint{
		d: d, tenant: t, id: tg.url.ID, client: newClient(d.cfg.Allow, d.cfg.Resolver, d.cfg.Timeout),
		wake: make(chan struct{}, 1), quit: make(chan struct{}), gone: make(chan struct{}),
		asking: make(chan struct{}, maxAsking), q: newQueue(),
		b: breaker{limit: retryCap}, ask: breaker{limit: maxPause},
	}
	if d.cfg.Client != nil {
		ep.client = d.cfg.Client
	}
	ep.conf.Store(tg)
	return ep
}

// run sends until ctx or the URL ends. What is in memory alone is sent for a
// little longer, where the URL takes it.
func (ep *endpoint) run(ctx context.Context) {
	defer close(ep.gone)
	var wg sync.WaitGroup
	saving, stop := context.WithCancel(context.WithoutCancel(ctx))
	wg.Go(func() { ep.runSaver(saving) })
	defer wg.Wait()
	defer stop()
	ep.restore(ctx)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ep.step(ctx, timer) {
	}
	ep.finish()
	ep.client.CloseIdleConnections()
}

// step loads and begins what may be begun, then waits. It reports whether the
// endpoint goes on.
func (ep *endpoint) step(ctx context.Context, timer *time.Timer) bool {
	more, err := ep.load(ctx)
	if err != nil && ctx.Err() == nil {
		ep.d.cfg.Log.Error("load webhook events; will try again", "err", err, "app", ep.tenant.app)
	}
	wait := ep.begin()
	switch {
	case err != nil:
		wait = time.Second
	case more:
		wait = 0
	}
	timer.Reset(wait)
	select {
	case <-ctx.Done():
		return false
	case <-ep.quit:
		return false
	case <-ep.wake:
	case <-timer.C:
	}
	return true
}

// restore takes up what was pending when the last process ended.
func (ep *endpoint) restore(ctx context.Context) {
	for {
		cursor, rows, err := ep.pending(ctx)
		if err == nil {
			ep.mu.Lock()
			ep.loaded = cursor.Last
			for _, row := range rows {
				ep.q.push(&item{EventRow: row})
			}
			ep.mu.Unlock()
			return
		}
		if ctx.Err() != nil {
			return
		}
		ep.d.cfg.Log.Error("load a webhook's cursor; will try again", "err", err, "app", ep.tenant.app)
		select {
		case <-ctx.Done():
			return
		case <-ep.quit:
			return
		case <-time.After(time.Second):
		}
	}
}

func (ep *endpoint) pending(ctx context.Context) (cursor im.WebhookCursor, rows []im.EventRow, err error) {
	cursors, err := ep.d.cfg.Store.Cursors(ctx, ep.tenant.app)
	if err != nil {
		return cursor, nil, err
	}
	for _, c := range cursors {
		if c.URL == ep.id {
			cursor = c
		}
	}
	rows, err = ep.d.cfg.Store.EventsOf(ctx, ep.tenant.app, cursor.Pending)
	return cursor, rows, err
}

// load takes up kept events while there is room, and reports whether there may
// be more right now.
func (ep *endpoint) load(ctx context.Context) (more bool, err error) {
	safe := ep.tenant.safe()
	ep.mu.Lock()
	after, room := ep.loaded, maxLoaded-ep.q.size() // room in steps: pages of one event are dear
	ep.reset = false
	ep.mu.Unlock()
	if after >= safe || room < loadPage/8 {
		return false, nil
	}
	page := min(room, loadPage)
	rows, err := ep.d.cfg.Store.Events(ctx, ep.tenant.app, after, safe, page)
	if err != nil {
		return false, err
	}
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if ep.reset {
		return true, nil
	}
	ep.dirty = true
	tg := ep.conf.Load()
	for _, row := range rows {
		if takes(&tg.url, row.Command) {
			ep.q.push(&item{EventRow: row})
		}
	}
	if len(rows) < page {
		ep.loaded = safe
		return false, nil
	}
	ep.loaded = rows[len(rows)-1].ID
	return true, nil
}

// tell puts an event that is in memory alone into the queue; beyond a bound the
// oldest makes room.
func (ep *endpoint) tell(row im.EventRow) {
	ep.mu.Lock()
	ep.q.push(&item{EventRow: row})
	if ep.q.memory > ep.d.cfg.QueueEvents && ep.q.dropOldest() != nil {
		ep.dropped++
		ep.d.metrics.dropped.WithLabelValues("queue").Inc()
	}
	ep.mu.Unlock()
	signal(ep.wake)
}

// begin starts as many senders as there is work for, and says how long until
// there may be more.
func (ep *endpoint) begin() time.Duration {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	for ep.inflight < maxInFlight {
		batch := ep.takeLocked()
		if batch == nil {
			break
		}
		ep.inflight++
		ep.d.senders.Go(func() { ep.sender(batch) })
	}
	const far = time.Minute // the clock may be set
	at, ok := ep.q.next()
	if !ok || ep.inflight >= maxInFlight {
		return far
	}
	now := time.Now()
	wait := max(at.Sub(now), 0)
	if ep.b.open() {
		if ep.b.trying {
			return far // its outcome wakes
		}
		wait = max(wait, ep.b.until.Sub(now))
	}
	return min(max(wait, time.Millisecond), far)
}

// takeLocked gives what is to be sent next, nil for nothing. Events that are in
// memory alone go one by one.
func (ep *endpoint) takeLocked() []*item {
	if ep.stopping {
		return nil
	}
	now := time.Now()
	if at, ok := ep.q.next(); !ok || at.After(now) || !ep.b.allow(now) {
		return nil
	}
	most := 1
	if row := ep.conf.Load().row; row.Durable && row.Batch > 1 {
		most = row.Batch
	}
	return ep.q.take(now, most)
}

// sender sends a batch, and more while there is any.
func (ep *endpoint) sender(batch []*item) {
	for batch != nil {
		tg := ep.conf.Load()
		r := tg.request(batch)
		ctx, cancel := context.WithTimeout(context.Background(), ep.d.cfg.Timeout)
		res := send(ctx, ep.client, r)
		cancel()
		ep.d.metrics.observe(res)
		ep.tenant.log.add(ep.delivery(r, batch[0].attempts+1, res))
		ep.mu.Lock()
		ep.settleLocked(tg.row, batch, res)
		if batch = ep.takeLocked(); batch == nil {
			ep.inflight--
		}
		ep.mu.Unlock()
	}
	signal(ep.wake)
}

func (ep *endpoint) delivery(r *request, attempt int, res result) im.Delivery {
	return im.Delivery{
		At: time.Now().UnixMilli(), URL: ep.id, Event: r.id, Command: r.command, Attempt: attempt,
		Outcome: res.outcome, Detail: res.detail, Status: res.status, TookUS: res.took.Microseconds(),
		Bytes: len(r.body), Body: string(r.body[:min(len(r.body), maxLogged)]),
	}
}

// settleLocked says of each event of a batch whether it is delivered, is given
// up, or will be tried again.
func (ep *endpoint) settleLocked(row *im.WebhookRow, batch []*item, res result) {
	now := time.Now()
	var due time.Time
	if res.outcome == sentOK {
		for _, it := range batch {
			it.gone = true
		}
		ep.lastOK = now
		ep.sent += uint64(len(batch))
		if ep.b.succeed() {
			ep.q.hurry()
		}
	} else {
		ep.failed++
		ep.b.fail(now, now.Add(-res.took))
		due = ep.failLocked(row, batch, res, now)
	}
	ep.dirty = true
	before := ep.q.size()
	ep.q.settle(batch, due)
	ep.q.compact()
	if before > maxLoaded/2 && ep.q.size() <= maxLoaded/2 {
		signal(ep.wake) // load more before it runs dry
	}
}

// memoryRetries are the pauses before what is in memory alone is tried again.
var memoryRetries = []time.Duration{time.Second, 5 * time.Second, 30 * time.Second}

// failLocked counts a failed attempt and says when the next one is due.
func (ep *endpoint) failLocked(row *im.WebhookRow, batch []*item, res result, now time.Time) (due time.Time) {
	for _, it := range batch {
		if it.attempts == 0 {
			it.first = now
		}
		it.attempts++
		switch {
		case it.Kept() && it.attempts >= giveUpAfter && res.status != 0 && ep.lastOK.After(it.first):
			ep.giveUpLocked(it, "refused")
		case it.Kept():
			due = now.Add(jitter(it.attempts-1, retryCap))
		case row.Retry && it.attempts <= len(memoryRetries):
			due = now.Add(memoryRetries[it.attempts-1])
		default:
			ep.giveUpLocked(it, "failed")
		}
	}
	return due
}

func (ep *endpoint) giveUpLocked(it *item, reason string) {
	it.gone = true
	ep.dropped++
	ep.d.metrics.dropped.WithLabelValues(reason).Inc()
}

// finish sends what is in memory alone for a little while, begins nothing more
// and waits for what has begun.
func (ep *endpoint) finish() {
	over := time.Now().Add(lastFor)
	for {
		ep.mu.Lock()
		left := ep.q.memory > 0 && !ep.b.open() && time.Now().Before(over) && !closed(ep.quit)
		ep.stopping = !left
		busy := ep.inflight > 0
		if !left && !busy {
			ep.d.metrics.dropped.WithLabelValues("end").Add(float64(ep.q.memory))
			ep.mu.Unlock()
			return
		}
		ep.mu.Unlock()
		wait := lastFor
		if left {
			wait = ep.begin()
		}
		select {
		case <-ep.wake:
		case <-time.After(min(wait, lastFor)):
		}
	}
}

// runSaver keeps how far the URL was told, now and then.
func (ep *endpoint) runSaver(ctx context.Context) {
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastFor)
			defer cancel()
			ep.save(last)
			return
		case <-tick.C:
			ep.save(ctx)
		}
	}
}

func (ep *endpoint) save(ctx context.Context) {
	ep.mu.Lock()
	if !ep.dirty {
		ep.mu.Unlock()
		return
	}
	ep.dirty = false
	c := im.WebhookCursor{URL: ep.id, Last: ep.loaded}
	ep.q.each(func(it *item) {
		if it.Kept() {
			c.Pending = append(c.Pending, it.ID)
		}
	})
	ep.mu.Unlock()
	if err := ep.d.saveCursor(ctx, ep.tenant.app, c); err != nil {
		ep.mu.Lock()
		ep.dirty = true
		ep.mu.Unlock()
	}
}

// replay sends again all events after one that are still kept.
func (ep *endpoint) replay(after int64) {
	ep.mu.Lock()
	ep.q.purge(func(id int64) bool { return id > after }) // they come again
	ep.loaded, ep.dirty, ep.reset = after, true, true
	ep.mu.Unlock()
	ep.resume()
}

// resume ends a pause after failures: what waits is tried now. [WE21]
func (ep *endpoint) resume() {
	ep.mu.Lock()
	_ = ep.ask.succeed()
	if ep.b.succeed() {
		ep.q.hurry()
	}
	ep.mu.Unlock()
	signal(ep.wake)
}

// purged says that the events up to an ID are there no more.
func (ep *endpoint) purged(upTo int64) {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	lost := ep.q.purge(func(id int64) bool { return id <= upTo })
	if upTo > ep.loaded {
		lost += int(upTo - ep.loaded)
		ep.loaded = upTo
	}
	if lost > 0 {
		ep.dirty = true
		ep.dropped += uint64(lost)
		ep.d.metrics.dropped.WithLabelValues("retention").Add(float64(lost))
	}
}

// state tells how it stands.
func (ep *endpoint) state() im.WebhookState {
	safe := ep.tenant.safe()
	ep.mu.Lock()
	defer ep.mu.Unlock()
	s := im.WebhookState{
		Waiting: int64(ep.q.size()) + max(safe-ep.loaded, 0), InFlight: ep.inflight, Failing: ep.b.failures,
		Last: ep.loaded, Sent: ep.sent, Failed: ep.failed, Dropped: ep.dropped,
	}
	if !ep.lastOK.IsZero() {
		s.LastOK = ep.lastOK.UnixMilli()
	}
	ep.q.each(func(it *item) {
		if s.Oldest == 0 || it.At < s.Oldest {
			s.Oldest = it.At
		}
	})
	if ep.b.open() {
		s.PausedFor = max(time.Until(ep.b.until).Milliseconds(), 1)
	}
	return s
}

// signal leaves a token unless one is there.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func closed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
