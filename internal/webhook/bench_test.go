package webhook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store"
	"github.com/porchlight-im/porchlight/internal/webhook"
)

// bench is a dispatcher on a file, and a receiver on loopback in the same
// process, which looks at the order.
type bench struct {
	b        *testing.B
	d        *webhook.Dispatcher
	store    *store.Store
	path     string // of the store's file
	addr     string // of the receiver
	srv      *http.Server
	requests atomic.Int64
	down     atomic.Bool
	slowest  atomic.Int64 // commit, in ns

	mu       sync.Mutex
	users    map[string]*heard
	got      int // events, each counted once
	repeated int
	wrong    int // came after a later one of the same user
}

// heard is what came of a user.
type heard struct {
	seen []bool // by number
	last int
}

func newBench(b *testing.B, batch int) *bench {
	b.Helper()
	x := &bench{b: b, path: filepath.Join(b.TempDir(), "porchlight.db"), addr: "127.0.0.1:0", users: map[string]*heard{}}
	s, err := store.Open(b.Context(), store.Config{Path: x.path})
	if err != nil {
		b.Fatal(err)
	}
	allow, _ := webhook.ParseNets([]string{"127.0.0.1"})
	d, err := webhook.New(b.Context(), webhook.Config{
		Store: s, Epoch: 1, Allow: allow, Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	x.store, x.d = s, d
	x.listen()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { _ = d.Run(ctx); close(done) }()
	b.Cleanup(func() {
		stop()
		<-done
		_ = x.srv.Close()
		_ = s.Close()
	})
	url := im.WebhookURL{URL: "http://" + x.addr}
	change := im.WebhookChange{Token: ptr("tok-51f0"), Durable: ptr(true), Batch: &batch, Add: &url}
	if err := d.ChangeWebhook(b.Context(), "operator", app, change); err != nil {
		b.Fatal(err)
	}
	return x
}

// listen has the receiver listen, at the same address as before.
func (x *bench) listen() {
	x.b.Helper()
	ln, err := net.Listen("tcp", x.addr)
	if err != nil {
		x.b.Fatal(err)
	}
	x.addr, x.srv = ln.Addr().String(), &http.Server{Handler: x}
	go func(srv *http.Server) { _ = srv.Serve(ln) }(x.srv)
}

func (x *bench) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x.requests.Add(1)
	text, _ := io.ReadAll(r.Body)
	if x.down.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	var body struct {
		Info   told
		Events []struct{ Info told }
	}
	_ = json.Unmarshal(text, &body)
	if len(body.Events) == 0 {
		body.Events = append(body.Events, struct{ Info told }{body.Info})
	}
	x.mu.Lock()
	for _, e := range body.Events {
		if n, err := strconv.Atoi(e.Info.CustomStatus); err == nil {
			x.hearLocked(e.Info.User, n)
		}
	}
	x.mu.Unlock()
	_, _ = io.WriteString(w, fine)
}

func (x *bench) hearLocked(user string, n int) {
	h := x.users[user]
	if h == nil {
		h = &heard{}
		x.users[user] = h
	}
	for len(h.seen) <= n {
		h.seen = append(h.seen, false)
	}
	if h.seen[n] {
		x.repeated++
		return
	}
	h.seen[n] = true
	x.got++
	if n < h.last {
		x.wrong++
	}
	h.last = max(h.last, n)
}

// tell commits and tells the n-th event of a user, as a custom status does.
func (x *bench) tell(user, n int) {
	e := im.StateEvent{
		User: im.UserKey{App: app, User: im.UserID(fmt.Sprintf("user%d", user))}, Action: im.StateCustom, Custom: fmt.Sprint(n),
		At: time.Now().UnixMilli(), Version: im.Version{Epoch: 1, Seq: uint64(n)}, Place: x.d.Places(app, 1),
	}
	rows := x.d.Events([]im.StateEvent{e})
	began := time.Now()
	if err := x.store.SaveKept(context.Background(), im.Kept{Events: rows}); err != nil {
		x.b.Error(err)
	}
	took := time.Since(began)
	for was := x.slowest.Load(); int64(took) > was && !x.slowest.CompareAndSwap(was, int64(took)); {
		was = x.slowest.Load()
	}
	x.d.Tell(rows)
}

// feed tells so many events after so many others, of as many users as there are
// tellers, at most so many a second in all; 0 is no bound.
func (x *bench) feed(after, events, perSecond int) {
	const tellers = 100
	var wg sync.WaitGroup
	for user := range tellers {
		wg.Go(func() {
			began := time.Now()
			for n := range events / tellers {
				if perSecond > 0 {
					time.Sleep(time.Until(began.Add(time.Duration(n) * time.Second * tellers / time.Duration(perSecond))))
				}
				x.tell(user, after/tellers+n+1)
			}
		})
	}
	wg.Wait()
}

// await waits until so many have come, or none comes any more.
func (x *bench) await(events int) {
	x.b.Helper()
	const still = 6 * time.Minute // longer than any pause between tries
	count := func() int {
		x.mu.Lock()
		defer x.mu.Unlock()
		return x.got
	}
	had, since := 0, time.Now()
	for now := count(); now < events && time.Since(since) < still; now = count() {
		if now > had {
			had, since = now, time.Now()
		}
		time.Sleep(time.Millisecond)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.got < events || x.wrong > 0 {
		x.b.Errorf("%d of %d events came, %d out of order", x.got, events, x.wrong)
	}
}

// BenchmarkDurable tells of events as fast as they can be committed, and waits
// until a receiver on the same machine has them.
func BenchmarkDurable(b *testing.B) {
	for _, batch := range []int{1, 100} {
		b.Run(fmt.Sprint("batch ", batch), func(b *testing.B) {
			const events = 20_000
			for b.Loop() {
				x := newBench(b, batch)
				began := time.Now()
				x.feed(0, events, 0)
				committed := time.Since(began)
				x.await(events)
				b.ReportMetric(events/committed.Seconds(), "committed/s")
				b.ReportMetric(events/time.Since(began).Seconds(), "delivered/s")
			}
		})
	}
}

// BenchmarkPurge deletes 300,000 events while 2,000 a second are told, and then
// tells as many again, for which the file has room.
func BenchmarkPurge(b *testing.B) {
	const old, load, rate = 300_000, 20_000, 2000
	for b.Loop() {
		x := newBench(b, 100)
		x.feed(0, old, 0)
		x.await(old)
		full := x.sample("filled")
		x.slowest.Store(0)
		var wg sync.WaitGroup
		wg.Go(func() { x.feed(old, load, rate) })
		began := time.Now()
		if _, err := x.store.PurgeEvents(b.Context(), app, 0, old); err != nil {
			b.Error(err)
		}
		b.ReportMetric(time.Since(began).Seconds(), "s-to-purge")
		wg.Wait()
		b.ReportMetric(float64(x.slowest.Load())/1e6, "ms-slowest-commit")
		x.feed(old+load, old, 0)
		x.await(old + load + old)
		again := x.sample("filled again")
		b.ReportMetric(full.file, "MiB-file-filled")
		b.ReportMetric(again.file, "MiB-file-again")
		b.ReportMetric(again.wal, "MiB-WAL")
	}
}

// BenchmarkOutage tells of 2,000 events a second while the receiver is away: half
// of the time it answers that it is not available, then nobody listens. When it
// is back, the operator tests it, and it gets all of them. PORCHLIGHT_OUTAGE=10m
// says for how long.
func BenchmarkOutage(b *testing.B) {
	const rate, samples = 2000, 10
	length := 20 * time.Second
	if text := os.Getenv("PORCHLIGHT_OUTAGE"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		x := newBench(b, 1)
		events := int(length.Seconds()) * rate
		x.down.Store(true)
		before := x.sample("before")
		all := make([]sample, 0, samples)
		began := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := range samples {
				time.Sleep(time.Until(began.Add(length * time.Duration(i+1) / samples)))
				all = append(all, x.sample(fmt.Sprint("away for ", length*time.Duration(i+1)/samples)))
				if i == samples/2-1 {
					_ = x.srv.Close()
				}
			}
		})
		x.feed(0, events, rate)
		took := time.Since(began)
		wg.Wait()
		x.report(before, all)
		b.ReportMetric(float64(events)/took.Seconds(), "told/s")

		x.down.Store(false)
		x.listen()
		back := time.Now()
		if line, err := x.d.TestWebhook(b.Context(), app, 1, "test"); err != nil || line.Outcome != "ok" {
			b.Errorf("the test gave %+v, %v", line, err)
		}
		x.await(1)
		b.ReportMetric(time.Since(back).Seconds(), "s-to-first")
		x.await(events)
		b.ReportMetric(time.Since(back).Seconds(), "s-to-last")
		b.ReportMetric(float64(events)/time.Since(back).Seconds(), "caught-up/s")
		b.ReportMetric(float64(events-x.got), "lost")
		b.ReportMetric(float64(x.repeated), "repeated")
		b.ReportMetric(float64(x.wrong), "disordered")
		after := x.sample("caught up")
		b.ReportMetric(after.wal, "MiB-WAL-after")
		b.ReportMetric(after.heap, "MiB-heap-after")
	}
}

// sample is what is used at a moment, in MiB.
type sample struct {
	heap float64 // after a collection
	rss  float64 // 0 where the system does not tell
	file float64
	wal  float64
}

func (x *bench) sample(when string) (s sample) {
	const mib = 1 << 20
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	s.heap = float64(m.HeapAlloc) / mib
	var size, resident int
	if text, err := os.ReadFile("/proc/self/statm"); err == nil {
		_, _ = fmt.Sscan(string(text), &size, &resident)
	}
	s.rss = float64(resident*os.Getpagesize()) / mib
	if i, err := os.Stat(x.path); err == nil {
		s.file = float64(i.Size()) / mib
	}
	if i, err := os.Stat(x.path + "-wal"); err == nil {
		s.wal = float64(i.Size()) / mib
	}
	x.b.Logf("%s: heap %.1f MiB, RSS %.1f MiB, file %.1f MiB, WAL %.1f MiB, tries %d, slowest commit %v",
		when, s.heap, s.rss, s.file, s.wal, x.tries(), time.Duration(x.slowest.Load()))
	return s
}

// tries is how many requests failed.
func (x *bench) tries() uint64 { return x.d.Webhook(app).States[0].Failed }

// report reports what was used while the receiver was away.
func (x *bench) report(before sample, all []sample) {
	var most sample
	for _, s := range all {
		most.heap, most.rss, most.wal = max(most.heap, s.heap), max(most.rss, s.rss), max(most.wal, s.wal)
	}
	last := all[len(all)-1]
	for unit, v := range map[string]float64{
		"MiB-heap-before": before.heap, "MiB-heap-first": all[0].heap, "MiB-heap-last": last.heap, "MiB-heap-most": most.heap,
		"MiB-RSS-first": all[0].rss, "MiB-RSS-last": last.rss, "MiB-RSS-most": most.rss,
		"MiB-file": last.file, "MiB-WAL-most": most.wal,
		"tries": float64(x.tries()), "ms-slowest-commit": float64(x.slowest.Load()) / 1e6,
	} {
		x.b.ReportMetric(v, unit)
	}
}
