package status_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/status"
	"github.com/porchlight-im/porchlight/internal/testkit"
)

// scope is a small world: ann with two devices, and bob who watches her with one.
type scope struct {
	*sim
	on      [2]im.Platform
	device  [2]*simClient // of the latest session on each, nil before the first
	late    [2]uint64     // the link of the latest connection that ended or was replaced, 0 for none of this process
	watcher *simClient
}

var (
	scopeAnn = im.UserKey{App: 1, User: "ann"}
	scopeBob = im.UserKey{App: 1, User: "bob"}
)

// scopeEvent is one thing that may happen, and reports whether it can.
type scopeEvent struct {
	name string
	run  func(*scope) bool
}

// scopeEvents are all that can happen in a small world.
func scopeEvents() (events []scopeEvent) {
	for i, device := range []string{"A", "B"} {
		events = append(events, []scopeEvent{
			{device + " comes", func(w *scope) bool { return w.come(i) }},
			{device + " breaks", func(w *scope) bool { return w.leave(i, im.CauseBreak) }},
			{device + " closes", func(w *scope) bool { return w.leave(i, im.CauseClose) }},
			{device + " logs out", func(w *scope) bool { return w.logout(i) }},
			{device + " returns though it ended", func(w *scope) bool { return w.ended(i) && w.returnOn(w.device[i], w.connect(w.device[i])) }},
			{device + " leaves late", func(w *scope) bool { return w.leaveLate(i) }},
		}...)
	}
	watching := func(act func(*scope) bool) func(*scope) bool {
		return func(w *scope) bool { return w.watcher.conn != nil && act(w) }
	}
	return append(events, []scopeEvent{
		{"ann says x", func(w *scope) bool { return w.sayAs("x") }},
		{"ann says nothing", func(w *scope) bool { return w.sayAs("") }},
		{"bob subscribes", watching(func(w *scope) bool { return w.subscribeTo(w.watcher, []im.UserID{"ann"}) })},
		{"bob unsubscribes", watching(func(w *scope) bool { return w.unsubscribeFrom(w.watcher, []im.UserID{"ann"}) })},
		{"bob proves", watching(func(w *scope) bool { w.watcher.conn.prove(); return true })},
		{"bob breaks", watching(func(w *scope) bool { w.lose(w.watcher, im.CauseBreak); return true })},
		{"bob returns", func(w *scope) bool { return w.watcher.conn == nil && w.returnOn(w.watcher, w.connect(w.watcher)) }},
		{"the moment before", func(w *scope) bool { return w.pass(w.m.soonest() - 1) }},
		{"what is due", func(w *scope) bool { return w.pass(w.m.soonest()) }},
		{"the writer", func(w *scope) bool { return w.write(w.moody) }},
		{"the disk is unsure of what the writer wrote", func(w *scope) bool { return w.write(lose) }},
		{"the disk refuses", func(w *scope) bool { w.moody = refuse; return true }},
		{"the disk is well", func(w *scope) bool { w.moody = well; return true }},
		{"crash", func(w *scope) bool { w.late = [2]uint64{}; w.dieFor(1); return true }},
		{"restart", func(w *scope) bool { // of which bob notices little
			w.late = [2]uint64{}
			w.dieFor(1)
			return w.returnOn(w.watcher, w.connect(w.watcher))
		}},
	}...)
}

// newScope makes the world: ann has an account, and bob subscribes to her.
func newScope(on [2]im.Platform, rules status.Rules) *scope {
	w := &scope{sim: simOf([]im.UserKey{scopeAnn, scopeBob}, rules, rand.New(rand.NewPCG(1, 0)), 0), on: on}
	w.quiet = true // nothing happens during writes
	w.store.change(scopeAnn, func(row *im.UserRow) { row.Found, row.TinyID = true, 7 })
	w.m.person(scopeAnn).account = true
	w.login(scopeBob, im.Web)
	w.watcher = w.clients[len(w.clients)-1]
	w.subscribeTo(w.watcher, []im.UserID{"ann"})
	w.watcher.conn.prove()
	w.write(well)
	w.check()
	return w
}

func (w *scope) login(k im.UserKey, on im.Platform) {
	w.loginAs(k, simPolicies[0], status.Session{Platform: on, Issued: w.m.wall / 1000, Expires: w.m.wall/1000 + 10*365*86400})
}

// ended reports whether the latest session of a device has ended.
func (w *scope) ended(i int) bool { return w.device[i] != nil && w.sitting(w.device[i]).closed != 0 }

// come has a device log in, or return where its session is open, on another socket
// where it has one.
func (w *scope) come(i int) bool {
	c := w.device[i]
	if c == nil || w.ended(i) {
		w.login(scopeAnn, w.on[i])
		if last := w.clients[len(w.clients)-1]; last.key == scopeAnn && !slices.Contains(w.device[:], last) {
			w.clients = slices.DeleteFunc(w.clients, func(old *simClient) bool { return old == c })
			w.device[i] = last
		}
		return true
	}
	if c.conn != nil {
		w.late[i] = c.conn.link
	}
	return w.returnOn(c, w.connect(c))
}

func (w *scope) leave(i int, cause im.Cause) bool {
	c := w.device[i]
	if c == nil || c.conn == nil {
		return false
	}
	w.late[i] = c.conn.link
	w.lose(c, cause)
	return true
}

func (w *scope) logout(i int) bool {
	c := w.device[i]
	if c == nil || w.ended(i) {
		return false
	}
	return w.end(c, im.CauseLogout)
}

// leaveLate tells the engine once more of a connection that ended or was replaced.
func (w *scope) leaveLate(i int) bool {
	c := w.device[i]
	if c == nil {
		return false
	}
	w.e.Leave(scopeAnn, c.session.Inst, w.late[i], im.CauseClose, w.e.Now())
	return true
}

// sayAs sets ann's custom status from a device whose session is open.
func (w *scope) sayAs(text string) bool {
	for i, c := range w.device {
		if c != nil && !w.ended(i) {
			return w.say(c, text)
		}
	}
	return false
}

// pass lets time pass, in which the durable writer comes only if it is days: a disk
// may be slow.
func (w *scope) pass(d int64) bool {
	if d <= 0 || d >= forever-1 {
		return false
	}
	if d > 24*3_600_000 {
		w.write(w.moody)
	}
	w.m.steady, w.m.wall = w.m.steady+d, w.m.wall+d
	w.act()
	return true
}

// write has the durable writer come, which would come again by itself.
func (w *scope) write(m mood) bool {
	was := w.moody
	w.moody = m
	w.flush()
	w.moody, w.flushAt = was, 0
	return true
}

// replay makes a world in which some events happened.
func (x *exploration) replay(path []byte) *scope {
	w := newScope(x.on, x.rules)
	for _, i := range path {
		x.events[i].run(w)
	}
	w.check() // each state on the way has been checked
	return w
}

// exploration visits every state of a world that some number of events leads to.
type exploration struct {
	on          [2]im.Platform
	rules       status.Rules
	events      []scopeEvent
	seen        map[[sha256.Size]byte]struct{}
	again       func(path []byte, sum [sha256.Size]byte) // another way to a state that is known, nil for no matter
	transitions int
}

// reached is a state, with the shortest way to it.
type reached struct {
	path []byte
	sum  [sha256.Size]byte
}

// run goes breadth first, so that what fails is the shortest way to fail.
func (x *exploration) run(t *testing.T, depth int) {
	var path []byte
	then := ""
	defer func() {
		switch v := recover().(type) {
		case nil:
		case violation:
			var names []string
			for _, i := range path {
				names = append(names, x.events[i].name)
			}
			t.Fatalf("%s%s\n%s: %s", strings.Join(names, "\n"), then, v.name, v.text)
		default:
			panic(v)
		}
	}()
	x.seen = map[[sha256.Size]byte]struct{}{}
	start := x.replay(nil).print()
	x.seen[start] = struct{}{}
	level := []reached{{nil, start}}
	for range depth {
		var next []reached
		for _, from := range level {
			var w *scope
			for i, ev := range x.events {
				path = from.path
				if w == nil {
					w = x.replay(path)
				}
				path = append(slices.Clip(from.path), byte(i))
				if !ev.run(w) {
					continue
				}
				w.check()
				x.transitions++
				sum := w.print()
				if sum == from.sum {
					continue // it is where it was
				}
				if _, known := x.seen[sum]; !known {
					x.seen[sum] = struct{}{}
					next = append(next, reached{path, sum})
					then, w.moody = "\neveryone leaves", well
					w.finish()
					then = ""
				}
				if x.again != nil {
					x.again(path, sum)
				}
				w = nil
			}
		}
		level = next
	}
}

// scopeWorlds are the worlds to explore. In some much happens to ann's devices, or to
// one of them and to who watches, or to one and the disk; in the whole one all that
// can on a disk that is well.
var scopeWorlds = []struct {
	name    string
	on      [2]im.Platform
	without string // what the events begin with that do not happen
	less    int    // than the depth of the others
	graces  map[im.Cause]time.Duration
}{
	{"sessions", [2]im.Platform{im.Android, im.Web}, "^(ann|bob|crash|the disk)", 0, nil},
	{"watching", [2]im.Platform{im.Android, im.Web}, "^(B |A closes|A returns|A leaves|the writer|the disk|restart)", 0, nil},
	{"disk", [2]im.Platform{im.Android, im.Web}, "^(B |A breaks|A leaves|bob [pbr]|ann says n|crash|the moment)", 1, nil},
	{"whole", [2]im.Platform{im.Android, im.Web}, "^(restart|the disk)", 3, nil},
	{"whole", [2]im.Platform{im.Web, im.Web}, "^(restart|the disk)", 3, nil},
	{"whole", [2]im.Platform{im.Mac, im.Mac}, "^(restart|the disk)", 3, nil},
	{"whole", [2]im.Platform{im.IPhone, im.Windows}, "^(restart|the disk)", 3, nil},
	{
		"own graces",
		[2]im.Platform{im.Android, im.Android},
		"^(bob|crash|the disk)", 3,
		map[im.Cause]time.Duration{im.CauseLogout: 7 * time.Second, im.CauseClose: time.Second, im.CauseNode: 0},
	},
}

// TestScope visits every state that some events lead to, whatever their order, once
// each, and makes there all the checks of the simulator. `make soak` goes deeper.
func TestScope(t *testing.T) {
	percent := debug.SetGCPercent(400) // most of what is made is for a moment
	t.Cleanup(func() { debug.SetGCPercent(percent) })
	depth := testkit.Depth(t, 8, 6)
	for _, c := range scopeWorlds {
		t.Run(fmt.Sprint(c.name, " ", c.on[0], " ", c.on[1]), func(t *testing.T) {
			t.Parallel()
			without := regexp.MustCompile(c.without)
			x := &exploration{on: c.on, rules: status.DefaultRules()}
			for cause, grace := range c.graces {
				x.rules.Grace[cause] = grace
			}
			x.events = slices.DeleteFunc(scopeEvents(), func(ev scopeEvent) bool { return without.MatchString(ev.name) })
			began := time.Now()
			x.run(t, depth-c.less)
			t.Logf("depth %d, %d states, %d transitions, %.1f s", depth-c.less, len(x.seen), x.transitions, time.Since(began).Seconds())
		})
	}
}
