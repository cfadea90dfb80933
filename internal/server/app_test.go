package server_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/testkit"
)

// A key is withdrawn with a thousand sessions on it: all are over within two
// seconds, who comes back is told so, and nobody else notices.
func TestSE5_KeyWithdrawnFromAThousand(t *testing.T) {
	const crowd = 1000
	bubble(t, func(t *testing.T, s *testkit.Server) {
		clients := make([]*testkit.Client, crowd)
		for i := range clients {
			clients[i] = s.Login(im.UserID(fmt.Sprintf("u%d", i)))
		}
		s.NewKey()
		alice := s.Login("alice")
		alice.Sees("alice ONLINE")
		alice.Subscribe("u0", "u999")
		s.WithdrawKey(1)
		at := time.Now()
		for i, c := range clients[:10] { // at once, whatever else is done about them
			if a := c.Call("im_open_status.ws_set_custom_status", map[string]any{"CustomStatus": "x"}); a.Code != 70001 {
				t.Errorf("a command of user %d: %d %s", i, a.Code, a.Info)
			}
		}
		for i, c := range clients {
			if code := c.Closed(); code != 1008 {
				t.Fatalf("the socket of user %d was closed with %d: %v", i, code, c.CloseError())
			}
		}
		if d := time.Since(at); d > 2*time.Second {
			t.Errorf("the last socket was closed after %s", d)
		}
		var seen []string
		for len(seen) < 2 {
			for _, status := range alice.Statuses() {
				seen = append(seen, status.String())
			}
		}
		if slices.Sort(seen); !slices.Equal(seen, []string{"u0 UNLOGINED", "u999 UNLOGINED"}) {
			t.Errorf("alice saw %v", seen)
		}
		back := s.MustReturn(clients[5])
		if a := back.Call("heartbeat.alive", struct{}{}); a.Code != 70001 {
			t.Errorf("a heartbeat after the return: %d", a.Code)
		}
		alice.SetCustom("still here")
		again := s.Login("u5")
		again.Close(1001)
	})
}

// Calls are under way while the switch is turned: each is answered as one of
// the two states demands, and after the order's answer as the new one does.
func TestST10_SwitchTurnedInTheMiddleOfCalls(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		alice, bob := pair(t, s)
		alice.Subscribe("bob")
		const get = "im_open_status.ws_get_user_status"
		ask := map[string]any{"To_Account": []string{"bob"}}
		for round := range 6 {
			var wg sync.WaitGroup
			var codes [3]int
			for i := range codes {
				wg.Go(func() { codes[i] = alice.Call(get, ask).Code })
			}
			on := round%2 == 1
			s.Set(map[string]any{"status.on": on})
			wg.Wait()
			for _, code := range codes {
				if code != 0 && code != 72001 {
					t.Errorf("a call in the middle: %d", code)
				}
			}
			want := 72001
			if on {
				want = 0
				alice.Sees("bob ONLINE")
			}
			if a := alice.Call(get, ask); a.Code != want {
				t.Errorf("after the order: %d, want %d", a.Code, want)
			}
			time.Sleep(6 * time.Second) // a new window of calls
		}
		bob.SetCustom("heard")
		alice.Sees("bob ONLINE heard")
	})
}

func TestST10_SwitchOffIsSilentAndOnTellsAll(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		alice, bob := pair(t, s)
		alice.Subscribe("bob")
		s.Set(map[string]any{"status.on": false})
		bob.SetCustom("unheard")
		bob.Sees("bob ONLINE unheard")
		alice.SeesNothing()
		s.Restart() // the switch is off from the start then
		alice, bob = s.MustReturn(alice), s.MustReturn(bob)
		bob.SetCustom("unheard too")
		bob.Sees("bob ONLINE unheard too")
		time.Sleep(30 * time.Second)
		alice.SeesNothing()
		s.Set(map[string]any{"status.on": true})
		alice.Sees("bob ONLINE unheard too")
	})
}

// What clients may do is pushed to them when it changes, and nothing when it
// does not.
func TestWI20_AbilitiesAndLimitsArePushed(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		alice := s.Login("alice")
		alice.Sees("alice ONLINE")
		s.Set(map[string]any{"login.web_sessions": 3})
		s.Set(map[string]any{"status.edition": false})
		s.Set(map[string]any{"limit.query": 50})
		s.Set(map[string]any{"limit.query": nil})
		var got []string
		for range 3 {
			f, ok := alice.Push()
			if !ok {
				t.Fatalf("the socket ended: %v", alice.CloseError())
			}
			var body struct {
				Bits   string `json:"str_purchase_bits"`
				Config string `json:"str_json_config"`
			}
			if err := json.Unmarshal(f.Body, &body); err != nil {
				t.Fatal(err)
			}
			got = append(got, f.Head.Command[strings.IndexByte(f.Head.Command, '.')+1:]+" "+strings.TrimLeft(body.Bits, "0")+body.Config)
		}
		config := func(query int) string {
			return fmt.Sprintf(`push_configv2 {"cmd_frequency_limit":"[{\"cmd\":\"ws_get_user_status\",\"interval\":5,\"count\":20},`+
				`{\"cmd\":\"ws_status_subscribe\",\"interval\":5,\"count\":20},{\"cmd\":\"ws_status_unsubscribe\",\"interval\":5,\"count\":20}]",`+
				`"status_query_count":"%d","status_sub_count":"100","status_unsub_count":"100"}`, query)
		}
		for i, want := range []string{"push_imsdk_purchase_bitsv2 ", config(50), config(500)} {
			if got[i] != want {
				t.Errorf("push %d:\n got %s\nwant %s", i, got[i], want)
			}
		}
		alice.SeesNothing()
	})
}

func TestWI18_DisabledApplication(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		alice := s.Login("alice")
		s.Disable()
		if code := alice.Closed(); code != 1013 {
			t.Errorf("closed with %d", code)
		}
		if a := s.Connect("bob").TryLogin(s.UserSig("bob")); a.Code != 60016 {
			t.Errorf("a login: %d", a.Code)
		}
		// A client that was cut off as it started says again on its next socket what it was asking.
		again := s.Connect("alice")
		answer := again.Send(alice.Head("sns.friend_get", alice.NextSeq()), struct{}{})
		if code := again.Closed(); code != 1013 {
			t.Errorf("closed with %d", code)
		}
		select {
		case a := <-answer:
			t.Errorf("answered %d, which the client cannot catch", a.Code)
		default:
		}
		a := s.Connect("alice").CallHead(alice.Head("im_open_status.ws_set_custom_status", alice.NextSeq()), map[string]any{"CustomStatus": "x"})
		if a.Code != 60016 {
			t.Errorf("a call of the application: %d", a.Code)
		}
		s.Enable()
		s.MustReturn(alice).SetCustom("back")
	})
}

// A kick's sockets are closed within two seconds, whether their clients answer
// or not, and tokens of that second or earlier never work again.
func TestSE10_KickByTheOperator(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		alice, bob := pair(t, s)
		phone := s.Connect("bob")
		phone.Platform = 2
		phone.MustLogin()
		alice.Subscribe("bob")
		old := s.UserSig("bob")
		s.Kick("bob")
		at := time.Now()
		for _, c := range []*testkit.Client{bob, phone} {
			if kind := c.Kicked(); kind != 3 {
				t.Errorf("told %d", kind)
			}
			c.Closed()
		}
		if d := time.Since(at); d > 2*time.Second {
			t.Errorf("closed after %s", d)
		}
		alice.Sees("bob UNLOGINED")
		for range 2 {
			if a := s.Connect("bob").TryLogin(old); a.Code != 70001 {
				t.Errorf("a login with an old UserSig: %d", a.Code)
			}
			s.Restart()
		}
		time.Sleep(time.Second)
		again := s.Login("bob")
		again.Sees("bob ONLINE")
		s.Ban("bob")
		again.Kicked()
		time.Sleep(time.Second)
		if a := s.Connect("bob").TryLogin(s.UserSig("bob")); a.Code != 70051 {
			t.Errorf("a login of a banned user: %d", a.Code)
		}
		s.Unban("bob")
		s.Login("bob")
		synctest.Wait()
	})
}
