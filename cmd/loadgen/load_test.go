package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-im/porchlight/internal/testkit"
)

func TestStrideGoesRoundAllAndSpreadsThem(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5, 40, 200, 4999, 5000, 15_000} {
		step := stride(n)
		seen, place := make([]bool, n), 0
		for i := range n {
			place = (place + step) % n
			if seen[place] {
				t.Fatalf("of %d, number %d comes again after %d steps", n, place, i)
			}
			seen[place] = true
		}
		if n >= 40 && (step < n/2 || step > 3*n/4) {
			t.Errorf("of %d, each step is %d", n, step)
		}
	}
}

func TestStrikesAsManyAsItShould(t *testing.T) {
	for _, n := range []int{1, 7, 40, 5000} {
		for _, size := range []int{0, 1, n / 3, n} {
			p := phase{Size: size}
			struck, before := 0, 0
			for number := range n {
				if p.strikes(number, 1, n) {
					struck++
				}
				if p.strikes(number, 0, n) {
					before++
				}
			}
			if struck != size || before != size {
				t.Errorf("%d and %d of %d are struck, want %d", before, struck, n, size)
			}
		}
	}
}

// TestRunAgainstTheServer does everything there is to the real one, in one process
// and in several.
func TestRunAgainstTheServer(t *testing.T) {
	for _, processes := range []int{1, 3} {
		t.Run(strconv.Itoa(processes), func(t *testing.T) {
			s := testkit.StartTCP(t)
			t.Setenv(secretEnv, s.Dev.SecretKey)
			rep, code, stderr := loadWith(t, []string{
				"-server", s.Dev.WS, "-appid", s.Dev.SDKAppID.String(), "-json", "-n", "40", "-watch", "5",
				"-per-process", strconv.Itoa(40/processes + 1), "-relogin", "-changes", "300", "-for", "1s",
				"-burst", "20", "-bursts", "2", "-burst-pause", "100ms", "-storm", "20", "-storms", "2", "-storm-changes", "-pid", strconv.Itoa(os.Getpid()),
			})
			if code != 0 || !rep.Good || rep.Processes != processes || rep.Checks != (faults{}) {
				t.Fatalf("code %d, report %+v, said %s", code, rep, stderr)
			}
			if p := phaseOf(t, rep, phaseClose); p.Done != 40 || p.Open != 0 {
				t.Errorf("close: %+v", p)
			}
			if p := phaseOf(t, rep, phaseRelogin); p.Done != 40 || p.Open != 40 || p.Steps["wslogin"].Count != 40 || p.Steps["ws_get_user_status"].Count != 40 {
				t.Errorf("relogin: %+v", p)
			}
			changes := phaseOf(t, rep, phaseChanges)
			tr := changes.Traffic
			if changes.Done != 300 || tr.Changes != 300 || tr.Due.Count != tr.Deliveries || tr.Sent.Count != tr.Deliveries {
				t.Errorf("changes: %+v, %+v", changes, tr)
			}
			// Each is told to five, unless a newer one takes its place.
			if told := int(tr.Deliveries+tr.Own.Count) + tr.Overtaken; told != 300*6 {
				t.Errorf("%d deliveries, %d own and %d overtaken of 300 changes", tr.Deliveries, tr.Own.Count, tr.Overtaken)
			}
			if p := phaseOf(t, rep, phaseBurst); p.Done != 40 || p.Traffic.Changes != 40 {
				t.Errorf("burst: %+v", p)
			}
			for _, name := range []string{"storm 1", "storm 2"} {
				if p := phaseOf(t, rep, name); p.Done != 20 || p.Open != 40 || p.Steps["return"].Count != 20 || p.Back <= 0 {
					t.Errorf("%s: %+v", name, p)
				}
			}
			if p := phaseOf(t, rep, phaseLeave); p.Done != 40 {
				t.Errorf("leave: %+v", p)
			}
			if len(rep.Series) == 0 || rep.Series[len(rep.Series)-1].Resident == 0 {
				t.Errorf("series: %+v", rep.Series)
			}
			if strings.Contains(rep.Settings, "secret") || !strings.Contains(rep.Settings, "-storm 20") {
				t.Errorf("settings: %s", rep.Settings)
			}
		})
	}
}

// TestRunFindsFaults runs against servers that do not keep their promises.
func TestRunFindsFaults(t *testing.T) {
	const victim = "load000001"
	changes := []string{"-changes", "60", "-for", "300ms"}
	for _, tt := range []struct {
		name   string
		habits fakeHabits
		load   []string
		found  func(faults) int
	}{
		{"none", fakeHabits{}, append(changes, "-storm", "3", "-burst", "6", "-relogin"), nil},
		{"lost", fakeHabits{losesPushes: victim}, changes, func(f faults) int { return f.Lost }},
		{"out of order", fakeHabits{swapsPushes: victim}, changes, func(f faults) int { return f.Order }},
		{"repeats", fakeHabits{repeatsPushes: victim}, changes, func(f faults) int { return f.Repeats }},
		{"foreign", fakeHabits{leaksPushes: victim}, changes, func(f faults) int { return f.Foreign }},
		{"false edges", fakeHabits{showsGone: victim}, []string{"-storm", "3"}, func(f faults) int { return f.FalseEdges }},
		{"views", fakeHabits{forgetsCustom: victim}, changes, func(f faults) int { return f.Views }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fake := newFake(t, tt.habits)
			rep, code, stderr := loadWith(t, fake.args(append(tt.load, "-n", "6", "-watch", "2")...))
			if tt.found == nil {
				if code != 0 || rep.Checks != (faults{}) {
					t.Errorf("code %d, found %+v, said %s", code, rep.Checks, stderr)
				}
				return
			}
			if code != 1 || rep.Good || tt.found(rep.Checks) == 0 {
				t.Errorf("code %d, found %+v", code, rep.Checks)
			}
			var text bytes.Buffer
			if err := rep.writeText(&text); err != nil || !strings.Contains(text.String(), "user 1") && !strings.Contains(text.String(), victim) {
				t.Errorf("the text does not say about whom, %v:\n%s", err, text.String())
			}
		})
	}
}

// TestReturnSendsAgainWhatWasNotAnswered does as the official client: first what
// was not answered, as it was, then wslogin.
func TestReturnSendsAgainWhatWasNotAnswered(t *testing.T) {
	const victim = "load000001"
	fake := newFake(t, fakeHabits{mutesChange: victim})
	rep, code, stderr := loadWith(t, fake.args("-n", "3", "-watch", "2", "-changes", "30", "-for", "0", "-storm", "3", "-storm-changes"))
	if code != 0 {
		t.Fatalf("code %d, report %+v, said %s", code, rep, stderr)
	}
	said := fake.said(victim)
	first, again := -1, -1
	for i, line := range said {
		if !strings.HasPrefix(line, "ws_set_custom_status") {
			continue
		}
		if first < 0 {
			first = i
		} else if line == said[first] {
			again = i
		}
	}
	if again != first+1 || !strings.HasPrefix(said[again+1], "wslogin") {
		t.Errorf("it sent %q", said)
	}
}

// TestReturnIsTriedAgain counts a return that the server refused and tries another.
func TestReturnIsTriedAgain(t *testing.T) {
	fake := newFake(t, fakeHabits{refusesReturn: "load000001"})
	rep, code, stderr := loadWith(t, fake.args("-n", "3", "-watch", "2", "-storm", "3"))
	storm := phaseOf(t, rep, phaseStorm)
	if code != 0 || storm.Done != 3 || storm.Retried[`closed with 1013 ("come again")`] != 1 {
		t.Errorf("code %d, storm %+v, said %s", code, storm, stderr)
	}
}

// TestRunTellsWhoDidNotReturn ends a storm that a session does not come back from.
func TestRunTellsWhoDidNotReturn(t *testing.T) {
	fake := newFake(t, fakeHabits{})
	cfg, err := parseConfig(fake.args("-n", "2", "-storm", "2", "-timeout", "1s"), &bytes.Buffer{})
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
	if err := w.begin(phase{Name: phaseStorm, Size: 2}); err != nil {
		t.Fatal(err)
	}
	w.started -= stormLead
	w.cutAll()
	w.away = w.away[:0] // nobody is sent back
	got := w.end()
	if got.Failed["not back in 1s"] != 2 || got.Open != 0 || got.Acked[0] != unsure || got.Acked[1] != unsure {
		t.Errorf("%+v", got)
	}
}

// TestPaceCountsWaiting keeps the due time of a change that nobody could make.
func TestPaceCountsWaiting(t *testing.T) {
	fake := newFake(t, fakeHabits{})
	cfg, err := parseConfig(fake.args("-n", "2", "-changes", "10"), &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	w, err := newSwarm(split(cfg, 1)[0])
	if err != nil {
		t.Skip(err) // not on Linux
	}
	defer w.close()
	if err := w.begin(phase{Name: phaseChanges, Rate: 10, For: time.Hour}); err != nil {
		t.Fatal(err)
	}
	first := w.pace.due()
	w.now = first + 250*time.Millisecond
	w.keepPace() // no session is open
	if w.pace.due() != first || w.tally.Traffic.Changes != 0 {
		t.Errorf("due at %v, %d made; want %v, none", w.pace.due(), w.tally.Traffic.Changes, first)
	}
	w.endLoad()
	if got := w.tally.Traffic.Unsent; got != 3 {
		t.Errorf("%d changes due were not sent, want 3", got)
	}
}

func TestLoadConfig(t *testing.T) {
	good := []string{"-appid", "1400000001", "-secret", "s3cr3t"}
	parse := func(more ...string) (config, error) {
		return parseConfig(append(good[:len(good):len(good)], more...), &bytes.Buffer{})
	}
	cfg, err := parse("-n", "100", "-watch", "20", "-deliveries", "2000", "-storm", "5", "-storm-changes", "-json")
	if err != nil || cfg.Changes != 100 || cfg.Hold != 0 {
		t.Errorf("%+v, %v", cfg, err)
	}
	if want := "-appid 1400000001 -deliveries 2000 -n 100 -storm 5 -storm-changes -watch 20"; cfg.Settings != want {
		t.Errorf("settings %q, want %q", cfg.Settings, want)
	}
	if cfg, err := parse("-burst", "5", "-hold", "2s"); err != nil || cfg.Hold != 2*time.Second {
		t.Errorf("hold %v, %v", cfg.Hold, err)
	}
	if cfg, err := parse(); err != nil || cfg.Hold != 30*time.Second {
		t.Errorf("hold %v, %v", cfg.Hold, err)
	}
	var names []string
	cfg, err = parse("-n", "10", "-watch", "2", "-relogin", "-hold", "1s", "-changes", "5", "-burst", "3", "-storm", "2", "-storms", "2")
	for _, p := range cfg.phases() {
		names = append(names, p.title())
	}
	if want := "[prepare login watch close relogin idle changes burst storm 1 storm 2 leave]"; err != nil || fmt.Sprint(names) != want {
		t.Errorf("phases %v, %v; want %s", names, err, want)
	}
	for _, bad := range [][]string{
		{"-n", "10", "-changes", "401"},
		{"-changes", "-1"},
		{"-deliveries", "5"},
		{"-watch", "1", "-deliveries", "5", "-changes", "5"},
		{"-changes", "5", "-for", "2h"},
		{"-n", "10", "-burst", "11"},
		{"-n", "10", "-storm", "11"},
		{"-burst", "1", "-bursts", "0"},
		{"-burst", "1", "-burst-pause", "1ms"},
		{"-storm", "1", "-storms", "0"},
		{"-storm", "1", "-storm-changes"},
		{"-changes", "1", "-storm-changes"},
		{"-storm", "1", "-return-delay", "1h"},
	} {
		if _, err := parse(bad...); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestHelpHasAnExampleOfEverything(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"-help"}, nil, &out, &errs); code != 0 {
		t.Errorf("code %d", code)
	}
	for _, want := range []string{"loadgen -dev", "-deliveries 20000", "-burst 2000", "-storm 2000", "-relogin", "-compare", "-return-delay", "Exit codes"} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("the help does not say %q", want)
		}
	}
}
