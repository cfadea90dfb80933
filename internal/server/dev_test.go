package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/porchlight-im/porchlight/internal/server"
)

// dev says that a server makes the application of -dev; without is one that
// does not.
const (
	withDev = iota
	withoutDev
)

// tryOpen opens a server on loopback that does not run yet, and gives its log.
func tryOpen(t *testing.T, dir string, dev int, sets ...string) (*server.Server, *bytes.Buffer, error) {
	t.Helper()
	cfg, err := server.LoadConfig("", nil, append([]string{"listen=127.0.0.1:0", "data=" + dir}, sets...))
	if err != nil {
		t.Fatal(err)
	}
	log := new(bytes.Buffer)
	s, err := server.Open(t.Context(), cfg, server.Options{
		Dev: dev == withDev, Version: "test", Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	return s, log, err
}

// open opens a server that must open, and closes it with the test.
func open(t *testing.T, dir string, dev int, sets ...string) *server.Server {
	t.Helper()
	s, _, err := tryOpen(t, dir, dev, sets...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// run runs a server; stop drains and closes it.
func run(t *testing.T, s *server.Server) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		done <- nil
		s.Close()
	}
	t.Cleanup(stop)
	return stop
}

// get asks a running server by HTTP.
func get(t *testing.T, url, token string) (code int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // read to its end
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// announce gives the line that a server prints and checks that it is one.
func announce(t *testing.T, s *server.Server) (line []byte, dev server.Dev) {
	t.Helper()
	line, err := s.Announce()
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.IndexByte(line, '\n'); n != len(line)-1 {
		t.Errorf("not one line: %q", line)
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&dev); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return line, dev
}

// private checks that a file is its owner's alone and gives it.
func private(t *testing.T, path string) []byte {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode(); mode != 0o600 {
		t.Errorf("%s has the mode %v", filepath.Base(path), mode)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestDevFileIsTheLineThatIsPrinted(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "anew")
	s := open(t, dir, withDev)
	line, dev := announce(t, s)
	if got := private(t, filepath.Join(dir, "dev.json")); !bytes.Equal(got, line) {
		t.Errorf("dev.json is %s, the line %s", got, line)
	}
	want := server.Dev{
		Ready: true, URL: "http://" + s.Addr(), WS: "ws://" + s.Addr(), SDKAppID: 1400000001, SecretKey: dev.SecretKey,
		Admin: "administrator", Console: "http://" + s.Addr() + "/console/", OperatorToken: dev.OperatorToken,
	}
	if diff := cmp.Diff(want, dev); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(dev.SecretKey) {
		t.Errorf("the secret key is %d bytes, want 64 of hex", len(dev.SecretKey))
	}
	if len(dev.OperatorToken) < 40 {
		t.Errorf("the operator's token is %d bytes", len(dev.OperatorToken))
	}
	if got := private(t, filepath.Join(dir, "operator.token")); string(got) != dev.OperatorToken {
		t.Error("operator.token is not the token of the line")
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the data directory: %v, %v", info.Mode(), err)
	}
	var names map[string]any
	if err := json.Unmarshal(line, &names); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ready", "url", "ws", "sdkAppID", "secretKey", "admin", "console", "operatorToken"} {
		if _, ok := names[name]; !ok {
			t.Errorf("the line has no %s", name)
		}
	}
}

func TestDevStaysTheSameOverRestarts(t *testing.T) {
	dir := t.TempDir()
	var first server.Dev
	for i := range 3 {
		s := open(t, dir, withDev)
		_, dev := announce(t, s)
		stop := run(t, s)
		if code, _ := get(t, dev.URL+"/metrics", dev.OperatorToken); code != http.StatusOK {
			t.Errorf("metrics with the token: %d", code)
		}
		stop()
		if i == 0 {
			first = dev
		}
		if dev.SecretKey != first.SecretKey || dev.OperatorToken != first.OperatorToken || dev.SDKAppID != first.SDKAppID || dev.Admin != first.Admin {
			t.Errorf("start %d has another key, token, application or administrator", i+1)
		}
	}
	_, other := announce(t, open(t, t.TempDir(), withDev))
	if other.SecretKey == first.SecretKey || other.OperatorToken == first.OperatorToken {
		t.Error("two data directories share a secret")
	}
}

func TestSecretFilesThatWereLooseAreMadePrivate(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "dev.json"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	line, _ := announce(t, open(t, dir, withDev))
	if got := private(t, filepath.Join(dir, "dev.json")); !bytes.Equal(got, line) {
		t.Errorf("dev.json is %s", got)
	}
}

func TestOperatorMayChooseTheToken(t *testing.T) {
	for text, want := range map[string]string{"chosen": "chosen", "chosen\n": "chosen", "": "", "\n": ""} {
		dir := t.TempDir()
		path := filepath.Join(dir, "operator.token")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got := open(t, dir, withDev).Dev().OperatorToken
		switch {
		case want != "" && got != want:
			t.Errorf("operator.token %q gives a token of %d bytes, want %q", text, len(got), want)
		case want == "" && (len(got) < 40 || string(private(t, path)) != got):
			t.Errorf("operator.token %q gives a token of %d bytes, want a new one", text, len(got))
		}
	}
}

func TestWithoutDevNothingIsMade(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, withoutDev)
	if dev := s.Dev(); dev != nil {
		t.Errorf("there is an application %d", dev.SDKAppID)
	}
	if _, err := os.Stat(filepath.Join(dir, "dev.json")); !os.IsNotExist(err) {
		t.Errorf("there is a dev.json: %v", err)
	}
	private(t, filepath.Join(dir, "operator.token"))
}

// TestDemoIsThereUnderDevAlone: it gives UserSigs to whoever asks.
func TestDemoIsThereUnderDevAlone(t *testing.T) {
	for dev, want := range map[int]int{withDev: http.StatusOK, withoutDev: http.StatusNotFound} {
		s := open(t, t.TempDir(), dev)
		run(t, s)
		for _, ask := range []string{"GET /demo/", "POST /demo/usersig?user=alice"} {
			method, path, _ := strings.Cut(ask, " ")
			r, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.Addr()+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close() // nothing of it was read
			if res.StatusCode != want {
				t.Errorf("%s with dev %d: %s, want %d", ask, dev, res.Status, want)
			}
		}
	}
}

func TestSecondServerOnADirectoryIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, withDev)
	_, dev := announce(t, s)
	stop := run(t, s)
	for range 2 {
		_, _, err := tryOpen(t, dir, withDev)
		if err == nil {
			t.Fatal("two servers share a data directory")
		}
		for _, want := range []string{dir, "in use", "-data"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not in the error: %v", want, err)
			}
		}
	}
	if code, body := get(t, dev.URL+"/readyz", ""); code != http.StatusOK {
		t.Errorf("the first server after it: %d %s", code, body)
	}
	stop()
	_, again := announce(t, open(t, dir, withDev))
	if again.SecretKey != dev.SecretKey {
		t.Error("a server after them has another key")
	}
}

func TestOpenSaysWhatStandsInItsWay(t *testing.T) {
	dir := t.TempDir()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	inTheWay := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(inTheWay, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		dir  string
		sets []string
		want string
	}{
		"an address in use":     {dir, []string{"listen=" + taken.Addr().String()}, "setting listen"},
		"no address":            {dir, []string{"listen=nowhere"}, "setting listen"},
		"an operator's in use":  {dir, []string{"operator.listen=" + taken.Addr().String()}, "setting operator.listen"},
		"a file as a directory": {inTheWay, nil, "data directory"},
	} {
		if _, _, err := tryOpen(t, c.dir, withDev, c.sets...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	open(t, dir, withDev) // what failed has let go of the directory
}

func TestSE20_SecretsAreNotLogged(t *testing.T) {
	s, log, err := tryOpen(t, t.TempDir(), withDev)
	if err != nil {
		t.Fatal(err)
	}
	_, dev := announce(t, s)
	stop := run(t, s)
	get(t, dev.URL+"/metrics", dev.OperatorToken)
	get(t, dev.URL+"/metrics", dev.SecretKey)
	stop()
	if log.Len() == 0 {
		t.Error("nothing was logged")
	}
	for _, secret := range []string{dev.SecretKey, dev.OperatorToken} {
		if strings.Contains(log.String(), secret) {
			t.Error("a secret is in the log")
		}
	}
}
