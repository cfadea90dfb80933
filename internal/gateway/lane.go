package gateway

import "github.com/porchlight-im/porchlight/internal/im"

// pending is the newest notice about one user that is not written yet.
type pending struct {
	n     *im.Notice
	first *im.Notice // its Prev is what the receiver was last told; nil where that is unsure
}

// put takes a notice in the place of an older one, and reports whether one was
// dropped. Where the status has returned to what the receiver was last told,
// both are; sure is false while an answer may be telling it something else.
func (p *pending) put(n *im.Notice, sure bool) (conflated bool) {
	if p.n == nil {
		p.first = n
	}
	conflated = p.n != nil
	p.n = n
	switch told := sure && p.first != nil && p.first.Prev.General != im.Unknown; {
	case !told:
		p.first = nil
	case n.Status == p.first.Prev:
		*p = pending{}
	}
	return conflated
}

// take empties it.
func (p *pending) take() *im.Notice {
	n := p.n
	*p = pending{}
	return n
}

// lane holds the notices about others, in order of their latest change. At rest
// it holds no memory.
type lane struct {
	entries []pending // a nil notice is a gap
	first   [1]pending
	index   map[im.UserID]int // where the entries are many
	gaps    int
}

// indexFrom is how many entries are found faster by an index than by looking.
const indexFrom = 16

func (l *lane) empty() bool { return len(l.entries) == l.gaps }

// doubt says that the receiver may be told of any of them otherwise.
func (l *lane) doubt() {
	for i := range l.entries {
		l.entries[i].first = nil
	}
}

// put takes a notice and reports whether an older one was dropped for it; sure
// is as in [pending.put].
func (l *lane) put(n *im.Notice, sure bool) (conflated bool) {
	p := pending{}
	if i := l.find(n.User.User); i >= 0 {
		p = l.entries[i]
		l.cut(i)
		conflated = true
	}
	p.put(n, sure)
	if p.n == nil {
		l.rest()
		return conflated
	}
	if l.entries == nil {
		l.entries = l.first[:0]
	}
	if l.gaps > indexFrom && l.gaps > len(l.entries)/2 {
		l.compact()
	}
	l.entries = append(l.entries, p)
	if l.index != nil {
		l.index[n.User.User] = len(l.entries) - 1
	} else if len(l.entries) > indexFrom {
		l.reindex()
	}
	return conflated
}

// take appends up to limit notices to batch, the oldest first.
func (l *lane) take(batch []*im.Notice, limit int) []*im.Notice {
	for i := 0; i < len(l.entries) && len(batch) < limit; i++ {
		if p := &l.entries[i]; p.n != nil {
			batch = append(batch, p.n)
			p.n = nil
			l.gaps++
		}
	}
	l.compact()
	l.rest()
	return batch
}

// forget drops the entries of some users.
func (l *lane) forget(users []im.UserID) {
	for _, u := range users {
		if i := l.find(u); i >= 0 {
			l.cut(i)
		}
	}
	l.rest()
}

// rest frees the memory of a lane that is empty.
func (l *lane) rest() {
	if l.empty() {
		*l = lane{}
	}
}

func (l *lane) find(u im.UserID) int {
	if l.index != nil {
		if i, ok := l.index[u]; ok {
			return i
		}
		return -1
	}
	for i := range l.entries {
		if n := l.entries[i].n; n != nil && n.User.User == u {
			return i
		}
	}
	return -1
}

// cut makes an entry a gap.
func (l *lane) cut(i int) {
	if l.index != nil {
		delete(l.index, l.entries[i].n.User.User)
	}
	l.entries[i] = pending{}
	l.gaps++
}

// compact closes the gaps.
func (l *lane) compact() {
	kept := l.entries[:0]
	for _, p := range l.entries {
		if p.n != nil {
			kept = append(kept, p)
		}
	}
	clear(l.entries[len(kept):])
	l.entries, l.gaps = kept, 0
	if l.index != nil {
		l.reindex()
	}
}

func (l *lane) reindex() {
	l.index = make(map[im.UserID]int, 2*len(l.entries))
	for i := range l.entries {
		if n := l.entries[i].n; n != nil {
			l.index[n.User.User] = i
		}
	}
}
