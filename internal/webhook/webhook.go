// Package webhook tells an application's back end what happens to its users, by
// signed requests over HTTP, and asks it beforehand about what it may refuse.
//
// It promises that nobody who uses the chat waits for it, save for a question
// that has a deadline; that what one URL costs, however hostile, holds up no
// other; that everything it holds is bounded and what it gives up is counted;
// that events of one key are delivered in order; and that an application that
// wants its events kept gets each at least once, while the store keeps them. It
// never follows a redirect, never uses a proxy, and never connects to an address
// that is not on the Internet unless the operator lists it.
package webhook

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Store keeps what applications have set, and the events of those who want them
// kept. What it acknowledges is committed.
type Store interface {
	Settings
	// Events gives events after one and up to another, in order.
	Events(ctx context.Context, app im.AppID, after, upTo int64, limit int) ([]im.EventRow, error)
	// EventsOf gives those of some events that are still there.
	EventsOf(ctx context.Context, app im.AppID, ids []int64) ([]im.EventRow, error)
	// Cursors gives how far each URL was told.
	Cursors(ctx context.Context, app im.AppID) ([]im.WebhookCursor, error)
	// SaveCursor keeps that of one.
	SaveCursor(ctx context.Context, app im.AppID, c im.WebhookCursor) error
}

// Settings keeps what applications have set, under the promise of [Store].
type Settings interface {
	// Webhooks gives what every application has set.
	Webhooks(ctx context.Context) ([]im.WebhookRow, error)
	// SaveWebhook replaces what one has set, with the row that says who did it.
	SaveWebhook(ctx context.Context, row im.WebhookRow, audit im.AuditRow) error
	// EventRange gives the first and the last event, 0 for none.
	EventRange(ctx context.Context, app im.AppID) (first, last int64, err error)
	// EventSince gives the first event of a time, Unix ms, or later.
	EventSince(ctx context.Context, app im.AppID, at int64) (int64, error)
	// PurgeEvents deletes events from before a time and those up to an ID, and
	// gives the last that went.
	PurgeEvents(ctx context.Context, app im.AppID, before, upTo int64) (int64, error)
}

// Config is what a Dispatcher is made from.
type Config struct {
	Store       Store
	Epoch       uint64 // numbers the server's start
	Allow       Nets   // to be reached although not on the Internet
	Resolver    *net.Resolver
	Timeout     time.Duration // of a request, 0 for the default
	QueueEvents int           // of one URL that wait in memory alone, 0 for the default
	Keep        time.Duration // how long events are kept, 0 for the default
	KeepEvents  int64         // how many of an application, 0 for the default
	Metrics     prometheus.Registerer
	Log         *slog.Logger

	Client *http.Client // to send with, whatever the address; for tests
}

// maxPause bounds how long a question is not put to a URL that fails.
const maxPause = 30 * time.Second

// Dispatcher takes events and delivers them. Make one with [New] and keep
// [Dispatcher.Run] running while it is used.
type Dispatcher struct {
	cfg     Config
	metrics *metrics
	turn    chan struct{} // holds one token while settings change; the store is waited for under it
	tenants atomic.Pointer[map[im.AppID]*tenant]
	senders sync.WaitGroup
	numbers atomic.Uint64 // of events that are not kept

	mu      sync.Mutex // level 0; guards all below
	running func(*endpoint)
	waiting []*endpoint // to be started
}

// tenant is an application that has set something.
type tenant struct {
	app im.AppID
	log deliveryLog

	row       atomic.Pointer[im.WebhookRow]
	endpoints atomic.Pointer[[]*endpoint]

	mu     sync.Mutex // level 0; guards all below
	places places
}

// New makes a dispatcher with what applications have set.
func New(ctx context.Context, cfg Config) (*Dispatcher, error) {
	cfg.Timeout = cmp.Or(cfg.Timeout, im.WebhookTimeout)
	cfg.QueueEvents = cmp.Or(cfg.QueueEvents, im.MaxWebhookQueue)
	cfg.Keep = cmp.Or(cfg.Keep, im.WebhookKeep)
	cfg.KeepEvents = cmp.Or(cfg.KeepEvents, im.MaxWebhookKept)
	d := &Dispatcher{cfg: cfg, turn: make(chan struct{}, 1)}
	d.metrics = newMetrics(cfg.Metrics, d)
	d.tenants.Store(&map[im.AppID]*tenant{})
	rows, err := cfg.Store.Webhooks(ctx)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		t, err := d.newTenant(ctx, row.App)
		if err != nil {
			return nil, err
		}
		d.apply(t, &row)
	}
	return d, nil
}

// newTenant makes a tenant whose places begin after all that were ever taken.
func (d *Dispatcher) newTenant(ctx context.Context, app im.AppID) (*tenant, error) {
	_, last, err := d.cfg.Store.EventRange(ctx, app)
	if err != nil {
		return nil, err
	}
	cursors, err := d.cfg.Store.Cursors(ctx, app)
	if err != nil {
		return nil, err
	}
	for _, c := range cursors {
		last = max(last, c.Last)
	}
	t := &tenant{app: app}
	t.row.Store(&im.WebhookRow{App: app})
	t.places.low = last + 1
	t.endpoints.Store(&[]*endpoint{})
	tenants := maps.Clone(*d.tenants.Load())
	tenants[app] = t
	d.tenants.Store(&tenants)
	return t, nil
}

// tenant gives that of an application, nil for none.
func (d *Dispatcher) tenant(app im.AppID) *tenant { return (*d.tenants.Load())[app] }

// Run delivers until ctx ends.
func (d *Dispatcher) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	d.mu.Lock()
	d.running = func(ep *endpoint) { wg.Go(func() { ep.run(ctx) }) }
	for _, ep := range d.waiting {
		d.running(ep)
	}
	d.waiting = nil
	d.mu.Unlock()
	<-ctx.Done()
	d.mu.Lock()
	d.running = nil
	d.mu.Unlock()
	wg.Wait()
	d.senders.Wait()
	return nil
}

// start runs an endpoint, now or with Run.
func (d *Dispatcher) start(ep *endpoint) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.running != nil {
		d.running(ep)
		return
	}
	d.waiting = append(d.waiting, ep)
}

// stop ends an endpoint and waits for it, if it runs.
func (d *Dispatcher) stop(ep *endpoint) {
	close(ep.quit)
	d.mu.Lock()
	before := len(d.waiting)
	d.waiting = slices.DeleteFunc(d.waiting, func(o *endpoint) bool { return o == ep })
	started := len(d.waiting) == before
	d.mu.Unlock()
	if started {
		<-ep.gone
	}
}

// apply puts settings into effect.
func (d *Dispatcher) apply(t *tenant, row *im.WebhookRow) {
	old := *t.endpoints.Load()
	var now []*endpoint
	for _, u := range row.URLs {
		i := slices.IndexFunc(old, func(ep *endpoint) bool { return ep.id == u.ID })
		if i < 0 {
			ep := d.newEndpoint(t, &target{row, u})
			d.start(ep)
			now = append(now, ep)
			continue
		}
		old[i].conf.Store(&target{row, u})
		old[i].resume() // it may be what was wrong
		now = append(now, old[i])
	}
	t.endpoints.Store(&now)
	t.row.Store(row)
	for _, ep := range old {
		if !slices.Contains(now, ep) {
			d.stop(ep)
		}
	}
}

// Hears reports whether an application is told of what becomes of its users. It
// neither blocks nor waits.
func (d *Dispatcher) Hears(app im.AppID) bool { return d.wants(app, cmdState) }

func (d *Dispatcher) wants(app im.AppID, command string) bool {
	t := d.tenant(app)
	return t != nil && wanted(t.row.Load(), command)
}

// Places takes n places in a row among an application's events and gives the
// first, or 0 where its events are not kept. Each must be closed, by Tell or by
// Void: what comes later is not sent before.
func (d *Dispatcher) Places(app im.AppID, n int) int64 {
	t := d.tenant(app)
	if t == nil || !t.row.Load().Durable {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.places.take(n)
}

// Void closes places at which there will be no event.
func (d *Dispatcher) Void(app im.AppID, first int64, n int) {
	t := d.tenant(app)
	if first == 0 || n == 0 || t == nil {
		return
	}
	t.close(first, n)
	t.wakeAll()
}

func (t *tenant) close(first int64, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.places.close(first, n)
}

// safe gives the last place up to which all events are committed.
func (t *tenant) safe() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.places.safe()
}

func (t *tenant) wakeAll() {
	for _, ep := range *t.endpoints.Load() {
		signal(ep.wake)
	}
}

// Tell says that events are true: those with a place are committed, the others
// are queued now. It neither blocks nor waits.
func (d *Dispatcher) Tell(rows []im.EventRow) {
	for _, row := range rows {
		t := d.tenant(row.App)
		if t == nil {
			continue
		}
		if row.Kept() {
			t.close(row.ID, 1)
			t.wakeAll()
			continue
		}
		for _, ep := range *t.endpoints.Load() {
			if tg := ep.conf.Load(); takes(&tg.url, row.Command) {
				ep.tell(row)
			}
		}
	}
}

// Purge deletes the kept events that are too old or too many, and says of those
// that were not delivered that they never will be.
func (d *Dispatcher) Purge(ctx context.Context) error {
	before := time.Now().Add(-d.cfg.Keep).UnixMilli()
	for _, t := range *d.tenants.Load() {
		gone, err := d.cfg.Store.PurgeEvents(ctx, t.app, before, max(t.safe()-d.cfg.KeepEvents, 0))
		if gone > 0 {
			for _, ep := range *t.endpoints.Load() {
				ep.purged(gone)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *Dispatcher) saveCursor(ctx context.Context, app im.AppID, c im.WebhookCursor) error {
	slices.Sort(c.Pending)
	err := d.cfg.Store.SaveCursor(ctx, app, c)
	if err != nil && ctx.Err() == nil {
		d.cfg.Log.Error("save a webhook's cursor; will try again", "err", err, "app", app)
	}
	return err
}
