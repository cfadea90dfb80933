package main

import (
	"fmt"
	"io"
	"strings"
)

// plotWidth is how many columns a plot takes at most.
const plotWidth = 60

var blocks = []rune("▁▂▃▄▅▆▇█")

// plot draws values as one line of blocks, the smallest lowest and the largest
// highest. Where there are more of them than columns, each column shows the
// largest of its share.
func plot(values []float64) string {
	if len(values) == 0 {
		return ""
	}
	each := (len(values) + plotWidth - 1) / plotWidth
	low, high := extremes(values)
	var line strings.Builder
	for from := 0; from < len(values); from += each {
		_, top := extremes(values[from:min(from+each, len(values))])
		level := 0
		if high > low {
			level = int((top - low) / (high - low) * float64(len(blocks)-1))
		}
		line.WriteRune(blocks[level])
	}
	return line.String()
}

func extremes(values []float64) (low, high float64) {
	low, high = values[0], values[0]
	for _, v := range values[1:] {
		low, high = min(low, v), max(high, v)
	}
	return low, high
}

// writePlots draws the series of a report, one second after the other.
func (r *report) writePlots(out io.Writer) error {
	if len(r.Series) == 0 {
		return nil
	}
	first, last := r.Series[0].Second, r.Series[len(r.Series)-1].Second
	rows := []struct {
		name, unit string
		of         func(point) float64
	}{
		{"deliveries/s", "", func(p point) float64 { return float64(p.Deliveries) }},
		{"p99", " ms", func(p point) float64 { return p.P99 }},
		{"server CPU", " %", func(p point) float64 { return p.CPU }},
		{"resident", " MiB", func(p point) float64 { return float64(p.Resident) / (1 << 20) }},
	}
	var text strings.Builder
	_, _ = fmt.Fprintf(&text, "\nsecond %d to %d of the run:\n", first, last) // to memory
	for _, row := range rows {
		values := make([]float64, last-first+1)
		for _, p := range r.Series {
			values[p.Second-first] = row.of(p)
		}
		low, high := extremes(values)
		if high == 0 {
			continue // it was not measured
		}
		_, _ = fmt.Fprintf(&text, "%12s %s %s to %s%s\n", row.name, plot(values), cell(&low, 3), cell(&high, 3), row.unit)
	}
	_, err := io.WriteString(out, text.String())
	return err
}
