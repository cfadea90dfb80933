package status_test

import "slices"

// book holds what of something may be on disk, in the order of writing.
type book[T comparable] []entry[T]

type entry[T comparable] struct {
	value T
	order int64
	later bool // it will be written, and nobody waits for that
}

// sure says that what was written at an order is on disk, so that nothing older is.
func (b *book[T]) sure(order int64) {
	*b = slices.DeleteFunc(*b, func(e entry[T]) bool { return e.order < order })
}

// saved says that what nobody waits for is on disk, where it was there at an order.
func (b *book[T]) saved(until int64) {
	for _, e := range slices.Backward(*b) {
		if e.later && e.order <= until {
			b.sure(e.order)
			return
		}
	}
}

// allows reports whether something may be on disk.
func (b *book[T]) allows(v T) bool {
	return len(*b) == 0 && v == *new(T) || slices.ContainsFunc(*b, func(e entry[T]) bool { return e.value == v })
}

// only says that something is on disk and nothing else waits.
func (b *book[T]) only(v T) { *b = book[T]{{value: v}} }

// add notes that something is being written.
func (b *book[T]) add(v T, order int64) { b.put(entry[T]{value: v, order: order}) }

// later notes what is to be written by somebody for whom nobody waits.
func (b *book[T]) later(v T, order int64) { b.put(entry[T]{v, order, true}) }

func (b *book[T]) put(e entry[T]) {
	if len(*b) == 0 {
		*b = append(*b, entry[T]{}) // what there is before anything is written
	}
	*b = append(*b, e)
}

// await says that somebody waits for what was noted after an order.
func (b book[T]) await(order int64) {
	for i, e := range b {
		b[i].later = e.later && e.order <= order
	}
}

// postpone says that what was written from one order to another failed, and is tried
// again by somebody for whom nobody waits.
func (b book[T]) postpone(from, to int64) {
	for i, e := range b {
		b[i].later = e.later || from <= e.order && e.order <= to
	}
}

// drop says that something is not on disk.
func (b *book[T]) drop(v T) {
	*b = slices.DeleteFunc(*b, func(e entry[T]) bool { return e.value == v })
}
