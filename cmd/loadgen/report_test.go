package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestPlot(t *testing.T) {
	for _, tt := range []struct {
		name   string
		values []float64
		want   string
	}{
		{"nothing", nil, ""},
		{"one", []float64{5}, "▁"},
		{"level", []float64{5, 5, 5}, "▁▁▁"},
		{"a slope", []float64{0, 1, 2, 3, 4, 5, 6, 7}, "▁▂▃▄▅▆▇█"},
		{"from its smallest to its largest", []float64{100, 107, 103.5}, "▁█▄"},
		{"many", append(make([]float64, 119), 7), strings.Repeat("▁", 59) + "█"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := plot(tt.values); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
	for n := range 1000 {
		if got := utf8.RuneCountInString(plot(make([]float64, n))); got > plotWidth {
			t.Fatalf("%d values take %d columns", n, got)
		}
	}
}

func TestSeries(t *testing.T) {
	var h histogram
	h.add(3 * time.Millisecond)
	h.add(3 * time.Millisecond)
	sampled := func(at, cpu time.Duration, resident int64) timedSample {
		return timedSample{at: at, sample: sample{CPU: cpu, Resident: resident}}
	}
	got := seriesOf(map[int]*histogram{1: &h, 4: &h}, []timedSample{
		sampled(10*time.Millisecond, 5*time.Second, 1),
		sampled(1010*time.Millisecond, 5500*time.Millisecond, 1<<20),
		sampled(2010*time.Millisecond, 7500*time.Millisecond, 2<<20),
	})
	want := []point{
		{Second: 0, CPU: 50, Resident: 1 << 20},
		{Second: 1, Deliveries: 2, P99: 3, CPU: 200, Resident: 2 << 20},
		{Second: 4, Deliveries: 2, P99: 3},
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
	var text bytes.Buffer
	if err := (&report{Series: got}).writePlots(&text); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"second 0 to 4", "deliveries/s ▁█▁▁█ 0 to 2", "p99 ▁█▁▁█ 0 to 3 ms", "server CPU ▂█▁▁▁ 0 to 200 %", "resident ▄█▁▁▁ 0 to 2 MiB"} {
		if !strings.Contains(text.String(), line) {
			t.Errorf("no %q in\n%s", line, text.String())
		}
	}
}

func TestHistogramTravels(t *testing.T) {
	var h, back histogram
	for _, d := range []time.Duration{0, 1, time.Millisecond, time.Millisecond, time.Hour} {
		h.add(d)
	}
	text, err := json.Marshal(&h)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(back, h, cmp.AllowUnexported(histogram{})); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
	if err := json.Unmarshal([]byte(`{"counts":{"999999999":1,"-1":1}}`), &back); err != nil || back.total() != 0 {
		t.Errorf("%d in buckets that there are not, %v", back.total(), err)
	}
}

// TestTalliesMerge merges what two workers counted, and then the check after it.
func TestTalliesMerge(t *testing.T) {
	worker := func(ms int, acked ...uint32) *tally {
		t := newTally()
		d := time.Duration(ms) * time.Millisecond
		t.Phase, t.Done, t.Open, t.Took, t.Back, t.Acked = phaseStorm, 1, 2, d, d, acked
		t.Retried["refused"] = 1
		t.step("return", d)
		t.Traffic = traffic{Changes: 1, Settled: d, Faults: faults{1, 1, 1, 1, 1, 1, 1}, Examples: []string{"one"}}
		t.Traffic.delivered(stamp{}, d)
		return t
	}
	sum := newTally()
	sum.merge(worker(10, 1, 2))
	sum.merge(worker(20, 3))
	check := worker(30, 9)
	check.Open = 7
	sum.tail(check)
	if sum.Done != 2 || sum.Open != 7 || sum.Took != 20*time.Millisecond || sum.Back != 20*time.Millisecond || sum.Retried["refused"] != 3 {
		t.Errorf("%+v", sum)
	}
	if diff := cmp.Diff(sum.Acked, []uint32{1, 2, 3}); diff != "" {
		t.Errorf("acknowledged: got, want:\n%s", diff)
	}
	tr := &sum.Traffic
	if tr.Changes != 3 || tr.Settled != 30*time.Millisecond || tr.Faults != (faults{3, 3, 3, 3, 3, 3, 3}) || tr.Faults.total() != 21 {
		t.Errorf("%+v", tr)
	}
	if tr.Due.total() != 3 || tr.Sent.total() != 3 || tr.Seconds[0].total() != 3 || sum.Steps["return"].total() != 3 || len(tr.Examples) != 3 {
		t.Errorf("%+v", tr)
	}
}

// comparedReport is one whose figures are all so many.
func comparedReport(settings string, n float64, good bool) *report {
	l := latency{Count: 1, P50: n, P90: n, P99: n, P999: n, Max: n}
	return &report{
		Settings: settings, Good: good, Checks: faults{Lost: int(n) - 1},
		Phases: []result{
			{Phase: phasePrepare},
			{Phase: phaseLogin, Seconds: n, PerSecond: n, Steps: map[string]latency{"wslogin": l}},
			{Phase: phaseChanges, Seconds: n, Traffic: &trafficResult{PerSecond: 1000 * n, Due: l}},
		},
		Samples: []sample{{}, {Resident: int64(n) << 20}, {}},
	}
}

func TestCompare(t *testing.T) {
	dir := t.TempDir()
	files := []string{filepath.Join(dir, "a.json"), filepath.Join(dir, "b.json")}
	a, b := comparedReport("-n 1", 1, true), comparedReport("-n 2", 3, false)
	b.Phases = append(b.Phases, result{Phase: phaseStorm, Back: 0.5})
	for i, rep := range []*report{a, b} {
		var text bytes.Buffer
		if err := rep.writeJSON(&text); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(files[i], text.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out, errs bytes.Buffer
	if code := run(t.Context(), append([]string{"-compare"}, append(files, "-json")...), nil, &out, &errs); code != 0 {
		t.Fatalf("code %d: %s", code, errs.String())
	}
	var got comparison
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if !got.A.Good || got.B.Good || got.A.Settings != "-n 1" || got.B.File != files[1] {
		t.Errorf("%+v and %+v", got.A, got.B)
	}
	one, three, half := 1.0, 3.0, 0.5
	zero, two := 0.0, 2.0
	figures := map[string]compared{}
	for _, f := range got.Figures {
		figures[f.Name] = f
	}
	for _, want := range []compared{
		{"login a second", &one, &three, &three},
		{"login wslogin p99 ms", &one, &three, &three},
		{"login server MiB", &one, &three, &three},
		{"changes delivery p99.9 ms", &one, &three, &three},
		{"lost", &zero, &two, nil},
		{"storm last back seconds", nil, &half, nil},
	} {
		if diff := cmp.Diff(figures[want.Name], want); diff != "" {
			t.Errorf("got, want:\n%s", diff)
		}
	}
	out.Reset()
	if code := run(t.Context(), append([]string{"-compare"}, files...), nil, &out, &errs); code != 0 {
		t.Fatalf("code %d: %s", code, errs.String())
	}
	text := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{
		"b.json: NOT GOOD: loadgen -n 2", "figure a b b to a", "changes delivery p50 ms 1 3 3 ",
		"changes deliveries a second 1000 3000 3 ", "lost 0 2 ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestCompareRefuses(t *testing.T) {
	dir := t.TempDir()
	none, other, broken := filepath.Join(dir, "none"), filepath.Join(dir, "other"), filepath.Join(dir, "broken")
	for name, text := range map[string]string{other: `{"ready":true}`, broken: `{`} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		args []string
		code int
	}{
		{[]string{"-compare", none, none}, 1},
		{[]string{"-compare", other, other}, 1},
		{[]string{"-compare", broken, broken}, 1},
		{[]string{"-compare", none}, 2},
		{[]string{"-compare", none, none, none}, 2},
		{[]string{"-compare", none, none, "-nonsense"}, 2},
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), tt.args, nil, &out, &errs); code != tt.code || out.Len() > 0 || errs.Len() == 0 {
			t.Errorf("%q: code %d, want %d; said %s", tt.args, code, tt.code, errs.String())
		}
	}
}

// TestTextTellsWhatDiffers shows when changes were sent only where that was not
// when they were due.
func TestTextTellsWhatDiffers(t *testing.T) {
	even, late := latency{Count: 10, P50: 1, P99: 2, Max: 3}, latency{Count: 10, P50: 1, P99: 1, Max: 3}
	for _, tt := range []struct {
		name string
		sent latency
		want bool
	}{{"alike", even, false}, {"late", late, true}} {
		t.Run(tt.name, func(t *testing.T) {
			rep := &report{Settings: "-n 3", Phases: []result{{Phase: phaseChanges, Traffic: &trafficResult{
				Changes: 7, Deliveries: 10, Due: even, Sent: tt.sent, Unsent: 4, CaughtUp: 2, Overtaken: 5,
			}}}}
			var text bytes.Buffer
			if err := rep.writeText(&text); err != nil {
				t.Fatal(err)
			}
			words := strings.Join(strings.Fields(text.String()), " ")
			if strings.Contains(words, " sent 1.00 ms") != tt.want || !strings.Contains(words, "due 1.00 ms") {
				t.Errorf("sent is told, or not:\n%s", text.String())
			}
			for _, want := range []string{"loadgen -n 3", "5 changes overtaken", "2 told at a return", "4 due could not be sent", "checks: 0 out of order"} {
				if !strings.Contains(words, want) {
					t.Errorf("no %q in\n%s", want, text.String())
				}
			}
		})
	}
}
