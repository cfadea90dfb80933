// Package admin is the operator's side of the server over HTTP: health,
// readiness and metrics, the operator's API with which applications and users
// are managed, and, on a listener of its own, profiles. It never gives out a
// secret after the answer to the request that made it, never serves a request
// without the operator's token on a port that clients reach, and never serves
// its API without the token anywhere.
package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/porchlight-im/porchlight/internal/app"
	"github.com/porchlight-im/porchlight/internal/im"
)

// Config is what the operator's side is made from.
type Config struct {
	Token   string // the operator's
	Metrics *prometheus.Registry
	Ready   func() error // nil while requests are served in full
	Version string
	Log     *slog.Logger
	Apps    *app.Manager
	Users   Users
	Audit   Audit

	Webhooks        Webhooks
	WebhookCommands []im.WebhookCommand
}

// Handlers are the operator's side. Make them with [New].
type Handlers struct {
	cfg      Config
	want     [sha256.Size]byte // of the token
	requests *prometheus.CounterVec
	refused  prometheus.Counter

	bounds sync.Mutex // held while the bounds of a key are read and changed
}

// New makes the operator's side and registers its metrics.
func New(cfg Config) *Handlers {
	h := &Handlers{
		cfg: cfg, want: sha256.Sum256([]byte(cfg.Token)),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "porchlight_admin_requests_total", Help: "Requests to the operator's API, by route and status.",
		}, []string{"route", "code"}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "porchlight_admin_refused_total", Help: "Requests without the operator's token where it is asked for.",
		}),
	}
	cfg.Metrics.MustRegister(h.requests, h.refused)
	return h
}

// Public adds what the port of the clients offers: health and readiness to all,
// metrics to whoever has the token.
func (h *Handlers) Public(mux *http.ServeMux) {
	h.health(mux)
	metrics := h.metrics()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		if !h.authorized(r) {
			h.unauthorized(w)
			return
		}
		metrics.ServeHTTP(w, r)
	})
}

// Private adds what the operator's own listener offers, which is to be reached
// by the operator alone: metrics and profiles without a token.
func (h *Handlers) Private(mux *http.ServeMux) {
	h.health(mux)
	mux.Handle("GET /metrics", h.metrics())
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
}

func (h *Handlers) metrics() http.Handler {
	return promhttp.HandlerFor(h.cfg.Metrics, promhttp.HandlerOpts{})
}

// health adds the two questions that a supervisor asks: is the process alive,
// and may it be given work.
func (h *Handlers) health(mux *http.ServeMux) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]string{"status": "ok", "version": h.cfg.Version})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := h.cfg.Ready(); err != nil {
			answer(w, http.StatusServiceUnavailable, map[string]string{"status": "not ready", "reason": err.Error()})
			return
		}
		answer(w, http.StatusOK, map[string]string{"status": "ready"})
	})
}

// authorized reports whether a request carries the operator's token as a bearer
// token. It takes the same time for every token of a length.
func (h *Handlers) authorized(r *http.Request) bool {
	got, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	sum := sha256.Sum256([]byte(got))
	return subtle.ConstantTimeCompare(sum[:], h.want[:]) == 1 && ok && h.cfg.Token != ""
}

// unauthorized refuses a request without the token, and counts it.
func (h *Handlers) unauthorized(w http.ResponseWriter) {
	h.refused.Inc()
	w.Header().Set("WWW-Authenticate", `Bearer realm="porchlight operator"`)
	newProblem(http.StatusUnauthorized, "send the operator's token: Authorization: Bearer <token>, "+
		"from operator.token or dev.json in the data directory").write(w)
}

func answer(w http.ResponseWriter, code int, body map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the client may be gone
}
