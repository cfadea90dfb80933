package friend_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/porchlight-im/porchlight/internal/friend"
	"github.com/porchlight-im/porchlight/internal/im"
)

// friends gives a world in which alice has some friends, and they have her.
func friends(t *testing.T, users ...im.UserID) *world {
	t.Helper()
	w := newWorld(t, append(users, "alice")...)
	w.codes(w.Add(t.Context(), as("alice"), limits(), friend.BothWays, adding(users...)))
	w.told()
	w.did()
	return w
}

func TestFR8_DeletingEndsOneSideOrBoth(t *testing.T) {
	w := friends(t, "bob", "carol", "dave")
	del := func(ways friend.Ways, users ...im.UserID) []string {
		return w.codes(w.Delete(t.Context(), as("alice"), ways, users))
	}
	same(t, "one", del(friend.OneWay, "bob", "ghost"), list("bob 0", "ghost 31704"))
	same(t, "both", del(friend.BothWays, "carol", "carol"), list("carol 0"))
	same(t, "edges", w.edges("alice", "bob", "carol", "dave"), list("alice-dave", "bob-alice", "dave-alice"))
	same(t, "told", w.told(), list("alice: removed bob", "alice: removed carol", "carol: removed alice"))
	same(t, "done", w.did(), list("delete alice-bob by alice", "delete alice-carol carol-alice by alice"))
	same(t, "not any more", del(friend.OneWay, "bob"), list("bob 31704"))
	same(t, "the other side", del(friend.BothWays, "bob"), list("bob 0"))
	same(t, "nothing left", del(friend.BothWays, "bob"), list("bob 31704"))
}

func TestFR8_AllAreDeleted(t *testing.T) {
	w := friends(t, "bob", "carol")
	if err := w.DeleteAll(t.Context(), admin("alice"), friend.OneWay); err != nil {
		t.Fatal(err)
	}
	same(t, "edges", w.edges("alice", "bob", "carol"), list("bob-alice", "carol-alice"))
	if err := w.DeleteAll(t.Context(), admin("bob"), friend.BothWays); err != nil {
		t.Fatal(err)
	}
	same(t, "edges", w.edges("alice", "bob", "carol"), list("carol-alice"))
	if err := w.DeleteAll(t.Context(), admin("bob"), friend.BothWays); err != nil {
		t.Error(err)
	}
	refused(t, w.DeleteAll(t.Context(), admin("ghost"), friend.OneWay), im.CodeFriendNoAccount)
}

func TestFR9_FR17_Checking(t *testing.T) {
	w := newWorld(t, "alice", "both", "mine", "theirs", "none")
	add := func(from, to im.UserID) {
		same(t, "add", w.codes(w.Add(t.Context(), as(from), limits(), friend.OneWay, adding(to))), list(string(to)+" 0"))
	}
	for _, p := range [][2]im.UserID{{"alice", "both"}, {"both", "alice"}, {"alice", "mine"}, {"theirs", "alice"}} {
		add(p[0], p[1])
	}
	users := []im.UserID{"both", "mine", "theirs", "none", "alice", "ghost"}
	words := func(found []friend.Checked, err error) (words []string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range found {
			word := []string{"nothing", "AWithB", "BWithA", "both"}[c.Relation]
			if c.Refusal != nil {
				word += fmt.Sprint(" ", int(c.Refusal.Code))
			}
			words = append(words, word)
		}
		return words
	}
	same(t, "both ways", words(w.Check(t.Context(), key("alice"), friend.BothWays, users)),
		list("both", "AWithB", "BWithA", "nothing", "nothing", "nothing 30003"))
	same(t, "one way", words(w.Check(t.Context(), key("alice"), friend.OneWay, users)),
		list("AWithB", "AWithB", "nothing", "nothing", "nothing", "nothing 30003"))
	for _, p := range [][2]im.UserID{{"alice", "both"}, {"both", "alice"}, {"alice", "mine"}, {"theirs", "alice"}} {
		same(t, "block", w.codes(w.Block(t.Context(), as(p[0]), limits(), []im.UserID{p[1]})), list(string(p[1])+" 0"))
	}
	same(t, "blocks", words(w.CheckBlocks(t.Context(), key("alice"), friend.BothWays, users)),
		list("both", "AWithB", "BWithA", "nothing", "nothing", "nothing 30003"))
	_, err := w.Check(t.Context(), key("ghost"), friend.OneWay, users)
	refused(t, err, im.CodeFriendNoAccount)
}

func TestFR10_EntriesAreUpdated(t *testing.T) {
	w := friends(t, "bob", "carol")
	text := func(s string) *string { return &s }
	update := func(items ...friend.Updating) []string {
		return w.codes(w.Update(t.Context(), as("alice"), limits(), items))
	}
	first := friend.Updating{
		User: "bob", Remark: text("Б"), Groups: []string{"One", "Two"},
		Custom: []im.Field{{Tag: "Team", Value: "red"}, {Tag: "Level", Value: int64(1)}},
	}
	same(t, "codes", update(first, friend.Updating{User: "ghost", Remark: text("x")}), list("bob 0", "ghost 30001"))
	same(t, "told", w.told(), list("alice: updated bob"))
	same(t, "again", update(first), list("bob 0"))
	same(t, "nothing is new", w.told(), nil)
	same(t, "regrouped", update(friend.Updating{User: "bob", Groups: []string{"Two"}}), list("bob 0"))
	same(t, "one field", update(friend.Updating{User: "bob", Custom: []im.Field{{Tag: "Level", Value: int64(2)}}}), list("bob 0"))
	some, err := w.Some(t.Context(), key("alice"), limits(), []im.UserID{"bob"})
	if err != nil {
		t.Fatal(err)
	}
	f := some[0]
	same(t, "remark and groups", append(f.GroupNames, f.Remark), list("Two", "Б"))
	same(t, "fields", f.Fields, []im.Field{{Tag: "Level", Value: int64(2)}, {Tag: "Team", Value: "red"}})
	page, err := w.Friends(t.Context(), key("alice"), limits(), 0)
	if err != nil || page.CustomSeq != 3 || page.Seq != 5 {
		t.Error(page, err)
	}
}

func TestFR10_FR18_UpdatesAreJudged(t *testing.T) {
	w := friends(t, "bob")
	text := func(s string) *string { return &s }
	for name, u := range map[string]friend.Updating{
		"long remark":       {Remark: text(strings.Repeat("r", 97))},
		"long group":        {Groups: []string{strings.Repeat("g", 31)}},
		"no group":          {Groups: []string{""}},
		"undeclared":        {Custom: []im.Field{{Tag: "Other", Value: "x"}}},
		"another case":      {Custom: []im.Field{{Tag: "team", Value: "x"}}},
		"no name":           {Custom: []im.Field{{Tag: "", Value: "x"}}},
		"number for a text": {Custom: []im.Field{{Tag: "Team", Value: int64(1)}}},
		"text for a number": {Custom: []im.Field{{Tag: "Level", Value: "1"}}},
		"below zero":        {Custom: []im.Field{{Tag: "Level", Value: int64(-1)}}},
		"neither":           {Custom: []im.Field{{Tag: "Team", Value: nil}}},
		"long field":        {Custom: []im.Field{{Tag: "Team", Value: strings.Repeat("f", 501)}}},
		"wrong at the edge": {Wrong: im.Errorf(im.CodeFriendInvalid, "no")},
		"one of them wrong": {Remark: text("fine"), Custom: []im.Field{{Tag: "Other", Value: "x"}}},
	} {
		u.User = "bob"
		same(t, name, w.codes(w.Update(t.Context(), as("alice"), limits(), []friend.Updating{u})), list("bob 30001"))
	}
	some, err := w.Some(t.Context(), key("alice"), limits(), []im.UserID{"bob"})
	if err != nil || some[0].Remark != "" {
		t.Error(some, err)
	}
	fits := friend.Updating{User: "bob", Remark: text(strings.Repeat("r", 96)), Custom: []im.Field{{Tag: "Team", Value: strings.Repeat("f", 500)}}}
	same(t, "at the edge", w.codes(w.Update(t.Context(), as("alice"), limits(), []friend.Updating{fits})), list("bob 0"))
}

// TestFR11_PagesHoldEveryFriendOnce, also while friends come and go.
func TestFR11_PagesHoldEveryFriendOnce(t *testing.T) {
	var users []im.UserID
	for i := range 250 {
		users = append(users, im.UserID(fmt.Sprintf("u%03d", i)))
	}
	w := friends(t, users...)
	w.register("late")
	var got []im.UserID
	for from, pages := int64(0), 0; ; {
		page, err := w.Friends(t.Context(), key("alice"), limits(), from)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range page.Friends {
			got = append(got, f.User)
		}
		if pages++; pages == 1 { // one that was read and one that was not go, and one comes
			same(t, "gone", w.codes(w.Delete(t.Context(), as("alice"), friend.OneWay, []im.UserID{"u005", "u150"})), list("u005 0", "u150 0"))
			same(t, "came", w.add(limits(), "alice", "late"), list("late 0"))
		}
		if from = page.Next; from == 0 {
			same(t, "pages and total", []int{pages, page.Total}, []int{3, 249})
			break
		}
	}
	want := slices.DeleteFunc(slices.Clone(users), func(u im.UserID) bool { return u == "u150" })
	same(t, "friends", got, append(want, "late"))
	_, err := w.Friends(t.Context(), key("ghost"), limits(), 0)
	refused(t, err, im.CodeFriendNoAccount)
}

func (w *world) groups(u im.UserID) []string {
	w.t.Helper()
	groups, _, err := w.Groups(w.t.Context(), key(u))
	if err != nil {
		w.t.Fatal(err)
	}
	var list []string
	for _, g := range groups {
		list = append(list, fmt.Sprint(g.Name, g.Users))
	}
	return list
}

func TestFR12_FR13_Groups(t *testing.T) {
	w := friends(t, "bob", "carol")
	ctx := t.Context()
	results, seq, err := w.MakeGroups(ctx, as("alice"), limits(), []string{"Fam", "Work"}, []im.UserID{"bob", "ghost"})
	same(t, "codes", w.codes(results, err), list("bob 0", "ghost 32216"))
	same(t, "sequence", seq, 2)
	results, _, err = w.MakeGroups(ctx, as("alice"), limits(), []string{"Work"}, []im.UserID{"carol"})
	same(t, "codes", w.codes(results, err), list("carol 0"))
	same(t, "groups", w.groups("alice"), list("Fam[bob]", "Work[bob carol]"))
	same(t, "told", w.told(), list("alice: updated bob", "alice: updated carol"))

	if err := w.RenameGroup(ctx, as("alice"), limits(), "Fam", "Семья"); err != nil {
		t.Fatal(err)
	}
	refused(t, w.RenameGroup(ctx, as("alice"), limits(), "Fam", "X"), im.CodeFriendInvalid)
	refused(t, w.RenameGroup(ctx, as("alice"), limits(), "Work", "Семья"), im.CodeFriendInvalid)
	refused(t, w.RenameGroup(ctx, as("alice"), limits(), "Work", strings.Repeat("x", 31)), im.CodeFriendInvalid)
	got := w.codes(w.Regroup(ctx, as("alice"), "Семья", []friend.Regrouping{{User: "carol"}, {User: "bob", Leave: true}, {User: "ghost"}}))
	same(t, "codes", got, list("carol 0", "bob 0", "ghost 32216"))
	same(t, "groups", w.groups("alice"), list("Семья[carol]", "Work[bob carol]"))
	_, err = w.Regroup(ctx, as("alice"), "Nobody's", []friend.Regrouping{{User: "bob"}})
	refused(t, err, im.CodeFriendInvalid)

	if _, err := w.DropGroups(ctx, as("alice"), []string{"Work", "Nobody's"}); err != nil {
		t.Fatal(err)
	}
	same(t, "groups", w.groups("alice"), list("Семья[carol]"))
	same(t, "friends stay", len(w.edges("alice")), 2)
	if _, _, err := w.MakeGroups(ctx, as("alice"), limits(), []string{"Work"}, nil); err != nil {
		t.Fatal(err)
	}
	same(t, "a new one is empty", w.groups("alice"), list("Семья[carol]", "Work[]"))
}

func TestFR12_FR18_GroupsAreLimited(t *testing.T) {
	w := friends(t, "bob")
	lim := limits()
	lim.Groups = 2
	build := func(groups ...string) error {
		_, _, err := w.MakeGroups(t.Context(), as("alice"), lim, groups, nil)
		return err
	}
	refused(t, build("a", "b", "c"), im.CodeFriendGroupsFull)
	refused(t, build(), im.CodeFriendInvalid)
	refused(t, build(""), im.CodeFriendInvalid)
	refused(t, build(strings.Repeat("x", 31)), im.CodeFriendInvalid)
	same(t, "none", w.groups("alice"), nil)
	if err := build("a", "b", "a"); err != nil {
		t.Fatal(err)
	}
	refused(t, build("c"), im.CodeFriendGroupsFull)
	if err := build("a"); err != nil {
		t.Error(err)
	}
	w.register("carol")
	item := []friend.Adding{{User: "carol", Source: "Web", Group: "c"}}
	same(t, "adding", w.codes(w.Add(t.Context(), as("alice"), lim, friend.BothWays, item)), list("carol 30011"))
	same(t, "edges", w.edges("carol"), nil)
}

func TestFR15_BlockingEndsFriendshipAndApplications(t *testing.T) {
	w := friends(t, "bob")
	w.register("carol")
	same(t, "carol asks", w.add(confirming(), "carol", "alice"), list("alice 30539"))
	w.told()
	got := w.codes(w.Block(t.Context(), as("alice"), limits(), []im.UserID{"bob", "carol", "ghost", "alice", "bob"}))
	same(t, "codes", got, list("bob 0", "carol 0", "ghost 30003", "alice 30001"))
	same(t, "edges", w.edges("alice", "bob"), nil)
	same(t, "inboxes", append(w.inbox("alice"), w.inbox("carol")...), nil)
	same(t, "told", w.told(), list(
		"alice: removed bob", "bob: removed alice", "alice: blocked bob", "alice: withdrawn carol", "carol: withdrawn alice", "alice: blocked carol"))
	same(t, "done", w.did(), list("delete alice-bob bob-alice by alice", "block alice-bob alice-carol by alice"))
	same(t, "again", w.codes(w.Block(t.Context(), as("alice"), limits(), []im.UserID{"bob"})), list("bob 30001"))
}

func TestFR15_FriendsMayBeKept(t *testing.T) {
	w := friends(t, "bob")
	lim := limits()
	lim.KeepFriends = true
	same(t, "codes", w.codes(w.Block(t.Context(), as("alice"), lim, []im.UserID{"bob"})), list("bob 0"))
	same(t, "edges", w.edges("alice", "bob"), list("alice-bob", "bob-alice"))
	same(t, "told", w.told(), list("alice: blocked bob"))
}

func TestFR15_FR16_FR18_BlocklistIsLimitedAndPaged(t *testing.T) {
	w := newWorld(t, "alice", "bob", "carol", "dave", "erin")
	lim := limits()
	lim.Blocked = 3
	block := func(users ...im.UserID) []string {
		return w.codes(w.Block(t.Context(), as("alice"), lim, users))
	}
	same(t, "block", block("bob", "carol"), list("bob 0", "carol 0"))
	same(t, "full", block("dave", "erin"), list("dave 0", "erin 30013"))
	pages := func() (users []string) {
		for from := int64(0); ; {
			p, err := w.Blocks(t.Context(), key("alice"), from, 2)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range p.Entries {
				users = append(users, string(b.User))
			}
			if from = p.Next; from == 0 {
				return users
			}
		}
	}
	same(t, "list", pages(), list("bob", "carol", "dave"))
	w.told()
	w.did()
	same(t, "unblock", w.codes(w.Unblock(t.Context(), as("alice"), []im.UserID{"carol", "erin", "ghost"})), list("carol 0", "erin 0", "ghost 0"))
	same(t, "told", w.told(), list("alice: unblocked carol"))
	same(t, "done", w.did(), list("unblock alice-carol by alice"))
	same(t, "room", block("erin"), list("erin 0"))
	same(t, "list", pages(), list("bob", "dave", "erin"))
	_, err := w.Blocks(t.Context(), key("ghost"), 0, 2)
	refused(t, err, im.CodeFriendNoAccount)
}
