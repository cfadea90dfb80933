package status_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/status"
)

// sim drives one engine with its store, its clients and its clocks in one goroutine,
// and holds the model against it after everything that happens. All that it does
// follows from its seed.
type sim struct {
	seed    uint64
	rng     *rand.Rand
	users   []im.UserKey
	m       *model
	e       *status.Engine
	store   *simStore
	rules   status.Rules
	epoch   uint64
	clients []*simClient
	insts   im.InstID
	flushAt int64 // when the durable writer comes, 0 for not yet
	late    []func()
	orders  []pending // whose commits are under way
	debts   []owed

	busy     map[im.UserKey]bool // whose turn is taken
	depth    int                 // of things that happen during others
	quiet    bool                // nothing else happens
	flushing bool                // the durable writer is at work
	moody    mood                // how writes end now
	crash    string              // the call in which the process dies, with "+" after its commit
	known    map[im.UserKey]im.Found
	traced   bool
	trace    []string
	counts   map[string]int // how often each kind of event and fault occurred
}

// violation is the panic of a failed check; crashed that of a dying process.
type (
	violation struct{ name, text string }
	crashed   struct{}
)

// pending is an order of which nobody knows yet whether it is committed. Once it is,
// done notes in the model what it does, one time.
type pending struct {
	depth int
	done  func()
}

const (
	simSteps  = 250
	simLimit  = 4 // users on a list
	simEpoch  = 1_750_000_000_000
	saveAfter = 100 // ms until what nobody waits for is written
	saveRetry = 1000
)

var simUsers = []im.UserKey{
	{App: 1, User: "ann"},
	{App: 1, User: "bob"},
	{App: 1, User: "cy"},
	{App: 1, User: "dee"},
	{App: 1, User: "eve"},
	{App: 2, User: "ann"},
	{App: 2, User: "bob"},
}

func newSim(seed uint64) *sim {
	rng := rand.New(rand.NewPCG(seed, 0))
	rules := status.DefaultRules()
	if rng.IntN(4) == 0 { // an operator's own graces
		for c := im.CauseLogout; c <= im.CauseNode; c++ {
			rules.Grace[c] = []time.Duration{0, 0, time.Second, 7 * time.Second, 20 * time.Second}[rng.IntN(5)]
		}
	}
	return simOf(simUsers, rules, rng, seed)
}

// simOf makes a server for some users, under rules.
func simOf(users []im.UserKey, rules status.Rules, rng *rand.Rand, seed uint64) *sim {
	s := &sim{
		seed: seed, rng: rng, rules: rules, users: users,
		busy: map[im.UserKey]bool{}, known: map[im.UserKey]im.Found{}, counts: map[string]int{},
	}
	s.m = newModel(s.rules, im.WatchRetention.Milliseconds(), simLimit)
	s.m.steady, s.m.wall = 1000, simEpoch
	s.store = newSimStore()
	s.store.during, s.store.reading, s.store.fault, s.store.landed = s.during, s.reading, s.fault, s.landed
	s.start()
	return s
}

// start starts a process on what the store holds.
func (s *sim) start() {
	s.epoch++
	began := s.m.steady
	s.e = status.New(status.Config{
		Store: s.store, Lists: s.store, Orders: s.store, Accounts: s.store, Friends: s.store, Blocks: s.store, Encode: func(*im.Notice) {},
		Rules: s.rules, Epoch: s.epoch, Rev: s.store.rev, Log: slog.New(slog.DiscardHandler),
		Now:    func() time.Time { return time.UnixMilli(s.m.wall) },
		Steady: func() time.Duration { return time.Duration(s.m.steady-began) * time.Millisecond },
	})
	s.flushAt = 0
	s.switchOn()
	if err := s.e.Restore(context.Background()); err != nil {
		s.fail("A12", "restore: %v", err)
	}
}

func (s *sim) logf(format string, args ...any) {
	if s.traced {
		s.trace = append(s.trace, fmt.Sprintf("%s%d.%03d ", strings.Repeat("  ", s.depth), s.m.steady/1000, s.m.steady%1000)+fmt.Sprintf(format, args...))
	}
}

func (s *sim) fail(name, format string, args ...any) {
	panic(violation{name, fmt.Sprintf(format, args...)})
}

// fault decides how a write ends. With an order or a login of which nobody knows
// whether it was written, the process dies: C8 is about those.
func (s *sim) fault(call string) mood {
	if s.crash == call {
		s.counts["crash before "+call]++
		panic(crashed{})
	}
	if s.moody != well {
		s.counts[moods[s.moody]+" "+call]++
		s.logf("%s: %s", call, moods[s.moody])
	}
	return s.moody
}

func (s *sim) landed(call string, failed bool) {
	if s.crash == call+"+" || failed && (call == "OpenSession" || call == "Revoke") {
		s.counts["crash after "+call]++
		panic(crashed{})
	}
}

// during is what happens while a write is under way.
func (s *sim) during(call string) {
	if s.flushing && call == "ClearWatching" {
		return // the writer has the turn of the account
	}
	if n := len(s.orders) - 1; call == "SaveLive" && n >= 0 && s.orders[n].depth == s.depth {
		s.orders[n].done()
	}
	if !s.quiet && s.depth > 0 && s.depth < 3 && s.rng.IntN(4) == 0 {
		s.check()
		s.happen(meanwhile)
	}
}

// reading is what happens while a user's lists are read in the user's turn.
func (s *sim) reading(k im.UserKey) {
	was := s.busy[k]
	s.busy[k] = true
	s.during("read")
	if s.busy[k] = was; !was {
		delete(s.busy, k)
	}
}

// op runs one command of an account. Order tells when it began.
func (s *sim) op(k im.UserKey, run func() error) (order int64, err error) {
	order = s.m.next()
	s.busy[k] = true
	s.depth++
	err = run()
	s.depth--
	delete(s.busy, k)
	return order, err
}

// soonest gives how long it is until time alone changes something.
func (m *model) soonest() int64 {
	wait := int64(forever)
	for _, p := range m.people {
		for _, v := range p.visits {
			if v.to > m.steady && v.to != forever {
				wait = min(wait, v.to-m.steady)
			}
		}
		for _, s := range p.stands {
			if s.state == im.MarkLost {
				wait = min(wait, max(1, s.at+m.reachable-m.wall))
			}
		}
	}
	return wait
}

// advance lets time pass: whatever is due happens when it is due.
func (s *sim) advance(d int64) {
	for d > 0 {
		if s.flushAt == 0 && s.e.WokenForTest() {
			s.flushAt = s.m.steady + saveAfter
		}
		step := min(d, s.m.soonest())
		if s.flushAt != 0 {
			step = min(step, max(1, s.flushAt-s.m.steady))
		}
		s.m.steady, s.m.wall, d = s.m.steady+step, s.m.wall+step, d-step
		s.act()
	}
}

// act is what the engine does by itself: timers, and the durable writer.
func (s *sim) act() {
	s.m.tick()
	s.e.FireForTest()
	s.check()
	if s.flushAt != 0 && s.m.steady >= s.flushAt && !s.blocked() {
		s.flush()
	}
}

// blocked reports whether the durable writer would wait for somebody's turn.
func (s *sim) blocked() bool {
	return slices.ContainsFunc(s.users, func(k im.UserKey) bool { return s.busy[k] && s.e.ClearsForTest(k) })
}

// flush has written what nobody waits for.
func (s *sim) flush() {
	s.flushAt = 0
	s.counts["flush"]++
	until := s.m.order
	cleared := map[*person]bool{}
	for _, p := range s.m.people {
		cleared[p] = p.clearing
	}
	was := s.flushing // time that passes meanwhile may have it come again
	s.flushing = true
	s.depth += 2 // so that only one thing happens meanwhile
	ok := s.e.SaveForTest(context.Background())
	s.depth -= 2
	s.flushing = was
	if !ok {
		s.flushAt = s.m.steady + saveRetry
		return
	}
	for _, p := range s.m.people {
		for i := range p.disk.onDisk {
			p.disk.onDisk[i].saved(until)
		}
		p.disk.words.saved(until)
		for _, x := range p.sessions {
			x.disk.saved(until)
		}
		if cleared[p] {
			p.disk.lists.saved(until)
			p.clearing = false
		}
	}
}

// check holds the engine against the model.
func (s *sim) check() {
	s.m.tick()
	for _, k := range s.users {
		want := s.m.status(k)
		s.checkStatus(k, s.look(k), want)
	}
	for _, c := range s.clients {
		if c.conn != nil && c.conn.ended == 0 && !s.busy[c.key] {
			c.conn.check()
		}
	}
}

// look gives how the engine shows a user.
func (s *sim) look(k im.UserKey) im.Found {
	deaf := s.store.deaf
	s.store.deaf = false
	found, _, err := s.e.Status(context.Background(), k.App, []im.UserID{k.User})
	s.store.deaf = deaf
	if err != nil {
		s.fail("D3", "query: %v", err)
	}
	if len(found) == 0 {
		return im.Found{User: k.User, Status: im.Status{General: im.Unlogined}, Version: s.known[k].Version}
	}
	return found[0]
}

func (s *sim) checkStatus(k im.UserKey, got im.Found, want im.Status) {
	if got.Status != want {
		s.fail("A1 A6", "%v is shown %v, and is %v", k, got.Status, want)
	}
	last, known := s.known[k]
	if got.Version.Less(last.Version) || known && got.Version == last.Version && got.Status != last.Status {
		s.fail("A3", "%v is %v after %v", k, got, last)
	}
	s.known[k] = got
}

// run has a number of things happen, except those that skip leaves out, and then
// has everyone leave.
func (s *sim) run(steps int, skip func(int) bool) (v *violation) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case violation:
			v = &r
		default:
			panic(r)
		}
	}()
	for i := range steps {
		s.rng = rand.New(rand.NewPCG(s.seed, uint64(i)+1)) // its own, so that others can be left out
		if skip == nil || !skip(i) {
			s.mortally(func() { s.happen(eventually) })
		}
	}
	s.moody, s.crash, s.store.deaf, s.quiet = well, "", false, true
	s.mortally(s.finish)
	return nil
}

// mortally runs f, in which the process may die.
func (s *sim) mortally(f func()) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case crashed:
			s.counts["crash"]++
			s.logf("crash")
			s.die()
		default:
			panic(r)
		}
	}()
	f()
}

// finish has everyone leave and waits until nothing should be held any more [B4].
func (s *sim) finish() {
	for app := range s.m.muted {
		s.unmuteApp(app)
	}
	for _, c := range slices.Clone(s.clients) {
		if c.conn != nil {
			s.leaveBy(c, im.CauseClose)
		}
	}
	s.advance(60_000)
	for s.m.soonest() != forever {
		s.advance(s.m.soonest())
	}
	if st := s.e.Stats(); st.Users != 0 || st.Accounts != 0 || st.Watches != 0 {
		s.fail("B4", "everyone has left for long, and %+v is held", st)
	}
	s.logf("end")
	s.die()
}

// die ends the process, by order or not, and starts another on what is on disk.
func (s *sim) die() {
	s.dieFor(1 + []int64{0, 50, 3000, 20_000, 3_600_000, 25 * 3_600_000}[s.rng.IntN(6)])
}

// dieFor is die; the next process starts after a while.
func (s *sim) dieFor(down int64) {
	s.depth, s.crash, s.late, s.orders, s.debts, s.flushing = 0, "", nil, nil, nil, false
	clear(s.busy)
	for _, c := range s.clients {
		c.conn = nil
	}
	s.m.steady, s.m.wall = s.m.steady+down, s.m.wall+down
	s.logf("start after %d ms", down)
	clear(s.m.muted)
	for _, k := range s.users {
		s.reload(k)
	}
	s.start()
	s.check()
}

// reload checks that what is on disk of a user may be there, and makes the user
// that in the model.
func (s *sim) reload(k im.UserKey) {
	p, row := s.m.person(k), s.store.rows[k]
	var found [im.Platforms]stand
	var seen int64
	words := s.store.customs[k].Text
	for platform := range im.Platform(im.Platforms) {
		if marks := s.store.marks[k]; marks != nil {
			found[platform] = stood(marks[platform])
			if seen = max(seen, marks[platform].At); found[platform].state == im.MarkLive {
				seen = s.m.wall
			}
		}
		if !p.disk.onDisk[platform].allows(found[platform]) {
			s.fail("A12 D1", "the disk holds %v of %v on %v, not one of %v", found[platform], k, platform, p.disk.onDisk[platform])
		}
	}
	live := slices.ContainsFunc(found[:], func(x stand) bool { return x.state == im.MarkLive })
	if !live {
		words = "" // it is cleared at the start
	}
	switch {
	case live && !p.disk.words.allows(words):
		s.fail("A10 D1", "the disk holds the words %q of %v, not one of %v", words, k, p.disk.words)
	case !p.disk.lists.allows(join(row.Watching)):
		s.fail("B6 D1", "the disk holds the list %v of %v, not one of %v", row.Watching, k, p.disk.lists)
	case p.account && !row.Found || row.RevokedBefore < p.revoked || p.banned && !row.Banned && !p.lifting:
		s.fail("C3 D1", "the disk holds %+v of %v, and %+v is acknowledged", row, k, p)
	}
	for _, r := range row.Sessions {
		i := slices.IndexFunc(p.sessions, func(x *sitting) bool { return x.Inst == r.Inst })
		if i < 0 { // a login that was cut before its answer [C8]
			p.sessions = append(p.sessions, &sitting{Session: status.Session{
				SessionID: im.SessionID{UserKey: k, Inst: r.Inst}, Platform: r.Platform, Opened: r.Opened, Expires: r.Expires / 1000,
			}, closed: r.Cause})
			continue
		}
		if x := p.sessions[i]; !x.disk.allows(r.Cause) {
			s.fail("D1", "the disk holds session %d of %v as ended by %v, not one of %v", r.Inst, k, r.Cause, x.disk)
		} else {
			x.closed = r.Cause
		}
	}
	if p.unsure || join(p.list) != join(row.Watching) { // whom its clients know of nobody knows
		s.unlearn(k, everybody)
	}
	p.account, p.revoked, p.banned = row.Found, row.RevokedBefore, row.Banned
	s.m.restart(p, found, words, slices.Clone(row.Watching))
	p.seen, p.latest, p.vague, p.missed = seen, max(p.latest, seen), 0, false
	s.settle(k)
}

// stood gives what of a mark anybody can ever see.
func stood(m im.Mark) stand {
	switch {
	case m.State == im.MarkLive:
		return stand{state: im.MarkLive}
	case m.State == im.MarkLost && slices.Contains(push, m.Platform):
		return stand{im.MarkLost, m.At}
	}
	return stand{}
}
