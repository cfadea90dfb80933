package webhook_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store"
	"github.com/porchlight-im/porchlight/internal/webhook"
)

// onLoopback is a dispatcher with connections of its own, on loopback.
type onLoopback struct {
	t *testing.T
	d *webhook.Dispatcher
}

func inReal(t *testing.T, timeout time.Duration, resolver *net.Resolver, allow ...string) *onLoopback {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{})
	if err != nil {
		t.Fatal(err)
	}
	nets, err := webhook.ParseNets(allow)
	if err != nil {
		t.Fatal(err)
	}
	d, err := webhook.New(t.Context(), webhook.Config{
		Store: s, Epoch: 1, Allow: nets, Resolver: resolver, Timeout: timeout, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { _ = d.Run(ctx); close(done) }()
	t.Cleanup(func() {
		stop()
		<-done
		_ = s.Close()
	})
	return &onLoopback{t, d}
}

// test adds a URL and sends it a test.
func (r *onLoopback) test(url string) im.Delivery {
	r.t.Helper()
	add := &im.WebhookURL{URL: url}
	if err := r.d.ChangeWebhook(r.t.Context(), "operator", app, im.WebhookChange{Add: add}); err != nil {
		r.t.Fatal(err)
	}
	line, err := r.d.TestWebhook(r.t.Context(), app, add.ID, "mira")
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.d.ChangeWebhook(r.t.Context(), "operator", app, im.WebhookChange{Remove: []uint32{add.ID}}); err != nil {
		r.t.Fatal(err)
	}
	return line
}

func TestWE4_WE22_WE24_HostileEndpointsAreToldApart(t *testing.T) {
	r := inReal(t, time.Minute, nil, "127.0.0.0/8")
	hasty := inReal(t, 300*time.Millisecond, nil, "127.0.0.0/8") // for those who take for ever
	asked := atomic.Int64{}
	metadata := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer metadata.Close()
	say := func(status int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
		}
	}
	for name, c := range map[string]struct {
		h    http.HandlerFunc
		want string
	}{
		"good":                  {say(200, fine), "ok"},
		"an error of the app's": {say(200, `{"ActionStatus":"FAIL","ErrorCode":1,"ErrorInfo":"no"}`), "ok"},
		"never answers":         {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "timeout"},
		"a byte now and then": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = io.WriteString(w, " ")
				_ = http.NewResponseController(w).Flush()
				time.Sleep(20 * time.Millisecond)
			}
		}, "timeout"},
		"huge": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat("x", 64<<10)); err != nil {
					return
				}
			}
		}, "too_large"},
		"huge and compressed": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, "\x1f\x8b\x08")
		}, "not_json"},
		"huge header": {func(w http.ResponseWriter, _ *http.Request) {
			for i := range 100 {
				w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("x", 1000))
			}
		}, "connect"},
		"500":      {say(500, fine), "status"},
		"404":      {say(404, ""), "status"},
		"201":      {say(201, fine), "status"},
		"redirect": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, metadata.URL, http.StatusFound) }, "redirect"},
		"308": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, metadata.URL, http.StatusPermanentRedirect)
		}, "redirect"},
		"empty":        {say(200, ""), "not_json"},
		"html":         {say(200, "<html>"), "not_json"},
		"cut off":      {say(200, `{"ActionStatus":"OK"`), "not_json"},
		"an array":     {say(200, "[]"), "wrong_envelope"},
		"no code":      {say(200, `{"ActionStatus":"OK"}`), "wrong_envelope"},
		"a text code":  {say(200, `{"ActionStatus":"OK","ErrorCode":"0"}`), "wrong_envelope"},
		"a word of it": {say(200, `{"ActionStatus":"FINE","ErrorCode":0}`), "wrong_envelope"},
		"hangs up": {func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_ = conn.Close()
			}
		}, "connect"},
		"is no HTTP": {func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = io.WriteString(conn, "220 mail.example\r\n")
				_ = conn.Close()
			}
		}, "connect"},
	} {
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // or it is not noticed that the client has gone
			c.h(w, r)
		}))
		srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
		srv.Start()
		by := r
		if c.want == "timeout" {
			by = hasty
		}
		if line := by.test(srv.URL); line.Outcome != c.want || line.Outcome != "ok" && line.Detail == "" {
			t.Errorf("%s: %+v, want %s", name, line, c.want)
		}
		srv.CloseClientConnections()
		srv.Close()
	}
	if asked.Load() != 0 {
		t.Error("a redirect was followed")
	}
	https := httptest.NewUnstartedServer(say(200, fine))
	https.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	https.StartTLS()
	defer https.Close()
	if line := r.test(https.URL); line.Outcome != "tls" {
		t.Errorf("a certificate that nobody knows: %+v", line)
	}
	plain := httptest.NewServer(say(200, fine))
	defer plain.Close()
	if line := r.test(strings.Replace(plain.URL, "http:", "https:", 1)); line.Outcome != "tls" {
		t.Errorf("no TLS at all: %+v", line)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	if line := r.test("http://" + ln.Addr().String()); line.Outcome != "connect" {
		t.Errorf("nobody there: %+v", line)
	}
}

func TestWE22_ProxyOfTheEnvironmentIsNotUsed(t *testing.T) {
	asked := atomic.Int64{}
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("http_proxy", proxy.URL)
	r := inReal(t, time.Minute, nil)
	if line := r.test("http://192.0.2.1/"); line.Outcome != "forbidden_address" || asked.Load() != 0 {
		t.Errorf("%+v, and the proxy was asked %d times", line, asked.Load())
	}
}

func TestWE23_AddressesThatAreNotTheInternet(t *testing.T) {
	r := inReal(t, time.Minute, nil)
	for _, host := range []string{
		"127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1",
		"100.100.100.200", "0.0.0.0", "255.255.255.255", "224.0.0.1", "240.0.0.1", "192.0.0.170", "198.18.0.1", "192.0.2.7",
		"[::1]", "[::]", "[fe80::1]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[::ffff:127.0.0.1]", "[::ffff:169.254.169.254]",
		"[64:ff9b::a9fe:a9fe]", "[2002:7f00:1::]", "[2001:db8::1]", "[::7f00:1]", "[2001:0:1::1]", "[fec0::1]",
	} {
		if line := r.test("http://" + host + ":9/latest/meta-data"); line.Outcome != "forbidden_address" || !strings.Contains(line.Detail, "webhook.allow") {
			t.Errorf("%s: %+v", host, line)
		}
	}
	nets, err := webhook.ParseNets([]string{"10.0.0.0/8", "::1", "127.0.0.1"})
	if err != nil || len(nets) != 3 {
		t.Fatal(nets, err)
	}
	for _, bad := range []string{"", "localhost", "10.0.0.0/33", "fe80::1%eth0"} {
		if _, err := webhook.ParseNets([]string{bad}); err == nil {
			t.Errorf("%q was taken for a network", bad)
		}
	}
}

// TestWE23_NameThatChangesItsMind asks a name server that first gives an address
// on the Internet and then one that is not: what is dialled is what was checked.
func TestWE23_NameThatChangesItsMind(t *testing.T) {
	reached := atomic.Int64{}
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reached.Add(1)
		_, _ = io.WriteString(w, fine)
	}))
	defer inside.Close()
	asked := atomic.Int64{}
	resolver := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go answerDNS(theirs, func() netip.Addr {
			asked.Add(1)
			return netip.MustParseAddr("127.0.0.1")
		})
		return ours, nil
	}}
	_, port, err := net.SplitHostPort(inside.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	r := inReal(t, time.Minute, resolver)
	if line := r.test("http://rebound.example:" + port); line.Outcome != "forbidden_address" || asked.Load() == 0 || reached.Load() != 0 {
		t.Errorf("%+v, reached %d times", line, reached.Load())
	}
	listed := inReal(t, time.Minute, resolver, "127.0.0.1")
	if line := listed.test("http://rebound.example:" + port); line.Outcome != "ok" || reached.Load() != 1 {
		t.Errorf("where it is listed: %+v", line)
	}
	silent := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no network") }}
	if line := inReal(t, time.Minute, silent).test("http://nowhere.example"); line.Outcome != "dns" {
		t.Errorf("a name that cannot be looked up: %+v", line)
	}
}

// answerDNS answers every question for an address, over a stream.
func answerDNS(conn net.Conn, addr func() netip.Addr) {
	defer func() { _ = conn.Close() }()
	r := bufio.NewReader(conn)
	for {
		var size [2]byte
		if _, err := io.ReadFull(r, size[:]); err != nil {
			return
		}
		msg := make([]byte, int(size[0])<<8|int(size[1]))
		if _, err := io.ReadFull(r, msg); err != nil {
			return
		}
		end := 12 // of the question, after its header
		for msg[end] != 0 {
			end += int(msg[end]) + 1
		}
		end += 5
		a := msg[end-4] == 0 && msg[end-3] == 1 // it asks for an IPv4 address
		out := append(msg[:2:2], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0)
		out = append(out, msg[12:end]...)
		if a {
			ip := addr().As4()
			out[7] = 1
			out = append(append(out, 0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4), ip[:]...)
		}
		_, _ = conn.Write(append([]byte{byte(len(out) >> 8), byte(len(out))}, out...))
	}
}
