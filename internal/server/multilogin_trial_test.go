package server_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/testkit"
)

const bob = "bob"

// login is one session of bob's, as the device that opened it knows it.
type login struct {
	name     string
	platform int
	head     map[string]any // of the request that opened it
	at       time.Time
	a2, tiny string
	inst     uint32
	said     map[string]any // the head of its latest custom status, nil where it may be forgotten
	text     string
}

func (l *login) String() string { return l.name }

// use makes a socket speak for the session.
func (l *login) use(k *socket) {
	k.A2, k.TinyID, k.Inst = l.a2, l.tiny, l.inst
}

// socket is one socket with what came on it.
type socket struct {
	*testkit.Client
	name    string
	silent  time.Time // since when, zero while it answers
	last    string    // the latest status of bob's that came, "" where it may come again
	version im.Version
	edges   int // statuses of bob's that came
}

func (k *socket) String() string { return k.name }

// device is one of bob's.
type device struct {
	name     string
	platform int
	login    *login    // nil while it is logged out, as far as it knows
	k        *socket   // nil while it has none
	spare    *socket   // that it has not come back on yet
	told     time.Time // since when it knows that it was pushed out, zero while it does not
}

// watcher is a device of alice's, who is subscribed to bob.
type watcher struct {
	session *testkit.Client // its A2Key alone is used
	k       *socket
	since   time.Time // when k was opened
	view    string    // the latest status of bob's that came on any socket
}

// The times of a trial's server. A silent device is to be lost within the trial.
const (
	graceBreak = 5 * time.Second
	graceNode  = 15 * time.Second
	ping       = 3 * time.Second
	deadWeb    = 10 * time.Second
	deadNative = 16 * time.Second
	window     = 60 * time.Millisecond // a few commits
	late       = 50 * time.Millisecond // by how much the turns of an account may delay the beginning of a grace
	pace       = 300 * time.Millisecond
)

// trial is the run of one seed.
type trial struct {
	t    *testing.T
	s    *testkit.Server
	seed uint64
	rng  *rand.Rand

	model    *model   // one of all
	all      []*model // that explain what was seen
	devices  []*device
	sockets  []*socket
	watchers []*watcher
	judge    *socket // carol's, who asks
	history  []moment
	newest   im.Version // that anybody has seen
	logins   []*login   // all that were answered
	inbox    []letter   // statuses that are to be judged
	log      []string
	began    time.Time
	count    int // makes names and seqs
	sig      string
	shy      int // how often, in 100, a device that is logged out stays so
}

func newTrial(t *testing.T, seed uint64, p policy) *trial {
	m := newModel(p)
	tr := &trial{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 0)), model: m, all: []*model{m}, began: time.Now()}
	gather := []string{"5ms", "1ns"}[tr.rng.IntN(2)]
	tr.s = testkit.StartApp(t, testkit.DevApp(map[string]string{
		"login.policy": p.name, "login.native_sessions": fmt.Sprint(p.native), "login.web_sessions": fmt.Sprint(p.web), "limit.calls": "0",
	}), "store.gather="+gather, "limits.user_logins=1000", "limits.command_rate=1000", "limits.command_burst=10000",
		"gateway.ping="+ping.String(), "limits.dead_web="+deadWeb.String(), "limits.dead_native="+deadNative.String())
	tr.history = []moment{{tr.began, tr.model.now}}
	tr.shy = []int{0, 80, 95}[tr.rng.IntN(3)]
	tr.note("policy %s, %d native, %d web, gather %s", p.name, p.native, p.web, gather)
	for i := range 10 {
		platform := platforms[i%len(platforms)]
		if i >= len(platforms) {
			platform = []int{web, android, platforms[tr.rng.IntN(len(platforms))]}[i-len(platforms)]
		}
		tr.devices = append(tr.devices, &device{name: fmt.Sprintf("device%d/%d", i, platform), platform: platform})
	}
	if tr.rng.IntN(2) == 0 { // crowd two platforms
		for i, d := range tr.devices {
			d.platform = []int{web, android, web, iPad}[(i+int(seed))%2+2*int(seed%2)]
			d.name = fmt.Sprintf("device%d/%d", i, d.platform)
		}
	}
	tr.sig = tr.s.UserSig(bob)
	first := tr.s.Login(bob) // so that he exists
	first.Must("im_open_status.wslogout", struct{}{})
	first.Close(1000)
	tr.judge = tr.wrap(tr.s.Login("carol"))
	for i := range 1 + tr.rng.IntN(2) {
		if i == 1 && p.name == "single" {
			break
		}
		c := tr.s.Connect("alice")
		c.Platform = []int{web, android}[i]
		c.MustLogin()
		c.Subscribe(bob)
		tr.watchers = append(tr.watchers, &watcher{session: c, k: tr.wrap(c), since: time.Now(), view: tr.model.now})
	}
	return tr
}

func (tr *trial) note(format string, args ...any) {
	tr.log = append(tr.log, fmt.Sprintf("%8s ", time.Since(tr.began).Round(time.Millisecond))+fmt.Sprintf(format, args...))
}

// fail ends the trial with its seed and what came before.
func (tr *trial) fail(format string, args ...any) {
	tr.t.Helper()
	tr.t.Fatalf("%s\n%s=%d repeats it, as far as goroutines repeat themselves. What came before:\n%s",
		fmt.Sprintf(format, args...), testkit.SeedEnv, tr.seed, strings.Join(tr.log[max(0, len(tr.log)-40):], "\n"))
}

func (tr *trial) wrap(c *testkit.Client) *socket {
	tr.count++
	k := &socket{Client: c, name: fmt.Sprintf("socket%d", tr.count)}
	tr.sockets = append(tr.sockets, k)
	return k
}

// dial opens a socket for a device; all sockets of a device are of one page.
func (tr *trial) dial(d *device) *socket {
	k := tr.wrap(tr.s.ConnectFrom("/binfo", bob, d.name))
	k.Platform = d.platform
	return k
}

// head gives a head with a seq that no other request of the trial has.
func (tr *trial) head(k *socket, command string) map[string]any {
	tr.count++
	return k.Head(command, int64(tr.count))
}

// watch has the watchers come and go.
func (tr *trial) watch() {
	for _, w := range tr.watchers {
		switch {
		case w.k == nil && tr.rng.IntN(2) == 0:
			tr.comeToWatch(w)
		case w.k != nil && tr.rng.IntN(12) == 0:
			if tr.rng.IntN(2) == 0 {
				w.k.Break()
			} else {
				w.k.Close(1001)
			}
			tr.note("%s of alice is gone", w.k)
			w.k = nil
		}
	}
}

func (tr *trial) comeToWatch(w *watcher) {
	w.k = tr.wrap(tr.s.MustReturn(w.session))
	w.since = time.Now()
	tr.note("alice is back on %s", w.k)
}

// end has all devices leave, and judges what remains.
func (tr *trial) end() {
	for _, w := range tr.watchers {
		if w.k == nil {
			tr.comeToWatch(w)
		}
	}
	tr.pass(3 * time.Second)
	tr.converged()
	was := tr.model.now
	for _, w := range tr.watchers {
		w.k.edges = 0
	}
	for _, d := range tr.devices {
		if tr.heeds(d); d.login != nil && d.k != nil && d.k.silent.IsZero() {
			tr.do(tr.leave(d))
			tr.pass(tr.upTo(2 * time.Second))
		}
	}
	tr.pass(40 * time.Second)
	tr.converged()
	want := 0
	if tr.model.now != was {
		want = 1
	}
	if got := tr.ask(); online(got) || got != tr.model.now {
		tr.fail("no ghost: with everybody gone a query says %q, and by what was seen it is %q", got, tr.model.now)
	}
	for _, w := range tr.watchers {
		if w.k.edges != want {
			tr.fail("one edge: %s was told %d statuses while bob went from %q to %q", w.k, w.k.edges, was, tr.model.now)
		}
	}
	tr.endKept()
}

// endKept compares the sessions that the store holds open, some of which no
// device may know of.
func (tr *trial) endKept() {
	tr.s.Stop()
	var want []im.InstID
	for _, l := range tr.model.open {
		want = append(want, im.InstID(l.inst))
	}
	slices.Sort(want)
	if open := keptOpen(tr.s, bob); !slices.Equal(open, want) {
		tr.fail("never too many: the store holds the sessions %v open, want %v", open, want)
	}
}

// upTo gives a time up to d, often a short one.
func (tr *trial) upTo(d time.Duration) time.Duration {
	if tr.rng.IntN(3) == 0 {
		d /= 10
	}
	return time.Duration(tr.rng.Int64N(int64(d)))
}

// do has devices act at one moment. What is seen of it must be so in some order
// of what they do.
func (tr *trial) do(actions ...*action) {
	tr.t.Helper()
	start := time.Now()
	for _, a := range actions {
		a.fire(a)
	}
	time.Sleep(window)
	tr.sure()
	s := tr.look(actions)
	all := append(slices.Clone(actions), tr.byTime(time.Now())...)
	names := make([]string, len(all))
	for i, a := range all {
		names[i] = a.name
	}
	var why []string
	var next []*model
	for _, before := range tr.all {
		for order := range orders(all) {
			m := before.next(start)
			for _, a := range order {
				a.apply(m)
			}
			if differs := m.differs(s); differs != "" {
				why = append(why, differs)
				continue
			}
			next = append(next, m)
		}
	}
	if len(next) == 0 {
		slices.Sort(why)
		tr.fail("No order explains what is seen of: %s\n%s", strings.Join(names, ", and "), strings.Join(slices.Compact(why), "\nor: "))
	}
	tr.adopt(next, strings.Join(names, ", and "))
	tr.judgeStatuses()
	tr.tell(s.kicks)
}

// run has the devices act for a while, often at the edges of graces. mayRestart
// is asked before each moment.
func (tr *trial) run(most time.Duration, mayRestart func() bool) {
	for time.Since(tr.began) < most {
		tr.pass(tr.pause())
		tr.converged()
		if mayRestart() {
			tr.restart()
		}
		tr.watch()
		var actions []*action
		for _, i := range tr.rng.Perm(len(tr.devices))[:[]int{1, 1, 1, 2, 3}[tr.rng.IntN(5)]] {
			if a := tr.next(tr.devices[i]); a != nil {
				actions = append(actions, a)
			}
		}
		if len(actions) > 0 {
			tr.do(actions...)
		}
	}
}

// pause chooses when the next moment is.
func (tr *trial) pause() time.Duration {
	ends := tr.ends()
	n := tr.rng.IntN(10)
	if len(ends) > 0 && n < 4 {
		left := time.Until(ends[tr.rng.IntN(len(ends))].at)
		return max(0, left+[]time.Duration{-2 * late, 2 * late}[n%2])
	}
	return tr.upTo(2 * time.Second)
}

// restart drains the server and starts another on its data, at a time at which
// no grace ends.
func (tr *trial) restart() {
	soon := func(a *action) bool { return time.Until(a.at) < 2*time.Second }
	for slices.ContainsFunc(tr.ends(), soon) {
		tr.pass(2 * time.Second)
	}
	tr.pass(0)
	tr.s.Restart()
	var next []*model
	for _, m := range tr.all {
		m = m.next(time.Now())
		m.restart()
		next = append(next, m)
	}
	for kicks := range tr.open() {
		tr.fail("nobody else is told: %s was at a restart", kicks)
	}
	tr.adopt(next, "the server restarts")
	tr.judgeStatuses()
	for _, d := range tr.devices {
		d.k, d.spare = nil, nil
		if !d.told.IsZero() {
			d.login, d.told = nil, time.Time{}
		}
	}
	for _, l := range tr.logins {
		l.said, l.head = nil, nil // it remembers no answers
	}
	for _, w := range tr.watchers {
		w.k = nil
	}
	tr.judge = tr.wrap(tr.s.MustReturn(tr.judge.Client))
}
