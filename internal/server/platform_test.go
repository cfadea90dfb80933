package server_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-im/porchlight/internal/testkit"
)

// onPlatform is a platform as the number in the head tells it.
type onPlatform struct {
	name   string
	number int
	native bool // silent for 400 s before it is lost
	push   bool // reachable by push for seven days after it was lost
}

var everyPlatform = []onPlatform{
	{"web", 7, false, false},
	{"mini program", 10, false, false},
	{"a number of nobody", 99, false, false},
	{"windows", 1, true, false},
	{"linux", 6, true, false},
	{"android", 2, true, true},
	{"iphone", 3, true, true},
	{"ipad", 13, true, true},
	{"mac", 4, true, true},
}

// lost gives what a user is who was lost there.
func (p onPlatform) lost() string {
	if p.push {
		return "OFFLINE"
	}
	return "UNLOGINED"
}

func (p onPlatform) dead() time.Duration {
	if p.native {
		return 400 * time.Second
	}
	return 60 * time.Second
}

// TestST1_ST19_ST25_SE9_EveryPlatformEveryEnd has one device of each platform
// end in each way there is, while another user watches, and stay away after a
// loss for as long as push reaches it.
func TestST1_ST19_ST25_SE9_EveryPlatformEveryEnd(t *testing.T) {
	for _, p := range everyPlatform {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, s *testkit.Server) {
				everyEnd(t, s, p)
				if p.push || p.name == "web" {
					reachableForAWeek(t, s, p)
				}
			})
		})
	}
}

// background is how long a client says nothing by itself.
const background = 3 * time.Minute

func everyEnd(t *testing.T, s *testkit.Server, p onPlatform) {
	t.Helper()
	alice := s.Login("alice")
	alice.Sees("alice ONLINE")
	s.Login("bob").Close(1001) // bob is known now
	alice.Subscribe("bob")
	for _, end := range []struct {
		name  string
		do    func(bob *testkit.Client)
		after time.Duration
		want  string
	}{
		{"a close frame", func(bob *testkit.Client) { bob.Close(1001) }, 0, p.lost()},
		{"a crash", (*testkit.Client).Break, 5 * time.Second, p.lost()},
		{"silence", silence, p.dead(), p.lost()},
		{"logout", logOut, 0, "UNLOGINED"},
		{"a kick", func(*testkit.Client) { s.Kick("bob") }, 0, "UNLOGINED"},
		{"expiry", func(*testkit.Client) {}, background, "UNLOGINED"},
	} {
		time.Sleep(2 * time.Second) // a UserSig of the second of a kick is dead, and notices have a pace
		bob := s.Connect("bob")
		bob.Platform = p.number
		life := time.Hour
		if end.name == "expiry" {
			life = 2 * background
		}
		if a := bob.TryLogin(s.UserSigFor("bob", time.Now(), life)); a.Code != 0 {
			t.Fatal(a.Info)
		}
		alice.Sees("bob ONLINE")
		time.Sleep(background) // answering pings
		alice.SeesNothing()
		at := time.Now()
		end.do(bob)
		alice.Sees("bob " + end.want)
		if late := time.Since(at) - end.after; late < -2*time.Second || late > 2*time.Second {
			t.Errorf("%s: seen after %s, want %s", end.name, time.Since(at), end.after)
		}
		if got := alice.Query("bob")[0].String(); got != "bob "+end.want {
			t.Errorf("%s: a query says %s, want %s", end.name, got, end.want)
		}
	}
	alice.Close(1001)
}

func silence(bob *testkit.Client) {
	bob.Must("heartbeat.alive", struct{}{})
	bob.Silence()
}

func logOut(c *testkit.Client) { c.Must("im_open_status.wslogout", map[string]any{"wslogout_type": 0}) }

// reachableForAWeek has a device that was lost stay away, over a restart and a
// kill.
func reachableForAWeek(t *testing.T, s *testkit.Server, p onPlatform) {
	t.Helper()
	bob := s.Connect("bob")
	bob.Platform = p.number
	bob.MustLogin()
	bob.Close(1001)
	at := time.Now()
	ask := func(after time.Duration, want string) {
		t.Helper()
		time.Sleep(time.Until(at.Add(after)))
		carol := s.Login("carol")
		defer carol.Close(1001)
		if got := carol.Query("bob")[0].String(); got != "bob "+want {
			t.Errorf("after %s bob is %s, want %s", after, got, want)
		}
	}
	const week = 7 * 24 * time.Hour
	ask(time.Minute, p.lost())
	s.RestartAfter(week / 2)
	ask(week/2+10*time.Minute, p.lost())
	s.CrashFor(week/2 - 20*time.Minute)
	ask(week-time.Minute, p.lost())
	ask(week+time.Minute, "UNLOGINED")
}

// A session's platform is that of its login, whatever a return says.
func TestST19_ReturnChangesNoPlatform(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		alice := s.Login("alice")
		alice.Sees("alice ONLINE")
		bob := s.Connect("bob")
		bob.Platform = 2
		bob.MustLogin()
		alice.Subscribe("bob")
		bob.Platform = 7
		again := s.MustReturn(bob)
		again.Close(1001)
		alice.Sees("bob OFFLINE")
	})
}

// A client may say of itself what it likes: the general status is not its to
// set, and UNKNOWN is told to nobody.
func TestST27_NobodySetsAGeneralStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testkit.Start(t)
		alice, bob := pair(t, s)
		alice.Subscribe("bob")
		for _, general := range []int{0, 2, 3, 99} {
			bob.Must("im_open_status.ws_set_custom_status", map[string]any{
				"CustomStatus": "x", "Status": general, "StatusType": general, "UserStatusType": general, "To_Account": "alice",
			})
		}
		alice.Sees("bob ONLINE x")
		head := bob.Head("im_open_status.wslogin", bob.NextSeq())
		bob.CallHead(head, map[string]any{"State": "Offline", "InstType": 3})
		for _, status := range alice.Query("bob", "alice") {
			if status.General != 1 {
				t.Errorf("a query says %s", status)
			}
		}
		alice.SeesNothing()
		s.Stop()
	})
}
