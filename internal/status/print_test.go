package status

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Print makes the fingerprint of a state: two states with the same one behave alike
// from then on. Nothing is left out but what can make no difference, and beside each
// such thing stands why.
type Print struct {
	Inst  map[im.InstID]string // names of the sessions that can be referred to
	Wall  int64                // now, Unix ms
	text  []byte
	ranks map[string][]int64
}

// Add takes what makes a difference as it is.
func (p *Print) Add(what ...any) { p.text = fmt.Appendln(p.text, what...) }

// AddSorted takes things whose order makes no difference, nor how often each is there.
func (p *Print) AddSorted(what []string) {
	slices.Sort(what)
	p.Add(len(what), slices.Compact(what))
}

// Rank takes a number of which only the order among all of one kind makes a
// difference, and whether it is above 0: what comes later is above all of them.
func (p *Print) Rank(kind string, v int64) {
	if p.ranks == nil {
		p.ranks = map[string][]int64{}
	}
	p.ranks[kind] = append(p.ranks[kind], v)
}

// Name gives the name of a session, "" for one that nothing can refer to any more.
func (p *Print) Name(inst im.InstID) string { return p.Inst[inst] }

// Age is for what matters once it is more than 24 hours old. Events take seconds or
// days, so that what is young stays so until days pass, and then it is not.
func (p *Print) Age(at int64) string {
	switch age := p.Wall - at; {
	case at == 0:
		return "never"
	case age < 3_600_000:
		return "young"
	case age > 48*3_600_000:
		return "old"
	}
	panic(fmt.Sprintf("neither young nor old: %d ms", p.Wall-at))
}

// Stand gives what makes a difference of a mark: when who was lost is out of reach
// for push, and else whether a list has outlived its owner.
func (p *Print) Stand(platform im.Platform, state im.MarkState, at int64) string {
	if state == im.MarkLost && platform.HasPush() {
		return fmt.Sprint(platform, state, at-p.Wall)
	}
	return fmt.Sprint(platform, state, p.Age(at))
}

// Sum gives the fingerprint.
func (p *Print) Sum() [sha256.Size]byte {
	kinds := make([]string, 0, len(p.ranks))
	for kind := range p.ranks {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	for _, kind := range kinds {
		values := p.ranks[kind]
		sorted := slices.Compact(slices.Sorted(slices.Values(values)))
		sorted = slices.DeleteFunc(sorted, func(v int64) bool { return v <= 0 })
		p.text = append(p.text, kind...)
		for _, v := range values {
			if i, above := slices.BinarySearch(sorted, v); above {
				v = int64(i) + 1
			}
			p.text = binary.AppendVarint(p.text, v)
		}
	}
	return sha256.Sum256(p.text)
}

// PrintForTest adds the engine's state of some users who have no hooks, friends or
// blocks and whose application is not muted. The last of them watches, is in no list
// and has one session; the others watch nobody. Left out are the counters of links,
// revisions and versions, for what they give next is above all that there is; the
// turns, which nobody has between events; and the statistics but for how much is held.
func (e *Engine) PrintForTest(p *Print, users []im.UserKey) {
	stats := e.Stats()
	p.Add(stats.Users, stats.Accounts, stats.Watches)
	watcher := users[len(users)-1]
	since := e.toldForTest(watcher)
	for _, key := range users {
		s := e.stripe(key)
		e.printUser(p, s, key, watcher)
		e.printAccount(p, s.accounts[key])
		if changed := s.changedForTest(key); key != watcher { // what the watcher is told at its next return
			p.Add(since < 0, changed >= since, changed == e.Now())
		}
	}
	e.printDurable(p)
}

// toldForTest gives since when a user with one session may have missed changes.
func (e *Engine) toldForTest(key im.UserKey) int64 {
	s := e.stripe(key)
	if a := s.accounts[key]; a != nil && len(a.links) > 0 {
		return a.links[0].out.Told()
	}
	if u := s.users[key]; u != nil && len(u.sessions) > 0 && u.sessions[0].inst != 0 {
		return u.sessions[0].told
	}
	return -1
}

// changedForTest gives when a user changed last, as far as anybody knows.
func (s *stripe) changedForTest(key im.UserKey) int64 {
	if u := s.users[key]; u != nil {
		return u.changed
	}
	return s.floorAt
}

func (e *Engine) printUser(p *Print, s *stripe, key, watcher im.UserKey) {
	u := s.users[key]
	if u == nil {
		p.Add("forgotten")
		return
	}
	p.Add(s.floor > u.seq, s.floorAt > u.changed) // where two share a stripe
	p.Add(u.custom, u.shown)
	e.printTimers(p, u)
	for i := range im.Platform(im.Platforms) {
		if m := u.marks.get(i); m.state != im.MarkNone {
			p.Add(p.Stand(i, m.state, m.at))
		}
	}
	var sessions []string // in any order: each is looked for by its number
	for _, x := range u.sessions {
		n := p.Name(x.inst)
		line := fmt.Sprint(n, x.inst == 0, x.platform)
		if x.until != 0 { // while it has a socket the rest is of an earlier grace
			line += fmt.Sprint(x.until-e.Now(), x.final, x.cause)
		}
		sessions = append(sessions, line)
		p.Rank("link "+n, int64(x.link))
	}
	p.AddSorted(sessions)
	var watchers []string
	u.watchers.each(func(r *receiver) {
		watchers = append(watchers, fmt.Sprint(r == e.receiverOf(watcher), len(r.outboxes())))
	})
	p.AddSorted(watchers)
	p.Add(u.own != nil, u.own == e.receiverOf(key))
}

// printTimers adds a user's timers, unless they are as they should be: the soonest
// that is set stands in its heap and is not later than what the core waits for. What
// else stands there only has a step happen in which nothing is due.
func (e *Engine) printTimers(p *Print, u *user) {
	wake := u.nextWake(e.moment(), &e.cfg.Rules)
	for _, c := range []struct {
		heap           timerHeap
		now, set, wake int64
	}{
		{e.timers.soon, e.Now(), u.timers.steady, wake.steady},
		{e.timers.late, p.Wall, u.timers.wall, wake.wall},
	} {
		if stands := slices.Contains(c.heap, timerEntry{c.set, u.key}); c.set == 0 && c.wake == 0 || stands && (c.wake == 0 || c.set <= c.wake) {
			continue
		}
		p.Add("set for", c.set-c.now, "needed", c.wake-c.now)
		for _, t := range c.heap {
			p.Add(t.key, t.at-c.now)
		}
	}
}

func (e *Engine) receiverOf(key im.UserKey) *receiver {
	if a := e.stripe(key).accounts[key]; a != nil {
		return &a.receiver
	}
	return nil
}

func (e *Engine) printAccount(p *Print, a *account) {
	if a == nil {
		p.Add("no account")
		return
	}
	p.Add(a.refs, a.loaded, a.doubt, a.registered, a.row.Found, a.row.Live, a.row.Watching, p.Age(a.row.LastPresence), len(a.receiver.outboxes()))
	var rows, links []string
	for _, r := range a.row.Sessions {
		if n := p.Name(r.Inst); n != "" || r.Closed == 0 {
			rows = append(rows, fmt.Sprint(n, r.Platform, r.Closed != 0, r.Cause, slices.Contains(a.away, r.Inst)))
		}
	}
	for _, l := range a.links {
		links = append(links, p.Name(l.row.Inst))
		p.Rank("link "+p.Name(l.row.Inst), int64(l.id))
	}
	p.AddSorted(rows)
	p.AddSorted(links)
}

func (e *Engine) printDurable(p *Print) {
	var waits []string
	d := &e.durable
	for k, m := range d.marks {
		waits = append(waits, "mark of "+string(k.user.User)+p.Stand(k.platform, m.State, m.At))
		p.Rank(fmt.Sprint("rev", k.user, k.platform), m.Rev)
	}
	for k, c := range d.customs {
		waits = append(waits, fmt.Sprint("custom", k, c.Text))
		p.Rank(fmt.Sprint("rev", k), c.Rev)
	}
	for id, r := range d.closed {
		waits = append(waits, fmt.Sprint("closed", p.Name(id.Inst), r.Cause))
	}
	for k := range d.lists {
		waits = append(waits, fmt.Sprint("list", k))
	}
	p.AddSorted(waits)
}

// TestPrintKnowsEveryField fails where there is a field of which PrintForTest does
// not know whether it makes a difference: have it added there, or left out.
func TestPrintKnowsEveryField(t *testing.T) {
	for known, of := range map[reflect.Type]int{
		reflect.TypeFor[Engine](): 11, reflect.TypeFor[stripe](): 5, reflect.TypeFor[timers](): 4,
		reflect.TypeFor[user](): 8, reflect.TypeFor[shell](): 3, reflect.TypeFor[session](): 7, reflect.TypeFor[marks](): 2,
		reflect.TypeFor[account](): 14, reflect.TypeFor[link](): 3, reflect.TypeFor[receiver](): 1, reflect.TypeFor[durable](): 7,
		reflect.TypeFor[im.UserRow](): 8, reflect.TypeFor[im.SessionRow](): 7, reflect.TypeFor[im.Mark](): 5, reflect.TypeFor[im.CustomRow](): 3,
	} {
		if got := known.NumField(); got != of {
			t.Errorf("%v has %d fields, and %d are known", known, got, of)
		}
	}
}
