package status

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/porchlight-im/porchlight/internal/im"
)

// naive is what a user's status should be, from the whole history of what
// happened, without a state of its own.
type naive struct {
	rules  Rules
	events []event
	at     []int64
}

// online reports whether a session is live or within a grace at a time.
func (n *naive) online(now int64) bool {
	return len(n.present(now)) > 0
}

// present gives the platforms on which something keeps the user online.
func (n *naive) present(now int64) map[im.Platform]bool {
	type sess struct {
		platform im.Platform
		link     uint64
		until    int64 // 0 while the socket lives
	}
	live := map[im.InstID]sess{}
	for i, ev := range n.events {
		if n.at[i] > now {
			break
		}
		s, there := live[ev.inst]
		if there && s.until != 0 && s.until <= n.at[i] {
			delete(live, ev.inst)
			there = false
		}
		switch ev.kind {
		case evAttach:
			live[ev.inst] = sess{platform: ev.platform, link: ev.link}
		case evDetach:
			if there && s.link == ev.link {
				s.link, s.until = 0, n.at[i]+n.rules.Grace[ev.cause].Milliseconds()
				live[ev.inst] = s
			}
		case evEnd:
			delete(live, ev.inst)
		}
	}
	out := map[im.Platform]bool{}
	for _, s := range live {
		if s.until == 0 || s.until > now {
			out[s.platform] = true
		}
	}
	return out
}

// TestST1_StatusIsComputedFromHistory drives the core with random events and
// compares it, after each, with the naive reading of the whole history.
func TestST1_StatusIsComputedFromHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := &naive{rules: DefaultRules()}
		u := &user{key: key("u"), shown: im.Status{General: im.Unlogined}}
		now, link, lastSeq := int64(1_000_000), uint64(0), uint64(0)
		links := map[im.InstID]uint64{}
		platforms := map[im.InstID]im.Platform{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now += rapid.SampledFrom([]int64{0, 1, 100, 4999, 5000, 15000, 60000, (7 * 24 * time.Hour).Milliseconds()}).Draw(t, "pass")
			inst := im.InstID(rapid.IntRange(1, 4).Draw(t, "inst"))
			ev := event{kind: rapid.SampledFrom([]kind{evTick, evAttach, evDetach, evEnd, evCustom}).Draw(t, "kind"), inst: inst}
			if _, ok := platforms[inst]; !ok {
				platforms[inst] = rapid.SampledFrom([]im.Platform{im.Web, im.Android, im.Mac, im.Linux}).Draw(t, "platform")
			}
			ev.platform = platforms[inst]
			switch ev.kind {
			case evAttach:
				link++
				links[inst], ev.link = link, link
			case evDetach:
				ev.cause = rapid.SampledFrom([]im.Cause{im.CauseClose, im.CauseBreak, im.CauseSilence, im.CauseNode}).Draw(t, "cause")
				ev.link = links[inst]
				if rapid.Bool().Draw(t, "of a replaced socket") {
					ev.link = 0
				}
			case evEnd:
				ev.cause = im.CauseLogout
			case evCustom:
				ev.custom = rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "text")
			}
			n.events, n.at = append(n.events, ev), append(n.at, now)
			before := u.shown
			fx := step(u, ev, at(now), &n.rules)
			checkStep(t, u, fx, before, &lastSeq, n.online(now))
			if fx.soonest() != 0 && fx.soonest() <= now {
				t.Fatalf("wake %d is not after %d", fx.soonest(), now)
			}
			checkWake(t, u, n, now, fx.soonest())
		}
	})
}

// at is a moment at which both clocks show the same.
func at(ms int64) moment { return moment{steady: ms, wall: ms} }

// soonest gives the wake of both clocks, while they show the same.
func (fx effects) soonest() int64 {
	if fx.wake.steady == 0 || fx.wake.wall != 0 && fx.wake.wall < fx.wake.steady {
		return fx.wake.wall
	}
	return fx.wake.steady
}

// checkStep checks what must hold after every step.
func checkStep(t *rapid.T, u *user, fx effects, before im.Status, lastSeq *uint64, online bool) {
	if got := u.shown.General == im.Online; got != online {
		t.Fatalf("shown %v, online by history: %v", u.shown, online)
	}
	if u.shown.General != im.Online && u.shown.Custom != "" {
		t.Fatalf("a custom status without ONLINE: %v", u.shown)
	}
	if fx.changed != (u.shown != before) {
		t.Fatalf("changed is %v from %v to %v", fx.changed, before, u.shown)
	}
	if want := *lastSeq; fx.changed && u.seq != want+1 || !fx.changed && u.seq != want {
		t.Fatalf("seq %d after %d, changed %v", u.seq, want, fx.changed)
	}
	*lastSeq = u.seq
}

// checkWake checks that nothing changes by time alone before the wake that was
// asked for.
func checkWake(t *rapid.T, u *user, n *naive, now, wake int64) {
	if wake == 0 {
		wake = now + 1_000_000_000_000
	}
	if n.online(wake-1) != n.online(now) {
		t.Fatalf("the status changes before the wake at %d", wake)
	}
	if g := u.general(at(wake-1), &n.rules); len(u.sessions) == 0 && g != u.shown.General {
		t.Fatalf("%v becomes %v before the wake at %d", u.shown.General, g, wake)
	}
}

func TestST1_HowTheLastSessionEndedDecides(t *testing.T) {
	r := DefaultRules()
	for _, c := range []struct {
		platform im.Platform
		end      event
		want     im.General
	}{
		{im.Web, event{kind: evDetach, cause: im.CauseClose, link: 1}, im.Unlogined},
		{im.Windows, event{kind: evDetach, cause: im.CauseClose, link: 1}, im.Unlogined},
		{im.Linux, event{kind: evDetach, cause: im.CauseSilence, link: 1}, im.Unlogined},
		{im.Android, event{kind: evDetach, cause: im.CauseClose, link: 1}, im.Offline},
		{im.IPhone, event{kind: evDetach, cause: im.CauseSilence, link: 1}, im.Offline},
		{im.IPad, event{kind: evDetach, cause: im.CauseClose, link: 1}, im.Offline},
		{im.Mac, event{kind: evDetach, cause: im.CauseClose, link: 1}, im.Offline},
		{im.Android, event{kind: evEnd, cause: im.CauseLogout}, im.Unlogined},
		{im.Android, event{kind: evEnd, cause: im.CauseKickAdmin}, im.Unlogined},
		{im.Android, event{kind: evEnd, cause: im.CauseExpiry}, im.Unlogined},
	} {
		t.Run(fmt.Sprint(c.platform, c.end.cause), func(t *testing.T) {
			u := &user{key: key("u"), shown: im.Status{General: im.Unlogined}}
			step(u, event{kind: evAttach, inst: 1, platform: c.platform, link: 1}, at(1000), &r)
			c.end.inst, c.end.platform = 1, c.platform
			fx := step(u, c.end, at(2000), &r)
			if u.shown.General != c.want {
				t.Errorf("got %v, want %v", u.shown.General, c.want)
			}
			week := 2000 + r.PushReachable.Milliseconds()
			if c.want == im.Offline {
				if fx.soonest() != week {
					t.Errorf("wake at %d, want %d", fx.soonest(), week)
				}
				step(u, event{kind: evTick}, at(week-1), &r)
				if u.shown.General != im.Offline {
					t.Errorf("a moment before the week is over: %v", u.shown.General)
				}
			}
			step(u, event{kind: evTick}, at(week), &r)
			if u.shown.General != im.Unlogined || !u.idle() {
				t.Errorf("after a week: %v, idle %v", u.shown, u.idle())
			}
		})
	}
}

func TestSE6_WhoIsPushedOut(t *testing.T) {
	row := func(inst im.InstID, p im.Platform, opened int64) im.SessionRow {
		return im.SessionRow{Inst: inst, Platform: p, Opened: opened}
	}
	open := []im.SessionRow{
		row(1, im.Android, 10), row(2, im.Web, 20), row(3, im.Windows, 30), row(4, im.Web, 5),
		{Inst: 5, Platform: im.Web, Opened: 1, Closed: 2},
	}
	all := func(im.InstID) bool { return true }
	away := func(away im.InstID) func(im.InstID) bool {
		return func(i im.InstID) bool { return i != away }
	}
	for _, c := range []struct {
		name   string
		policy Policy
		from   im.Platform
		live   func(im.InstID) bool
		want   string
	}{
		{"single", Policy{Policy: im.PolicySingle, PerWeb: 1}, im.Web, all, "1:kick_other 3:kick_other 4:kick_same 2:kick_same"},
		{"dual web", Policy{Policy: im.PolicyDual, PerWeb: 1}, im.Web, all, "4:kick_same 2:kick_same"},
		{"dual native", Policy{Policy: im.PolicyDual, PerWeb: 1}, im.IPhone, all, "1:kick_other 3:kick_other"},
		{"triple mobile", Policy{Policy: im.PolicyTriple, PerWeb: 1}, im.IPad, all, "1:kick_other"},
		{"triple desktop", Policy{Policy: im.PolicyTriple, PerWeb: 1}, im.Linux, all, "3:kick_other"},
		{"multi", Policy{Policy: im.PolicyMulti, PerNative: 3, PerWeb: 3}, im.Web, all, ""},
		{"multi full", Policy{Policy: im.PolicyMulti, PerNative: 3, PerWeb: 2}, im.Web, all, "4:kick_same"},
		{"multi full, the newer away", Policy{Policy: im.PolicyMulti, PerNative: 3, PerWeb: 2}, im.Web, away(2), "2:kick_same"},
		{"a limit of none is one", Policy{Policy: im.PolicyMulti}, im.Android, all, "1:kick_same"},
	} {
		got := ""
		for _, l := range c.policy.Losers(open, c.from, c.live) {
			if got != "" {
				got += " "
			}
			got += fmt.Sprintf("%d:%s", l.Inst, l.Cause)
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// A logout with a grace is kept as a logout at once, shows its user until the
// grace is over, and says nothing of who has come since.
func TestST2_GraceOfALogout(t *testing.T) {
	r := DefaultRules()
	r.Grace[im.CauseLogout] = 10 * time.Second
	u := &user{key: key("u"), shown: im.Status{General: im.Unlogined}}
	step(u, event{kind: evAttach, inst: 1, platform: im.Android, link: 1}, at(1000), &r)
	fx := step(u, event{kind: evEnd, inst: 1, platform: im.Android, cause: im.CauseLogout}, at(2000), &r)
	if u.shown.General != im.Online || len(fx.marks) != 1 || fx.marks[0].State != im.MarkOut || fx.soonest() != 12_000 {
		t.Fatalf("after the logout %v, marks %v, wake %d", u.shown, fx.marks, fx.soonest())
	}
	step(u, event{kind: evAttach, inst: 2, platform: im.Android, link: 2}, at(3000), &r)
	fx = step(u, event{kind: evDetach, inst: 2, link: 2, cause: im.CauseClose}, at(4000), &r)
	if len(fx.marks) != 1 || fx.marks[0].State != im.MarkLost {
		t.Errorf("the next session is lost within the grace: marks %v", fx.marks)
	}
	fx = step(u, event{kind: evTick}, at(12_000), &r)
	if u.shown.General != im.Offline || len(fx.marks) != 0 {
		t.Errorf("after the grace %v, marks %v", u.shown, fx.marks)
	}
	fx = step(u, event{kind: evEnd, inst: 2, platform: im.Android, cause: im.CauseLogout}, at(13_000), &r)
	if u.shown.General != im.Unlogined {
		t.Errorf("who was gone logs out, and is %v until %d", u.shown, fx.soonest())
	}
}

// Without a grace for the end of the process, those it leaves are lost.
func TestST2_NoGraceForARestart(t *testing.T) {
	r := DefaultRules()
	r.Grace[im.CauseNode] = 0
	u := &user{key: key("u"), shown: im.Status{General: im.Unlogined}}
	marks := []im.Mark{{Platform: im.Android, State: im.MarkLive, At: 1}, {Platform: im.Web, State: im.MarkLive, At: 1}}
	fx := step(u, event{kind: evRestore, marks: marks, custom: "words"}, at(1000), &r)
	if u.shown != (im.Status{General: im.Offline}) || !fx.cleared || len(fx.marks) != 2 || fx.marks[0].State != im.MarkLost {
		t.Errorf("restored as %v, cleared %v, marks %v", u.shown, fx.cleared, fx.marks)
	}
}
