package server_test

import (
	"testing"
	"testing/synctest"

	"github.com/porchlight-im/porchlight/internal/testkit"
)

// inCircle runs a test in fake time on a server with friends and blocklists.
func inCircle(t *testing.T, test func(t *testing.T, s *testkit.Server, c *testkit.Circle)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := testkit.NewCircle()
		s := testkit.StartCircle(t, c)
		test(t, s, c)
		s.Stop()
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestST15_FriendsOverTheSocket(t *testing.T) {
	inCircle(t, func(t *testing.T, s *testkit.Server, c *testkit.Circle) {
		alice, bob := pair(t, s)
		must(t, c.Befriend(t.Context(), "alice", "bob"))
		bob.SetCustom("one")
		alice.Sees("bob ONLINE one")
		bob.Sees("bob ONLINE one")
		alice.SetCustom("mine")
		bob.SeesNothing()

		s.Set(map[string]any{"status.friend_notices": false})
		synctest.Wait()
		bob.SetCustom("two")
		alice.Sees("alice ONLINE mine")
		alice.SeesNothing()
		s.Restart()
		alice, bob = s.MustReturn(alice), s.MustReturn(bob)
		bob.SetCustom("three")
		alice.SeesNothing()
		s.Set(map[string]any{"status.friend_notices": true})
		synctest.Wait()
		bob.SetCustom("four")
		alice.Sees("bob ONLINE four")
		must(t, c.Unfriend(t.Context(), "alice", "bob"))
		bob.SetCustom("five")
		alice.SeesNothing()
	})
}

func TestST16_HidingOverTheSocket(t *testing.T) {
	inCircle(t, func(t *testing.T, s *testkit.Server, c *testkit.Circle) {
		alice, bob := pair(t, s)
		alice.Subscribe("bob")
		bob.SetCustom("one")
		alice.Sees("bob ONLINE one")
		must(t, c.Block(t.Context(), "bob", "alice"))
		alice.SeesNothing()
		s.Set(map[string]any{"status.hide_from_blocked": true})
		alice.Sees("bob UNLOGINED")
		bob.SetCustom("two")
		alice.SeesNothing()
		if got := alice.Query("bob")[0].String(); got != "bob UNLOGINED" {
			t.Errorf("a query says %s", got)
		}
		must(t, c.Unblock(t.Context(), "bob", "alice"))
		alice.Sees("bob ONLINE two")
		must(t, c.Block(t.Context(), "bob", "alice"))
		alice.Sees("bob UNLOGINED")
		s.Set(map[string]any{"status.hide_from_blocked": false})
		alice.Sees("bob ONLINE two")
	})
}
