package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store"
	"github.com/porchlight-im/porchlight/internal/testkit"
	"github.com/porchlight-im/porchlight/internal/usersig"
)

// Addresses of clients behind a proxy.
const (
	here  = "203.0.113.9"
	there = "198.51.100.7"
)

// wrong gives a UserSig that was made with another key.
func wrong(t *testing.T, s *testkit.Server, user im.UserID) string {
	t.Helper()
	sig, err := usersig.Mint(s.Dev.SDKAppID, user, "not the key of any application", time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// tries sends logins of a user with one UserSig, on a socket of its own, and
// checks that each is answered with the code.
func tries(t *testing.T, s *testkit.Server, user im.UserID, sig string, times int, want im.Code) {
	t.Helper()
	c := s.Connect(user)
	defer c.Break()
	for i := range times {
		if a := c.TryLogin(sig); a.Code != int(want) || a.Code != 0 && a.Info == "" {
			t.Fatalf("login %d of %d of %s: %d %q, want %d", i+1, times, user, a.Code, a.Info, want)
		}
		c.A2 = "" // the next one is a first login too
	}
}

// sleepUntil sleeps until so long after a start.
func sleepUntil(start time.Time, after time.Duration) { time.Sleep(time.Until(start.Add(after))) }

// metric checks the value of a metric.
func metric(t *testing.T, s *testkit.Server, name, want string) {
	t.Helper()
	if got := s.Metric(name); got != want {
		t.Errorf("%s is %q, want %q", name, got, want)
	}
}

// secondApp adds an application with the first one's key, or without any.
func secondApp(t *testing.T, s *testkit.Server, keys ...im.AppKey) im.AppID {
	t.Helper()
	other := testkit.DevApp(nil)
	other.ID, other.Keys = 1400000002, keys
	s.RestartWith(func(ctx context.Context, st *store.Store) error { return st.CreateApp(ctx, other) })
	return other.ID
}

func TestSE12_FailedVerificationsOfOneUser(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		first := s.Dev.SDKAppID
		other := secondApp(t, s, im.AppKey{ID: 1, Secret: s.Dev.SecretKey})
		near, far := s.Behind(here), s.Behind(there)
		start := time.Now()
		tries(t, near, "alice", wrong(t, s, "alice"), 10, im.CodeSigMismatch)
		tries(t, near, "alice", s.UserSig("alice"), 1, im.CodeOK) // which resets nothing
		sleepUntil(start, 59*time.Second)
		tries(t, near, "alice", wrong(t, s, "alice"), 10, im.CodeSigMismatch)

		tries(t, near, "alice", wrong(t, s, "alice"), 2, im.CodeTooManyChecks)
		tries(t, near, "alice", s.UserSig("alice"), 1, im.CodeTooManyChecks)
		metric(t, s, `porchlight_limited_total{limit="verifications"}`, "3")
		metric(t, s, `porchlight_logins_total{code="70050"}`, "3")
		tries(t, near, "bob", s.UserSig("bob"), 1, im.CodeOK)
		tries(t, far, "alice", s.UserSig("alice"), 1, im.CodeOK)
		tries(t, s, "alice", s.UserSig("alice"), 1, im.CodeOK)
		s.Dev.SDKAppID = other
		tries(t, near, "alice", s.UserSig("alice"), 1, im.CodeOK)
		s.Dev.SDKAppID = first

		sleepUntil(start, time.Minute-time.Millisecond)
		tries(t, near, "alice", s.UserSig("alice"), 1, im.CodeTooManyChecks)
		sleepUntil(start, time.Minute)
		tries(t, near, "alice", s.UserSig("alice"), 1, im.CodeOK)
		tries(t, near, "alice", wrong(t, s, "alice"), 20, im.CodeSigMismatch)
		tries(t, near, "alice", wrong(t, s, "alice"), 1, im.CodeTooManyChecks)
		time.Sleep(75 * time.Second)
		metric(t, s, "porchlight_limit_counts", "0")
	})
}

func TestSE12_SessionsComeBackWhileLoginsAreRefused(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		near := s.Behind(here)
		alice := near.Login("alice")
		tries(t, near, "alice", wrong(t, s, "alice"), 20, im.CodeSigMismatch)
		tries(t, near, "alice", s.UserSig("alice"), 1, im.CodeTooManyChecks)
		alice.Break()
		near.MustReturn(alice).Must("im_open_status.wslogout", struct{}{})
	})
}

func TestSE12_WhichFailuresCount(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		first := s.Dev.SDKAppID
		noKey := secondApp(t, s)
		otherApp, err := usersig.Mint(1400000099, "other-app", s.Dev.SecretKey, time.Now(), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		for user, c := range map[im.UserID]struct {
			app  im.AppID
			sig  string
			want im.Code
		}{
			"garbage":    {first, "garbage", im.CodeSigMalformed},
			"ahead":      {first, s.UserSigFor("ahead", time.Now().Add(time.Hour), time.Hour), im.CodeSigMalformed},
			"wrong-key":  {first, wrong(t, s, "wrong-key"), im.CodeSigMismatch},
			"expired":    {first, s.UserSigFor("expired", time.Now().Add(-2*time.Hour), time.Hour), im.CodeSigExpired},
			"other-user": {first, s.UserSig("bob"), im.CodeSigOtherUser},
			"other-app":  {first, otherApp, im.CodeSigOtherApp},
			"no-key":     {noKey, "", im.CodeNoKey},
		} {
			s.Dev.SDKAppID = c.app
			if c.want == im.CodeNoKey {
				c.sig = s.UserSig(user)
			}
			tries(t, s.Behind(here), user, c.sig, 20, c.want)
			tries(t, s.Behind(here), user, c.sig, 1, im.CodeTooManyChecks)
		}
		// What needs no verification does not count.
		s.Dev.SDKAppID = 1400000098
		tries(t, s.Behind(there), "alice", "garbage", 30, im.CodeNoApp)
		s.Dev.SDKAppID = first
		tries(t, s.Behind(there), "a b", "garbage", 30, im.CodeInvalidUserID)
		tries(t, s.Behind(there), "alice", s.UserSig("alice"), 1, im.CodeOK)
	})
}

func TestSE12_FloodOfLoginsFromOneAddress(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		first := s.Dev.SDKAppID
		other := secondApp(t, s, im.AppKey{ID: 1, Secret: s.Dev.SecretKey})
		bystander := s.Login("bystander")
		near := s.Behind(here)
		attacker := near.Connect("nobody")
		codes := map[int]int{}
		for i := range 250 {
			attacker.User = im.UserID(fmt.Sprintf("user%d", i))
			codes[attacker.TryLogin(wrong(t, s, attacker.User)).Code]++
		}
		if codes[int(im.CodeSigMismatch)] != 200 || codes[int(im.CodeTooManyChecks)] != 50 {
			t.Errorf("answers by code: %v, want 200 of 70009 and 50 of 70050", codes)
		}
		metric(t, s, `porchlight_limited_total{limit="verifications_peer"}`, "50")
		tries(t, near, "alice", s.UserSig("alice"), 1, im.CodeTooManyChecks)
		s.Dev.SDKAppID = other
		tries(t, near, "alice", s.UserSig("alice"), 1, im.CodeOK)
		s.Dev.SDKAppID = first
		for _, via := range []*testkit.Server{s.Behind(there), s} {
			tries(t, via, "alice", s.UserSig("alice"), 1, im.CodeOK)
			tries(t, via, "user0", s.UserSig("user0"), 1, im.CodeOK)
		}
		time.Sleep(time.Minute)
		tries(t, near, "alice", s.UserSig("alice"), 1, im.CodeOK)
		time.Sleep(75 * time.Second)
		metric(t, s, "porchlight_limit_counts", "0")
		metric(t, s, "porchlight_limit_evictions_total", "0")
		bystander.SetCustom("unaffected")
	}, "limits.command_burst=1000")
}

func TestSE11_SE12_WhoIsCountedTogether(t *testing.T) {
	for name, c := range map[string]struct {
		proxies string
		header  func(i int) []string
		want    im.Code // of a login after 20 failures of its user
	}{
		"one client, with lies of its own":    {"[127.0.0.0/8]", func(i int) []string { return []string{fmt.Sprintf("9.9.9.%d, %s", i, here)} }, im.CodeTooManyChecks},
		"one client, lies in another line":    {"[127.0.0.0/8]", func(i int) []string { return []string{fmt.Sprintf("9.9.9.%d", i), here} }, im.CodeTooManyChecks},
		"one client through two proxies":      {"[127.0.0.0/8, 10.0.0.0/8]", func(i int) []string { return []string{fmt.Sprintf("%s, 10.0.0.%d", here, i)} }, im.CodeTooManyChecks},
		"one client on many ports":            {"[127.0.0.0/8]", func(i int) []string { return []string{fmt.Sprintf("%s:%d", here, 1000+i)} }, im.CodeTooManyChecks},
		"one network of IPv6":                 {"[127.0.0.0/8]", func(i int) []string { return []string{fmt.Sprintf("2001:db8:1:2:%d::1", i)} }, im.CodeTooManyChecks},
		"one that is no proxy and says it is": {"[]", func(i int) []string { return []string{fmt.Sprintf("9.9.9.%d", i)} }, im.CodeTooManyChecks},
		"one that is no listed proxy":         {"[10.0.0.0/8]", func(i int) []string { return []string{fmt.Sprintf("9.9.9.%d", i)} }, im.CodeTooManyChecks},
		"many clients":                        {"[127.0.0.0/8]", func(i int) []string { return []string{fmt.Sprintf("9.9.9.%d", i)} }, im.CodeOK},
		"many networks of IPv6":               {"[127.0.0.0/8]", func(i int) []string { return []string{fmt.Sprintf("2001:db8:1:%d::1", i)} }, im.CodeOK},
		"a proxy that says nothing":           {"[127.0.0.0/8]", func(int) []string { return nil }, im.CodeOK},
		"a proxy that says who cares":         {"[127.0.0.0/8]", func(int) []string { return []string{here + ", unknown"} }, im.CodeOK},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *testkit.Server) {
				for i := range 20 {
					tries(t, s.Behind(c.header(i)...), "alice", wrong(t, s, "alice"), 1, im.CodeSigMismatch)
				}
				tries(t, s.Behind(c.header(20)...), "alice", s.UserSig("alice"), 1, c.want)
			}, "gateway.proxies="+c.proxies)
		})
	}
}

func TestSE13_LoginsOfOneUser(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		first := s.Dev.SDKAppID
		other := secondApp(t, s, im.AppKey{ID: 1, Secret: s.Dev.SecretKey})
		tries(t, s, "alice", wrong(t, s, "alice"), 50, im.CodeSigMismatch) // nobody locks her out
		start := time.Now()
		tries(t, s, "alice", s.UserSig("alice"), 10, im.CodeOK)
		sleepUntil(start, 9*time.Second)
		tries(t, s.Behind(here), "alice", s.UserSig("alice"), 10, im.CodeOK)
		tries(t, s, "alice", s.UserSig("alice"), 3, im.CodeLoginTooOften)
		tries(t, s, "bob", s.UserSig("bob"), 1, im.CodeOK)
		s.Dev.SDKAppID = other
		tries(t, s, "alice", s.UserSig("alice"), 1, im.CodeOK)
		s.Dev.SDKAppID = first
		sleepUntil(start, 10*time.Second-time.Millisecond)
		tries(t, s.Behind(there), "alice", s.UserSig("alice"), 1, im.CodeLoginTooOften)
		metric(t, s, `porchlight_limited_total{limit="logins"}`, "4")
		metric(t, s, `porchlight_logins_total{code="72010"}`, "4")
		sleepUntil(start, 10*time.Second)
		tries(t, s, "alice", s.UserSig("alice"), 20, im.CodeOK)
		tries(t, s, "alice", s.UserSig("alice"), 1, im.CodeLoginTooOften)
		time.Sleep(25 * time.Second)
		metric(t, s, "porchlight_limit_counts", "0")
	})
}

func TestSE13_LogoutsCountAndAreNeverRefused(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		bob := s.Login("bob")
		bob.Sees("bob ONLINE")
		c := s.Connect("alice")
		logout := func() {
			t.Helper()
			c.Must("im_open_status.wslogout", struct{}{})
			c.A2 = ""
		}
		for range 9 {
			c.MustLogin()
			logout()
		}
		c.MustLogin()
		last := s.Connect("alice")
		last.MustLogin()
		logout() // the 21st
		if a := c.TryLogin(s.UserSig("alice")); a.Code != int(im.CodeLoginTooOften) {
			t.Errorf("a login after 20 logins and logouts: %d", a.Code)
		}
		c.A2 = last.A2
		bob.Subscribe("alice")
		if got := bob.Query("alice")[0].String(); got != "alice ONLINE" {
			t.Errorf("before the last logout: %s", got)
		}
		last.Must("im_open_status.wslogout", struct{}{})
		bob.Sees("alice UNLOGINED")

		// The session is over, and to log out of it again is none.
		time.Sleep(10 * time.Second)
		for range 30 {
			c.Must("im_open_status.wslogout", struct{}{})
		}
		tries(t, s, "alice", s.UserSig("alice"), 20, im.CodeOK)
		time.Sleep(2 * time.Minute) // it is not even remembered
		c = s.Connect("alice")
		c.A2 = last.A2
		for range 30 {
			c.Must("im_open_status.wslogout", struct{}{})
		}
		tries(t, s, "alice", s.UserSig("alice"), 20, im.CodeOK)
	})
}

func TestSE13_ReturnsAndRepeatsDoNotCount(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		var alice *testkit.Client
		for i := range 50 { // one login, whose answers were lost
			alice = s.ConnectFrom("/binfo", "alice", "page1")
			head := alice.Head("im_open_status.wslogin", 5)
			head["identifier"], head["usersig"] = "alice", s.UserSig("alice")
			a := alice.CallHead(head, struct{}{})
			var session struct{ A2Key string }
			if err := json.Unmarshal(a.Raw, &session); err != nil || a.Code != 0 {
				t.Fatalf("repeat %d: %d %s, %v", i, a.Code, a.Info, err)
			}
			alice.A2 = session.A2Key
		}
		tries(t, s, "alice", s.UserSig("alice"), 19, im.CodeOK)
		tries(t, s, "alice", s.UserSig("alice"), 1, im.CodeLoginTooOften)
		for range 30 {
			alice.Break()
			alice = s.MustReturn(alice)
		}
	})
}

// lobby opens sockets that do not log in. Each is let in before the next one
// comes: a client has the answer to its handshake earlier.
func lobby(via ...*testkit.Server) (out []*testkit.Client) {
	for i, s := range via {
		out = append(out, s.Connect(im.UserID(fmt.Sprintf("user%d", i))))
		synctest.Wait()
	}
	return out
}

// closedIs checks that of some sockets those with the given numbers, and no
// others, were closed with 1013.
func closedIs(t *testing.T, sockets []*testkit.Client, closed ...int) {
	t.Helper()
	want := map[int]bool{}
	for _, i := range closed {
		want[i] = true
		if code := sockets[i].Closed(); code != 1013 {
			t.Errorf("socket %d was closed with %d", i, code)
		}
	}
	for i, c := range sockets {
		if !want[i] {
			c.Must("heartbeat.alive", struct{}{})
		}
	}
}

func TestSE14_SocketsOfOneAddress(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		near, far := s.Behind(here), s.Behind(there)
		x := lobby(near, near, near, far, far, far, s, s, s, s)
		closedIs(t, x)
		x = append(x, lobby(near)...)
		closedIs(t, x, 0)
		if a := x[1].TryLogin(wrong(t, s, "user1")); a.Code != int(im.CodeSigMismatch) {
			t.Errorf("a wrong login: %d", a.Code)
		}
		x = append(x, lobby(near)...) // to fail at a login is not to come anew
		closedIs(t, x, 0, 1)
		x[2].MustLogin()
		x = append(x, lobby(near)...) // in the place of who has logged in
		closedIs(t, x, 0, 1)
		x[2].Must("im_open_status.wslogout", struct{}{}) // who is now the newest
		closedIs(t, x, 0, 1, 10)
		x = append(x, lobby(near, near)...)
		closedIs(t, x, 0, 1, 10, 11, 12)
		x = append(x, lobby(near)...)
		closedIs(t, x, 0, 1, 10, 11, 12, 2)
		metric(t, s, `porchlight_dropped_total{reason="prelogin_address"}`, "6")
		metric(t, s, "porchlight_prelogin_sockets", "10")
		metric(t, s, "porchlight_prelogin_addresses", "2")
		for _, c := range x {
			c.Break()
		}
		synctest.Wait()
		metric(t, s, "porchlight_prelogin_sockets", "0")
		metric(t, s, "porchlight_prelogin_addresses", "0")
	}, "limits.prelogin_address=3")
}

func TestSE14_SocketsInAll(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		bystander := s.Login("bystander")
		near, far := s.Behind(here), s.Behind(there)
		x := lobby(s, near, near, far, s)
		closedIs(t, x, 0)
		x = append(x, lobby(near)...) // one too many of its address, so nobody else goes
		closedIs(t, x, 0, 1)
		x = append(x, lobby(far)...)
		closedIs(t, x, 0, 1, 2)
		x[3].MustLogin()
		x = append(x, lobby(s)...)
		closedIs(t, x, 0, 1, 2)
		x = append(x, lobby(s)...)
		closedIs(t, x, 0, 1, 2, 4)
		metric(t, s, `porchlight_dropped_total{reason="prelogin_sockets"}`, "3")
		metric(t, s, `porchlight_dropped_total{reason="prelogin_address"}`, "1")
		bystander.SetCustom("unaffected")
	}, "limits.prelogin_sockets=4", "limits.prelogin_address=2")
}

// TestSE14_TenThousandSocketsOfOneAddressLeaveNothing opens more than may stay,
// and says nothing on any of them.
func TestSE14_TenThousandSocketsOfOneAddressLeaveNothing(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		near := s.Behind(here)
		var last []*testkit.Raw
		for range 20 {
			last = last[:0]
			for range 500 {
				last = append(last, near.Raw(s.Dev.SDKAppID, ""))
			}
			synctest.Wait()
			metric(t, s, "porchlight_prelogin_sockets", "500")
			time.Sleep(4 * time.Second) // those that made room are gone
			metric(t, s, "porchlight_connections", "500")
		}
		metric(t, s, "porchlight_prelogin_addresses", "1")
		metric(t, s, `porchlight_dropped_total{reason="prelogin_address"}`, "9500")
		for _, r := range last {
			r.Break()
		}
		synctest.Wait()
		metric(t, s, "porchlight_prelogin_sockets", "0")
		metric(t, s, "porchlight_prelogin_addresses", "0")
		metric(t, s, "porchlight_connections", "0")
		near.Login("alice")
	})
}

func TestSE15_CommandsOfOneConnection(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		bystander := s.Login("bystander")
		alice := s.Login("alice") // which takes two
		for range 8 {
			alice.Must("im_open_status.wshello", struct{}{})
		}
		refused := func() {
			t.Helper()
			if a := alice.Call("im_open_status.wshello", struct{}{}); a.Code != int(im.CodeUserRate) || a.Info == "" {
				t.Errorf("a command over the rate: %d %q", a.Code, a.Info)
			}
		}
		refused()
		for range 10 {
			alice.Must("heartbeat.alive", struct{}{})
		}
		time.Sleep(5600 * time.Millisecond) // the ten heartbeats and one command are paid for
		alice.Must("im_open_status.wshello", struct{}{})
		refused()
		refused()
		metric(t, s, `porchlight_limited_total{limit="connection"}`, "3")
		alice.Send(alice.Head("im_open_status.wshello", alice.NextSeq()), struct{}{})
		if code := alice.Closed(); code != int(ws.StatusPolicyViolation) {
			t.Errorf("after one refusal too many the connection is closed with %d", code)
		}
		metric(t, s, `porchlight_dropped_total{reason="commands"}`, "1")
		bystander.SetCustom("unaffected")
	}, "limits.command_rate=2", "limits.command_burst=10", "limits.command_refusals=3")
}
