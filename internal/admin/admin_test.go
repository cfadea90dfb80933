package admin_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/porchlight-im/porchlight/internal/admin"
	"github.com/porchlight-im/porchlight/internal/testkit"
)

const token = testkit.OperatorToken

// config gives what the handlers of health and metrics need.
func config(ready error) admin.Config {
	return admin.Config{Token: token, Ready: func() error { return ready }, Version: "v1.2.3"}
}

// side gives the operator's side over one gauge.
func side(cfg admin.Config) *admin.Handlers {
	cfg.Metrics = prometheus.NewRegistry()
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "porchlight_test_figure", Help: "A figure."})
	g.Set(42)
	cfg.Metrics.MustRegister(g)
	return admin.New(cfg)
}

// public gives the handler of the clients' port.
func public(cfg admin.Config) http.Handler {
	mux := http.NewServeMux()
	side(cfg).Public(mux)
	return mux
}

// private gives the handler of the operator's own listener.
func private(cfg admin.Config) http.Handler {
	mux := http.NewServeMux()
	side(cfg).Private(mux)
	return mux
}

// reply is what a handler answered. No answer of any test may hold the token, or
// the key of the application that is there from the start.
type reply struct {
	code   int
	header http.Header
	body   string
}

func ask(t *testing.T, h http.Handler, method, path, authorization string) reply {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	return serve(t, h, r)
}

func serve(t *testing.T, h http.Handler, r *http.Request) reply {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	got := reply{w.Code, w.Header(), string(body)}
	var header strings.Builder
	if err := got.header.Write(&header); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{token, testkit.DevApp(nil).Keys[0].Secret} {
		if strings.Contains(got.body+header.String(), secret) {
			t.Errorf("%s %s gives out a secret: %s%s", r.Method, r.URL, header.String(), got.body)
		}
	}
	return got
}

// object reads a JSON object of texts.
func object(t *testing.T, r reply) map[string]string {
	t.Helper()
	if kind := r.header.Get("Content-Type"); kind != "application/json" {
		t.Errorf("content type %q", kind)
	}
	var m map[string]string
	if err := json.Unmarshal([]byte(r.body), &m); err != nil {
		t.Fatalf("%s: %v", r.body, err)
	}
	return m
}

func TestHealthNeedsNothing(t *testing.T) {
	cfg := config(errors.New("the store does not answer"))
	for name, h := range map[string]http.Handler{"public": public(cfg), "private": private(cfg)} {
		r := ask(t, h, "GET", "/healthz", "")
		if r.code != http.StatusOK {
			t.Errorf("%s: %d", name, r.code)
		}
		if diff := cmp.Diff(map[string]string{"status": "ok", "version": "v1.2.3"}, object(t, r)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
		if r := ask(t, h, "HEAD", "/healthz", ""); r.code != http.StatusOK {
			t.Errorf("%s: HEAD is answered %d", name, r.code)
		}
	}
}

func TestReadinessSaysWhyNot(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		code int
		want map[string]string
	}{
		"ready":    {nil, http.StatusOK, map[string]string{"status": "ready"}},
		"draining": {errors.New("draining"), http.StatusServiceUnavailable, map[string]string{"status": "not ready", "reason": "draining"}},
	} {
		cfg := config(c.err)
		for where, h := range map[string]http.Handler{"public": public(cfg), "private": private(cfg)} {
			r := ask(t, h, "GET", "/readyz", "")
			if r.code != c.code {
				t.Errorf("%s, %s: %d, want %d", name, where, r.code, c.code)
			}
			if diff := cmp.Diff(c.want, object(t, r)); diff != "" {
				t.Errorf("%s, %s (-want +got)\n%s", name, where, diff)
			}
		}
	}
}

func TestReadinessIsAskedEachTime(t *testing.T) {
	cfg := config(nil)
	var ready error
	cfg.Ready = func() error { return ready }
	h := public(cfg)
	for range 2 {
		ready = nil
		if r := ask(t, h, "GET", "/readyz", ""); r.code != http.StatusOK {
			t.Errorf("ready: %d", r.code)
		}
		ready = errors.New("draining")
		if r := ask(t, h, "GET", "/readyz", ""); r.code != http.StatusServiceUnavailable {
			t.Errorf("draining: %d", r.code)
		}
	}
}

func TestMetricsAreForTheOperator(t *testing.T) {
	h := public(config(nil))
	for name, authorization := range map[string]string{
		"nothing":           "",
		"no scheme":         token,
		"an empty token":    "Bearer ",
		"another token":     "Bearer another token",
		"one byte less":     "Bearer " + token[:len(token)-1],
		"one byte more":     "Bearer " + token + "x",
		"another case":      "Bearer " + strings.ToUpper(token),
		"another scheme":    "Basic " + token,
		"the token twice":   "Bearer " + token + ", Bearer " + token,
		"a very long token": "Bearer " + strings.Repeat("x", 1<<16),
	} {
		r := ask(t, h, "GET", "/metrics", authorization)
		if r.code != http.StatusUnauthorized || strings.Contains(r.body, "porchlight_test_figure") {
			t.Errorf("%s: %d %s", name, r.code, r.body)
			continue
		}
		if got := r.header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer ") {
			t.Errorf("%s: WWW-Authenticate is %q", name, got)
		}
		if got := wrong(t, r).Detail; !strings.Contains(got, "operator.token") {
			t.Errorf("%s: the error does not say where the token is: %q", name, got)
		}
	}
	r := ask(t, h, "GET", "/metrics", "Bearer "+token)
	if r.code != http.StatusOK || !strings.Contains(r.body, "porchlight_test_figure 42\n") {
		t.Errorf("with the token: %d %s", r.code, r.body)
	}
}

// TestServerWithoutATokenLetsNobodyIn: an empty token is none, not one that
// anybody has.
func TestServerWithoutATokenLetsNobodyIn(t *testing.T) {
	cfg := config(nil)
	cfg.Token = ""
	for _, authorization := range []string{"", "Bearer ", "Bearer", "Bearer x"} {
		if r := ask(t, public(cfg), "GET", "/metrics", authorization); r.code != http.StatusUnauthorized {
			t.Errorf("%q: %d", authorization, r.code)
		}
	}
}

func TestProfilesAreOnThePrivateListenerOnly(t *testing.T) {
	cfg := config(nil)
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/goroutine", "/debug/pprof/heap", "/debug/pprof/symbol"} {
		if r := ask(t, public(cfg), "GET", path, "Bearer "+token); r.code != http.StatusNotFound {
			t.Errorf("public %s: %d", path, r.code)
		}
		if r := ask(t, private(cfg), "GET", path, ""); r.code != http.StatusOK || r.body == "" {
			t.Errorf("private %s: %d", path, r.code)
		}
	}
	if r := ask(t, private(cfg), "GET", "/metrics", ""); r.code != http.StatusOK || !strings.Contains(r.body, "porchlight_test_figure 42\n") {
		t.Errorf("private metrics: %d %s", r.code, r.body)
	}
}

func TestOtherMethodsAndPathsAreRefused(t *testing.T) {
	for name, h := range map[string]http.Handler{"public": public(config(nil)), "private": private(config(nil))} {
		for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
			for _, method := range []string{"POST", "PUT", "DELETE"} {
				if r := ask(t, h, method, path, "Bearer "+token); r.code != http.StatusMethodNotAllowed {
					t.Errorf("%s %s %s: %d", name, method, path, r.code)
				}
			}
		}
		for _, path := range []string{"/", "/healthz/", "/metrics/x", "/operator.token", "/dev.json"} {
			if r := ask(t, h, "GET", path, "Bearer "+token); r.code != http.StatusNotFound {
				t.Errorf("%s %s: %d", name, path, r.code)
			}
		}
	}
}
