package main

import (
	"fmt"
	"time"
)

// tally is what a worker counted in one phase, and since the phase before. It
// travels as JSON and merges with those of the other workers.
type tally struct {
	Phase   string
	Done    int                   // sessions that came through; of paced changes and bursts, changes that were answered
	Open    int                   // sessions with a socket, at the end
	Took    time.Duration         // until the last one came through
	Back    time.Duration         // from the cut of a storm until the last one was back
	Steps   map[string]*histogram // how long each step took
	Failed  map[string]int        // sessions that did not come through, by reason
	Lost    map[string]int        // sessions that ended between their parts, by reason
	Denied  map[string]int        // entries of answers' lists of failures, by code
	Retried map[string]int        // returns that had to be tried again, by reason
	Pings   int                   // pings answered
	Hellos  int                   // wshello answered
	Pushes  int                   // status pushes received
	Kicks   int                   // sessions told that they were thrown out
	CPU     time.Duration         // processor time of the worker itself
	Traffic traffic
	Acked   []uint32 // the last change of each of its sessions that was acknowledged, or unsure
}

// traffic is what a worker counted of status changes.
type traffic struct {
	Changes   int // handed to sockets
	Unsent    int // due, but every session waited for an answer
	Items     int // statuses in the pushes received
	Due, Sent histogram
	Own       histogram          // of a session's own changes, from when they were due
	Seconds   map[int]*histogram // Due, by the second of the run
	Overtaken int                // changes that a newer one of the same user took the place of
	CaughtUp  int                // told at the return, so that their time says nothing
	Retold    int                // told again at the return
	Settled   time.Duration      // from the end of the load until everyone knew the last of everyone
	Faults    faults
	Examples  []string // of faults, a few
}

// faults counts what each check found.
type faults struct {
	Order      int `json:"order"`      // an older change after a newer one
	Repeats    int `json:"repeats"`    // the same one twice, without a return in between
	Lost       int `json:"lost"`       // the last one was never told
	Foreign    int `json:"foreign"`    // about a user who is not watched
	FalseEdges int `json:"falseEdges"` // a user who never left was shown as gone
	Views      int `json:"views"`      // the answer to a query was not what is so
	Garbled    int `json:"garbled"`    // unreadable, or a text that the user never set
}

func (f *faults) add(other faults) {
	f.Order += other.Order
	f.Repeats += other.Repeats
	f.Lost += other.Lost
	f.Foreign += other.Foreign
	f.FalseEdges += other.FalseEdges
	f.Views += other.Views
	f.Garbled += other.Garbled
}

func (f faults) total() int {
	return f.Order + f.Repeats + f.Lost + f.Foreign + f.FalseEdges + f.Views + f.Garbled
}

// maxExamples is how many faults a worker describes in one phase.
const maxExamples = 5

// fault counts one and describes it while there is room.
func (t *traffic) fault(count *int, format string, args ...any) {
	*count++
	if len(t.Examples) < maxExamples {
		t.Examples = append(t.Examples, fmt.Sprintf(format, args...))
	}
}

// delivered books a change that a watcher was told of.
func (t *traffic) delivered(st stamp, now time.Duration) {
	t.Due.add(now - st.due)
	t.Sent.add(now - st.sent)
	if t.Seconds == nil {
		t.Seconds = map[int]*histogram{}
	}
	second := int(now / time.Second)
	h := t.Seconds[second]
	if h == nil {
		h = &histogram{}
		t.Seconds[second] = h
	}
	h.add(now - st.due)
}

func (t *traffic) merge(other *traffic) {
	t.Changes += other.Changes
	t.Unsent += other.Unsent
	t.Items += other.Items
	t.Due.merge(&other.Due)
	t.Sent.merge(&other.Sent)
	t.Own.merge(&other.Own)
	mergeHistograms(&t.Seconds, other.Seconds)
	t.Overtaken += other.Overtaken
	t.CaughtUp += other.CaughtUp
	t.Retold += other.Retold
	t.Settled = max(t.Settled, other.Settled)
	t.Faults.add(other.Faults)
	t.Examples = append(t.Examples, other.Examples...)
}

func newTally() *tally {
	return &tally{
		Steps: map[string]*histogram{}, Failed: map[string]int{}, Lost: map[string]int{},
		Denied: map[string]int{}, Retried: map[string]int{},
	}
}

// step adds one duration to a step's histogram.
func (t *tally) step(name string, d time.Duration) {
	h := t.Steps[name]
	if h == nil {
		h = &histogram{}
		t.Steps[name] = h
	}
	h.add(d)
}

// merge adds another worker's tally of the same phase. Those of all workers are
// merged in their order.
func (t *tally) merge(other *tally) {
	t.Phase = other.Phase
	t.Done += other.Done
	t.Open += other.Open
	t.Took = max(t.Took, other.Took)
	t.Back = max(t.Back, other.Back)
	t.Acked = append(t.Acked, other.Acked...)
	t.CPU += other.CPU
	t.add(other)
}

// tail adds the check that followed a phase, with what came meanwhile.
func (t *tally) tail(check *tally) {
	t.Open = check.Open
	t.add(check)
}

func (t *tally) add(other *tally) {
	mergeHistograms(&t.Steps, other.Steps)
	addCounts(t.Failed, other.Failed)
	addCounts(t.Lost, other.Lost)
	addCounts(t.Denied, other.Denied)
	addCounts(t.Retried, other.Retried)
	t.Pings += other.Pings
	t.Hellos += other.Hellos
	t.Pushes += other.Pushes
	t.Kicks += other.Kicks
	t.Traffic.merge(&other.Traffic)
}

func mergeHistograms[K comparable](into *map[K]*histogram, from map[K]*histogram) {
	if *into == nil && len(from) > 0 {
		*into = map[K]*histogram{}
	}
	for key, h := range from {
		if (*into)[key] == nil {
			(*into)[key] = &histogram{}
		}
		(*into)[key].merge(h)
	}
}

func addCounts(into, from map[string]int) {
	for reason, n := range from {
		into[reason] += n
	}
}
