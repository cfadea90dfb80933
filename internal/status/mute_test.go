package status

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Muted, an application's users hear of nobody but themselves; afterwards they
// are told how those stand whom they watch, however often those changed.
func TestST10_MutedApplication(t *testing.T) {
	world(t, func(t *testing.T, _ *fakeStore, e *Engine) {
		_, alice := login(t, e, "alice", 1, im.Web)
		_, bob := login(t, e, "bob", 2, im.Web)
		if _, err := e.Subscribe(t.Context(), key("alice"), []im.UserID{"bob", "carol"}, 200); err != nil {
			t.Fatal(err)
		}
		e.Mute(2)
		say := func(text string) {
			t.Helper()
			if err := e.SetCustom(t.Context(), key("bob"), text); err != nil {
				t.Fatal(err)
			}
		}
		say("one")
		if got := alice.heard(); !cmp.Equal(got, []string{"bob ONLINE one"}) {
			t.Errorf("another application's mute: %v", got)
		}
		e.Mute(1)
		own := len(bob.own)
		say("two")
		at, away := login(t, e, "alice", 3, im.Android)
		e.Leave(key("alice"), 3, at.Link, im.CauseBreak, 0)
		say("three")
		back := &fakeOut{}
		if _, err := e.Return(t.Context(), at.Session, back, nil); err != nil {
			t.Fatal(err)
		}
		for _, out := range []*fakeOut{alice, away, back} {
			if got := out.heard(); len(got) > 0 {
				t.Errorf("muted, told %v", got)
			}
		}
		if len(bob.own) != own+2 {
			t.Errorf("bob was told %d times of himself, want 2", len(bob.own)-own)
		}
		unmute(t, e)
		want := []string{"bob ONLINE three", "carol UNLOGINED"}
		for _, out := range []*fakeOut{alice, back} {
			if got := out.heard(); !cmp.Equal(got, want) {
				t.Errorf("afterwards told %v, want %v", got, want)
			}
		}
		say("four")
		if got := alice.heard(); !cmp.Equal(got, []string{"bob ONLINE four"}) {
			t.Errorf("then told %v", got)
		}
		if e.Unmute(1) {
			t.Error("a second unmute undid something")
		}
	})
}

// unmute ends a mute of the first application, as the gateway does.
func unmute(t *testing.T, e *Engine) {
	t.Helper()
	if !e.Unmute(1) {
		t.Error("it was not muted")
	}
	if err := e.Retell(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
}

// Who was away when the mute ended may have missed what changed before.
func TestST10_ReturnAfterAMute(t *testing.T) {
	world(t, func(t *testing.T, _ *fakeStore, e *Engine) {
		at, _ := login(t, e, "alice", 1, im.Web)
		login(t, e, "bob", 2, im.Web)
		if _, err := e.Subscribe(t.Context(), key("alice"), []im.UserID{"bob"}, 200); err != nil {
			t.Fatal(err)
		}
		e.Mute(1)
		if err := e.SetCustom(t.Context(), key("bob"), "unheard"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		e.Leave(key("alice"), 1, at.Link, im.CauseBreak, time.Now().UnixMilli())
		unmute(t, e)
		time.Sleep(time.Second)
		back := &fakeOut{}
		if _, err := e.Return(t.Context(), at.Session, back, nil); err != nil {
			t.Fatal(err)
		}
		if got := back.heard(); !cmp.Equal(got, []string{"bob ONLINE unheard"}) {
			t.Errorf("told %v", got)
		}
	})
}
