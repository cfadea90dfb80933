package status

import "slices"

// watchers is the set of those who are told of a user. Most users have a few,
// whom a slice holds in a fifth of the memory; from manyWatchers on it is a map,
// so that leaving a crowd takes no search through it.
type watchers struct {
	few  []*receiver
	many map[*receiver]struct{} // in place of few, unless nil
}

// A set becomes a map above manyWatchers and a slice again below fewWatchers;
// between them it stays what it is.
const (
	manyWatchers = 32
	fewWatchers  = 16
)

func (w *watchers) len() int { return len(w.few) + len(w.many) }

// add reports whether r is new.
func (w *watchers) add(r *receiver) bool {
	if w.many != nil {
		before := len(w.many)
		w.many[r] = struct{}{}
		return len(w.many) > before
	}
	if slices.Contains(w.few, r) {
		return false
	}
	if len(w.few) == manyWatchers {
		w.many = make(map[*receiver]struct{}, 2*manyWatchers)
		for _, x := range w.few {
			w.many[x] = struct{}{}
		}
		w.many[r], w.few = struct{}{}, nil
		return true
	}
	if n := len(w.few); n == cap(w.few) {
		// By a quarter: doubling would leave a third of all lists empty.
		w.few = append(make([]*receiver, 0, n+n/4+1), w.few...)
	}
	w.few = append(w.few, r)
	return true
}

// remove reports whether r was in the set.
func (w *watchers) remove(r *receiver) bool {
	if w.many != nil {
		before := len(w.many)
		delete(w.many, r)
		if len(w.many) < fewWatchers {
			w.few = make([]*receiver, 0, fewWatchers)
			for x := range w.many {
				w.few = append(w.few, x)
			}
			w.many = nil
		}
		return w.len() < before
	}
	i := slices.Index(w.few, r)
	if i < 0 {
		return false
	}
	last := len(w.few) - 1
	w.few[i], w.few[last] = w.few[last], nil
	if w.few = w.few[:last]; last == 0 {
		w.few = nil
	}
	return true
}

// each calls f for every one of them.
func (w *watchers) each(f func(*receiver)) {
	for _, r := range w.few {
		f(r)
	}
	for r := range w.many {
		f(r)
	}
}
