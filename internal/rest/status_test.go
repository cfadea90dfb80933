package rest_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/testkit"
)

// where gives what a query says of users, such as "alice:Online(Web=Online)".
func where(t *testing.T, s *testkit.Server, body string) string {
	t.Helper()
	var answer struct {
		QueryResult []struct {
			To_Account, Status string //nolint:revive // spelled as the API does
			CustomStatus       *string
			Detail             []struct {
				Platform, Status string
				Instid           uint32
			}
		}
		ErrorList []struct {
			To_Account string //nolint:revive // spelled as the API does
			ErrorCode  int
		}
	}
	must(t, s, online, body, &answer)
	var said []string
	for _, u := range answer.QueryResult {
		text := u.To_Account + ":" + u.Status
		if u.CustomStatus != nil {
			text += fmt.Sprintf("%q", *u.CustomStatus)
		}
		for _, d := range u.Detail {
			text += fmt.Sprintf(" %s=%s", d.Platform, d.Status)
			if d.Instid != 0 {
				text += fmt.Sprint("#", d.Instid)
			}
		}
		said = append(said, text)
	}
	for _, f := range answer.ErrorList {
		said = append(said, fmt.Sprint(f.To_Account, ":", f.ErrorCode))
	}
	return strings.Join(said, ", ")
}

func TestRE12_WhereUsersAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testkit.Start(t, "status.push_reachable=1h")
		on := func(user im.UserID, platform int) *testkit.Client {
			c := s.Connect(user)
			c.Platform = platform
			c.MustLogin()
			return c
		}
		const all = `"To_Account":["alice","ghost","bob","carol","alice","a b"]`
		want := func(options, want string) {
			t.Helper()
			if got := where(t, s, `{`+all+options+`}`); got != want {
				t.Errorf("%s:\ngot  %s\nwant %s", options, got, want)
			}
		}
		web, phone := on("alice", 7), on("alice", 3)
		bob := on("bob", 3)
		must(t, s, importOne, `{"UserID":"carol"}`, &struct{}{})
		web.SetCustom("at work")
		const ghosts = ", ghost:70107, a b:70107"
		want(``, "alice:Online, bob:Online, carol:Offline"+ghosts)
		bob.Close(1000)
		want(`,"IsNeedDetail":1`, "alice:Online Web=Online iPhone=Online, bob:PushOnline iPhone=PushOnline, carol:Offline"+ghosts)
		want(`,"IsReturnInstid":1,"IsReturnCustomStatus":1`, fmt.Sprintf(
			`alice:Online"at work" Web=Online#%d iPhone=Online#%d, bob:PushOnline"" iPhone=PushOnline, carol:Offline""%s`, web.Inst, phone.Inst, ghosts))
		phone.Break() // and may be back
		want(`,"IsNeedDetail":1`, "alice:Online Web=Online iPhone=Online, bob:PushOnline iPhone=PushOnline, carol:Offline"+ghosts)
		time.Sleep(6 * time.Second)
		want(`,"IsNeedDetail":1`, "alice:Online Web=Online iPhone=PushOnline, bob:PushOnline iPhone=PushOnline, carol:Offline"+ghosts)
		web.Must("im_open_status.wslogout", struct{}{})
		want(`,"IsNeedDetail":1`, "alice:PushOnline iPhone=PushOnline, bob:PushOnline iPhone=PushOnline, carol:Offline"+ghosts)
		s.Restart()
		want(`,"IsNeedDetail":1`, "alice:PushOnline iPhone=PushOnline, bob:PushOnline iPhone=PushOnline, carol:Offline"+ghosts)
		time.Sleep(time.Hour)
		want(`,"IsNeedDetail":1`, "alice:Offline, bob:Offline, carol:Offline"+ghosts)
	})
}

func TestRE12_QueriesAreJudged(t *testing.T) {
	s := testkit.Start(t)
	s.Login("alice")
	list := func(n int) string { return `"` + strings.Join(make([]string, n), `alice","`) + `alice"` }
	for body, want := range map[string]im.Code{
		`{"To_Account":[` + list(500) + `]}`: 0,
		`{"To_Account":[` + list(501) + `]}`: im.CodeTooManyAccounts,
		`{}`:                                 im.CodeNotStringAccount,
		`{"To_Account":null}`:                im.CodeNotStringAccount,
		`{"To_Account":"alice"}`:             im.CodeNotStringAccount,
		`{"To_Account":["alice",7]}`:         im.CodeNotStringAccount,
		`{"To_Account":["alice",["bob"]]}`:   im.CodeNotStringAccount,
		`{"To_Account":[]}`:                  im.CodeQueryNotJSON,
		`{"To_Account":["alice"]`:            im.CodeQueryNotJSON,
		``:                                   im.CodeQueryNotJSON,
		`["alice"]`:                          im.CodeQueryNotJSON,
		`{"To_Account":["alice"],"IsNeedDetail":true}`: im.CodeQueryNotJSON,
		`{"To_Account":["alice"],"IsNeedDetail":7}`:    0,
		`{"To_Account":["ghost","phantom"]}`:           im.CodeNoAccount,
	} {
		if a := s.REST(online, body); a.ErrorCode != want {
			t.Errorf("%.60s is answered %s, want %d", body, a.Text, want)
		}
	}
	a := s.REST(online, `{"To_Account":["ghost"]}`)
	if want := `"QueryResult":[],"ErrorList":[{"To_Account":"ghost","ErrorCode":70107}]`; a.ActionStatus != "FAIL" || !strings.Contains(a.Text, want) {
		t.Errorf("where nobody is there the answer is %s", a.Text)
	}
	a = s.REST("openim/querystate", `{"To_Account":["alice","ghost"],"IsNeedDetail":1}`)
	if want := `"QueryResult":[{"To_Account":"alice","State":"Online","Detail":[{"Platform":"Web","Status":"Online"}]}],"ErrorList":[{"To_Account":"ghost","ErrorCode":70107}]`; !strings.Contains(a.Text, want) {
		t.Errorf("by the older name the answer is %s", a.Text)
	}
}
