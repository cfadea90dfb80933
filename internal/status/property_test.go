package status

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/porchlight-im/porchlight/internal/im"
)

// stage is an engine whose time stands still unless it is moved, over restarts.
type stage struct {
	*Engine
	f    *fakeStore
	past time.Duration
	inst im.InstID
}

// staged is a connection of which nobody knows what came through.
type staged struct{ fakeOut }

func (*staged) Told() int64 { return -1 }

func newStage() *stage {
	s := &stage{f: newFakeStore()}
	s.start()
	return s
}

func (s *stage) start() {
	began, epoch := s.past, uint64(1)
	if s.Engine != nil {
		epoch += s.cfg.Epoch
	}
	s.Engine = newEngineWith(s.f, func(cfg *Config) {
		cfg.Epoch = epoch
		cfg.Now = func() time.Time { return time.UnixMilli(1_750_000_000_000).Add(s.past) }
		cfg.Steady = func() time.Duration { return s.past - began }
	})
	if err := s.Restore(context.Background()); err != nil {
		panic(err)
	}
}

// pass lets time pass; what waits is written then.
func (s *stage) pass(d time.Duration) {
	s.past += d
	s.fire()
	s.saveDurable(context.Background())
}

// enter opens a session.
func (s *stage) enter(u im.UserID, p im.Platform, out Outbox) Attached {
	s.inst++
	at, err := s.Login(context.Background(), Login{User: key(u), Platform: p, Expires: 1 << 40, Policy: multi, Out: out}, s.inst)
	if err != nil {
		panic(err)
	}
	return at
}

func (s *stage) status(u im.UserID) im.Found {
	found, _, err := s.Status(context.Background(), 1, []im.UserID{u})
	if err != nil {
		panic(err)
	}
	return found[0]
}

// TestST6_ST7_ST8_ST28_ListIsAsANaiveOne changes a list of three by any commands,
// with repeats and such as cannot be, and holds a plain slice against it: in memory,
// on disk and in who is told of whom.
func TestST6_ST7_ST8_ST28_ListIsAsANaiveOne(t *testing.T) {
	const limit = 3
	long := im.UserID(strings.Repeat("l", im.MaxUserIDBytes+1))
	everyone := []im.UserID{"alice", "a", "b", "c", "d", "e", "A", "ghost", "", "a b", "é", long}
	refusal := func(u im.UserID, subscribing bool) im.Code {
		switch {
		case !u.Valid():
			return im.CodeInvalidUserID
		case u == "alice" && subscribing:
			return im.CodeInvalid
		case u == "ghost" && subscribing:
			return im.CodeNoAccount
		}
		return 0
	}
	rapid.Check(t, func(t *rapid.T) {
		s := newStage()
		s.enter("alice", im.Web, &staged{})
		var list []im.UserID
		for range rapid.IntRange(1, 20).Draw(t, "commands") {
			users := rapid.SliceOfN(rapid.SampledFrom(everyone), 1, 6).Draw(t, "users")
			var want, got []string
			var failed []im.Failed
			var err error
			subscribing := rapid.IntRange(0, 2).Draw(t, "subscribe") > 0
			for i, u := range users {
				switch code := refusal(u, subscribing); {
				case slices.Contains(users[:i], u):
				case code != 0:
					want = append(want, fmt.Sprint(u, code))
				case subscribing:
					list = append(slices.DeleteFunc(list, func(x im.UserID) bool { return x == u }), u)
				default:
					list = slices.DeleteFunc(list, func(x im.UserID) bool { return x == u })
				}
			}
			list = list[max(0, len(list)-limit):]
			switch {
			case subscribing:
				failed, err = s.Subscribe(context.Background(), key("alice"), users, limit)
			case rapid.IntRange(0, 5).Draw(t, "all") == 0:
				list, want = nil, nil
				err = s.UnsubscribeAll(context.Background(), key("alice"))
			default:
				failed, err = s.Unsubscribe(context.Background(), key("alice"), users)
			}
			for _, f := range failed {
				got = append(got, fmt.Sprint(f.User, f.Refusal.Code))
			}
			row, _ := s.f.User(context.Background(), key("alice"))
			memory := s.stripe(key("alice")).accounts[key("alice")].row.Watching
			if err != nil || !slices.Equal(got, want) || !slices.Equal(row.Watching, list) || !slices.Equal(memory, list) {
				t.Fatalf("refuses %v, want %v; holds %v and %v, want %v; %v", got, want, memory, row.Watching, list, err)
			}
			for _, u := range []im.UserID{"a", "b", "c", "d", "e", "A", "ghost"} {
				x := s.stripe(key(u)).users[key(u)]
				if told := x != nil && x.watchers.len() == 1; told != slices.Contains(list, u) {
					t.Fatalf("is told of %s: %v, and watches %v", u, told, list)
				}
			}
		}
	})
}

// TestST13_WhatAWatcherSeesNeverGoesBack has a user come, go, speak and be forgotten,
// and the process restart; of all that a watcher is told and answered none is older
// than what came before, and what has one version is one status.
func TestST13_WhatAWatcherSeesNeverGoesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx, s := context.Background(), newStage()
		out := &staged{}
		alice := s.enter("alice", im.Web, out)
		var bob *Attached
		var last im.Change
		look := func() {
			for _, n := range out.others {
				if n.Version.Less(last.Version) || n.Version == last.Version && n.Status != last.Status {
					t.Fatalf("told %v at %v after %v at %v", n.Status, n.Version, last.Status, last.Version)
				}
				last = n.Change
			}
			out.others = nil
		}
		restart := func() {
			s.saveDurable(ctx)
			s.start()
			bob = nil
		}
		comeBack := func() {
			out = &staged{}
			var err error
			if alice, err = s.Return(ctx, alice.Session, out, nil); err != nil {
				t.Fatal(err)
			}
		}
		for range rapid.IntRange(1, 40).Draw(t, "events") {
			switch rapid.SampledFrom([]string{"bob", "bob", "bob", "query", "say", "list", "return", "pass", "restart"}).Draw(t, "event") {
			case "bob":
				if bob == nil {
					at := s.enter("bob", rapid.SampledFrom([]im.Platform{im.Web, im.Android}).Draw(t, "on"), &fakeOut{})
					bob = &at
					break
				}
				s.Leave(key("bob"), bob.Session.Inst, bob.Link, rapid.SampledFrom([]im.Cause{im.CauseClose, im.CauseBreak}).Draw(t, "by"), -1)
				bob = nil
			case "query":
				look()
				f := s.status("bob")
				out.others = append(out.others, &im.Notice{Change: im.Change{Status: f.Status, Version: f.Version}})
			case "say":
				if err := s.SetCustom(ctx, key("bob"), rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "text")); err != nil {
					t.Fatal(err)
				}
			case "list":
				_, err := s.Subscribe(ctx, key("alice"), []im.UserID{"bob"}, 1)
				if rapid.Bool().Draw(t, "unsubscribe") {
					err = s.UnsubscribeAll(ctx, key("alice"))
				}
				if err != nil {
					t.Fatal(err)
				}
			case "return":
				look()
				comeBack()
			case "pass":
				s.pass(rapid.SampledFrom([]time.Duration{time.Second, 5 * time.Second, 15 * time.Second, im.PushReachable}).Draw(t, "time"))
			case "restart":
				look()
				restart()
				comeBack()
			}
			look()
		}
	})
}

// TestST1_ST18_StatusIsTheHighestOfItsDevices has one session on each of some
// platforms be there, within a grace, lost or logged out, whatever the order in which
// that came about: ONLINE counts before OFFLINE before UNLOGINED.
func TestST1_ST18_StatusIsTheHighestOfItsDevices(t *testing.T) {
	ends := map[string]struct {
		events  []event
		general func(im.Platform) im.General
	}{
		"live":   {nil, func(im.Platform) im.General { return im.Online }},
		"broken": {[]event{{kind: evDetach, cause: im.CauseBreak, link: 1}}, func(im.Platform) im.General { return im.Online }},
		"lost": {[]event{{kind: evDetach, cause: im.CauseClose, link: 1}}, func(p im.Platform) im.General {
			push := []im.Platform{im.Android, im.IPhone, im.IPad, im.Mac}
			return map[bool]im.General{true: im.Offline, false: im.Unlogined}[slices.Contains(push, p)]
		}},
		"out": {[]event{{kind: evEnd, cause: im.CauseLogout}}, func(im.Platform) im.General { return im.Unlogined }},
		"out after a loss": {[]event{{kind: evDetach, cause: im.CauseClose, link: 1}, {kind: evEnd, cause: im.CauseLogout}}, func(im.Platform) im.General {
			return im.Unlogined
		}},
	}
	height := []im.General{im.Unlogined, im.Offline, im.Online}
	rapid.Check(t, func(t *rapid.T) {
		rules := DefaultRules()
		u := &user{key: key("u"), shown: im.Status{General: im.Unlogined}}
		want := im.Unlogined
		var lanes [][]event // each in order, and the lanes in any
		for p := range im.Platform(im.Platforms) {
			name := rapid.SampledFrom([]string{"never", "live", "broken", "lost", "out", "out after a loss"}).Draw(t, p.String())
			end, is := ends[name]
			if !is || name == "live" && rapid.Bool().Draw(t, "rarely") {
				continue
			}
			lane := append([]event{{kind: evAttach, link: 1}}, end.events...)
			for i := range lane {
				lane[i].inst, lane[i].platform = im.InstID(p)+1, p
			}
			lanes = append(lanes, lane)
			if g := end.general(p); slices.Index(height, g) > slices.Index(height, want) {
				want = g
			}
		}
		for len(lanes) > 0 {
			i := rapid.IntRange(0, len(lanes)-1).Draw(t, "next")
			step(u, lanes[i][0], at(1000), &rules)
			if lanes[i] = lanes[i][1:]; len(lanes[i]) == 0 {
				lanes = slices.Delete(lanes, i, i+1)
			}
		}
		if u.shown.General != want {
			t.Fatalf("got %v, want %v", u.shown.General, want)
		}
	})
}

// TestST2_ST21_RestartAnywhereEndsTheSame plays some events twice, once with a restart
// between two of them after which everyone is back at once: when all graces are over,
// each status is the same.
func TestST2_ST21_RestartAnywhereEndsTheSame(t *testing.T) {
	users := []im.UserID{"ann", "bob"}
	rapid.Check(t, func(t *rapid.T) {
		type deed struct {
			what string
			who  int
			on   im.Platform
		}
		deeds := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) deed {
			return deed{
				rapid.SampledFrom([]string{"come", "come", "break", "close", "logout", "say", "clear", "pass"}).Draw(t, "what"),
				rapid.IntRange(0, 1).Draw(t, "who"), rapid.SampledFrom([]im.Platform{im.Web, im.Android}).Draw(t, "on"),
			}
		}), 1, 20).Draw(t, "deeds")
		play := func(cut int) (ends []im.Status) {
			ctx, s := context.Background(), newStage()
			open, there := map[deed]Attached{}, map[deed]bool{}
			come := func(d deed) {
				if at, is := open[d]; is {
					at, err := s.Return(ctx, at.Session, &staged{}, nil)
					if err != nil {
						t.Fatal(err)
					}
					open[d] = at
				} else {
					open[d] = s.enter(users[d.who], d.on, &staged{})
				}
				there[d] = true
			}
			leave := func(d deed, cause im.Cause) {
				if there[d] {
					s.Leave(key(users[d.who]), open[d].Session.Inst, open[d].Link, cause, -1)
					delete(there, d)
				}
			}
			for i, d := range deeds {
				if i == cut {
					var back []deed
					for d := range there {
						back = append(back, d)
						leave(d, im.CauseNode)
					}
					s.saveDurable(ctx)
					s.start()
					for _, d := range back {
						come(d)
					}
				}
				what := d.what
				switch d.what = ""; what {
				case "come":
					come(d)
				case "break":
					leave(d, im.CauseBreak)
				case "close":
					leave(d, im.CauseClose)
				case "logout":
					if at, is := open[d]; is {
						if err := s.End(ctx, at.Session, im.CauseLogout); err != nil {
							t.Fatal(err)
						}
						delete(open, d)
						delete(there, d)
					}
				case "say", "clear":
					if err := s.SetCustom(ctx, key(users[d.who]), map[string]string{"say": "x"}[what]); err != nil {
						t.Fatal(err)
					}
				case "pass": // longer than any grace, so that who is back in time is so both times
					s.pass(20 * time.Second)
				}
			}
			s.pass(20 * time.Second)
			for _, u := range users {
				ends = append(ends, s.status(u).Status)
			}
			return ends
		}
		want := play(-1)
		if got := play(rapid.IntRange(0, len(deeds)-1).Draw(t, "restart before")); !cmp.Equal(got, want) {
			t.Fatalf("with a restart %v, without %v", got, want)
		}
	})
}
