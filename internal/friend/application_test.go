package friend_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/porchlight-im/porchlight/internal/friend"
	"github.com/porchlight-im/porchlight/internal/im"
)

// asked gives a world in which alice has asked bob, with a remark and a group.
func asked(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, "alice", "bob")
	item := friend.Adding{User: "bob", Source: "Web", Wording: "hi", Remark: "Bobby", Group: "Pals"}
	got := w.codes(w.Add(t.Context(), as("alice"), confirming(), friend.BothWays, []friend.Adding{item}))
	same(t, "asked", got, list("bob 30539"))
	w.told()
	return w
}

func answer(u im.UserID, a friend.Action) []friend.Answer {
	return []friend.Answer{{User: u, Action: a, Remark: "Ally", Group: "Mates"}}
}

func TestFR3_AnApplicationIsAccepted(t *testing.T) {
	w := asked(t)
	same(t, "codes", w.codes(w.Respond(t.Context(), as("bob"), limits(), answer("alice", friend.AgreeAndAdd))), list("alice 0"))
	same(t, "edges", w.edges("alice", "bob"), list("alice-bob", "bob-alice"))
	same(t, "inboxes", append(w.inbox("alice"), w.inbox("bob")...), nil)
	same(t, "told", w.told(), list("alice: added bob", "bob: added alice"))
	same(t, "done", w.did(), list("accept alice-bob bob-alice by alice"))
	for u, want := range map[im.UserID][]string{"alice": {"bob", "Bobby", "Pals", "hi"}, "bob": {"alice", "Ally", "Mates", "hi"}} {
		page, err := w.Friends(t.Context(), key(u), limits(), 0)
		if err != nil || len(page.Friends) != 1 {
			t.Fatal(page, err)
		}
		f := page.Friends[0]
		same(t, string(u), append([]string{string(f.User), f.Remark}, append(f.GroupNames, f.Wording)...), want)
	}
	same(t, "again", w.codes(w.Respond(t.Context(), as("bob"), limits(), answer("alice", friend.Agree))), list("alice 30614"))
}

func TestFR3_AnApplicationIsAcceptedOneWay(t *testing.T) {
	w := asked(t)
	same(t, "codes", w.codes(w.Respond(t.Context(), as("bob"), limits(), answer("alice", friend.Agree))), list("alice 0"))
	same(t, "edges", w.edges("alice", "bob"), list("alice-bob"))
	same(t, "told", w.told(), list("alice: added bob", "bob: withdrawn alice"))
}

func TestFR3_AnApplicationIsRefused(t *testing.T) {
	w := asked(t)
	same(t, "codes", w.codes(w.Respond(t.Context(), as("bob"), limits(), answer("alice", friend.Reject))), list("alice 0"))
	same(t, "edges", w.edges("alice", "bob"), nil)
	same(t, "inboxes", append(w.inbox("alice"), w.inbox("bob")...), nil)
	same(t, "told", w.told(), list("bob: withdrawn alice", "alice: withdrawn bob"))
	same(t, "done", w.did(), nil)
}

func TestFR3_FR18_AcceptingHeedsTheLimits(t *testing.T) {
	w := asked(t)
	w.register("carol")
	none := limits()
	none.Friends = 0
	same(t, "the applicant is full", w.codes(w.Respond(t.Context(), as("bob"), none, answer("alice", friend.Agree))), list("alice 30014"))
	same(t, "the user is full", w.codes(w.Respond(t.Context(), as("bob"), none, answer("alice", friend.AgreeAndAdd))), list("alice 30010"))
	same(t, "the application stays", w.inbox("bob"), list("from alice!"))
	same(t, "nobody asked", w.codes(w.Respond(t.Context(), as("bob"), limits(), answer("carol", friend.Agree))), list("carol 30614"))
	w.refuse["alice"] = im.Errorf(38002, "no")
	same(t, "hook", w.codes(w.Respond(t.Context(), as("bob"), limits(), answer("alice", friend.Agree))), list("alice 38002"))
}

func TestFR7_ApplicationsAreSeen(t *testing.T) {
	w := asked(t)
	w.register("carol")
	if err := w.SeeApplications(t.Context(), as("bob"), w.now.Unix()-1); err != nil {
		t.Fatal(err)
	}
	same(t, "too early", w.inbox("bob"), list("from alice!"))
	if err := w.SeeApplications(t.Context(), as("bob"), 0); err != nil {
		t.Fatal(err)
	}
	same(t, "seen", w.inbox("bob"), list("from alice"))
	same(t, "told", w.told(), list("bob: seen", "bob: seen"))
	w.now = w.now.Add(time.Second)
	same(t, "another", w.add(confirming(), "carol", "bob"), list("bob 30539"))
	same(t, "new", w.inbox("bob"), list("from carol!", "from alice"))
	same(t, "alice asks again", w.add(confirming(), "alice", "bob"), list("bob 30539"))
	same(t, "new again", w.inbox("bob"), list("from alice!", "from carol!"))
}

func TestFR7_DeletingIsOfOnesOwnList(t *testing.T) {
	w := asked(t)
	drop := func(u im.UserID, which friend.Direction, peer im.UserID) []string {
		return w.codes(w.DropApplications(t.Context(), as(u), which, []im.UserID{peer}))
	}
	same(t, "other direction", drop("bob", friend.Outgoing, "alice"), list("alice 31804"))
	same(t, "deleted", drop("bob", friend.EitherWay, "alice"), list("alice 0"))
	same(t, "told", w.told(), list("bob: withdrawn alice"))
	same(t, "bob's", w.inbox("bob"), nil)
	same(t, "alice's", w.inbox("alice"), list("to bob"))
	same(t, "again", drop("bob", friend.Incoming, "alice"), list("alice 31804"))
	same(t, "it cannot be accepted", w.codes(w.Respond(t.Context(), as("bob"), limits(), answer("alice", friend.Agree))), list("alice 30614"))
	same(t, "alice's goes", drop("alice", friend.Outgoing, "bob"), list("bob 0"))
}

func TestFR7_FR18_TheOldestMakeRoom(t *testing.T) {
	w := newWorld(t, "bob")
	lim := confirming()
	lim.Applications = 3
	for i := range 5 {
		u := im.UserID(fmt.Sprintf("u%d", i))
		w.register(u)
		w.now = w.now.Add(time.Second)
		same(t, "asked", w.add(lim, u, "bob"), list("bob 30539"))
	}
	same(t, "bob's", w.inbox("bob"), list("from u4!", "from u3!", "from u2!"))
	same(t, "u0's", w.inbox("u0"), list("to bob"))
}
