package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test's own program stand in for the workers that a run starts.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == workerArgument {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// loadWith runs the command and gives its report.
func loadWith(t *testing.T, args []string) (rep report, code int, stderr string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("loadgen needs Linux")
	}
	var out, errs bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(""), &out, &errs)
	if err := json.Unmarshal(out.Bytes(), &rep); err != nil {
		t.Fatalf("the report is not JSON: %v\n%s\n%s", err, out.String(), errs.String())
	}
	return rep, code, errs.String()
}

// phaseOf finds a phase of a report.
func phaseOf(t *testing.T, rep report, name string) result {
	t.Helper()
	for _, p := range rep.Phases {
		if p.Phase == name {
			return p
		}
	}
	t.Fatalf("the report has no phase %s: %+v", name, rep)
	return result{}
}

func TestRunInOneProcess(t *testing.T) {
	fake := newFake(t, fakeHabits{pingEach: true})
	rep, code, stderr := loadWith(t, fake.args("-n", "150", "-watch", "120", "-inflight", "20", "-pid", strconv.Itoa(os.Getpid())))
	if code != 0 || !rep.Good || rep.Processes != 1 {
		t.Fatalf("code %d, report %+v, said %s", code, rep, stderr)
	}
	login := phaseOf(t, rep, phaseLogin)
	if login.Done != 150 || login.Open != 150 || login.Steps["wslogin"].Count != 150 || login.Steps["connect"].Count != 150 {
		t.Errorf("login: %+v", login)
	}
	if got := phaseOf(t, rep, phaseWatch).Steps["ws_status_subscribe"].Count; got != 300 {
		t.Errorf("subscribe: %d answers, want 300: 100 accounts a request", got)
	}
	pings, pushes := 0, 0
	for _, p := range rep.Phases {
		pings, pushes = pings+p.Pings, pushes+p.Pushes
	}
	if pings != 150 || pushes != 150 {
		t.Errorf("%d pings answered and %d pushes, want 150 of each", pings, pushes)
	}
	if got := fake.count(cmdLogout); got != 150 {
		t.Errorf("%d logouts, want 150", got)
	}
	if len(rep.Samples) != len(rep.Phases) || rep.Samples[1].Resident == 0 || rep.Samples[0].When != "before" {
		t.Errorf("samples of the server: %+v", rep.Samples)
	}
}

func TestRunSplitsIntoProcesses(t *testing.T) {
	fake := newFake(t, fakeHabits{})
	rep, code, stderr := loadWith(t, fake.args("-n", "25", "-per-process", "10", "-watch", "3", "-rate", "1000"))
	if code != 0 || rep.Processes != 3 || phaseOf(t, rep, phaseLogin).Done != 25 {
		t.Fatalf("code %d, report %+v", code, rep)
	}
	if !strings.Contains(stderr, "split over 3 processes, at most 10 sessions each") {
		t.Errorf("it does not say how it split:\n%s", stderr)
	}
	if strings.Contains(stderr, testSecret) {
		t.Error("the secret is shown")
	}
}

func TestRunTellsWhatWentWrong(t *testing.T) {
	fake := newFake(t, fakeHabits{refuseUser: "load000001", denyUser: "load000002", dropUser: "load000003"})
	rep, code, _ := loadWith(t, fake.args("-n", "6", "-watch", "2"))
	if code != 1 || rep.Good {
		t.Fatalf("code %d, good %v", code, rep.Good)
	}
	login := phaseOf(t, rep, phaseLogin)
	if login.Done != 5 || login.Failed["wslogin: code 70402"] != 1 {
		t.Errorf("login: %+v", login)
	}
	lost := 0
	for _, p := range rep.Phases {
		lost += p.Lost[`closed with 1001 ("draining")`] + p.Failed[`closed with 1001 ("draining")`]
	}
	if lost != 1 {
		t.Errorf("the dropped session is not told of: %+v", rep.Phases)
	}
	if got := phaseOf(t, rep, phaseWatch).Denied["ws_status_subscribe: code 70107"]; got == 0 {
		t.Errorf("denied accounts are not told of: %+v", rep.Phases)
	}
	var text bytes.Buffer
	if err := rep.writeText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"NOT GOOD", "wslogin: code 70402", "70107", "1001"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text does not say %s:\n%s", want, text.String())
		}
	}
}

func TestRunWithoutAServer(t *testing.T) {
	fake := newFake(t, fakeHabits{})
	args := fake.args("-n", "3")
	fake.Close()
	rep, code, _ := loadWith(t, args)
	if code != 1 || phaseOf(t, rep, phaseLogin).Failed["connect: connection refused"] != 3 {
		t.Errorf("code %d, report %+v", code, rep)
	}
}

func TestRunEndsByItselfWhenNobodyAnswers(t *testing.T) {
	fake := newFake(t, fakeHabits{})
	fake.mu.Lock() // so that every answer waits
	rep, code, _ := loadWith(t, fake.args("-n", "3", "-inflight", "2", "-timeout", "50ms"))
	fake.mu.Unlock()
	failed := phaseOf(t, rep, phaseLogin).Failed
	if code != 1 || failed["no answer to wslogin in 50ms"] != 2 || failed["its turn did not come in 50ms"] != 1 {
		t.Errorf("code %d, failed %v", code, failed)
	}
	for _, p := range rep.Phases {
		if p.Phase != phaseLogin && p.Phase != phasePrepare {
			t.Errorf("nobody logged in, and %s was begun", p.Phase)
		}
	}
}

// TestRunLeavesOutWhoNeverCame begins no session after the login phase.
func TestRunLeavesOutWhoNeverCame(t *testing.T) {
	fake := newFake(t, fakeHabits{silentUser: "load000002"})
	rep, code, _ := loadWith(t, fake.args("-n", "4", "-inflight", "1", "-timeout", "500ms"))
	login, leave := phaseOf(t, rep, phaseLogin), phaseOf(t, rep, phaseLeave)
	failed := login.Failed
	if code != 1 || login.Done != 2 || failed["no answer to wslogin in 500ms"] != 1 || failed["its turn did not come in 500ms"] != 1 {
		t.Errorf("login: %+v", login)
	}
	if leave.Done != 2 || leave.Steps["connect"].Count != 0 {
		t.Errorf("leave: %+v", leave)
	}
}

func TestRunIsInterrupted(t *testing.T) {
	fake := newFake(t, fakeHabits{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	if code := run(ctx, fake.args("-n", "3", "-hold", "1h"), nil, &out, &errs); code != 1 || out.Len() > 0 {
		t.Errorf("code %d, out %s", code, out.String())
	}
}

// TestGreet sends wshello when it is due, and only then.
func TestGreet(t *testing.T) {
	fake := newFake(t, fakeHabits{})
	cfg, err := parseConfig(fake.args("-n", "2", "-hello"), &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	w, err := newSwarm(split(cfg, 1)[0])
	if err != nil {
		t.Skip(err) // not on Linux
	}
	defer w.close()
	for _, p := range []string{phasePrepare, phaseLogin} {
		if err := w.begin(phase{Name: p}); err != nil {
			t.Fatal(err)
		}
		turnUntil(t, w, w.through)
		w.end()
	}
	if each := w.sessions[0].helloEach; each != time.Second {
		t.Fatalf("interval %v, want the server's", each)
	}
	w.sessions[0].helloAt, w.sessions[1].helloAt = 0, time.Hour
	w.greet()
	turnUntil(t, w, func() bool { return w.tally.Hellos > 0 })
	w.greet()
	if got := fake.count(cmdHello); got != 1 || w.sessions[0].helloAt < time.Second {
		t.Errorf("%d wshello sent, want 1; the next at %v", got, w.sessions[0].helloAt)
	}
}

func turnUntil(t *testing.T, w *swarm, done func() bool) {
	t.Helper()
	for begun := time.Now(); !done(); {
		if time.Since(begun) > 10*time.Second {
			t.Fatal("it does not come to an end")
		}
		if err := w.turn(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestConfig(t *testing.T) {
	dev := filepath.Join(t.TempDir(), "dev.json")
	text := `{"ready":true,"ws":"ws://[::1]:7801","sdkAppID":1400000009,"secretKey":"k"}`
	if err := os.WriteFile(dev, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dev, filepath.Dir(dev)} {
		cfg, err := parseConfig([]string{"-dev", path, "-n", "7"}, &bytes.Buffer{})
		if err != nil || cfg.Server.String() != "[::1]:7801" || cfg.App != 1400000009 || cfg.Secret != "k" || cfg.Sessions != 7 {
			t.Errorf("%s: %+v, %v", path, cfg, err)
		}
		if cfg.PerProc < 1 || cfg.PerProc > maxDescriptors {
			t.Errorf("%d sessions in a process", cfg.PerProc)
		}
	}
	good := []string{"-appid", "1400000001", "-secret", "s"}
	for _, bad := range [][]string{
		nil,
		{"-server", "ws://10.0.0.1:7800"},
		{"-server", "ws://example.com:7800"},
		{"-server", "ws://0.0.0.0:7800"},
		{"-server", "wss://127.0.0.1:7800"},
		{"-server", "ws://127.0.0.1:99999"},
		{"-n", "0"},
		{"-n", "5", "-watch", "5"},
		{"-watch", "201"},
		{"-inflight", "0"},
		{"-hold", "48h"},
		{"-users", "a b"},
		{"-dev", filepath.Join(t.TempDir(), "none.json")},
		{"extra"},
	} {
		args := append(good[:len(good):len(good)], bad...)
		if bad == nil {
			args = nil
		}
		if _, err := parseConfig(args, &bytes.Buffer{}); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
}

func TestLoopback(t *testing.T) {
	for address, want := range map[string]string{
		"ws://127.0.0.1:7800":       "127.0.0.1:7800",
		"ws://127.9.8.7":            "127.9.8.7:80",
		"ws://localhost:1/":         "127.0.0.1:1",
		"ws://[::1]:7800":           "[::1]:7800",
		"ws://[::ffff:127.0.0.1]:5": "127.0.0.1:5",
	} {
		got, err := loopback(address)
		if err != nil || got.String() != want {
			t.Errorf("loopback(%q) = %v, %v; want %s", address, got, err, want)
		}
	}
}

func TestSplit(t *testing.T) {
	cfg := config{Sessions: 50_000, PerProc: 19_800, InFlight: 64, Rate: 900}
	cfg.Server, _ = loopback("ws://127.0.0.1:7800")
	jobs := split(cfg, 5)
	if len(jobs) != 3 {
		t.Fatalf("%d jobs, want 3", len(jobs))
	}
	next, sources := 0, map[string]bool{}
	for _, j := range jobs {
		if j.First != next || j.Count > cfg.PerProc || j.Rate != 300 || j.Run != 5 || j.Zero != jobs[0].Zero {
			t.Errorf("job %+v does not follow on %d", j, next)
		}
		next += j.Count
		sources[j.Source.String()] = true
		if j.Source.IsValid() && !j.Source.IsLoopback() {
			t.Errorf("source %v is not loopback", j.Source)
		}
	}
	if next != 50_000 || len(sources) != 3 {
		t.Errorf("%d sessions from %d addresses, want 50000 from 3", next, len(sources))
	}
}
