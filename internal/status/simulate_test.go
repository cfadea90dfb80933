package status_test

import (
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/porchlight-im/porchlight/internal/testkit"
)

// TestSimulate runs the seeds that testkit.Seeds chooses, on all cores. A seed that
// fails is printed with those of its steps that it needs to fail. `make test` runs
// 20,000, `make soak` a million.
func TestSimulate(t *testing.T) {
	const seeds = 300
	first, last := testkit.Seeds(t, seeds, seeds)
	n := last - first + 1
	began := time.Now()
	counts := simulate(t, first, last)
	events, faults := 0, 0
	for what, k := range counts {
		switch {
		case slices.ContainsFunc(eventually, func(ev simEvent) bool { return ev.name == what }):
			events += k
		case what != "flush": // which is the engine's own doing
			faults += k
		}
	}
	t.Logf("seeds %d to %d, %d steps, %d events, %d faults, %.0f seeds a second",
		first, last, n*simSteps, events, faults, float64(n)/time.Since(began).Seconds())
	if n < 200 || t.Failed() {
		return // too few to judge by, or cut short
	}
	for _, what := range simCovers() {
		if least := int(n) / 200; counts[what] < least {
			t.Errorf("%q occurred %d times in %d seeds, want %d", what, counts[what], n, least)
		}
	}
}

// simulate runs seeds and gives how often each kind of event and fault occurred. Of
// each kind of violation it reports one, at most five.
func simulate(t *testing.T, first, last uint64) map[string]int {
	t.Helper()
	var mu sync.Mutex
	counts, failed := map[string]int{}, map[string]bool{}
	next := atomic.Uint64{}
	next.Store(first)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for seed := next.Add(1) - 1; seed <= last; seed = next.Add(1) - 1 {
				s := newSim(seed)
				v := s.run(simSteps, nil)
				mu.Lock()
				for what, n := range s.counts {
					counts[what] += n
				}
				report := v != nil && !failed[v.name] && len(failed) < 5
				if v != nil {
					failed[v.name] = true
				}
				mu.Unlock()
				if report {
					s, v := shrink(seed, v)
					t.Errorf("%s=%d, shrunk:\n%s\n%s: %s", testkit.SeedEnv, seed, strings.Join(s.trace, "\n"), v.name, v.text)
				} else if v != nil {
					t.Errorf("%s=%d: %s: %s", testkit.SeedEnv, seed, v.name, v.text)
				}
			}
		})
	}
	wg.Wait()
	return counts
}

// shrink leaves out the steps that a failing seed does not need, and gives what is
// left of it.
func shrink(seed uint64, v *violation) (*sim, *violation) {
	drop := map[int]bool{}
	skip := func(i int) bool { return drop[i] }
	for _, size := range []int{64, 32, 16, 8, 4, 2, 1, 4, 1, 1} {
		for from := 0; from < simSteps; from += size {
			var tried []int
			for i := from; i < min(from+size, simSteps); i++ {
				if !drop[i] {
					drop[i], tried = true, append(tried, i)
				}
			}
			if got := newSim(seed).run(simSteps, skip); got == nil || got.name != v.name {
				for _, i := range tried {
					delete(drop, i)
				}
			}
		}
	}
	s := newSim(seed)
	s.traced = true
	return s, s.run(simSteps, skip)
}

// simCovers lists the kinds of events, and the faults with the calls that meet them.
func simCovers() (all []string) {
	for _, ev := range eventually {
		all = append(all, ev.name)
	}
	for _, call := range []string{"OpenSession", "CloseSessions", "SaveLive", "Revoke", "SaveWatching", "ClearWatching"} {
		all = append(all, "refuse "+call, "lose "+call, "crash before "+call, "crash after "+call)
	}
	return append(all, "deaf", "flush", "crash")
}
