package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"
)

// report is the outcome of a run. Its JSON form is for machines and keeps its
// names.
type report struct {
	Server    string   `json:"server"`
	App       uint32   `json:"sdkAppID"`
	Sessions  int      `json:"sessions"`
	Watch     int      `json:"watch"`
	Processes int      `json:"processes"`
	InFlight  int      `json:"inFlight"`
	Phases    []result `json:"phases"`
	Samples   []sample `json:"serverSamples,omitempty"`
	Good      bool     `json:"good"` // every session came through everything
}

// result is one phase of a report.
type result struct {
	Phase     string             `json:"phase"`
	Done      int                `json:"done"`
	Open      int                `json:"open"`
	Seconds   float64            `json:"seconds"`
	PerSecond float64            `json:"perSecond,omitempty"`
	Steps     map[string]latency `json:"steps,omitempty"`
	Failed    map[string]int     `json:"failed,omitempty"`
	Lost      map[string]int     `json:"lost,omitempty"`
	Denied    map[string]int     `json:"denied,omitempty"`
	Pings     int                `json:"pingsAnswered"`
	Hellos    int                `json:"hellosAnswered"`
	Pushes    int                `json:"pushes"`
	Kicks     int                `json:"kicks"`
	ClientCPU float64            `json:"clientCPUSeconds"`
}

// latency is a step's durations in milliseconds.
type latency struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50ms"`
	P99   float64 `json:"p99ms"`
	Max   float64 `json:"maxms"`
}

// load carries out a run and reports on it.
func load(ctx context.Context, cfg config, progress io.Writer) (_ *report, err error) {
	crew, err := hire(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer func() {
		if late := crew.dismiss(); err == nil {
			err = late
		}
	}()
	rep := &report{
		Server: "ws://" + cfg.Server.String(), App: uint32(cfg.App), Sessions: cfg.Sessions, Watch: cfg.Watch,
		Processes: len(crew.workers), InFlight: cfg.InFlight, Good: true,
	}
	rep.announce(cfg, progress)
	for _, p := range cfg.phases() {
		t, err := crew.do(p)
		if err != nil {
			return nil, err
		}
		if err := rep.book(cfg, t); err != nil {
			return nil, err
		}
		if p.Name == phaseLogin && t.Done == 0 {
			break // there is nothing to watch
		}
	}
	return rep, nil
}

// announce says how the run is laid out before it begins, and what will not fit.
func (r *report) announce(cfg config, progress io.Writer) {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(progress, "loadgen: "+format+"\n", args...) }
	say("%d sessions against %s, %d logging in at a time", r.Sessions, r.Server, r.InFlight)
	if r.Processes > 1 {
		say("split over %d processes, at most %d sessions each", r.Processes, cfg.PerProc)
	}
	if cfg.PID == 0 {
		say("without -pid the server's memory and processor time are not measured")
	} else if limit := (process{cfg.PID}).descriptors(); limit > 0 && limit < cfg.Sessions {
		say("the server may hold %d descriptors: it cannot take all of these sessions", limit)
	}
}

// book adds a phase to the report, with a sample of the server after it.
func (r *report) book(cfg config, t *tally) error {
	res := result{
		Phase: t.Phase, Done: t.Done, Open: t.Open, Seconds: t.Took.Seconds(),
		Steps: map[string]latency{}, Failed: t.Failed, Lost: t.Lost, Denied: t.Denied,
		Pings: t.Pings, Hellos: t.Hellos, Pushes: t.Pushes, Kicks: t.Kicks, ClientCPU: t.CPU.Seconds(),
	}
	if t.Done > 0 && t.Took > 0 {
		res.PerSecond = float64(t.Done) / t.Took.Seconds()
	}
	for name, h := range t.Steps {
		res.Steps[name] = latency{
			Count: h.total(), P50: milliseconds(h.quantile(0.5)), P99: milliseconds(h.quantile(0.99)), Max: milliseconds(h.Max),
		}
	}
	r.Good = r.Good && len(t.Failed)+len(t.Lost)+len(t.Denied)+t.Kicks == 0
	r.Phases = append(r.Phases, res)
	if cfg.PID == 0 {
		return nil
	}
	when := t.Phase
	if when == phasePrepare {
		when = "before"
	}
	s, err := process{cfg.PID}.sample(when)
	r.Samples = append(r.Samples, s)
	return err
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (r *report) writeJSON(out io.Writer) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// writeText lays the report out for people.
func (r *report) writeText(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(format string, args ...any) { _, _ = fmt.Fprintf(table, format+"\t\n", args...) } // Flush tells
	row("phase\tthrough\ttook\ta second\tstep\tp50\tp99\tmax")
	for _, p := range r.Phases {
		if p.Phase == phasePrepare || p.Phase == phaseIdle {
			continue
		}
		head := fmt.Sprintf("%s\t%d\t%.2f s\t%.0f", p.Phase, p.Done, p.Seconds, p.PerSecond)
		for _, name := range slices.Sorted(maps.Keys(p.Steps)) {
			l := p.Steps[name]
			row("%s\t%s\t%.1f ms\t%.1f ms\t%.1f ms", head, name, l.P50, l.P99, l.Max)
			head = "\t\t\t"
		}
	}
	if len(r.Samples) > 0 {
		row("")
		row("server\tsessions\tresident\ta session\tCPU")
		for i, s := range r.Samples {
			row("%s\t%d\t%.1f MiB\t%s\t%s", s.When, r.Phases[i].Open, float64(s.Resident)/(1<<20), r.perSession(i), r.cpu(i))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	return r.writeEvents(out)
}

// perSession says what one session added to the server's memory since the start.
func (r *report) perSession(i int) string {
	if r.Phases[i].Open == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f KiB", float64(r.Samples[i].Resident-r.Samples[0].Resident)/float64(r.Phases[i].Open)/1024)
}

// cpu says what a phase cost the server: of one core while idle, else for each
// session that came through.
func (r *report) cpu(i int) string {
	if i == 0 {
		return ""
	}
	used, p := r.Samples[i].CPU-r.Samples[i-1].CPU, r.Phases[i]
	switch {
	case p.Phase == phaseIdle && p.Seconds > 0:
		return fmt.Sprintf("%.2f %% of a core", 100*used.Seconds()/p.Seconds)
	case p.Done > 0:
		return fmt.Sprintf("%.0f µs each", used.Seconds()*1e6/float64(p.Done))
	default:
		return fmt.Sprintf("%.2f s", used.Seconds())
	}
}

// writeEvents tells what happened beside the figures, good and bad.
func (r *report) writeEvents(out io.Writer) error {
	var err error
	say := func(format string, args ...any) {
		if err == nil {
			_, err = fmt.Fprintf(out, format+"\n", args...)
		}
	}
	say("")
	for _, p := range r.Phases {
		if p.Phase == phaseIdle {
			say("idle for %.1f s: %d sessions stayed, %d pings and %d wshello answered; the generator used %.2f s of processor time",
				p.Seconds, p.Open, p.Pings, p.Hellos, p.ClientCPU)
		}
		if p.Pushes > 0 {
			say("%s: %d status pushes received", p.Phase, p.Pushes)
		}
		if p.Kicks > 0 {
			say("%s: %d sessions were told that they are thrown out", p.Phase, p.Kicks)
		}
		for _, kind := range []struct {
			name   string
			counts map[string]int
		}{{"failed", p.Failed}, {"lost", p.Lost}, {"accounts denied", p.Denied}} {
			for _, reason := range slices.Sorted(maps.Keys(kind.counts)) {
				say("%s: %d %s: %s", p.Phase, kind.counts[reason], kind.name, reason)
			}
		}
	}
	if r.Good {
		say("good: every session came through")
	} else {
		say("NOT GOOD: see above")
	}
	return err
}
