package webhook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
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
	mu       sync.Mutex
	last     map[string]int
	got      atomic.Int64
	wrong    atomic.Int64
	requests atomic.Int64
	down     atomic.Bool
}

func newBench(b *testing.B, batch int) *bench {
	b.Helper()
	s, err := store.Open(b.Context(), store.Config{Path: filepath.Join(b.TempDir(), "porchlight.db")})
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
	x := &bench{b: b, d: d, store: s, last: map[string]int{}}
	srv := httptest.NewServer(x)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { _ = d.Run(ctx); close(done) }()
	b.Cleanup(func() {
		stop()
		<-done
		srv.Close()
		_ = s.Close()
	})
	change := im.WebhookChange{Token: ptr("tok-51f0"), Durable: ptr(true), Batch: &batch, Add: &im.WebhookURL{URL: srv.URL}}
	if err := d.ChangeWebhook(b.Context(), "operator", app, change); err != nil {
		b.Fatal(err)
	}
	return x
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
		n, _ := strconv.Atoi(e.Info.CustomStatus)
		if n != x.last[e.Info.User]+1 {
			x.wrong.Add(1)
		}
		x.last[e.Info.User] = n
	}
	x.mu.Unlock()
	x.got.Add(int64(len(body.Events)))
	_, _ = io.WriteString(w, fine)
}

// tell commits and tells the n-th event of a user, as a custom status does.
func (x *bench) tell(user, n int) {
	e := im.StateEvent{
		User: im.UserKey{App: app, User: im.UserID(fmt.Sprintf("user%d", user))}, Action: im.StateCustom, Custom: fmt.Sprint(n),
		At: time.Now().UnixMilli(), Version: im.Version{Epoch: 1, Seq: uint64(n)}, Place: x.d.Places(app, 1),
	}
	rows := x.d.Events([]im.StateEvent{e})
	if err := x.store.SaveKept(context.Background(), im.Kept{Events: rows}); err != nil {
		x.b.Error(err)
	}
	x.d.Tell(rows)
}

// feed tells so many events of as many users as there are tellers, at most so
// many a second in all; 0 is no bound.
func (x *bench) feed(events, perSecond int) {
	const tellers = 100
	var wg sync.WaitGroup
	for user := range tellers {
		wg.Go(func() {
			began := time.Now()
			for n := range events / tellers {
				if perSecond > 0 {
					time.Sleep(time.Until(began.Add(time.Duration(n) * time.Second * tellers / time.Duration(perSecond))))
				}
				x.tell(user, n+1)
			}
		})
	}
	wg.Wait()
}

// await waits until so many have come.
func (x *bench) await(events int) {
	x.b.Helper()
	for began := time.Now(); x.got.Load() < int64(events); time.Sleep(time.Millisecond) {
		if time.Since(began) > 2*time.Minute {
			x.b.Fatalf("%d of %d events came", x.got.Load(), events)
		}
	}
	if x.wrong.Load() > 0 {
		x.b.Errorf("%d events came out of order", x.wrong.Load())
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
				x.feed(events, 0)
				committed := time.Since(began)
				x.await(events)
				b.ReportMetric(events/committed.Seconds(), "committed/s")
				b.ReportMetric(events/time.Since(began).Seconds(), "delivered/s")
			}
		})
	}
}

// BenchmarkOutage tells of 2,000 events a second while the receiver is away, and
// then waits until it has all of them.
func BenchmarkOutage(b *testing.B) {
	const seconds, rate = 20, 2000
	for b.Loop() {
		x := newBench(b, 1)
		heap := func() float64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			return float64(m.HeapAlloc) / (1 << 20)
		}
		x.down.Store(true)
		before := heap()
		began := time.Now()
		x.feed(seconds*rate, rate)
		took := time.Since(began)
		b.ReportMetric(heap()-before, "MiB-more")
		b.ReportMetric(float64(x.requests.Load()), "tries")
		x.down.Store(false)
		x.await(1) // the pause after failures is random
		back := time.Now()
		x.await(seconds * rate)
		b.ReportMetric(seconds*rate/took.Seconds(), "told/s")
		b.ReportMetric(seconds*rate/time.Since(back).Seconds(), "caught-up/s")
	}
}
