package server_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/testkit"
)

// moment is a time from which bob had a status.
type moment struct {
	at     time.Time
	status string
}

// letter is a status that came on a socket.
type letter struct {
	k  *socket
	at time.Time
	st testkit.Status
}

// pass lets time pass and judges what came of it.
func (tr *trial) pass(d time.Duration) {
	tr.t.Helper()
	time.Sleep(d)
	tr.sure()
	for l, st := range tr.model.at {
		if k := st.on; k != nil && !k.Open() && k.silent.IsZero() {
			tr.fail("%s of %s, which stands, was closed: %v", k, l, k.CloseError())
		}
	}
	for {
		all := tr.byTime(time.Now())
		if len(all) == 0 {
			break
		}
		first := slices.MinFunc(all, func(a, b *action) int { return a.at.Compare(b.at) })
		var next []*model
		for _, m := range tr.all {
			m = m.next(first.at)
			first.apply(m)
			next = append(next, m)
		}
		tr.adopt(next, first.name)
	}
	for k, kinds := range tr.open() {
		tr.fail("nobody else is told: %s was, with KickType %v", k, kinds)
	}
	tr.judgeStatuses()
}

// sure waits while a grace may or may not be over.
func (tr *trial) sure() {
	for slices.ContainsFunc(tr.ends(), func(a *action) bool { return time.Since(a.at) >= 0 && time.Since(a.at) < late }) {
		time.Sleep(late)
	}
}

// byTime gives what time alone has brought about: graces that ended, and the
// loss of who was silent.
func (tr *trial) byTime(now time.Time) []*action {
	var all []*action
	for _, a := range tr.ends() {
		if !a.at.After(now) {
			all = append(all, a)
		}
	}
	for _, l := range tr.model.open {
		k := tr.model.at[l].on
		if k == nil || k.silent.IsZero() || k.Open() || k.Closed() != -1 {
			continue
		}
		dead := deadNative
		if l.platform == web {
			dead = deadWeb
		}
		if after := k.ClosedAt().Sub(k.silent); after < dead-ping-time.Second || after > dead+2*time.Second {
			tr.fail("%s was lost after a silence of %s, want %s", l, after, dead)
		}
		all = append(all, &action{name: fmt.Sprintf("%s is lost in silence", l), at: k.ClosedAt(), apply: func(m *model) {
			m.cut[k] = true
			if m.under(k) == l {
				m.part(k, 0)
			}
		}})
	}
	return all
}

// ends gives what ends the graces that are running, the soonest first.
func (tr *trial) ends() []*action {
	known := map[string]*action{}
	for _, m := range tr.all {
		for _, a := range m.ends() {
			known[fmt.Sprint(a, a.at)] = a
		}
	}
	return slices.SortedFunc(maps.Values(known), func(a, b *action) int {
		return cmp.Or(a.at.Compare(b.at), strings.Compare(a.name, b.name))
	})
}

// adopt takes models for true.
func (tr *trial) adopt(all []*model, why string) {
	known := map[string]bool{}
	tr.all = nil
	for _, m := range all {
		if key := m.key(); !known[key] {
			known[key] = true
			tr.all = append(tr.all, m)
		}
	}
	shown := map[string]bool{}
	for _, m := range all {
		for _, status := range m.shown {
			shown[status] = true
		}
	}
	tr.model = tr.all[0]
	delete(shown, tr.model.now)
	for status := range shown {
		tr.history = append(tr.history, moment{tr.model.moment, status})
	}
	if last := tr.history[len(tr.history)-1]; last.status != tr.model.now {
		tr.history = append(tr.history, moment{tr.model.moment, tr.model.now})
	}
	tr.note("%s: %s", why, tr.model.now)
}

// open takes what came on all sockets, keeps the statuses and gives the
// KickTypes.
func (tr *trial) open() map[*socket][]int {
	kicks := map[*socket][]int{}
	for _, k := range tr.sockets {
		for _, f := range k.Pushed() {
			if kind := k.KickOf(f); kind != 0 {
				kicks[k] = append(kicks[k], kind)
				continue
			}
			for _, st := range k.StatusesOf(f) {
				tr.inbox = append(tr.inbox, letter{k, f.At, st})
			}
		}
	}
	tr.sockets = slices.DeleteFunc(tr.sockets, func(k *socket) bool { return !k.Open() })
	return kicks
}

// judgeStatuses judges the statuses that came, now that it is known what was
// true.
func (tr *trial) judgeStatuses() {
	for _, l := range tr.inbox {
		tr.judgeStatus(l.k, l.at, l.st)
	}
	tr.inbox = nil
}

// judgeStatus judges one status that was pushed.
func (tr *trial) judgeStatus(k *socket, at time.Time, st testkit.Status) {
	if st.User != bob {
		return
	}
	status := st.String()
	v := tr.version(st)
	switch {
	case !k.version.Less(v):
		tr.fail("versions only rise: %s was told %v after %v", k, v, k.version)
	case k.last == status:
		tr.fail("never two equal statuses in a row: %s was told %q twice", k, status)
	}
	var was []string
	for i := len(tr.history) - 1; i >= 0; i-- {
		if h := tr.history[i]; !h.at.After(at.Add(time.Millisecond)) { // the server counts milliseconds
			was = append(was, h.status)
			if !h.at.After(at.Add(-pace)) {
				break
			}
		}
	}
	blinks := !online(status) && !slices.ContainsFunc(was, func(s string) bool { return !online(s) })
	switch {
	case blinks:
		tr.fail("ONLINE never blinks: %s was told %q at %s", k, status, at.Sub(tr.began))
	case !slices.Contains(was, status):
		tr.fail("what is told was so: %s was told %q at %s, and bob was %q", k, status, at.Sub(tr.began), was)
	}
	k.last, k.version = status, v
	k.edges++
	for _, w := range tr.watchers {
		if w.k == k {
			w.view = status
		}
	}
	if tr.newest.Less(v) {
		tr.newest = v
	}
}

func (tr *trial) version(st testkit.Status) im.Version {
	var v im.Version
	if _, err := fmt.Sscanf(st.Version, "%d.%d", &v.Epoch, &v.Seq); err != nil {
		tr.fail("version %q: %v", st.Version, err)
	}
	return v
}

// ask gives bob's status as a query does.
func (tr *trial) ask() string {
	st := tr.judge.Query(bob)[0]
	if v := tr.version(st); v.Less(tr.newest) {
		tr.fail("versions only rise: a query says %v after %v", v, tr.newest)
	}
	return st.String()
}

// probe gives the code of a command by a session's a2, on a socket that is not
// its own.
func (tr *trial) probe(l *login, k *socket) int {
	head := tr.head(k, "x.unserved")
	head["a2"], head["tinyid"], head["status_instid"] = l.a2, l.tiny, l.inst
	return k.CallHead(head, struct{}{}).Code
}

// converged checks that who has watched for a while knows the truth, if it is
// not new.
func (tr *trial) converged() {
	last := tr.history[len(tr.history)-1].at
	if time.Since(last) < time.Second {
		return
	}
	for _, w := range tr.watchers {
		if w.k != nil && time.Since(w.since) > 2*time.Second && w.view != tr.model.now {
			tr.fail("the last word comes: %s was told %q last, and bob is %q", w.k, w.view, tr.model.now)
		}
	}
}

// look gives what is seen after some actions.
func (tr *trial) look(actions []*action) *seen {
	s := &seen{codes: map[*action]int{}, opens: map[*action]string{}, probes: map[*login]int{}, closed: map[*socket]bool{}, kicks: map[*socket][]int{}}
	for _, a := range actions {
		var ans testkit.Answer
		if a.answer != nil {
			select {
			case ans = <-a.answer:
			default:
				tr.fail("%s is not answered", a)
			}
			s.codes[a] = ans.Code
			var in struct{ A2Key string }
			if err := json.Unmarshal(ans.Raw, &in); err != nil {
				tr.fail("%s: %s: %v", a, ans.Raw, err)
			}
			s.opens[a] = in.A2Key
		}
		a.after(ans)
	}
	for _, l := range tr.logins {
		if tr.model.at[l].ended == stands || tr.rng.IntN(20) == 0 {
			s.probes[l] = tr.probe(l, tr.judge)
		}
		if k := tr.model.at[l].on; k != nil {
			s.closed[k] = !k.Open()
		}
	}
	s.status = tr.ask()
	for _, k := range tr.sockets {
		s.kicks[k] = nil
	}
	maps.Copy(s.kicks, tr.open())
	return s
}

// tell lets the devices know that they were pushed out.
func (tr *trial) tell(kicks map[*socket][]int) {
	for _, d := range tr.devices {
		if d.login != nil && d.k != nil && len(kicks[d.k]) > 0 && tr.model.at[d.login].ended != stands {
			d.told = time.Now()
		}
	}
}

// orders gives all orders of some actions.
func orders(all []*action) iter.Seq[[]*action] {
	return func(yield func([]*action) bool) {
		var rec func(n int) bool
		rec = func(n int) bool {
			if n == len(all) {
				return yield(all)
			}
			for i := n; i < len(all); i++ {
				all[n], all[i] = all[i], all[n]
				if !rec(n + 1) {
					return false
				}
				all[n], all[i] = all[i], all[n]
			}
			return true
		}
		rec(0)
	}
}
