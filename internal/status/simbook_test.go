package status_test

import (
	"slices"
	"strings"

	"github.com/porchlight-im/porchlight/internal/im"
)

// disk is what of a user may be on disk.
type disk struct {
	unread [im.Platforms]stand // was over before the start, so that nobody knows of it
	onDisk [im.Platforms]book[stand]
	words  book[string]
	lists  book[string]
}

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

// waiting gives what is to reach the disk of how the user stands.
func (p *person) waiting() (orders [im.Platforms]int64) {
	for i, b := range p.disk.onDisk {
		for _, e := range b {
			if e.later {
				orders[i] = e.order
			}
		}
	}
	return orders
}

// built says that something acknowledged is built on how the user stood then: a crash
// must not lose that either.
func (p *person) built(orders [im.Platforms]int64) {
	for i, order := range orders {
		p.disk.onDisk[i].sure(order)
	}
}

// restart makes a user what the disk says [ST2].
func (m *model) restart(p *person, found [im.Platforms]stand, words string, list []im.UserID) {
	p.visits, p.unsure, p.clearing, p.disk.unread = nil, false, false, [im.Platforms]stand{}
	for platform, s := range found {
		v := &visit{platform: im.Platform(platform), at: s.at, how: s.state, gone: m.next()}
		if s.state == im.MarkLive {
			v.to, v.gone, v.how, v.before = m.steady+m.grace[im.CauseNode], 0, im.MarkLost, true
		}
		p.visits = append(p.visits, v)
		if p.disk.onDisk[platform].only(s); s.state == im.MarkLost && m.wall >= s.at+m.reachable {
			p.disk.onDisk[platform].add(stand{}, m.next()) // for good, if it was read
			p.disk.unread[platform], found[platform] = s, stand{}
		}
	}
	p.stands, p.custom, p.list = found, words, list
	p.disk.words.only(words)
	p.disk.lists.only(join(list))
	for _, s := range p.sessions {
		s.link, s.visit, s.before = 0, nil, s.closed == 0
		s.disk.only(s.closed)
	}
}

// touch notes that something was done to a user, which is dated: the clock may have
// been set back since the user was seen.
func (m *model) touch(p *person) { p.touched, p.seen = m.wall, min(p.seen, m.wall) }

// stale says whether a list has outlived its owner's presence for too long [ST11].
// Where only the graces and what was done meanwhile decide, it may.
func (m *model) stale(p *person) (must, may bool) {
	if len(p.list) == 0 || m.online(p) {
		return false, false
	}
	away, slack := m.wall-p.seen, slices.Max(m.grace[:])+1000
	surely := m.wall-p.latest > m.retention+slack
	touched := m.wall-p.touched <= m.retention+slack
	maybe := slices.ContainsFunc(p.disk.onDisk[:], func(b book[stand]) bool { return b.allows(stand{state: im.MarkLive}) })
	may = away > m.retention-slack
	return may && surely && !touched && !maybe, may
}

func split(text string) (list []im.UserID) {
	for _, u := range strings.Fields(text) {
		list = append(list, im.UserID(u))
	}
	return list
}

func join(list []im.UserID) string {
	text := make([]string, len(list))
	for i, u := range list {
		text[i] = string(u)
	}
	return strings.Join(text, " ")
}
