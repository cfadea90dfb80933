package server_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store"
	"github.com/porchlight-im/porchlight/internal/testkit"
)

// Two hundred users change at once, three times each: a watcher ends with the
// last of each within two ticks and one more for each further hundred.
func TestST12_ST29_EveryoneChangesAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		alice := s.Login("alice")
		alice.Sees("alice ONLINE")
		users := make([]*testkit.Client, 200)
		names := make([]string, len(users))
		for i := range users {
			names[i] = fmt.Sprintf("u%d", i)
			users[i] = s.Login(im.UserID(names[i]))
		}
		alice.Subscribe(names[:100]...)
		alice.Subscribe(names[100:]...)
		var answers []<-chan testkit.Answer
		for n := range 3 {
			for _, u := range users {
				body := map[string]any{"CustomStatus": fmt.Sprint(n)}
				answers = append(answers, u.Send(u.Head("im_open_status.ws_set_custom_status", u.NextSeq()), body))
			}
		}
		for _, a := range answers {
			<-a
		}
		at := time.Now()
		time.Sleep(600 * time.Millisecond)
		synctest.Wait()
		last := map[string]string{}
		for _, f := range alice.Pushed() {
			list := alice.StatusesOf(f)
			if len(list) > 100 {
				t.Errorf("%d statuses in a frame", len(list))
			}
			for _, status := range list {
				if last[status.User] == status.Custom {
					t.Errorf("%s was told twice", status)
				}
				last[status.User] = status.Custom
			}
		}
		for _, name := range names {
			if last[name] != "2" {
				t.Fatalf("%s after the last change %s ends as %q", time.Since(at), name, last[name])
			}
		}
	})
}

// A query of oneself is free; with another in it, it is not.
func TestST34_QueryOfOneselfIsFree(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		alice, _ := pair(t, s)
		for range 50 {
			alice.Query("alice")
			alice.Query("alice", "alice")
		}
		const get = "im_open_status.ws_get_user_status"
		for name, want := range map[string]int{"status.on": 72001, "status.edition": 7013} {
			s.Set(map[string]any{name: false})
			if got := alice.Query("alice")[0].String(); got != "alice ONLINE" {
				t.Errorf("%s off: %s", name, got)
			}
			if a := alice.Call(get, map[string]any{"To_Account": []string{"alice", "bob"}}); a.Code != want {
				t.Errorf("%s off: %d for others, want %d", name, a.Code, want)
			}
			s.Set(map[string]any{name: true})
		}
	})
}

// The switch is off, and the edition has no status: a user's own devices hear all
// the same.
func TestST23_OwnDevicesHearAlways(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		s.Set(map[string]any{"status.on": false, "status.edition": false})
		alice := s.Login("alice")
		alice.Sees("alice ONLINE")
		phone := s.Connect("alice")
		phone.Platform = 2
		phone.MustLogin()
		phone.SetCustom("mine")
		alice.Sees("alice ONLINE mine")
		phone.Sees("alice ONLINE mine")
	})
}

// Bad lists: each entry is judged by itself, on every command that takes one, and
// the 21st call of each kind is refused with nothing done.
func TestST5_ST6_ST8_ST9_ST28_BadLists(t *testing.T) {
	other := testkit.DevApp(nil)
	other.ID = 1400000002
	s := testkit.StartApps(t, testkit.DevApp(nil), other)
	alice, bob := pair(t, s)
	s.Dev.SDKAppID = other.ID
	s.Login("stranger")
	s.Dev.SDKAppID = 1400000001
	long := strings.Repeat("x", 33)
	list := []string{"bob", "", "bob", long, "alice", "stranger", "bo b", "BOB", "bob"}
	failed := func(command string, users ...string) string {
		t.Helper()
		a := alice.Must("im_open_status."+command, map[string]any{"To_Account": users})
		return testkit.Failures(alice, a)
	}
	bad := `"" 7003, ` + long + ` 7003`
	if got, want := failed("ws_get_user_status", list...), bad+`, stranger 70107, "bo b" 7003, BOB 70107`; got != want {
		t.Errorf("query:\n got %s\nwant %s", got, want)
	}
	if got, want := failed("ws_status_subscribe", list...), bad+`, alice 70402, stranger 70107, "bo b" 7003, BOB 70107`; got != want {
		t.Errorf("subscribe:\n got %s\nwant %s", got, want)
	}
	bob.SetCustom("heard")
	alice.Sees("bob ONLINE heard")
	if got, want := failed("ws_status_unsubscribe", list...), bad+`, "bo b" 7003`; got != want {
		t.Errorf("unsubscribe:\n got %s\nwant %s", got, want)
	}
	bob.SetCustom("unheard")
	alice.SeesNothing()
	for _, command := range []string{"ws_get_user_status", "ws_status_subscribe", "ws_status_unsubscribe"} {
		for n := 2; n <= 21; n++ {
			a := alice.Call("im_open_status."+command, map[string]any{"To_Account": []string{"bob"}})
			if want := map[bool]int{true: 7008}[n == 21]; a.Code != want {
				t.Errorf("%s: call %d: %d, want %d", command, n, a.Code, want)
			}
		}
		if command == "ws_status_subscribe" {
			bob.SetCustom("heard again")
			alice.Sees("bob ONLINE heard again")
		}
	}
}

// cut has a client send a command and the process die some milliseconds later;
// it gives what the store holds then of the user's sessions and marks.
func cut(t *testing.T, after time.Duration, send func(*testkit.Server) *testkit.Client) (row im.UserRow, live bool) {
	t.Helper()
	bubble(t, func(t *testing.T, s *testkit.Server) {
		c := send(s)
		time.Sleep(after)
		s.CrashFor(0)
		c.Break()
		s.Stop()
		key := im.UserKey{App: s.Dev.SDKAppID, User: "bob"}
		s.OnStore(func(ctx context.Context, st *store.Store) (err error) {
			if row, err = st.User(ctx, key); err != nil {
				return err
			}
			return st.Live(ctx, 0, func(r im.LiveRow) error {
				for _, m := range r.Marks {
					live = live || r.User == key && m.State == im.MarkLive
				}
				return nil
			})
		})
	})
	return row, live
}

// A login that the end of the process cuts anywhere has happened as a whole or
// not at all, and so has a logout.
func TestSE17_CutAnywhere(t *testing.T) {
	var logins, logouts [2]int
	for _, after := range []time.Duration{0, 1, 6} {
		row, live := cut(t, after*time.Millisecond, func(s *testkit.Server) *testkit.Client {
			bob := s.Connect("bob")
			bob.Send(loginHead(s, bob, 7), struct{}{})
			return bob
		})
		if whole := len(row.Sessions) == 1; row.Found != whole || live != whole {
			t.Errorf("a login, cut after %s: found %v, live %v, sessions %v", after, row.Found, live, row.Sessions)
		}
		logins[len(row.Sessions)]++
		row, live = cut(t, after*time.Millisecond, func(s *testkit.Server) *testkit.Client {
			bob := s.Login("bob")
			bob.Send(bob.Head("im_open_status.wslogout", 8), struct{}{})
			return bob
		})
		open := 0
		if len(row.Sessions) == 1 && row.Sessions[0].Closed == 0 {
			open = 1
		}
		if live != (open == 1) {
			t.Errorf("a logout, cut after %s: live %v, sessions %v", after, live, row.Sessions)
		}
		logouts[open]++
	}
	if logins[0]*logins[1]*logouts[0]*logouts[1] == 0 {
		t.Errorf("nothing was cut: logins %v, logouts %v", logins, logouts)
	}
}

// Every byte that a userID may hold is safe in every place, and no two userIDs
// are one.
func TestSE18_EveryByteOfAUserID(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		var names []string
		for b := byte(0x21); b <= 0x7e; b++ {
			names = append(names, string(b))
		}
		names = append(names, "..", "a'b", `a"b`, "a%00", "%s", "null", "A", "a", "<b>", "$1", strings.Repeat("~", 32))
		watcher := s.Login("watcher")
		clients := make(map[string]*testkit.Client)
		for i, name := range names {
			if clients[name] == nil {
				clients[name] = s.Login(im.UserID(name))
			}
			if i%100 == 99 {
				time.Sleep(time.Second)
			}
		}
		watcher.Subscribe(names[:50]...)
		watcher.Subscribe(names[50:]...)
		for name, c := range clients {
			c.SetCustom(name)
		}
		s.Restart()
		watcher = s.MustReturn(watcher)
		seen := map[string]string{}
		for name := range clients {
			for _, status := range watcher.Query(name) {
				seen[status.User] = status.Custom
			}
			time.Sleep(time.Second)
		}
		for name := range clients {
			if seen[name] != name && seen[name] != "" { // "" after the grace of the restart
				t.Errorf("%q says %q", name, seen[name])
			}
		}
		if len(seen) != len(clients) {
			t.Errorf("%d users were found, want %d", len(seen), len(clients))
		}
	}, "grace.node=10m")
}
