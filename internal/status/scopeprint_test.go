package status_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/status"
	"github.com/porchlight-im/porchlight/internal/testkit"
)

// print gives the fingerprint of the world. Two devices on one platform are alike.
func (w *scope) print() [sha256.Size]byte {
	sum := w.printAs(0, 1)
	if w.on[0] == w.on[1] {
		other := w.printAs(1, 0)
		return slices.MinFunc([][sha256.Size]byte{sum, other}, func(a, b [sha256.Size]byte) int { return bytes.Compare(a[:], b[:]) })
	}
	return sum
}

// printAs gives the fingerprint with the devices in an order. Left out are the
// sessions that ended before the latest of their device, to which nothing returns;
// what ann's devices were told, for they watch nobody and their own status is checked
// after each event; the order of sessions, for no limit is met that would have one
// pushed out; which version was told last, unless it is the present one; and the
// number of a link that is none any more.
func (w *scope) printAs(order ...int) [sha256.Size]byte {
	p := &status.Print{Inst: map[im.InstID]string{w.watcher.session.Inst: "W"}, Wall: w.m.wall}
	clients := []*simClient{w.watcher}
	for j, i := range order {
		if c := w.device[i]; c != nil {
			p.Inst[c.session.Inst] = "AB"[j : j+1]
			clients = append(clients, c)
		}
	}
	w.e.PrintForTest(p, w.users)
	for _, k := range w.users {
		w.printStored(p, k)
		w.printPerson(p, k)
	}
	for _, c := range clients {
		p.Add(p.Name(c.session.Inst), c.conn != nil)
		if c.conn != nil {
			p.Rank("link "+p.Name(c.session.Inst), int64(c.conn.link))
			p.Add(c.conn.ended, c.conn.catching)
		}
	}
	p.Add(w.watcher.believes, w.moody)
	if c := w.watcher.conn; c != nil {
		// The last that waits is what was told.
		p.Add(c.told, len(c.waits) > 0, c.versions["ann"] == w.known[scopeAnn].Version)
	}
	return p.Sum()
}

// printStored adds what is on disk.
func (w *scope) printStored(p *status.Print, k im.UserKey) {
	row := w.store.rows[k]
	p.Add("stored", row.Found, row.Watching, w.store.customs[k].Text)
	p.Rank(fmt.Sprint("rev", k), w.store.customs[k].Rev)
	if marks := w.store.marks[k]; marks != nil {
		for i, m := range marks {
			if m.State != im.MarkNone {
				p.Add(p.Stand(m.Platform, m.State, m.At))
				p.Rank(fmt.Sprint("rev", k, im.Platform(i)), m.Rev)
			}
		}
	}
	var rows []string
	for _, r := range row.Sessions {
		if n := p.Name(r.Inst); n != "" || r.Closed == 0 {
			rows = append(rows, fmt.Sprint(n, r.Closed != 0, r.Cause))
		}
	}
	p.AddSorted(rows)
}

// printPerson adds what the model knows of a user. Of the visits that are over only
// the last on a platform counts, and that only where nobody is there.
func (w *scope) printPerson(p *status.Print, k im.UserKey) {
	x := w.m.people[k]
	p.Add("person", x.custom, x.list, x.unsure, x.clearing, p.Age(x.seen), p.Age(x.latest), p.Age(x.touched))
	stands := func(all [im.Platforms]stand) (out []string) {
		for i, s := range all {
			if s != (stand{}) {
				out = append(out, w.stood(im.Platform(i), s))
			}
		}
		return out
	}
	p.Add(stands(x.stands), stands(x.disk.unread))
	var visits []string
	for _, v := range x.visits {
		owner := slices.IndexFunc(x.sessions, func(s *sitting) bool { return s.visit == v && s.closed == 0 })
		switch {
		case v.gone != 0 && v.to > w.m.steady:
			visits = append(visits, fmt.Sprint("lingers ", v.to-w.m.steady))
		case v.gone != 0:
		case owner < 0:
			visits = append(visits, fmt.Sprint(v.platform, v.before, v.to-w.m.steady))
		case v.to == forever:
			visits = append(visits, p.Name(x.sessions[owner].Inst))
		default:
			visits = append(visits, fmt.Sprint(p.Name(x.sessions[owner].Inst), v.to-w.m.steady))
		}
	}
	p.AddSorted(visits)
	for i, b := range x.disk.onDisk {
		p.Add(printBook(b, func(s stand) string { return w.stood(im.Platform(i), s) }))
	}
	p.Add(printBook(x.disk.words, strconv.Quote), printBook(x.disk.lists, strconv.Quote))
	var sittings []string
	for _, s := range x.sessions {
		if n := p.Name(s.Inst); n != "" || s.closed == 0 {
			sittings = append(sittings, fmt.Sprint(n, s.closed, s.before, printBook(s.disk, im.Cause.String)))
			p.Rank("link "+n, int64(s.link))
		}
	}
	p.AddSorted(sittings)
}

func (w *scope) stood(platform im.Platform, s stand) string {
	if s.state == im.MarkLost {
		return fmt.Sprint(platform, s.state, s.at-w.m.wall)
	}
	return fmt.Sprint(platform, s.state)
}

// printBook gives what may be on disk, in order; of two in a row that say the same,
// whatever happens drops both or the first.
func printBook[T comparable](b book[T], say func(T) string) string {
	var out []byte
	for i, e := range b {
		if i == 0 || e.value != b[i-1].value || e.later != b[i-1].later {
			out = fmt.Append(out, say(e.value), e.later, ";")
		}
	}
	return string(out)
}

// TestScopeFingerprint has what is taken for one state go on alike, whatever way led
// to it: the same can happen, and what follows is again one state.
func TestScopeFingerprint(t *testing.T) {
	depth := min(5, testkit.Depth(t, 6, 5)-3)
	for _, graces := range []time.Duration{0, 7 * time.Second} {
		x := &exploration{on: [2]im.Platform{im.Android, im.Web}, rules: status.DefaultRules(), events: scopeEvents()}
		x.rules.Grace[im.CauseLogout] = graces
		first, pairs := map[[sha256.Size]byte][]byte{}, 0
		x.again = func(path []byte, sum [sha256.Size]byte) {
			other, known := first[sum]
			if !known {
				first[sum] = path
				return
			}
			pairs++
			for i, ev := range x.events {
				a, b := x.replay(path), x.replay(other)
				if ev.run(a) != ev.run(b) || a.print() != b.print() {
					t.Fatalf("%v and %v are not one state: %s", path, other, x.events[i].name)
				}
			}
		}
		x.run(t, depth)
		t.Logf("depth %d, %d states that %d other ways lead to", depth, len(x.seen), pairs)
	}
}
