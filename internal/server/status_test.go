package server_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/testkit"
)

// pair logs two users in and takes the events of their own coming.
func pair(t *testing.T, s *testkit.Server) (alice, bob *testkit.Client) {
	t.Helper()
	alice, bob = s.Login("alice"), s.Login("bob")
	alice.Sees("alice ONLINE")
	bob.Sees("bob ONLINE")
	return alice, bob
}

func TestST3_ST4_ST17_WatcherSeesEveryChange(t *testing.T) {
	s := testkit.StartTCP(t)
	alice, bob := pair(t, s)
	alice.Subscribe("bob")
	alice.SeesNothing()

	bob.SetCustom("In a meeting")
	bob.Sees("bob ONLINE In a meeting")
	alice.Sees("bob ONLINE In a meeting")
	bob.SetCustom("In a meeting")
	bob.SeesNothing()
	bob.SetCustom("")
	alice.Sees("bob ONLINE")
	bob.SetCustom("会议中 🎧")
	alice.Sees("bob ONLINE 会议中 🎧")

	bob.Must("im_open_status.wslogout", map[string]any{"wslogout_type": 0})
	alice.Sees("bob UNLOGINED")
	if got, want := alice.Query("bob")[0].String(), "bob UNLOGINED"; got != want {
		t.Errorf("query after logout: got %s, want %s", got, want)
	}
}

func TestST3_ST8_EveryDeviceHears(t *testing.T) {
	s := testkit.StartTCP(t)
	alice, bob := pair(t, s)
	alice2 := s.Login("alice")
	alice2.SeesNothing()
	alice2.Subscribe("bob")
	bob.SetCustom("x")
	alice.Sees("bob ONLINE x")
	alice2.Sees("bob ONLINE x")
	alice.SetCustom("mine")
	alice.Sees("alice ONLINE mine")
	alice2.Sees("alice ONLINE mine")

	alice.Must("im_open_status.ws_status_unsubscribe", map[string]any{"To_Account": []string{"bob"}})
	bob.SetCustom("y")
	bob.Sees("bob ONLINE x")
	bob.Sees("bob ONLINE y")
	alice.SeesNothing()
	alice2.SeesNothing()
}

func TestST5_ST6_QueryAndFailures(t *testing.T) {
	s := testkit.StartTCP(t)
	alice, bob := pair(t, s)
	bob.SetCustom("busy")
	a := alice.Must("im_open_status.ws_get_user_status", map[string]any{
		"To_Account": []string{"bob", "ghost", "bob", strings.Repeat("x", 33), "", "alice"},
	})
	want := []string{
		`"To_Account":"bob","Status":1,"CustomStatus":"YnVzeQ=="`, `"To_Account":"alice","Status":1,"CustomStatus":""`,
		`"To_Account":"ghost","ErrorCode":70107`, `"ErrorCode":7003`,
	}
	for _, w := range want {
		if !strings.Contains(string(a.Raw), w) {
			t.Errorf("answer lacks %s: %s", w, a.Raw)
		}
	}
	if n := strings.Count(string(a.Raw), `"bob"`); n != 1 {
		t.Errorf("bob is in the answer %d times: %s", n, a.Raw)
	}
	a = alice.Must("im_open_status.ws_status_subscribe", map[string]any{"To_Account": []string{"alice", "ghost", "bob"}})
	for _, w := range []string{`{"To_Account":"alice","ErrorCode":70402`, `{"To_Account":"ghost","ErrorCode":70107`} {
		if !strings.Contains(string(a.Raw), w) {
			t.Errorf("answer lacks %s: %s", w, a.Raw)
		}
	}
	bob.SetCustom("still told")
	alice.Sees("bob ONLINE still told")
}

func TestST3_ST5_ST6_ST8_Limits(t *testing.T) {
	s := testkit.StartTCP(t)
	alice, _ := pair(t, s)
	many := func(n int) map[string]any {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf("user%d", i)
		}
		return map[string]any{"To_Account": list}
	}
	text := func(n int) map[string]any {
		return map[string]any{"CustomStatus": strings.Repeat("é", n/2) + strings.Repeat("x", n%2)}
	}
	for _, c := range []struct {
		name    string
		command string
		body    any
		want    im.Code
	}{
		{"query 500", "ws_get_user_status", many(500), 0},
		{"query 501", "ws_get_user_status", many(501), im.CodeInvalid},
		{"query none", "ws_get_user_status", many(0), im.CodeInvalid},
		{"query no list", "ws_get_user_status", struct{}{}, im.CodeInvalid},
		{"query wrong type", "ws_get_user_status", map[string]any{"To_Account": "bob"}, im.CodeInvalid},
		{"query wrong element", "ws_get_user_status", map[string]any{"To_Account": []int{1}}, im.CodeInvalid},
		{"query null", "ws_get_user_status", map[string]any{"To_Account": nil}, im.CodeInvalid},
		{"body an array", "ws_get_user_status", []int{}, im.CodeInvalid},
		{"subscribe 100", "ws_status_subscribe", many(100), 0},
		{"subscribe 101", "ws_status_subscribe", many(101), im.CodeInvalid},
		{"subscribe none", "ws_status_subscribe", many(0), im.CodeInvalid},
		{"unsubscribe 101", "ws_status_unsubscribe", many(101), im.CodeInvalid},
		{"unsubscribe none", "ws_status_unsubscribe", many(0), 0},
		{"unsubscribe all", "ws_status_unsubscribe", map[string]any{"UnsubscribeAll": 1}, 0},
		{"100 bytes", "ws_set_custom_status", text(100), 0},
		{"101 bytes", "ws_set_custom_status", text(101), im.CodeInvalid},
		{"no text", "ws_set_custom_status", struct{}{}, im.CodeInvalid},
		{"a number", "ws_set_custom_status", map[string]any{"CustomStatus": 1}, im.CodeInvalid},
	} {
		a := alice.Call("im_open_status."+c.command, c.body)
		if a.Code != int(c.want) {
			t.Errorf("%s: got %d %s, want %d", c.name, a.Code, a.Info, c.want)
		}
		if a.Code != 0 && a.Info == "" {
			t.Errorf("%s: no text", c.name)
		}
	}
	if got := alice.Query("alice")[0].Custom; got != strings.Repeat("é", 50) {
		t.Errorf("the custom status after a refusal: %q", got)
	}
}

func TestST9_TwentyCallsInAWindow(t *testing.T) {
	s := testkit.StartTCP(t)
	alice, _ := pair(t, s)
	body := map[string]any{"To_Account": []string{"bob"}}
	for _, command := range []string{"ws_get_user_status", "ws_status_subscribe", "ws_status_unsubscribe"} {
		codes := map[int]int{}
		for range 21 {
			codes[alice.Call("im_open_status."+command, body).Code]++
		}
		if want := map[int]int{0: 20, int(im.CodeTooOften): 1}; !cmp.Equal(codes, want) {
			t.Errorf("%s: got %v, want %v", command, codes, want)
		}
	}
	for range 40 {
		alice.SetCustom("unlimited")
	}
}

func TestST7_OldestSubscriptionIsEvicted(t *testing.T) {
	s := testkit.StartTCP(t)
	alice := s.Login("alice")
	alice.Sees("alice ONLINE")
	var users []*testkit.Client
	names := make([]string, 0, 201)
	for i := range 201 {
		names = append(names, fmt.Sprintf("u%03d", i))
		c := s.Login(im.UserID(names[i]))
		users = append(users, c)
	}
	alice.Subscribe(names[:100]...)
	alice.Subscribe(names[100:200]...)
	users[0].SetCustom("seen")
	alice.Sees("u000 ONLINE seen")
	alice.Subscribe(names[200])
	users[0].SetCustom("unseen")
	users[200].SetCustom("seen")
	alice.Sees("u200 ONLINE seen")
	alice.Subscribe(names[1]) // now the newest
	alice.Subscribe(names[0])
	users[2].SetCustom("unseen")
	users[1].SetCustom("seen")
	alice.Sees("u001 ONLINE seen")
}

func TestST13_VersionsRise(t *testing.T) {
	s := testkit.StartTCP(t)
	alice, bob := pair(t, s)
	alice.Subscribe("bob")
	var last im.Version
	check := func(v string) {
		t.Helper()
		var got im.Version
		if _, err := fmt.Sscanf(v, "%d.%d", &got.Epoch, &got.Seq); err != nil {
			t.Fatalf("version %q: %v", v, err)
		}
		if !last.Less(got) {
			t.Errorf("version %v after %v", got, last)
		}
		last = got
	}
	for i := range 5 {
		bob.SetCustom(fmt.Sprint(i))
		check(alice.Statuses()[0].Version)
	}
	bob.Break()
	s.Restart()
	alice = s.MustReturn(alice)
	bob = s.MustReturn(bob)
	bob.SetCustom("later")
	check(alice.Statuses()[0].Version)
}
