package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
)

// Here a report is laid out for people.

// writeText writes all of it.
func (r *report) writeText(out io.Writer) error {
	head := ""
	if r.Settings != "" {
		head = "loadgen " + r.Settings + "\n"
	}
	for _, note := range r.Notes {
		head += note + "\n"
	}
	if _, err := fmt.Fprintln(out, head); err != nil {
		return err
	}
	for _, write := range []func(io.Writer) error{r.writePhases, r.writeTraffic, r.writeServer, r.writePlots, r.writeEvents} {
		if err := write(out); err != nil {
			return err
		}
	}
	return nil
}

// table is rows whose cells end with tabs.
type table struct {
	tabs *tabwriter.Writer
}

func newTable(out io.Writer) table {
	return table{tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)}
}

func (t table) row(format string, args ...any) { _, _ = fmt.Fprintf(t.tabs, format+"\t\n", args...) } // Flush tells

func (r *report) writePhases(out io.Writer) error {
	t := newTable(out)
	t.row("phase\tthrough\ttook\ta second\tstep\tp50\tp99\tmax")
	for _, p := range r.Phases {
		if p.Phase == phasePrepare || p.Phase == phaseIdle {
			continue
		}
		head := fmt.Sprintf("%s\t%d\t%.2f s\t%.0f", p.Phase, p.Done, p.Seconds, p.PerSecond)
		if len(p.Steps) == 0 {
			t.row("%s\t\t\t\t", head)
		}
		for _, name := range slices.Sorted(maps.Keys(p.Steps)) {
			l := p.Steps[name]
			t.row("%s\t%s\t%.1f ms\t%.1f ms\t%.1f ms", head, name, l.P50, l.P99, l.Max)
			head = "\t\t\t"
		}
	}
	return t.tabs.Flush()
}

// writeTraffic tells how soon changes arrived. From when they were sent is told
// only where that differs from when they were due.
func (r *report) writeTraffic(out io.Writer) error {
	t := newTable(out)
	titled := false
	for _, p := range r.Phases {
		tr := p.Traffic
		if tr == nil {
			continue
		}
		if !titled {
			titled = true
			t.row("")
			t.row("changes\tmade\tdelivered\ta second\tfrom\tp50\tp90\tp99\tp99.9\tmax")
		}
		head := fmt.Sprintf("%s\t%d\t%d\t%.0f", p.Phase, tr.Changes, tr.Deliveries, tr.PerSecond)
		times := func(from string, l latency) {
			if l.Count > 0 || from == "due" {
				t.row("%s\t%s\t%.2f ms\t%.2f ms\t%.2f ms\t%.2f ms\t%.2f ms", head, from, l.P50, l.P90, l.P99, l.P999, l.Max)
				head = "\t\t\t"
			}
		}
		times("due", tr.Due)
		if differ(tr.Due, tr.Sent) {
			times("sent", tr.Sent)
		}
		times("due, own", tr.Own)
	}
	return t.tabs.Flush()
}

// differ reports whether two latencies differ so that it must be told: by a tenth
// and by more than 0.1 ms.
func differ(a, b latency) bool {
	far := func(x, y float64) bool { return math.Abs(x-y) > 0.1 && math.Abs(x-y) > 0.1*max(x, y) }
	return far(a.P50, b.P50) || far(a.P90, b.P90) || far(a.P99, b.P99) || far(a.P999, b.P999) || far(a.Max, b.Max)
}

func (r *report) writeServer(out io.Writer) error {
	if len(r.Samples) == 0 {
		return nil
	}
	t := newTable(out)
	t.row("")
	t.row("server\tsessions\tresident\ta session\tCPU")
	for i, s := range r.Samples {
		t.row("%s\t%d\t%.1f MiB\t%s\t%s", s.When, r.Phases[i].Open, float64(s.Resident)/(1<<20), r.perSession(i), r.cpu(i))
	}
	return t.tabs.Flush()
}

// perSession says what one session added to the server's memory since the start.
func (r *report) perSession(i int) string {
	if r.Phases[i].Open == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f KiB", float64(r.Samples[i].Resident-r.Samples[0].Resident)/float64(r.Phases[i].Open)/1024)
}

// cpu says what a phase cost the server: of one core while it idled or changed
// statuses, else for each session that came through.
func (r *report) cpu(i int) string {
	if i == 0 {
		return ""
	}
	p := r.Phases[i]
	switch {
	case (p.Phase == phaseIdle || p.Phase == phaseChanges) && p.Seconds > 0:
		return fmt.Sprintf("%.2f %% of a core", 100*p.ServerCPU/p.Seconds)
	case p.Done > 0:
		return fmt.Sprintf("%.0f µs each", p.ServerCPU*1e6/float64(p.Done))
	default:
		return fmt.Sprintf("%.2f s", p.ServerCPU)
	}
}

// writeEvents tells what happened beside the figures, good and bad.
func (r *report) writeEvents(out io.Writer) error {
	var lines []string
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	say("")
	for _, p := range r.Phases {
		if p.Phase == phaseIdle {
			say("idle for %.1f s: %d sessions stayed, %d pings and %d wshello answered; the generator used %.2f s of processor time",
				p.Seconds, p.Open, p.Pings, p.Hellos, p.ClientCPU)
		}
		if p.Pushes > 0 {
			say("%s: %d pushes received, with %d statuses; the generator used %.2f s of processor time", p.Phase, p.Pushes, p.Statuses, p.ClientCPU)
		}
		if p.Traffic != nil {
			say("%s: %s", p.Phase, p.Traffic.sentence())
		}
		if p.Back > 0 {
			say("%s: %d sockets came back, the last of them %.3f s after the cut", p.Phase, p.Done, p.Back)
		}
		if p.Kicks > 0 {
			say("%s: %d sessions were told that they are thrown out", p.Phase, p.Kicks)
		}
		for _, kind := range []struct {
			name   string
			counts map[string]int
		}{{"failed", p.Failed}, {"lost", p.Lost}, {"accounts denied", p.Denied}, {"returns tried again", p.Retried}} {
			for _, reason := range slices.Sorted(maps.Keys(kind.counts)) {
				say("%s: %d %s: %s", p.Phase, kind.counts[reason], kind.name, reason)
			}
		}
		for _, example := range p.Examples {
			say("%s: %s", p.Phase, example)
		}
	}
	c := r.Checks
	say("checks: %d out of order, %d repeats, %d lost, %d foreign, %d false edges, %d wrong views, %d garbled",
		c.Order, c.Repeats, c.Lost, c.Foreign, c.FalseEdges, c.Views, c.Garbled)
	if r.Good {
		say("good: every session came through")
	} else {
		say("NOT GOOD: see above")
	}
	_, err := io.WriteString(out, strings.Join(lines, "\n")+"\n")
	return err
}

// sentence tells what became of the changes that have no latency.
func (tr *trafficResult) sentence() string {
	text := fmt.Sprintf("everyone knew everyone's last within %.0f ms; %d changes overtaken by newer ones", tr.SettledInMS, tr.Overtaken)
	if tr.CaughtUp+tr.Retold > 0 {
		text += fmt.Sprintf(", %d told at a return, %d told again", tr.CaughtUp, tr.Retold)
	}
	if tr.Unsent > 0 {
		text += fmt.Sprintf("; %d due could not be sent, since every session waited for an answer", tr.Unsent)
	}
	return text
}
