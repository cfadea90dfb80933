package webhook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store"
	"github.com/porchlight-im/porchlight/internal/testkit"
	"github.com/porchlight-im/porchlight/internal/webhook"
)

const app im.AppID = 1400000001

const fine = `{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":""}`

// got is one request that a receiver got.
type got struct {
	at     time.Time
	query  string
	url    url.Values
	header http.Header
	body   string
	gone   <-chan struct{} // closed when whoever asked has hung up
}

// told is the Info of a body.
type told struct {
	User                 string `json:"To_Account"`
	Action, CustomStatus string
}

// has reads the body.
func (g *got) has(t testing.TB) (body struct {
	CallbackCommand, ID, Version string
	Info                         told
	Events                       []struct {
		ID   string
		Info told
	}
	Users []struct {
		User              string `json:"To_Account"`
		Platform, Version string
	}
},
) {
	t.Helper()
	if err := json.Unmarshal([]byte(g.body), &body); err != nil {
		t.Fatalf("body %s: %v", g.body, err)
	}
	return body
}

// receiver is a back end. Its answer may be replaced.
type receiver struct {
	mu     sync.Mutex
	all    []got
	answer func(n int, g got, w http.ResponseWriter)
	now    int // requests under way
	most   int // the most at a time
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	text, _ := io.ReadAll(req.Body)
	g := got{time.Now(), req.URL.RawQuery, req.URL.Query(), req.Header, string(text), req.Context().Done()}
	r.mu.Lock()
	r.all = append(r.all, g)
	n, answer := len(r.all), r.answer
	r.now++
	r.most = max(r.most, r.now)
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.now--
		r.mu.Unlock()
	}()
	if answer == nil {
		_, _ = io.WriteString(w, fine)
		return
	}
	answer(n, g, w)
}

func (r *receiver) set(answer func(n int, g got, w http.ResponseWriter)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

// take gives what came since it was last asked.
func (r *receiver) take() []got {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.all
	r.all = nil
	return all
}

// world is a dispatcher on a store in memory, in fake time, with receivers that
// are reached by host name.
type world struct {
	t     *testing.T
	d     *webhook.Dispatcher
	store *store.Store
	reg   *prometheus.Registry
	hosts map[string]*testkit.Listener
	stop  func()
	epoch uint64
}

func inWorld(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, err := store.Open(t.Context(), store.Config{})
		if err != nil {
			t.Fatal(err)
		}
		w := &world{t: t, store: s, hosts: map[string]*testkit.Listener{}}
		w.start()
		test(w)
		w.stop()
		for _, ln := range w.hosts {
			_ = ln.Close()
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// start starts a dispatcher, as at the start of a server.
func (w *world) start() {
	w.t.Helper()
	w.epoch++
	w.reg = prometheus.NewRegistry()
	dial := func(ctx context.Context, _, addr string) (net.Conn, error) {
		host, _, _ := net.SplitHostPort(addr)
		ln := w.hosts[host]
		if ln == nil {
			return nil, &net.OpError{Op: "dial", Err: fmt.Errorf("refused")}
		}
		return ln.Dial(ctx)
	}
	client := &http.Client{
		Transport:     &http.Transport{DialContext: dial},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	d, err := webhook.New(w.t.Context(), webhook.Config{
		Store: w.store, Epoch: w.epoch, Metrics: w.reg, Log: slog.New(slog.DiscardHandler), Client: client,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.d = d
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { _ = d.Run(ctx); close(done) }()
	w.stop = func() {
		cancel()
		<-done
		client.CloseIdleConnections()
	}
}

// host makes a receiver.
func (w *world) host(name string) *receiver {
	r := &receiver{}
	ln := testkit.NewListener()
	w.hosts[name] = ln
	srv := &http.Server{Handler: r}
	go func() { _ = srv.Serve(ln) }()
	w.t.Cleanup(func() { _ = srv.Close() })
	return r
}

func ptr[T any](v T) *T { return &v }

// change changes the settings of the application.
func (w *world) change(c im.WebhookChange) {
	w.t.Helper()
	if err := w.d.ChangeWebhook(w.t.Context(), "operator", app, c); err != nil {
		w.t.Fatal(err)
	}
}

// add adds a URL and gives its receiver.
func (w *world) add(host string, commands ...string) *receiver {
	w.t.Helper()
	r := w.host(host)
	w.change(im.WebhookChange{Add: &im.WebhookURL{URL: "http://" + host + "/im", Commands: commands}})
	return r
}

// event is what became of a user; n numbers it.
func (w *world) event(user im.UserID, n int) im.StateEvent {
	return im.StateEvent{
		User: im.UserKey{App: app, User: user}, Action: im.StateCustom, Custom: fmt.Sprint(n), At: time.Now().UnixMilli(),
		By:      im.Caller{Kind: im.CallerClient, Platform: im.Web, Addr: netip.MustParseAddr("203.0.113.9")},
		Version: im.Version{Epoch: w.epoch, Seq: uint64(n)},
	}
}

// tell tells of events as the engine does: with their places, committed.
func (w *world) tell(events ...im.StateEvent) {
	w.t.Helper()
	first := w.d.Places(app, len(events))
	for i := range events {
		if first != 0 {
			events[i].Place = first + int64(i)
		}
	}
	rows := w.d.Events(events)
	if first != 0 {
		if err := w.store.SaveKept(context.Background(), im.Kept{Events: rows}); err != nil {
			w.t.Error(err)
		}
	}
	w.d.Tell(rows)
}

// rest waits until nothing moves at this moment, or for a while of fake time.
func rest(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// metric gives a counter's value for a label.
func (w *world) metric(name, label string) float64 {
	w.t.Helper()
	families, err := w.reg.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "porchlight_webhook_"+name {
			continue
		}
		for _, m := range f.GetMetric() {
			if label == "" || len(m.GetLabel()) > 0 && m.GetLabel()[0].GetValue() == label {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return 0
}

// customs gives, for each user, the custom statuses that came, in order.
func customs(t testing.TB, all []got) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, g := range all {
		body := g.has(t)
		if len(body.Events) == 0 {
			out[body.Info.User] = append(out[body.Info.User], body.Info.CustomStatus)
		}
		for _, e := range body.Events {
			out[e.Info.User] = append(out[e.Info.User], e.Info.CustomStatus)
		}
	}
	return out
}

// keep commits rows, where they are kept, and tells them.
func (w *world) keep(rows []im.EventRow) {
	w.t.Helper()
	if err := w.store.SaveKept(w.t.Context(), im.Kept{Events: rows}); err != nil {
		w.t.Fatal(err)
	}
	w.d.Tell(rows)
}
