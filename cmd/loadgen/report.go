package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// report is the outcome of a run. Its JSON form is for machines and keeps its
// names.
type report struct {
	Settings  string   `json:"settings"` // the command line, without the secret
	Server    string   `json:"server"`
	App       uint32   `json:"sdkAppID"`
	Sessions  int      `json:"sessions"`
	Watch     int      `json:"watch"`
	Processes int      `json:"processes"`
	InFlight  int      `json:"inFlight"`
	Notes     []string `json:"notes,omitempty"` // how the run was laid out, and what would not fit
	Phases    []result `json:"phases"`
	Samples   []sample `json:"serverSamples,omitempty"`
	Series    []point  `json:"series,omitempty"`
	Checks    faults   `json:"checks"` // of all phases
	Good      bool     `json:"good"`   // every session came through everything, and every check found nothing

	seconds map[int]*histogram // of deliveries, for the series
}

// result is one phase of a report.
type result struct {
	Phase     string             `json:"phase"`
	Done      int                `json:"done"`
	Open      int                `json:"open"`
	Seconds   float64            `json:"seconds"`
	PerSecond float64            `json:"perSecond,omitempty"`
	Back      float64            `json:"lastBackSeconds,omitempty"` // after the cut of a storm
	Steps     map[string]latency `json:"steps,omitempty"`
	Failed    map[string]int     `json:"failed,omitempty"`
	Lost      map[string]int     `json:"lost,omitempty"`
	Denied    map[string]int     `json:"denied,omitempty"`
	Retried   map[string]int     `json:"retried,omitempty"`
	Pings     int                `json:"pingsAnswered"`
	Hellos    int                `json:"hellosAnswered"`
	Pushes    int                `json:"pushes"`
	Statuses  int                `json:"statusesPushed"`
	Kicks     int                `json:"kicks"`
	ServerCPU float64            `json:"serverCPUSeconds,omitempty"`
	ClientCPU float64            `json:"clientCPUSeconds"`
	Traffic   *trafficResult     `json:"traffic,omitempty"`
	Checks    faults             `json:"checks"`
	Examples  []string           `json:"examples,omitempty"` // of what the checks found
}

// trafficResult is what became of the changes of a phase.
type trafficResult struct {
	Changes     int     `json:"changes"`
	Unsent      int     `json:"unsent"` // due, but every session waited for an answer
	Deliveries  int64   `json:"deliveries"`
	PerSecond   float64 `json:"deliveriesPerSecond"`
	Due         latency `json:"fromDue"`  // from when the change was due
	Sent        latency `json:"fromSent"` // from when it was handed to the socket
	Own         latency `json:"own"`      // of sessions' own changes, from when they were due
	Overtaken   int     `json:"overtaken"`
	CaughtUp    int     `json:"caughtUp"`
	Retold      int     `json:"retold"`
	SettledInMS float64 `json:"settledInMs"`
}

// latency is a step's durations in milliseconds.
type latency struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50ms"`
	P90   float64 `json:"p90ms"`
	P99   float64 `json:"p99ms"`
	P999  float64 `json:"p999ms"`
	Max   float64 `json:"maxms"`
}

func latencyOf(h *histogram) latency {
	return latency{
		Count: h.total(), P50: milliseconds(h.quantile(0.5)), P90: milliseconds(h.quantile(0.9)),
		P99: milliseconds(h.quantile(0.99)), P999: milliseconds(h.quantile(0.999)), Max: milliseconds(h.max),
	}
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
		Settings: cfg.Settings, Server: "ws://" + cfg.Server.String(), App: uint32(cfg.App), Sessions: cfg.Sessions,
		Watch: cfg.Watch, Processes: len(crew.workers), InFlight: cfg.InFlight, Good: true, Notes: notes(cfg, len(crew.workers)),
	}
	for _, note := range rep.Notes {
		_, _ = fmt.Fprintln(progress, "loadgen:", note) // for people, while they wait
	}
	sampler := startSampler(cfg.PID, crew.clock)
	err = rep.carryOut(cfg, crew)
	samples := sampler.finish()
	if err != nil {
		return nil, err
	}
	rep.Series = seriesOf(rep.seconds, samples)
	return rep, nil
}

// carryOut goes through the phases. What a check costs is nobody's: it is part of
// no phase's time and of no phase's processor time.
func (r *report) carryOut(cfg config, crew *crew) error {
	for _, p := range cfg.phases() {
		before, err := sampleServer(cfg.PID, p.title())
		if err != nil {
			return err
		}
		t, err := crew.do(p)
		if err != nil {
			return err
		}
		after, err := sampleServer(cfg.PID, p.title())
		if err != nil {
			return err
		}
		if p.checked() {
			check, err := crew.check(t)
			if err != nil {
				return err
			}
			t.tail(check)
		}
		res := r.book(&p, t)
		if cfg.PID != 0 {
			res.ServerCPU = (after.CPU - before.CPU).Seconds()
			r.Samples = append(r.Samples, after)
		}
		if p.Name == phaseLogin && t.Done == 0 {
			break // there is nothing to watch
		}
	}
	return nil
}

// sampleServer samples a process, if there is one.
func sampleServer(pid int, when string) (sample, error) {
	if pid == 0 {
		return sample{}, nil
	}
	if when == phasePrepare {
		when = "before"
	}
	return process{pid}.sample(when)
}

// notes says how a run is laid out, and what will not fit.
func notes(cfg config, processes int) []string {
	notes := []string{fmt.Sprintf("%d sessions against ws://%s, %d logging in at a time", cfg.Sessions, cfg.Server, cfg.InFlight)}
	say := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if processes > 1 {
		say("split over %d processes, at most %d sessions each", processes, cfg.PerProc)
	}
	if cfg.Changes > 0 {
		say("%.5g changes a second, each told to %d others: %.5g deliveries a second", cfg.Changes, cfg.Watch, cfg.Changes*float64(cfg.Watch))
	}
	if cfg.PID == 0 {
		say("without -pid the server's memory and processor time are not measured")
	} else if limit := (process{cfg.PID}).descriptors(); limit > 0 && limit < cfg.Sessions {
		say("the server may hold %d descriptors: it cannot take all of these sessions", limit)
	}
	return notes
}

// book adds a phase to the report.
func (r *report) book(p *phase, t *tally) *result {
	res := result{
		Phase: p.title(), Done: t.Done, Open: t.Open, Seconds: t.Took.Seconds(), Back: t.Back.Seconds(), Steps: map[string]latency{},
		Failed: t.Failed, Lost: t.Lost, Denied: t.Denied, Retried: t.Retried, Pings: t.Pings, Hellos: t.Hellos,
		Pushes: t.Pushes, Statuses: t.Traffic.Items, Kicks: t.Kicks, ClientCPU: t.CPU.Seconds(),
		Traffic: t.traffic(), Checks: t.Traffic.Faults, Examples: t.Traffic.Examples,
	}
	took := t.Took
	if t.Back > 0 {
		took = t.Back
	}
	if t.Done > 0 && took > 0 {
		res.PerSecond = float64(t.Done) / took.Seconds()
	}
	for name, h := range t.Steps {
		res.Steps[name] = latencyOf(h)
	}
	r.Good = r.Good && len(t.Failed)+len(t.Lost)+len(t.Denied)+t.Kicks+t.Traffic.Faults.total() == 0
	r.Checks.add(t.Traffic.Faults)
	mergeHistograms(&r.seconds, t.Traffic.Seconds)
	r.Phases = append(r.Phases, res)
	return &r.Phases[len(r.Phases)-1]
}

// traffic gives what became of the changes of a phase, nil where there were none.
func (t *tally) traffic() *trafficResult {
	tr := &t.Traffic
	if tr.Changes+tr.CaughtUp+tr.Retold == 0 && tr.Due.total() == 0 {
		return nil
	}
	res := &trafficResult{
		Changes: tr.Changes, Unsent: tr.Unsent, Deliveries: tr.Due.total(),
		Due: latencyOf(&tr.Due), Sent: latencyOf(&tr.Sent), Own: latencyOf(&tr.Own),
		Overtaken: tr.Overtaken, CaughtUp: tr.CaughtUp, Retold: tr.Retold, SettledInMS: milliseconds(tr.Settled),
	}
	if t.Took > 0 {
		res.PerSecond = float64(res.Deliveries) / t.Took.Seconds()
	}
	return res
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (r *report) writeJSON(out io.Writer) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}
