package friend_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/porchlight-im/porchlight/internal/friend"
	"github.com/porchlight-im/porchlight/internal/im"
)

func TestFR1_AddingMakesBothEntriesOrOne(t *testing.T) {
	w := newWorld(t, "alice", "bob", "carol")
	same(t, "both", w.codes(w.Add(t.Context(), as("alice"), limits(), friend.BothWays, adding("bob"))), list("bob 0"))
	same(t, "single", w.codes(w.Add(t.Context(), as("alice"), confirming(), friend.OneWay, adding("carol"))), list("carol 0"))
	same(t, "edges", w.edges("alice", "bob", "carol"), list("alice-bob", "alice-carol", "bob-alice"))
	same(t, "told", w.told(), list("alice: added bob", "bob: added alice", "alice: added carol"))
	same(t, "done", w.did(), list("add alice-bob bob-alice by alice", "add alice-carol by alice"))
	page, err := w.Friends(t.Context(), key("alice"), limits(), 0)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "total and sequence", []int64{int64(page.Total), page.Seq, page.Next}, []int64{2, 2, 0})
}

func TestFR2_AllowTypeDecides(t *testing.T) {
	w := newWorld(t, "alice", "bob", "carol", "dave")
	for u, allow := range map[im.UserID]string{"bob": im.AllowNobody, "carol": im.AllowConfirm, "dave": im.AllowAny} {
		if err := w.store.SaveProfile(t.Context(), key(u), map[string]string{im.TagAllowType: allow}); err != nil {
			t.Fatal(err)
		}
	}
	lim := limits()
	lim.Allow = im.AllowNobody // only for who has not chosen
	got := w.codes(w.Add(t.Context(), as("alice"), lim, friend.BothWays, adding("bob", "carol", "dave")))
	same(t, "codes", got, list("bob 30516", "carol 30539", "dave 0"))
	same(t, "edges", w.edges("alice", "bob", "carol", "dave"), list("alice-dave", "dave-alice"))
	same(t, "carol's", w.inbox("carol"), list("from alice!"))
	same(t, "alice's", w.inbox("alice"), list("to carol"))
	same(t, "told", w.told(), list("alice: applied to carol", "carol: applied from alice", "alice: added dave", "dave: added alice"))
	got = w.codes(w.Add(t.Context(), admin("alice"), lim, friend.Forced, adding("bob", "carol")))
	same(t, "forced", got, list("bob 0", "carol 0"))
	same(t, "carol's after", w.inbox("carol"), nil)
	same(t, "default", w.add(lim, "dave", "alice"), list("alice 0"))
	same(t, "the default counts", w.add(lim, "dave", "carol"), list("carol 30539"))
}

func TestFR4_WhatForbidsAddingIsFoundInOrder(t *testing.T) {
	w := newWorld(t, "alice", "bob", "carol", "dave")
	lim := limits()
	lim.Friends = 1
	ctx := t.Context()
	full := func(u im.UserID) {
		w.register(im.UserID("x" + u))
		same(t, "fill", w.codes(w.Add(ctx, as(u), lim, friend.OneWay, adding(im.UserID("x"+u)))), list("x"+string(u)+" 0"))
	}
	full("bob")
	same(t, "the other is full", w.add(lim, "alice", "bob"), list("bob 30014"))
	full("alice")
	same(t, "the user is full", w.add(lim, "alice", "bob"), list("bob 30010"))
	same(t, "block", w.codes(w.Block(ctx, as("bob"), lim, []im.UserID{"alice"})), list("alice 0"))
	same(t, "blocked by the other", w.add(lim, "alice", "bob"), list("bob 30525"))
	same(t, "block", w.codes(w.Block(ctx, as("alice"), lim, []im.UserID{"bob"})), list("bob 0"))
	same(t, "blocked by the user", w.add(lim, "alice", "bob"), list("bob 30515"))
	if err := w.store.SaveProfile(ctx, key("alice"), map[string]string{im.TagForbid: im.ForbidAdding}); err != nil {
		t.Fatal(err)
	}
	same(t, "forbidden", w.add(lim, "alice", "bob"), list("bob 30009"))
	same(t, "by a back end", w.codes(w.Add(ctx, admin("alice"), lim, friend.BothWays, adding("bob"))), list("bob 30515"))
	same(t, "missing", w.add(lim, "alice", "ghost"), list("ghost 30003"))
	same(t, "oneself", w.add(lim, "alice", "alice"), list("alice 30001"))
	_, err := w.Add(ctx, as("ghost"), lim, friend.BothWays, adding("bob"))
	refused(t, err, im.CodeFriendNoAccount)
}

func TestFR4_FR18_TextsOfAnItemAreBounded(t *testing.T) {
	w := newWorld(t, "alice", "bob")
	good := friend.Adding{
		User: "bob", Source: "Abcdefgh", Remark: strings.Repeat("é", 48), Wording: strings.Repeat("w", 256), Group: strings.Repeat("g", 30),
	}
	for name, spoil := range map[string]func(*friend.Adding){
		"remark":         func(a *friend.Adding) { a.Remark += "x" },
		"wording":        func(a *friend.Adding) { a.Wording += "x" },
		"group":          func(a *friend.Adding) { a.Group += "x" },
		"long source":    func(a *friend.Adding) { a.Source += "i" },
		"no source":      func(a *friend.Adding) { a.Source = "" },
		"digits":         func(a *friend.Adding) { a.Source = "Web2" },
		"no letters":     func(a *friend.Adding) { a.Source = "Wéb" },
		"oneself":        func(a *friend.Adding) { a.User = "alice" },
		"oneself, short": func(a *friend.Adding) { *a = friend.Adding{User: "alice", Source: "Web"} },
	} {
		item := good
		spoil(&item)
		got := w.codes(w.Add(t.Context(), as("alice"), limits(), friend.BothWays, []friend.Adding{item}))
		same(t, name, got, list(string(item.User)+" 30001"))
	}
	same(t, "edges", w.edges("alice", "bob"), nil)
	got := w.codes(w.Add(t.Context(), as("alice"), limits(), friend.BothWays, []friend.Adding{good}))
	same(t, "at the edge", got, list("bob 0"))
	some, err := w.Some(t.Context(), key("alice"), limits(), []im.UserID{"bob", "ghost"})
	if err != nil || len(some) != 2 || some[1].Found {
		t.Fatal(some, err)
	}
	f := some[0]
	same(t, "entry", []string{f.Remark, f.Wording, f.Source, f.GroupNames[0]}, list(good.Remark, good.Wording, good.Source, good.Group))
}

func TestFR18_OneCallNamesAThousandUsers(t *testing.T) {
	w := newWorld(t, "alice")
	users := make([]im.UserID, im.MaxRelationBatch+1)
	for i := range users {
		users[i] = im.UserID(fmt.Sprintf("u%d", i))
	}
	_, err := w.Add(t.Context(), as("alice"), limits(), friend.BothWays, adding(users...))
	refused(t, err, im.CodeFriendInvalid)
	_, err = w.Delete(t.Context(), as("alice"), friend.OneWay, users)
	refused(t, err, im.CodeFriendInvalid)
	_, err = w.Check(t.Context(), key("alice"), friend.OneWay, nil)
	refused(t, err, im.CodeFriendInvalid)
	results, err := w.Add(t.Context(), as("alice"), limits(), friend.BothWays, adding(users[1:]...))
	if err != nil || len(results) != im.MaxRelationBatch {
		t.Fatal(len(results), err)
	}
	for _, r := range results {
		if r.Refusal == nil || r.Refusal.Code != im.CodeFriendNoAccount {
			t.Fatalf("%s: %v", r.User, r.Refusal)
		}
	}
}

func TestFR5_RepeatsChangeNothing(t *testing.T) {
	w := newWorld(t, "alice", "bob", "carol")
	first := friend.Adding{User: "bob", Source: "Web", Remark: "B"}
	again := friend.Adding{User: "bob", Source: "App", Remark: "C"}
	got := w.codes(w.Add(t.Context(), as("alice"), limits(), friend.BothWays, []friend.Adding{first, again}))
	same(t, "twice in a call", got, list("bob 0"))
	w.told()
	w.did()
	got = w.codes(w.Add(t.Context(), as("alice"), limits(), friend.BothWays, []friend.Adding{again}))
	same(t, "twice", got, list("bob 0"))
	same(t, "told", w.told(), nil)
	same(t, "done", w.did(), nil)
	some, err := w.Some(t.Context(), key("alice"), limits(), []im.UserID{"bob"})
	if err != nil || some[0].Remark != "B" || some[0].Source != "Web" {
		t.Error(some, err)
	}
	same(t, "applied", w.add(confirming(), "alice", "carol"), list("carol 30539"))
	same(t, "applied again", w.add(confirming(), "alice", "carol"), list("carol 30539"))
	same(t, "carol's", w.inbox("carol"), list("from alice!"))
}

func TestFR5_WhoIsAskedAndAddsTheOtherAgrees(t *testing.T) {
	w := newWorld(t, "alice", "bob")
	same(t, "applied", w.add(confirming(), "alice", "bob"), list("bob 30539"))
	w.told()
	same(t, "added", w.add(confirming(), "bob", "alice"), list("alice 0"))
	same(t, "edges", w.edges("alice", "bob"), list("alice-bob", "bob-alice"))
	same(t, "alice's", w.inbox("alice"), nil)
	same(t, "bob's", w.inbox("bob"), nil)
	same(t, "told", w.told(), list("bob: added alice", "alice: added bob"))
}

// TestFR5_FR14_ConcurrentAddsInBothDirections: two who add each other at once
// are friends, whoever was first, and nothing waits for an answer.
func TestFR5_FR14_ConcurrentAddsInBothDirections(t *testing.T) {
	const pairs = 40
	w := newWorld(t)
	var calls sync.WaitGroup
	for i := range pairs {
		a, b := im.UserID(fmt.Sprintf("a%d", i)), im.UserID(fmt.Sprintf("b%d", i))
		w.register(a, b)
		for _, p := range [][2]im.UserID{{a, b}, {b, a}} {
			calls.Go(func() {
				if _, err := w.Add(t.Context(), as(p[0]), confirming(), friend.BothWays, adding(p[1])); err != nil {
					t.Error(err)
				}
			})
		}
	}
	calls.Wait()
	for i := range pairs {
		a, b := im.UserID(fmt.Sprintf("a%d", i)), im.UserID(fmt.Sprintf("b%d", i))
		if got := w.edges(a, b); len(got) != 2 {
			t.Errorf("%v", got)
		}
		same(t, "inbox", append(w.inbox(a), w.inbox(b)...), nil)
	}
}

// TestFR18_LimitsAreExactUnderConcurrency: a hundred add one user who has room
// for ten.
func TestFR18_LimitsAreExactUnderConcurrency(t *testing.T) {
	w := newWorld(t, "star")
	lim := limits()
	lim.Friends = 10
	var calls sync.WaitGroup
	var mu sync.Mutex
	codes := map[string]int{}
	for i := range 100 {
		u := im.UserID(fmt.Sprintf("u%d", i))
		w.register(u)
		calls.Go(func() {
			results, err := w.Add(t.Context(), as(u), lim, friend.BothWays, adding("star"))
			mu.Lock()
			defer mu.Unlock()
			for _, c := range w.codes(results, err) {
				codes[c]++
			}
		})
	}
	calls.Wait()
	same(t, "codes", codes, map[string]int{"star 0": 10, "star 30014": 90})
	if got := w.edges("star"); len(got) != 10 {
		t.Errorf("star has %d friends", len(got))
	}
}

func TestFR6_ImportAsksNobody(t *testing.T) {
	w := newWorld(t, "alice", "bob", "carol")
	items := []friend.Importing{
		{
			Adding: friend.Adding{User: "bob", Source: "Old", Remark: "B"}, Groups: []string{"One", "Two"}, Added: 7,
			Custom: []im.Field{{Tag: "Team", Value: "red"}, {Tag: "Level", Value: int64(3)}},
		},
		{Adding: friend.Adding{User: "carol", Source: "Old"}, Custom: []im.Field{{Tag: "Other", Value: "x"}}},
		{Adding: friend.Adding{User: "ghost", Source: "Old"}},
		{Adding: friend.Adding{User: "alice", Source: "Old"}},
	}
	got := w.codes(w.Import(t.Context(), admin("alice"), confirming(), items))
	same(t, "codes", got, list("bob 0", "carol 30001", "ghost 30003", "alice 30001"))
	same(t, "edges", w.edges("alice", "bob"), list("alice-bob"))
	same(t, "done", w.did(), nil)
	some, err := w.Some(t.Context(), key("alice"), limits(), []im.UserID{"bob"})
	if err != nil {
		t.Fatal(err)
	}
	f := some[0]
	same(t, "groups", f.GroupNames, list("One", "Two"))
	same(t, "fields", f.Fields, []im.Field{{Tag: "Level", Value: int64(3)}, {Tag: "Team", Value: "red"}})
	same(t, "time", f.Added, int64(7))
}

func TestHooksMayRefuseBefore(t *testing.T) {
	w := newWorld(t, "alice", "bob", "carol")
	w.refuse["bob"] = im.Errorf(38001, "not in your class")
	got := w.codes(w.Add(t.Context(), as("alice"), limits(), friend.BothWays, adding("bob", "carol")))
	same(t, "codes", got, list("bob 38001", "carol 0"))
	got = w.codes(w.Add(t.Context(), admin("alice"), limits(), friend.BothWays, adding("bob")))
	same(t, "a back end is not asked", got, list("bob 0"))
	same(t, "asked", w.asked, 1)
}
