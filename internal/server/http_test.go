package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/porchlight-im/porchlight/internal/testkit"
)

// page is an answer by HTTP.
type page struct {
	code int
	kind string // its content type
	body string
}

// request asks the server by HTTP; header holds pairs of names and values. No
// answer of any test may hold a secret.
func request(t *testing.T, s *testkit.Server, method, path string, header ...string) page {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.Dev.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := s.HTTP().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // read to its end
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{s.Dev.SecretKey, s.Dev.OperatorToken} {
		if strings.Contains(string(body)+fmt.Sprint(resp.Header), secret) {
			t.Errorf("%s %s gives out a secret", method, path)
		}
	}
	return page{resp.StatusCode, resp.Header.Get("Content-Type"), string(body)}
}

// upgrade is the header of a good handshake.
var upgrade = []string{
	"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==",
}

func TestHealthAndReadinessOfARunningServer(t *testing.T) {
	s := testkit.StartTCP(t)
	for path, want := range map[string]map[string]string{
		"/healthz": {"status": "ok", "version": "test"},
		"/readyz":  {"status": "ready"},
	} {
		p := request(t, s, "GET", path)
		var got map[string]string
		if err := json.Unmarshal([]byte(p.body), &got); err != nil || p.code != http.StatusOK {
			t.Errorf("%s: %d %s", path, p.code, p.body)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got %v, want %v", path, got, want)
		}
	}
}

func TestMetricsOfARunningServerNeedTheToken(t *testing.T) {
	s := testkit.StartTCP(t)
	for name, token := range map[string]string{"none": "", "another": "x", "the secret key": s.Dev.SecretKey, "a part": s.Dev.OperatorToken[1:]} {
		p := request(t, s, "GET", "/metrics", "Authorization", "Bearer "+token)
		if p.code != http.StatusUnauthorized || strings.Contains(p.body, "porchlight_connections") {
			t.Errorf("%s: %d %s", name, p.code, p.body)
		}
	}
	p := request(t, s, "GET", "/metrics", "Authorization", "Bearer "+s.Dev.OperatorToken)
	if p.code != http.StatusOK {
		t.Fatalf("with the token: %d", p.code)
	}
	for _, line := range []string{
		`porchlight_build_info{version="test"} 1`, "porchlight_connections 0", "porchlight_users 0", "go_goroutines ", "process_open_fds ",
	} {
		if !strings.Contains(p.body, "\n"+line) {
			t.Errorf("the metrics have no %s", line)
		}
	}
	for line := range strings.Lines(p.body) {
		if strings.Contains(line, "alice") || strings.Contains(line, "user=") {
			t.Errorf("a metric names a user: %s", line)
		}
	}
}

func TestProfilesAreOnTheOperatorsListenerOnly(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	_ = free.Close() // so that the server can take it
	s := testkit.StartTCP(t, "operator.listen="+address)
	for path, want := range map[string]string{"/debug/pprof/cmdline": "", "/metrics": "porchlight_connections", "/readyz": "ready", "/healthz": "ok"} {
		code, body := get(t, "http://"+address+path, "")
		if code != http.StatusOK || !strings.Contains(body, want) || strings.Contains(body, s.Dev.OperatorToken) {
			t.Errorf("%s for the operator: %d %s", path, code, body)
		}
	}
	if code, _ := get(t, "http://"+address+"/binfo", ""); code != http.StatusNotFound {
		t.Errorf("clients are served on the operator's listener: %d", code)
	}
	if p := request(t, s, "GET", "/debug/pprof/cmdline", "Authorization", "Bearer "+s.Dev.OperatorToken); p.code != http.StatusNotFound {
		t.Errorf("profiles are on the clients' port: %d", p.code)
	}
}

func TestFrontPageSaysWhatListensHere(t *testing.T) {
	s := testkit.StartTCP(t)
	for _, path := range []string{"/", "/?x=1", "/console/"} {
		p := request(t, s, "GET", path)
		if p.code != http.StatusOK || !strings.HasPrefix(p.kind, "text/plain") {
			t.Errorf("%s: %d, %s", path, p.code, p.kind)
		}
		for _, want := range []string{"Porchlight test", "proxyServer", "/healthz", "/readyz", "/metrics"} {
			if !strings.Contains(p.body, want) {
				t.Errorf("%s does not tell of %s: %s", path, want, p.body)
			}
		}
	}
}

func TestUnknownPathsAndMethods(t *testing.T) {
	s := testkit.StartTCP(t)
	bystander(t, s)
	for path, want := range map[string]int{
		"GET /nowhere": 404, "GET /binfo/": 404, "GET /Binfo": 404, "GET /dev.json": 404, "GET /operator.token": 404, "GET /.git/config": 404,
		"GET /consolex": 404, "GET /v4/openim/query_online_status": 405, "GET /%2e%2e/%2e%2e/etc/passwd": 404, "GET /debug/pprof/heap": 404,
		"POST /": 405, "POST /binfo": 405, "PUT /info": 405, "DELETE /metrics": 405, "POST /healthz": 405, "CONNECT /binfo": 405, "BREW /readyz": 405,
	} {
		method, path, _ := strings.Cut(path, " ")
		p := request(t, s, method, path, upgrade...)
		if p.code != want {
			t.Errorf("%s %s: %d %s, want %d", method, path, p.code, p.body, want)
		}
	}
}

func TestHandshakesThatAreNone(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		alice := s.Login("alice")
		for name, header := range map[string][]string{
			"a plain request":      {},
			"no connection header": upgrade[2:],
			"another upgrade":      {"Connection", "Upgrade", "Upgrade", "h2c", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", upgrade[7]},
			"no version":           {"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Key", upgrade[7]},
			"an old version":       {"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "8", "Sec-WebSocket-Key", upgrade[7]},
			"no key":               {"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13"},
			"a short key":          {"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "c2hvcnQ="},
		} {
			for _, path := range []string{"/binfo", "/info?sdkappid=1400000001"} {
				p := request(t, s, "GET", path, header...)
				if p.code < 400 || p.code > 499 {
					t.Errorf("%s: %s is answered %d %s", name, path, p.code, p.body)
				}
			}
		}
		synctest.Wait() // a handshake is counted after it was answered
		if n := s.Metric(`porchlight_refused_total{reason="handshake"}`); n != "14" {
			t.Errorf("%s handshakes were counted as refused, want 14", n)
		}
		if n := s.Metric("porchlight_connections"); n != "1" {
			t.Errorf("%s connections are counted, want alice's alone", n)
		}
		alice.Must("heartbeat.alive", struct{}{})
	})
}

// dial opens a socket from a page of an origin, "" for no page, and gives the
// status of the handshake's answer.
func dial(t *testing.T, s *testkit.Server, origin string) int {
	t.Helper()
	opt := &websocket.DialOptions{HTTPClient: s.HTTP(), HTTPHeader: http.Header{}}
	if origin != "" {
		opt.HTTPHeader.Set("Origin", origin)
	}
	conn, resp, err := websocket.Dial(t.Context(), s.Dev.URL+fmt.Sprintf("/binfo?sdkappid=%d", s.Dev.SDKAppID), opt)
	if resp == nil {
		t.Errorf("no answer: %v", err)
		return 0
	}
	if resp.Body != nil {
		_ = resp.Body.Close() // its status says all
	}
	if conn != nil {
		t.Cleanup(func() { _ = conn.CloseNow() })
	}
	return resp.StatusCode
}

func TestOriginsOnTheListAreLetIn(t *testing.T) {
	s := testkit.StartTCP(t, "gateway.origins=[https://app.example, http://localhost:5173]")
	for origin, want := range map[string]int{
		"":                             101, // no browser
		"https://app.example":          101,
		"http://localhost:5173":        101,
		"http://app.example":           403,
		"https://app.example:443":      403,
		"https://app.example.evil.com": 403,
		"https://evil.app.example":     403,
		"https://APP.example":          403,
		"https://app.example/":         403,
		"https://app.exampl":           403,
		"null":                         403,
		"*":                            403,
	} {
		if got := dial(t, s, origin); got != want {
			t.Errorf("origin %q: %d, want %d", origin, got, want)
		}
	}
	if n := s.Metric(`porchlight_refused_total{reason="origin"}`); n != "9" {
		t.Errorf("%s handshakes were counted as refused, want 9", n)
	}
	if p := request(t, s, "GET", "/binfo", "Origin", "https://evil.example"); p.code != 403 || !strings.Contains(p.body, "gateway.origins") {
		t.Errorf("a refused origin is told: %d %s", p.code, p.body)
	}
}

func TestWithoutAListEveryOriginIsLetIn(t *testing.T) {
	s := testkit.StartTCP(t)
	for _, origin := range []string{"", "null", "https://anywhere.example"} {
		if got := dial(t, s, origin); got != http.StatusSwitchingProtocols {
			t.Errorf("origin %q: %d", origin, got)
		}
	}
}

func TestTooManySocketsAreRefused(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		alice, bob := pair(t, s)
		if got := dial(t, s, ""); got != http.StatusServiceUnavailable {
			t.Errorf("the third socket of two: %d", got)
		}
		if n := s.Metric(`porchlight_refused_total{reason="sockets"}`); n != "1" {
			t.Errorf("%s handshakes were counted as refused, want 1", n)
		}
		alice.Must("heartbeat.alive", struct{}{})
		bob.Break()
		synctest.Wait()
		if got := dial(t, s, ""); got != http.StatusSwitchingProtocols {
			t.Errorf("a socket in the place of one that broke: %d", got)
		}
	}, "limits.sockets=2")
}

// TestSocketsAreCountedOneByOne: many handshakes at once do not pass the last
// place together.
func TestSocketsAreCountedOneByOne(t *testing.T) {
	s := testkit.StartTCP(t, "limits.sockets=5")
	var in atomic.Int32
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			if dial(t, s, "") == http.StatusSwitchingProtocols {
				in.Add(1)
			}
		})
	}
	wg.Wait()
	if n := in.Load(); n != 5 {
		t.Errorf("%d sockets were let in, want 5", n)
	}
	if n := s.Metric("porchlight_connections"); n != "5" {
		t.Errorf("%s connections are counted, want 5", n)
	}
}

// cutOff writes what it is given on a new connection, one piece a second, and
// gives what the server answers and how long it bears it.
func cutOff(t *testing.T, s *testkit.Server, pieces func() string) (answer string, after time.Duration) {
	t.Helper()
	conn, err := s.Dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		text, _ := io.ReadAll(conn) // until the server closes
		answer, after = string(text), time.Since(at)
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if piece := pieces(); piece != "" {
			_, _ = io.WriteString(conn, piece) // the server may have closed
		}
		select {
		case <-done:
			_ = conn.Close()
			return answer, after
		case <-tick.C:
		}
	}
}

func TestPeersThatDawdleOverTheirRequestAreCutOff(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		once := func(text string) func() string {
			return func() string {
				now := text
				text = ""
				return now
			}
		}
		for name, c := range map[string]struct {
			pieces func() string
			after  time.Duration
		}{
			"silent":                      {once(""), 10 * time.Second},
			"half a line":                 {once("GET /bin"), 10 * time.Second},
			"half a header":               {once("GET /binfo HTTP/1.1\r\nHost: x\r\nX-"), 10 * time.Second},
			"a header without end":        {headerWithoutEnd(), 10 * time.Second},
			"a request, and then no more": {once("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"), 2 * time.Minute},
		} {
			_, after := cutOff(t, s, c.pieces)
			if after < c.after || after > c.after+time.Second {
				t.Errorf("%s: cut off after %s, want %s", name, after, c.after)
			}
		}
	})
}

// headerWithoutEnd gives one line of a header at a time.
func headerWithoutEnd() func() string {
	n := 0
	return func() string {
		if n++; n == 1 {
			return "GET /binfo HTTP/1.1\r\nHost: x\r\n"
		}
		return fmt.Sprintf("X-%d: y\r\n", n)
	}
}

func TestRequestsThatAreNoneAreRefused(t *testing.T) {
	s := testkit.StartTCP(t)
	bystander(t, s)
	for text, want := range map[string]int{
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n": 400, // TLS
		"hello\r\n\r\n":                          400,
		"GET /binfo\r\n\r\n":                     400,
		"GET /binfo HTTP/1.1\r\n\r\n":            400, // no host
		"GET /binfo HTTP/9.9\r\nHost: x\r\n\r\n": 505,
		"GET /binfo HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 32<<10) + "\r\n\r\n":                                 431,
		"GET /binfo HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n":                                                                400,
		"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n": 400,
	} {
		conn, err := s.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, text) // it may be cut off midway
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%.40q: %v", text, err)
			continue
		}
		if resp.StatusCode != want {
			t.Errorf("%.40q: %d, want %d", text, resp.StatusCode, want)
		}
		_ = resp.Body.Close() // its status says all
		_ = conn.Close()
	}
}
