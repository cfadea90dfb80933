package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
)

// comparison is two reports side by side. Its JSON form keeps its names.
type comparison struct {
	A       comparedRun `json:"a"`
	B       comparedRun `json:"b"`
	Figures []compared  `json:"figures"`
}

// comparedRun says which run it was.
type comparedRun struct {
	File     string `json:"file"`
	Settings string `json:"settings"`
	Good     bool   `json:"good"`
}

// compared is one figure of both. One that a run lacks is absent.
type compared struct {
	Name  string   `json:"name"`
	A     *float64 `json:"a,omitempty"`
	B     *float64 `json:"b,omitempty"`
	Ratio *float64 `json:"ratio,omitempty"` // B to A, where A is not 0
}

// figure is a number of a report by a name of its own.
type figure struct {
	name  string
	value float64
}

// compareFiles reads two reports and compares them.
func compareFiles(files []string) (*comparison, error) {
	var reports [2]report
	for i, name := range files {
		text, err := os.ReadFile(name) //nolint:gosec // G304: whoever runs this names the file
		if err != nil {
			return nil, fmt.Errorf("read a report: %w", err)
		}
		if err := json.Unmarshal(text, &reports[i]); err != nil {
			return nil, fmt.Errorf("read the report %s: %w", name, err)
		}
		if len(reports[i].Phases) == 0 {
			return nil, fmt.Errorf("%s is no report of loadgen's: make it with -json", name)
		}
	}
	c := compareReports(&reports[0], &reports[1])
	c.A.File, c.B.File = files[0], files[1]
	return c, nil
}

// compareReports puts the figures of two reports side by side, in the order of
// the first, and then those that only the second has.
func compareReports(a, b *report) *comparison {
	c := &comparison{A: comparedRun{Settings: a.Settings, Good: a.Good}, B: comparedRun{Settings: b.Settings, Good: b.Good}}
	place := map[string]int{}
	for _, f := range a.figures() {
		place[f.name] = len(c.Figures)
		c.Figures = append(c.Figures, compared{Name: f.name, A: &f.value})
	}
	for _, f := range b.figures() {
		i, ok := place[f.name]
		if !ok {
			c.Figures = append(c.Figures, compared{Name: f.name, B: &f.value})
			continue
		}
		pair := &c.Figures[i]
		pair.B = &f.value
		if *pair.A != 0 {
			ratio := f.value / *pair.A
			pair.Ratio = &ratio
		}
	}
	return c
}

// figures gives the numbers of a report, in its order.
func (r *report) figures() []figure {
	var all []figure
	add := func(value float64, name string) { all = append(all, figure{name, value}) }
	for i, p := range r.Phases {
		if p.Phase == phasePrepare {
			continue
		}
		add(p.Seconds, p.Phase+" seconds")
		if p.PerSecond > 0 {
			add(p.PerSecond, p.Phase+" a second")
		}
		if p.Back > 0 {
			add(p.Back, p.Phase+" last back seconds")
		}
		for _, step := range slices.Sorted(maps.Keys(p.Steps)) {
			l := p.Steps[step]
			add(l.P50, p.Phase+" "+step+" p50 ms")
			add(l.P99, p.Phase+" "+step+" p99 ms")
		}
		if tr := p.Traffic; tr != nil {
			add(tr.PerSecond, p.Phase+" deliveries a second")
			add(float64(tr.Overtaken), p.Phase+" overtaken")
			all = append(all, tr.Due.figures(p.Phase+" delivery")...)
			all = append(all, tr.Own.figures(p.Phase+" own")...)
		}
		if i > 0 && i < len(r.Samples) {
			add(float64(r.Samples[i].Resident)/(1<<20), p.Phase+" server MiB")
			add(p.ServerCPU, p.Phase+" server CPU seconds")
		}
		add(p.ClientCPU, p.Phase+" generator CPU seconds")
	}
	c := r.Checks
	add(float64(c.Order), "out of order")
	add(float64(c.Repeats), "repeats")
	add(float64(c.Lost), "lost")
	add(float64(c.Foreign), "foreign")
	add(float64(c.FalseEdges), "false edges")
	add(float64(c.Views), "wrong views")
	add(float64(c.Garbled), "garbled")
	return all
}

func (l latency) figures(name string) []figure {
	if l.Count == 0 {
		return nil
	}
	return []figure{
		{name + " p50 ms", l.P50},
		{name + " p90 ms", l.P90},
		{name + " p99 ms", l.P99},
		{name + " p99.9 ms", l.P999},
		{name + " max ms", l.Max},
	}
}

func (c *comparison) writeJSON(out io.Writer) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(c)
}

func (c *comparison) writeText(out io.Writer) error {
	for _, side := range []struct {
		name string
		run  comparedRun
	}{{"a", c.A}, {"b", c.B}} {
		verdict := "good"
		if !side.run.Good {
			verdict = "NOT GOOD"
		}
		if _, err := fmt.Fprintf(out, "%s: %s: %s: loadgen %s\n", side.name, side.run.File, verdict, side.run.Settings); err != nil {
			return err
		}
	}
	t := newTable(out)
	t.row("")
	t.row("figure\ta\tb\tb to a")
	for _, f := range c.Figures {
		t.row("%s\t%s\t%s\t%s", f.Name, cell(f.A, 4), cell(f.B, 4), cell(f.Ratio, 3))
	}
	return t.tabs.Flush()
}

// cell gives a number with so many digits that matter, and nothing for none.
func cell(v *float64, digits int) string {
	if v == nil {
		return ""
	}
	if *v >= math.Pow10(digits-1) {
		return strconv.FormatFloat(*v, 'f', 0, 64)
	}
	return strconv.FormatFloat(*v, 'g', digits, 64)
}
