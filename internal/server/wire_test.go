package server_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/testkit"
)

func TestWI1_AnySocketServesASession(t *testing.T) {
	s := testkit.StartTCP(t)
	alice, bob := pair(t, s)
	alice.Subscribe("bob")
	guest := s.Connect("alice")
	guest.A2 = alice.A2
	guest.SetCustom("from another socket")
	alice.Sees("alice ONLINE from another socket")
	guest.SeesNothing() // it is not the session's
	if got := guest.Query("bob")[0].String(); got != "bob ONLINE" {
		t.Errorf("the guest sees %s", got)
	}
	if a := guest.Return(alice); a.Code != 0 {
		t.Fatal(a.Info)
	}
	if code := alice.Closed(); code != 4001 {
		t.Errorf("the replaced socket was closed with %d, want 4001", code)
	}
	guest.Sees("bob ONLINE") // no pong proves yet that alice knows
	bob.SetCustom("x")
	guest.Sees("bob ONLINE x")
}

func TestWI2_RepeatsAreHarmless(t *testing.T) {
	s := testkit.StartTCP(t)
	alice, bob := pair(t, s)
	alice.Subscribe("bob")
	body := map[string]any{"CustomStatus": "once"}
	head := bob.Head("im_open_status.ws_set_custom_status", 77)
	first := bob.CallHead(head, body)
	bob.SetCustom("twice")
	if again := bob.CallHead(head, body); again.Code != first.Code || string(again.Raw) != string(first.Raw) {
		t.Errorf("the repeat was answered %s, the first %s", again.Raw, first.Raw)
	}
	alice.Sees("bob ONLINE once")
	alice.Sees("bob ONLINE twice")
	alice.SeesNothing()

	// A query that is repeated is not counted twice, but answered anew; a
	// subscribe is remembered.
	query := alice.Head("im_open_status.ws_get_user_status", 79)
	for range 30 {
		if a := alice.CallHead(query, map[string]any{"To_Account": []string{"bob"}}); a.Code != 0 || !strings.Contains(string(a.Raw), `"bob"`) {
			t.Fatalf("repeat of a query: %s", a.Raw)
		}
	}
	sub := alice.Head("im_open_status.ws_status_subscribe", 78)
	for range 30 {
		if a := alice.CallHead(sub, map[string]any{"To_Account": []string{"bob"}}); a.Code != 0 {
			t.Fatalf("repeat of a subscribe: %d %s", a.Code, a.Info)
		}
	}

	// A first login that is repeated on a new socket continues its session.
	carol := s.ConnectFrom("/binfo", "carol", "page1")
	login := carol.Head("im_open_status.wslogin", 5)
	login["identifier"], login["usersig"] = "carol", s.UserSig("carol")
	one := carol.CallHead(login, struct{}{})
	carol.Break()
	carol = s.ConnectFrom("/binfo", "carol", "page1")
	two := carol.CallHead(login, struct{}{})
	var a, b struct{ A2Key string }
	if err := errors.Join(json.Unmarshal(one.Raw, &a), json.Unmarshal(two.Raw, &b)); err != nil {
		t.Fatal(err)
	}
	if a.A2Key == "" || a.A2Key != b.A2Key {
		t.Error("the repeat of a login opened another session")
	}
}

// TestWI5_WI6_WI18_StartUp asks all that the client asks by itself.
func TestWI5_WI6_WI18_StartUp(t *testing.T) {
	s := testkit.StartTCP(t)
	alice := s.Login("alice")
	for command, want := range map[string][]string{
		"heartbeat.alive":                                   nil,
		"im_open_status.wshello":                            nil,
		"imopenstat.tim_web_report_v2":                      nil,
		"openim.ws_msg_push_ack":                            nil,
		"profile.portrait_get_all":                          {`"UserProfileItem":[{"To_Account":"alice","ProfileItem":[`},
		"sns.black_list_get":                                {`"StartIndex":0`, `"BlackListItem":[]`},
		"recentcontact.page_get":                            {`"CompleteFlag":1`, `"SessionItem":[]`, `"TimeStamp":0`, `"TopTimeStamp":0`},
		"group_open_http_svc.get_joined_group_list":         {`"TotalCount":0`, `"GroupIdList":[]`},
		"million_group_open_http_svc.get_joined_group_list": {`"TotalCount":0`, `"GroupIdList":[]`},
		"openim.getmsg":                                     {`"SyncFlag":2`, `"MsgList":[]`},
		"sns.friend_get":                                    {`"CompleteFlag":1`, `"UserDataItem":[]`},
		"sns.group_get":                                     {`"ResultItem":[]`},
		"sns.pendency_get":                                  {`"StartTime":0`, `"UnreadPendencyCount":0`, `"PendencyItem":[]`},
		"recentcontact.get_contact_group":                   {`"CompleteFlag":1`, `"GroupItem":[]`, `"ContactItem":[]`},
		"im_sdk_config_mgr.fetch_config":                    {`"int32_error_code":0`, `"str_json_config":"{}"`, `"uint32_expired_time":3600`, `"uint64_version":0`},
		"im_sdk_config_mgr.fetch_imsdk_purchase_bitsv2":     {`"int32_error_code":0`, `"uint32_expired_time":3600`, `10000000"`},
	} {
		a := alice.Must(command, map[string]any{
			"From_Account": "alice", "UserItem": []map[string]any{{"To_Account": "alice", "StandardSequence": 0}},
		})
		for _, w := range want {
			if !strings.Contains(string(a.Raw), w) {
				t.Errorf("%s: no %s in %s", command, w, a.Raw)
			}
		}
		if strings.Contains(string(a.Raw), "null") {
			t.Errorf("%s: null in %s", command, a.Raw)
		}
	}
	// Before any login only the client's own pulse is answered.
	r := s.Connect("nobody")
	r.Must("heartbeat.alive", struct{}{})
	r.Must("imopenstat.tim_web_report_v2", struct{}{})
	r.Must("im_open_status.wslogout", struct{}{})
}

func TestWI7_WI9_WI12_LoginAnswer(t *testing.T) {
	s := testkit.StartTCP(t)
	alice := s.Login("alice")
	alice.SetCustom("grüße")
	second := s.Connect("alice")
	var in struct {
		HelloInterval int
		TimeStamp     int64
		CustomStatus  string
		PurchaseBits  string
		TinyID        string `json:"TinyId"`
		InstID        int64  `json:"InstId"`
	}
	if err := json.Unmarshal(second.MustLogin().Raw, &in); err != nil {
		t.Fatal(err)
	}
	if text, err := base64.StdEncoding.DecodeString(in.CustomStatus); err != nil || string(text) != "grüße" {
		t.Errorf("CustomStatus %q", in.CustomStatus)
	}
	if in.HelloInterval != 10 {
		t.Errorf("HelloInterval %d, want 10", in.HelloInterval)
	}
	if d := time.Now().Unix() - in.TimeStamp; d < 0 || d > 5 {
		t.Errorf("TimeStamp is %d s off", d)
	}
	if bits := in.PurchaseBits; len(bits) == 0 || len(bits) > 64 || strings.Trim(bits, "01") != "" || bits[len(bits)-8] != '1' {
		t.Errorf("PurchaseBits %q", bits)
	}
	if in.TinyID != alice.TinyID || in.InstID == 0 || in.InstID == int64(alice.Inst) {
		t.Errorf("TinyId %s and InstId %d beside %s and %d", in.TinyID, in.InstID, alice.TinyID, alice.Inst)
	}
}

func TestWI24_TextCutInsideACharacter(t *testing.T) {
	s := testkit.StartTCP(t)
	alice, bob := pair(t, s)
	alice.Subscribe("bob")
	head, err := json.Marshal(bob.Head("im_open_status.ws_set_custom_status", 500))
	if err != nil {
		t.Fatal(err)
	}
	bob.Write([]byte(`{"head":` + string(head) + `,"body":{"CustomStatus":"cut \ud83d"}}`))
	alice.Sees("bob ONLINE cut \ufffd")
}

func TestWI8_TextAndBinary(t *testing.T) {
	s := testkit.StartTCP(t)
	alice, bob := s.ConnectTo("/info", "alice"), s.Login("bob") // the client checks the kind of each frame
	alice.MustLogin()
	alice.Sees("alice ONLINE")
	alice.Subscribe("bob")
	bob.SetCustom("x")
	alice.Sees("bob ONLINE x")
}

func TestWI9_ClosesAreSpreadOut(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		var all []*testkit.Client
		for i := range 50 {
			all = append(all, s.Login(im.UserID(fmt.Sprintf("u%d", i%10))))
		}
		at := time.Now()
		s.Restart()
		if d := time.Since(at); d < 49*time.Millisecond {
			t.Errorf("50 sockets were closed in %s", d)
		}
		times := map[string]bool{}
		for _, c := range all {
			if code := c.Closed(); code != 1001 {
				t.Errorf("closed with %d, want 1001", code)
			}
			var why websocket.CloseError
			if !errors.As(c.CloseError(), &why) {
				t.Fatalf("closed by %v", c.CloseError())
			}
			text, after, _ := strings.Cut(why.Reason, "; retry-after-ms=")
			ms, err := strconv.Atoi(after)
			if text != "the server is restarting" || err != nil || ms < 250 || ms > 750 {
				t.Errorf("closed for %q", why.Reason)
			}
			times[after] = true
		}
		if len(times) < 10 {
			t.Errorf("50 clients are told to come back at %d times", len(times))
		}
	})
}

func TestWI11_WI17_SE6_SE7_KickLeavesNoGhost(t *testing.T) {
	s := testkit.StartTCP(t)
	alice, first := pair(t, s)
	alice.Subscribe("bob")
	var others []*testkit.Client
	for range 9 {
		others = append(others, s.Login("bob"))
	}
	last := s.Login("bob") // the eleventh
	if kind := first.Kicked(); kind != 1 {
		t.Errorf("KickType %d, want 1", kind)
	}
	first.Must("im_open_status.wshello", struct{}{}) // it is told once
	for _, command := range []string{"ws_set_custom_status", "ws_get_user_status", "ws_status_subscribe"} {
		if a := first.Call("im_open_status."+command, map[string]any{"CustomStatus": "ghost"}); a.Code != 6014 || a.Kick != 0 {
			t.Errorf("%s of the kicked: %d, KickType %d", command, a.Code, a.Kick)
		}
	}
	back := s.MustReturn(first)
	if kind := back.Kicked(); kind != 1 {
		t.Errorf("return of the kicked: KickType %d", kind)
	}
	first.Must("im_open_status.wslogout", map[string]any{"wslogout_type": 1})
	first.Must("heartbeat.alive", struct{}{})
	alice.SeesNothing() // ONLINE does not blink
	for _, c := range append(others, last) {
		c.Must("im_open_status.wslogout", struct{}{})
	}
	alice.Sees("bob UNLOGINED")

	s.Restart()
	alice = s.MustReturn(alice)
	back = s.MustReturn(first)
	if kind := back.Kicked(); kind != 1 {
		t.Errorf("return of the kicked after a restart: KickType %d", kind)
	}
	if got := alice.Query("bob")[0].String(); got != "bob UNLOGINED" {
		t.Errorf("the ghost is %s", got)
	}
}

func TestWI17_StartUnderWayAtALogout(t *testing.T) {
	s := testkit.StartTCP(t)
	alice := s.Login("alice")
	alice.Sees("alice ONLINE")
	alice.Must("im_open_status.wslogout", struct{}{})
	alice.Must("recentcontact.get_contact_group", struct{}{})
	alice.Ready()
	if a := alice.Call("im_open_status.ws_set_custom_status", map[string]any{"CustomStatus": "x"}); a.Code != 6014 {
		t.Errorf("a command after the logout: %d, want 6014", a.Code)
	}
	alice.SeesNothing()
}

func TestWI11_KickedSocketIsClosedInTheEnd(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		first := s.Login("bob")
		for range 10 {
			s.Login("bob")
		}
		at := time.Now()
		if code := first.Closed(); code != 1008 {
			t.Errorf("closed with %d, want 1008", code)
		}
		if d := time.Since(at); d < 19*time.Second || d > 22*time.Second {
			t.Errorf("closed after %s, want 20s", d)
		}
	})
}

func TestWI23_StatusesWaitUntilTheClientIsReady(t *testing.T) {
	s := testkit.StartTCP(t)
	alice := s.Connect("alice")
	if a := alice.TryLogin(s.UserSig("alice")); a.Code != 0 {
		t.Fatal(a.Info)
	}
	for _, command := range []string{
		"profile.portrait_get_all", "sns.friend_get", "recentcontact.page_get", "group_open_http_svc.get_joined_group_list",
		"im_open_status.wshello", "heartbeat.alive",
	} {
		alice.Must(command, map[string]any{"UserItem": []map[string]any{{"To_Account": "alice"}}})
	}
	alice.SeesNothing()
	alice.Ready()
	alice.Sees("alice ONLINE")

	bubble(t, func(_ *testing.T, s *testkit.Server) {
		bob := s.Connect("bob")
		if a := bob.TryLogin(s.UserSig("bob")); a.Code != 0 {
			t.Fatal(a.Info)
		}
		at := time.Now()
		bob.Sees("bob ONLINE") // in any case
		if d := time.Since(at); d > 3*time.Second {
			t.Errorf("told after %s", d)
		}
	})
}

func TestWI15_LoggedOutSocketsThatBeatStay(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		beats, silent := s.Connect("a"), s.Raw(s.Dev.SDKAppID, "")
		at := time.Now()
		go func() {
			if code, _ := silent.CloseCode(); code != 1008 {
				t.Errorf("closed with %d, want 1008", code)
			}
			if d := time.Since(at); d < 10*time.Second || d > 15*time.Second {
				t.Errorf("a socket that said nothing was closed after %s", d)
			}
		}()
		for range 60 {
			beats.Must("heartbeat.alive", struct{}{})
			time.Sleep(10 * time.Second)
		}
		beats.MustLogin()
		beats.Must("im_open_status.wslogout", struct{}{})
		time.Sleep(5 * time.Minute)
		beats.Must("heartbeat.alive", struct{}{})
		other := s.Connect("a")
		other.MustLogin()
		synctest.Wait()
	})
}

func TestWI16_UnknownApplicationsAreRefusedByCode(t *testing.T) {
	s := testkit.StartTCP(t)
	for app, want := range map[string]int{"1400000002": 70020, "": 60012, "x": 60012, "-1": 60012, "99999999999999": 60012} {
		r := s.Raw(app, "")
		r.Login(s.Connect("alice"))
		if text := r.Await(`"ErrorCode"`); !strings.Contains(text, fmt.Sprintf(`"ErrorCode":%d`, want)) {
			t.Errorf("application %q: want %d: %s", app, want, text)
		}
		r.Break()
	}
}

func TestSE3_FirstLoginRegisters(t *testing.T) {
	s := testkit.StartTCP(t)
	alice := s.Login("alice")
	if a := alice.Must("im_open_status.ws_get_user_status", map[string]any{"To_Account": []string{"bob"}}); !strings.Contains(string(a.Raw), "70107") {
		t.Errorf("bob exists before his first login: %s", a.Raw)
	}
	bob := s.Login("bob")
	if got := alice.Query("bob")[0].String(); got != "bob ONLINE" {
		t.Errorf("after the first login: %s", got)
	}
	if bob.TinyID == alice.TinyID {
		t.Errorf("two users have TinyId %s", bob.TinyID)
	}
	s.Restart()
	if again := s.Login("bob"); again.TinyID != bob.TinyID {
		t.Errorf("TinyId %s after a restart, %s before", again.TinyID, bob.TinyID)
	}
}

func TestST10_SwitchAndEdition(t *testing.T) {
	for setting, want := range map[string]int{"status.on": 72001, "status.edition": 7013} {
		s := testkit.StartApps(t, testkit.DevApp(map[string]string{setting: "false"}))
		alice := s.Login("alice")
		alice.Sees("alice ONLINE")
		for _, command := range []string{"ws_get_user_status", "ws_status_subscribe", "ws_status_unsubscribe"} {
			a := alice.Call("im_open_status."+command, map[string]any{"To_Account": []string{"bob"}})
			if a.Code != want {
				t.Errorf("%s without %s: %d, want %d", command, setting, a.Code, want)
			}
		}
		alice.SetCustom("needs no switch")
		alice.Sees("alice ONLINE needs no switch")
		a := alice.Must("im_sdk_config_mgr.fetch_imsdk_purchase_bitsv2", struct{}{})
		if has := strings.Contains(string(a.Raw), `10000000"`); has != (setting == "status.on") {
			t.Errorf("abilities without %s: %s", setting, a.Raw)
		}
		s.Stop()
	}
}

func TestST14_SE19_ApplicationsAreApart(t *testing.T) {
	other := testkit.DevApp(nil)
	other.ID = 1400000002
	s := testkit.StartApps(t, testkit.DevApp(nil), other)
	alice, bob := pair(t, s)
	alice.Subscribe("bob")
	s.Dev.SDKAppID = other.ID
	bob2, alice2 := s.Login("bob"), s.Login("alice")
	bob2.Sees("bob ONLINE")
	alice2.Sees("alice ONLINE")
	bob2.SetCustom("of another application")
	alice.SeesNothing()
	bob.SetCustom("mine")
	alice.Sees("bob ONLINE mine")
	alice2.SeesNothing()
	if got := alice2.Query("bob")[0].String(); got != "bob ONLINE of another application" {
		t.Errorf("query in the other application: %s", got)
	}
	if a := alice2.Must("im_open_status.ws_get_user_status", map[string]any{"To_Account": []string{"carol"}}); !strings.Contains(string(a.Raw), "70107") {
		t.Errorf("carol: %s", a.Raw)
	}
}
