package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/porchlight-im/porchlight/internal/server"
)

func TestServeSaysWhatItCannotRunWith(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.yaml")
	if err := os.WriteFile(bad, []byte("listen: 127.0.0.1:0\nlisssten: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no such file":       {[]string{"-config", filepath.Join(dir, "none.yaml")}, "none.yaml"},
		"a key that is none": {[]string{"-config", bad}, "lisssten"},
		"a bad set":          {[]string{"-set", "grace.close"}, "key.path=value"},
		"an unknown set":     {[]string{"-set", "grace.clsoe=1s"}, "grace.clsoe"},
		"a bad level":        {[]string{"-set", "log.level=loud"}, "debug, info, warn, error"},
		"a bad format":       {[]string{"-set", "log.format=xml"}, "text"},
		"a bad address":      {[]string{"-data", dir, "-listen", "nowhere"}, "setting listen"},
		"flags go over sets": {[]string{"-set", "listen=127.0.0.1:0", "-listen", "nowhere", "-set", "listen=127.0.0.1:0", "-data", dir}, "setting listen"},
		"a file for data":    {[]string{"-data", bad}, "data directory"},
	} {
		o := try(t, append([]string{"serve"}, c.args...)...)
		if o.err == nil || errors.Is(o.err, errUsage) || !strings.Contains(o.err.Error(), c.want) || o.out != "" {
			t.Errorf("%s: %+v, want %q", name, o, c.want)
		}
	}
}

func TestLogIsAsTheConfigurationSays(t *testing.T) {
	for level, want := range map[string]string{
		"debug": "dbg inf wrn", "info": "inf wrn", "INFO": "inf wrn", "warn": "wrn", "error": "",
	} {
		for _, format := range []string{"text", "json"} {
			var buf bytes.Buffer
			log, err := newLog(server.LogConfig{Level: level, Format: format}, &buf)
			if err != nil {
				t.Fatal(err)
			}
			log.Debug("dbg")
			log.Info("inf")
			log.Warn("wrn", "err", "x")
			var got []string
			for line := range strings.Lines(buf.String()) {
				if json.Valid([]byte(line)) != (format == "json") {
					t.Errorf("%s, %s: the line %s", level, format, line)
				}
				for _, word := range []string{"dbg", "inf", "wrn"} {
					if strings.Contains(line, word) {
						got = append(got, word)
					}
				}
			}
			if text := strings.Join(got, " "); text != want {
				t.Errorf("%s, %s: got %q, want %q", level, format, text, want)
			}
		}
	}
	if _, err := newLog(server.LogConfig{Level: ""}, io.Discard); err == nil {
		t.Error("no level was taken for one")
	}
	if log, err := newLog(server.LogConfig{Level: "warn", Format: "text"}, io.Discard); err != nil || log.Enabled(context.Background(), slog.LevelInfo) {
		t.Errorf("warn lets through more: %v", err)
	}
}

// TestServeWithoutDevPrintsForPeopleOnly runs a server in this process until its
// context ends, as a signal ends it.
func TestServeWithoutDevPrintsForPeopleOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a directory: #1")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	read, write := io.Pipe()
	var out bytes.Buffer
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"serve", "-listen", "127.0.0.1:0", "-data", dir}, &out, write)
		_ = write.Close() // which ends the reading below
	}()
	var errs strings.Builder
	for lines := bufio.NewScanner(read); lines.Scan(); {
		errs.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "operator.token") {
			cancel()
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if out.Len() > 0 {
		t.Errorf("printed %q", out.String())
	}
	token, err := os.ReadFile(filepath.Join(dir, "operator.token"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"is ready", "proxyServer  ws://127.0.0.1:", dir} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("%q is not said:\n%s", want, errs.String())
		}
	}
	if strings.Contains(errs.String(), string(token)) {
		t.Error("the operator's token is said")
	}
}

// build builds the program.
func build(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the program")
	}
	if runtime.GOOS == "windows" {
		t.Skip("needs SIGTERM")
	}
	path := filepath.Join(t.TempDir(), "porchlight")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, text)
	}
	return path
}

// program is the program at work.
type program struct {
	cmd   *exec.Cmd
	lines *bufio.Reader
	errs  bytes.Buffer // whole once the program has ended
}

func start(t *testing.T, path string, args ...string) *program {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	p := &program{cmd: exec.CommandContext(ctx, path, args...)}
	p.cmd.Env = append(os.Environ(), secretEnv+"=", tokenEnv+"=", urlEnv+"=")
	p.cmd.Stderr = &p.errs
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.lines = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// end waits for the program and gives the rest of what it printed, and its exit
// code.
func (p *program) end(t *testing.T) (rest string, code int) {
	t.Helper()
	text, err := io.ReadAll(p.lines)
	if err != nil {
		t.Fatal(err)
	}
	err = p.cmd.Wait()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(text), p.cmd.ProcessState.ExitCode()
}

// TestProgram builds the program and runs it as its users do.
func TestProgram(t *testing.T) {
	path := build(t)
	t.Run("serves until SIGTERM", func(t *testing.T) { servesUntilItIsTold(t, path) })
	t.Run("exits with a code", func(t *testing.T) { exitCodes(t, path) })
}

// servesUntilItIsTold starts the program twice on one directory and stops it as
// a supervisor does.
func servesUntilItIsTold(t *testing.T, path string) {
	dir := filepath.Join(t.TempDir(), "data")
	var key string
	for i := range 2 { // the second start finds what the first has made
		p := start(t, path, "serve", "-dev", "-listen", "127.0.0.1:0", "-data", dir, "-set", "log.level=debug")
		line, err := p.lines.ReadString('\n')
		if err != nil {
			_, code := p.end(t)
			t.Fatalf("no line: %v, exit code %d\n%s", err, code, p.errs.String())
		}
		var dev server.Dev
		if err := json.Unmarshal([]byte(line), &dev); err != nil || !dev.Ready {
			t.Fatalf("the line is %s: %v", line, err)
		}
		resp, err := http.Get(dev.URL + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close() // its status says all
		if resp.StatusCode != http.StatusOK {
			t.Errorf("ready, and /readyz says %d", resp.StatusCode)
		}
		token := start(t, path, "usersig", "-data", dir, "alice")
		if text, code := token.end(t); code != 0 || len(text) < 100 {
			t.Errorf("usersig: %q, exit code %d: %s", text, code, token.errs.String())
		}
		apps := start(t, path, "app", "list", "-data", dir)
		if text, code := apps.end(t); code != 0 || !strings.Contains(text, dev.SDKAppID.String()) {
			t.Errorf("app list: %q, exit code %d: %s", text, code, apps.errs.String())
		}
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		rest, code := p.end(t)
		if rest != "" || code != 0 {
			t.Errorf("printed %q after its line, exit code %d", rest, code)
		}
		for _, secret := range []string{dev.SecretKey, dev.OperatorToken} {
			if secret == "" || strings.Contains(p.errs.String(), secret) {
				t.Errorf("a secret is missing, or on standard error")
			}
		}
		if !strings.Contains(p.errs.String(), "draining") {
			t.Errorf("it did not drain: %s", p.errs.String())
		}
		if i > 0 && dev.SecretKey != key {
			t.Error("the second start has another key")
		}
		key = dev.SecretKey
	}
}

// exitCodes are what scripts see of the program.
func exitCodes(t *testing.T, path string) {
	for line, want := range map[string]int{
		"help": 0, "version": 0, "serve -h": 0, "usersig -h": 0, "app -h": 0, "user kick -h": 0,
		"": 2, "nonsense": 2, "serve -nonsense": 2, "usersig": 2, "app": 2, "app show five": 2, "user kick 5": 2,
		"serve -set x": 1, "usersig -data /nowhere alice": 1, "app list -data /nowhere": 1, "serve -config /nowhere/porchlight.yaml": 1,
	} {
		p := start(t, path, strings.Fields(line)...)
		if _, code := p.end(t); code != want {
			t.Errorf("porchlight %s: exit code %d, want %d: %s", line, code, want, p.errs.String())
		}
		if want == 1 && !strings.HasPrefix(p.errs.String(), "porchlight: ") {
			t.Errorf("porchlight %s says %s", line, p.errs.String())
		}
	}
}
