package main

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// point is one second of a run.
type point struct {
	Second     int     `json:"second"`
	Deliveries int64   `json:"deliveries"`
	P99        float64 `json:"p99ms"` // of them, from when their changes were due
	CPU        float64 `json:"serverCPUPercent"`
	Resident   int64   `json:"serverResidentBytes"`
}

// sampler samples the server once a second, from its start until it is stopped.
type sampler struct {
	clock   clock
	process process
	stop    chan struct{}
	wg      sync.WaitGroup
	taken   []timedSample // owned by its goroutine until that has ended
}

type timedSample struct {
	sample
	at time.Duration
}

// startSampler begins to sample; with no process there is nothing to sample.
func startSampler(pid int, c clock) *sampler {
	s := &sampler{clock: c, process: process{pid}, stop: make(chan struct{})}
	if pid != 0 {
		s.wg.Go(s.run)
	}
	return s
}

func (s *sampler) run() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for s.take() {
		select {
		case <-tick.C:
		case <-s.stop:
			s.take()
			return
		}
	}
}

// take takes one sample; false says that the process has gone, which the samples
// between the phases tell as well.
func (s *sampler) take() bool {
	one, err := s.process.sample("")
	if err != nil {
		return false
	}
	s.taken = append(s.taken, timedSample{sample: one, at: s.clock.now()})
	return true
}

// finish ends the sampling and gives the samples.
func (s *sampler) finish() []timedSample {
	close(s.stop)
	s.wg.Wait()
	return s.taken
}

// seriesOf joins what was delivered in each second with the samples of the
// server, each of which stands for the time since the one before.
func seriesOf(deliveries map[int]*histogram, samples []timedSample) []point {
	points := map[int]*point{}
	at := func(second int) *point {
		if points[second] == nil {
			points[second] = &point{Second: second}
		}
		return points[second]
	}
	for second, h := range deliveries {
		p := at(second)
		p.Deliveries, p.P99 = h.total(), milliseconds(h.quantile(0.99))
	}
	for i := 1; i < len(samples); i++ {
		before, after := samples[i-1], samples[i]
		if took := after.at - before.at; took > 0 {
			p := at(int((before.at + took/2) / time.Second))
			p.CPU = 100 * (after.CPU - before.CPU).Seconds() / took.Seconds()
			p.Resident = after.Resident
		}
	}
	series := make([]point, 0, len(points))
	for _, second := range slices.Sorted(maps.Keys(points)) {
		series = append(series, *points[second])
	}
	return series
}
