package rest_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store"
	"github.com/porchlight-im/porchlight/internal/testkit"
)

const (
	importOne  = "im_open_login_svc/account_import"
	importMany = "im_open_login_svc/multiaccount_import"
	remove     = "im_open_login_svc/account_delete"
	kick       = "im_open_login_svc/kick"
	online     = "openim/query_online_status"
)

// bubble runs a test on a server in fake time.
func bubble(t *testing.T, f func(t *testing.T, s *testkit.Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, testkit.Start(t)) })
}

// must calls a command that must succeed, and decodes its answer.
func must(t *testing.T, s *testkit.Server, command, body string, into any) {
	t.Helper()
	a := s.REST(command, body)
	if a.ErrorCode != 0 {
		t.Fatalf("%s %s is answered %s", command, body, a.Text)
	}
	if err := a.Into(into); err != nil {
		t.Fatal(err)
	}
}

// refused calls a command that must be refused.
func refused(t *testing.T, s *testkit.Server, command, body string, want im.Code) {
	t.Helper()
	if a := s.REST(command, body); a.ErrorCode != want || a.ActionStatus != "FAIL" || a.ErrorInfo == "" {
		t.Errorf("%s %.80s is answered %s, want %d", command, body, a.Text, want)
	}
}

// imported says which users exist, such as "alice bob".
func imported(t *testing.T, s *testkit.Server, users ...string) string {
	t.Helper()
	var body []string
	for _, u := range users {
		body = append(body, fmt.Sprintf(`{"UserID":%q}`, u))
	}
	var answer struct {
		ResultItem []struct{ UserID, AccountStatus string }
	}
	must(t, s, check, `{"CheckItem":[`+strings.Join(body, ",")+`]}`, &answer)
	var there []string
	for _, item := range answer.ResultItem {
		if item.AccountStatus == "Imported" {
			there = append(there, item.UserID)
		}
	}
	return strings.Join(there, " ")
}

// kicked waits for the push that ends the session, and gives its type.
func kicked(c *testkit.Client) int {
	for {
		f, ok := c.Push()
		switch {
		case !ok:
			return -1
		case f.Head.Command == "im_open_status.stat_forceoffline":
			return c.KickOf(f)
		}
	}
}

// audit gives what the audit says, oldest first, while no server runs.
func audit(t *testing.T, s *testkit.Server) (said []string) {
	t.Helper()
	s.RestartWith(func(ctx context.Context, st *store.Store) error {
		rows, err := st.Audit(ctx, s.Dev.SDKAppID, 0, 100)
		for _, r := range slices.Backward(rows) {
			said = append(said, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", r.Actor, r.Action, r.User, r.Detail)))
		}
		return err
	})
	return said
}

func TestAC1_AC8_ImportMakesAndUpdates(t *testing.T) {
	s := testkit.Start(t)
	for _, body := range []string{
		`{"UserID":"alice","Nick":"Alice","FaceUrl":"https://example.com/a.png"}`,
		`{"UserID":"alice","Nick":"Alice","FaceUrl":null}`,
		`{"Identifier":"alice"}`,
		`{"UserID":"alice","Nick":"Al\u0000ice 🦉"}`,
		`{"Identifier":"bob","Nick":"` + strings.Repeat("b", 500) + `"}`,
	} {
		must(t, s, importOne, body, &struct{}{})
	}
	for body, want := range map[string]im.Code{
		`{}`:                            im.CodeInvalid,
		`{"UserID":""}`:                 im.CodeInvalid,
		`{"UserID":"with space"}`:       im.CodeInvalid,
		`{"UserID":"ünïcode"}`:          im.CodeInvalid,
		`{"UserID":"@RBT#helper"}`:      im.CodeInvalid,
		`{"UserID":7}`:                  im.CodeInvalid,
		`{"UserID":"eve","Nick":7}`:     im.CodeInvalid,
		`{"UserID":"eve","Nick":["x"]}`: im.CodeInvalid,
		`{"UserID":"` + strings.Repeat("e", 33) + `"}`:                  im.CodeInvalid,
		`{"UserID":"eve","Nick":"` + strings.Repeat("e", 501) + `"}`:    im.CodeProfileLong,
		`{"UserID":"eve","FaceUrl":"` + strings.Repeat("ü", 251) + `"}`: im.CodeProfileLong,
	} {
		refused(t, s, importOne, body, want)
	}
	if got := imported(t, s, "alice", "bob", "eve", "Alice", "with space"); got != "alice bob" {
		t.Errorf("there are %s", got)
	}
	if diff := cmp.Diff([]string{
		"rest:administrator user.import alice made, Tag_Profile_IM_Image set, Tag_Profile_IM_Nick set",
		"rest:administrator user.import alice Tag_Profile_IM_Nick set",
		"rest:administrator user.import bob made, Tag_Profile_IM_Nick set",
	}, audit(t, s)); diff != "" {
		t.Errorf("audit (-want +got)\n%s", diff)
	}
	if got := imported(t, s, "alice", "bob"); got != "alice bob" {
		t.Errorf("after a restart there are %s", got)
	}
}

func TestAC2_ImportOfMany(t *testing.T) {
	s := testkit.Start(t)
	var answer struct{ FailAccounts []string }
	must(t, s, importMany, `{"Accounts":["a","b","@RBT#c","","d e","a"]}`, &answer)
	if got := strings.Join(answer.FailAccounts, "|"); got != "@RBT#c||d e" {
		t.Errorf("%s were not imported", got)
	}
	must(t, s, importMany, `{"AccountList":[{"UserID":"f","Nick":"F"},{"Identifier":"g"},{"UserID":"h","Nick":"`+strings.Repeat("h", 501)+`"}]}`, &answer)
	if got := strings.Join(answer.FailAccounts, "|"); got != "h" {
		t.Errorf("%s were not imported", got)
	}
	if a := s.REST(importMany, `{"Accounts":["f"]}`); !strings.Contains(a.Text, `"FailAccounts":[]`) {
		t.Errorf("without a failure the answer is %s", a.Text)
	}
	if got := imported(t, s, "a", "b", "@RBT#c", "f", "g", "h"); got != "a b f g" {
		t.Errorf("there are %s", got)
	}
	hundred := `"` + strings.Join(slices.Repeat([]string{"u"}, 100), `","`) + `"`
	must(t, s, importMany, `{"Accounts":[`+hundred+`]}`, &answer)
	for _, body := range []string{`{}`, `{"Accounts":[]}`, `{"Accounts":[` + hundred + `,"v"]}`, `{"Accounts":"a"}`, `{"Accounts":[7]}`, `{"AccountList":["a"]}`} {
		refused(t, s, importMany, body, im.CodeInvalid)
	}
}

func TestAC3_CheckKeepsTheOrder(t *testing.T) {
	s := testkit.Start(t)
	s.Login("bob")
	a := s.REST(check, `{"CheckItem":[{"UserID":"x"},{"UserID":"bob"},{"UserID":""},{"UserID":"bob"},{"Identifier":"x"}]}`)
	var answer struct {
		ResultItem []struct {
			UserID        string
			ResultCode    int
			AccountStatus string
		}
	}
	if err := a.Into(&answer); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(answer.ResultItem); got != "[{x 0 NotImported} {bob 0 Imported} { 70402 NotImported} {bob 0 Imported} {x 0 NotImported}]" {
		t.Error(got)
	}
}

// TestAC4_AC6_DeletionLeavesNothingButTheRevocation deletes one user who is
// connected, one who is away and one who is not there.
func TestAC4_AC6_DeletionLeavesNothingButTheRevocation(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		alice := s.Login("alice")
		alice.Sees("alice ONLINE")
		bob, phone := s.Login("bob"), s.Connect("bob")
		phone.Platform = 2
		phone.MustLogin()
		away := s.Connect("carol")
		away.Platform = 2
		away.MustLogin()
		bob.SetCustom("busy")
		bob.Subscribe("alice")
		away.Close(1000) // OFFLINE: push reaches it
		alice.Subscribe("bob", "carol")
		old := s.UserSig("bob")
		var answer struct {
			ResultItem []struct {
				UserID     string
				ResultCode int
			}
		}
		must(t, s, remove, `{"DeleteItem":[{"UserID":"bob"},{"UserID":"ghost"},{"UserID":"carol"},{"UserID":"bob"},{"UserID":"a b"}]}`, &answer)
		if got := fmt.Sprint(answer.ResultItem); got != "[{bob 0} {ghost 70107} {carol 0} {bob 0} {a b 70402}]" {
			t.Error(got)
		}
		at := time.Now()
		for _, c := range []*testkit.Client{bob, phone} {
			if kind := kicked(c); kind != 3 {
				t.Errorf("bob is told %d", kind)
			}
			c.Closed()
		}
		if d := time.Since(at); d > 2*time.Second {
			t.Errorf("closed after %s", d)
		}
		seen := map[string]int{}
		for len(seen) < 2 {
			for _, st := range alice.Statuses() {
				seen[st.String()]++
			}
		}
		if diff := cmp.Diff(map[string]int{"bob UNLOGINED": 1, "carol UNLOGINED": 1}, seen); diff != "" {
			t.Errorf("who watches is told (-want +got)\n%s", diff)
		}
		alice.SeesNothing()
		for range 2 {
			if got := alice.Query("bob", "carol"); len(got) != 0 {
				t.Errorf("who was deleted has the status %v", got)
			}
			if got := imported(t, s, "bob", "carol", "alice"); got != "alice" {
				t.Errorf("there are %s", got)
			}
			if a := s.Connect("bob").TryLogin(old); a.Code != int(im.CodeSigExpired) {
				t.Errorf("a login with an old UserSig: %d", a.Code)
			}
			if kind := kicked(s.MustReturn(away)); kind != 3 {
				t.Errorf("who returns is told %d", kind)
			}
			s.Restart()
			alice = s.MustReturn(alice)
		}
		time.Sleep(time.Second)
		again := s.Login("bob")
		for last := ""; last != "bob ONLINE"; { // what a restart has told again comes before
			for _, st := range alice.Statuses() {
				last = st.String()
			}
		}
		if again.TinyID == bob.TinyID {
			t.Error("the new account has the old one's number")
		}
		if got := again.Query("bob"); len(got) != 1 || got[0].Custom != "" {
			t.Errorf("the new bob is %v", got)
		}
		alice.SetCustom("hello")
		again.Sees("bob ONLINE")
		again.SeesNothing() // of alice, whom the old bob watched
	})
}

func TestAC4_DeletionsAreCounted(t *testing.T) {
	s := testkit.Start(t)
	hundred := strings.Repeat(`{"UserID":"a"},`, 99) + `{"UserID":"a"}`
	must(t, s, remove, `{"DeleteItem":[`+hundred+`]}`, &struct{}{})
	for _, body := range []string{`{}`, `{"DeleteItem":[]}`, `{"DeleteItem":[` + hundred + `,{"UserID":"b"}]}`, `{"DeleteItem":["a"]}`} {
		refused(t, s, remove, body, im.CodeInvalid)
	}
}

func TestAC5_AC8_KickIsCommittedBeforeItsAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		alice, bob, away := s.Login("alice"), s.Login("bob"), s.Connect("bob")
		alice.Sees("alice ONLINE")
		away.Platform = 2
		away.MustLogin()
		away.Break()
		alice.Subscribe("bob")
		old := s.UserSig("bob")
		must(t, s, kick, `{"UserID":"bob"}`, &struct{}{})
		at := time.Now()
		if kind := kicked(bob); kind != 3 {
			t.Errorf("told %d", kind)
		}
		bob.Closed()
		if d := time.Since(at); d > 2*time.Second {
			t.Errorf("closed after %s", d)
		}
		alice.Sees("bob UNLOGINED")
		for range 2 {
			if a := s.Connect("bob").TryLogin(old); a.Code != int(im.CodeSigExpired) {
				t.Errorf("a login with an old UserSig: %d", a.Code)
			}
			if kind := kicked(s.MustReturn(away)); kind != 3 {
				t.Errorf("who returns is told %d", kind)
			}
			s.Restart()
		}
		time.Sleep(time.Second)
		s.Login("bob")
		must(t, s, kick, `{"Identifier":"bob"}`, &struct{}{})
		refused(t, s, kick, `{"UserID":"ghost"}`, im.CodeNoAccount)
		for _, body := range []string{`{}`, `{"UserID":"a b"}`, `{"UserID":["bob"]}`} {
			refused(t, s, kick, body, im.CodeInvalid)
		}
		must(t, s, remove, `{"DeleteItem":[{"UserID":"bob"}]}`, &struct{}{})
		if diff := cmp.Diff([]string{
			"rest:administrator user.kick bob", "rest:administrator user.kick bob", "rest:administrator user.delete bob",
		}, audit(t, s)); diff != "" {
			t.Errorf("audit (-want +got)\n%s", diff)
		}
	})
}

func TestAC7_DeletionHasItsSettings(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		set := func(values string) { operate(t, s, "PATCH /apps/1400000001", `{"settings":{`+values+`}}`) }
		must(t, s, importMany, `{"Accounts":["alice","bob"]}`, &struct{}{})
		set(`"account.deletion":"false"`)
		refused(t, s, remove, `{"DeleteItem":[{"UserID":"alice"}]}`, im.CodeNoDeletion)
		set(`"account.deletion":"true","account.keep_out":"1h"`)
		must(t, s, remove, `{"DeleteItem":[{"UserID":"alice"}]}`, &struct{}{})
		refused(t, s, importOne, `{"UserID":"alice"}`, im.CodeKeptOut)
		var answer struct{ FailAccounts []string }
		must(t, s, importMany, `{"Accounts":["alice","bob","carol"]}`, &answer)
		if got := strings.Join(answer.FailAccounts, " "); got != "alice" {
			t.Errorf("kept out: %s", got)
		}
		time.Sleep(time.Hour + time.Second)
		must(t, s, importOne, `{"UserID":"alice"}`, &struct{}{})
		must(t, s, remove, `{"DeleteItem":[{"UserID":"alice"}]}`, &struct{}{})
		set(`"account.keep_out":"0s"`)
		must(t, s, importOne, `{"UserID":"alice"}`, &struct{}{})
	})
}
