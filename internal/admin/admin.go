// Package admin is the operator's side of the server over HTTP: health,
// readiness, metrics and, on a listener of its own, profiles. It never gives
// out a secret and never serves a request without the operator's token on a
// port that clients reach.
package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"net/http/pprof"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Config is what the handlers are made from.
type Config struct {
	Token    string // the operator's
	Gatherer prometheus.Gatherer
	Ready    func() error // nil while requests are served in full
	Version  string
}

// Public adds what the port of the clients offers: health and readiness to all,
// metrics to whoever has the token.
func Public(mux *http.ServeMux, cfg Config) {
	health(mux, cfg)
	mux.Handle("GET /metrics", cfg.guard(cfg.metrics()))
}

// Private gives the handler of the operator's own listener, which is to be
// reached by the operator alone: metrics and profiles without a token.
func Private(cfg Config) http.Handler {
	mux := http.NewServeMux()
	health(mux, cfg)
	mux.Handle("GET /metrics", cfg.metrics())
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

func (c Config) metrics() http.Handler {
	return promhttp.HandlerFor(c.Gatherer, promhttp.HandlerOpts{})
}

// health adds the two questions that a supervisor asks: is the process alive,
// and may it be given work.
func health(mux *http.ServeMux, cfg Config) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]string{"status": "ok", "version": cfg.Version})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := cfg.Ready(); err != nil {
			answer(w, http.StatusServiceUnavailable, map[string]string{"status": "not ready", "reason": err.Error()})
			return
		}
		answer(w, http.StatusOK, map[string]string{"status": "ready"})
	})
}

// guard lets in requests that carry the operator's token as a bearer token.
func (c Config) guard(next http.Handler) http.Handler {
	want := sha256.Sum256([]byte(c.Token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		sum := sha256.Sum256([]byte(got))
		if !ok || c.Token == "" || subtle.ConstantTimeCompare(sum[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", `Bearer realm="porchlight operator"`)
			answer(w, http.StatusUnauthorized, map[string]string{
				"error": "send the operator's token: Authorization: Bearer <token>, from operator.token or dev.json in the data directory",
			})
			return
		}
		next.ServeHTTP(w, r)
	})
}

func answer(w http.ResponseWriter, code int, body map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the client may be gone
}
