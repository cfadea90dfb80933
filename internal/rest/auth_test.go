package rest_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/testkit"
)

// operate has the operator do something, such as "POST /apps/1400000001/…".
func operate(t *testing.T, s *testkit.Server, line, body string) {
	t.Helper()
	method, path, _ := strings.Cut(line, " ")
	req, err := http.NewRequestWithContext(t.Context(), method, s.Dev.URL+"/admin/v1"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.Dev.OperatorToken)
	resp, err := s.HTTP().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // what it says is for people
	if resp.StatusCode > 299 {
		text, _ := io.ReadAll(resp.Body)
		t.Fatalf("%s: %d %s", line, resp.StatusCode, text)
	}
}

// TestRE3_WhatIsRememberedIsNeverStale has each order about a caller whose
// UserSig is remembered count from the next request on.
func TestRE3_WhatIsRememberedIsNeverStale(t *testing.T) {
	const app, user = "/apps/1400000001", "/apps/1400000001/users/administrator"
	for name, c := range map[string]struct {
		order, body string
		want        im.Code
		undo        string // "" for one after which a new UserSig is good
		undoBody    string
	}{
		"kick":      {"POST " + user + "/kick", "", im.CodeSigExpired, "", ""},
		"ban":       {"PUT " + user + "/ban", "", im.CodeSigExpired, "DELETE " + user + "/ban", ""},
		"admin":     {"DELETE " + app + "/admins/administrator", "", im.CodeNotAdmin, "PUT " + app + "/admins/administrator", ""},
		"disabling": {"PATCH " + app, `{"enabled":false}`, im.CodeAppDisabled, "PATCH " + app, `{"enabled":true}`},
		"token life": {
			"PATCH " + app, `{"settings":{"limit.token_life":"1h"}}`, im.CodeSigMalformed,
			"PATCH " + app, `{"settings":{"limit.token_life":"0s"}}`,
		},
		"bound": {"PATCH " + app + "/keys/1", `{"notAfter":"2000-01-01T00:00:10Z"}`, im.CodeNoKey, "PATCH " + app + "/keys/1", `{"notAfter":null}`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := testkit.Start(t)
				s.Login("administrator").Close(1000)
				call := s.RESTCall(check, "")
				again := func(want im.Code) {
					t.Helper()
					call.Body = strings.NewReader(`{"CheckItem":[{"UserID":"administrator"}]}`)
					if a := s.SendREST(call); a.ErrorCode != want {
						t.Errorf("the answer is %s, want %d", a.Text, want)
					}
				}
				again(0)
				again(0)
				operate(t, s, c.order, c.body)
				time.Sleep(11 * time.Second)
				again(c.want)
				again(c.want)
				if name == "ban" {
					call.Query = s.RESTQuery("administrator")
					again(im.CodeBanned)
				}
				if c.undo != "" {
					operate(t, s, c.undo, c.undoBody)
				}
				time.Sleep(time.Second)
				call.Query = s.RESTQuery("administrator")
				again(0)
			})
		})
	}
}

func TestRE3_WithdrawnKeyVerifiesNoMore(t *testing.T) {
	s := testkit.Start(t)
	call := s.RESTCall(check, `{"CheckItem":[{"UserID":"alice"}]}`)
	if a := s.SendREST(call); a.ErrorCode != 0 {
		t.Fatal(a.Text)
	}
	operate(t, s, "POST /apps/1400000001/keys", "")
	operate(t, s, "POST /apps/1400000001/keys/1/withdraw", "")
	call.Body = strings.NewReader(`{"CheckItem":[{"UserID":"alice"}]}`)
	if a := s.SendREST(call); a.ErrorCode != im.CodeSigMismatch {
		t.Errorf("a UserSig of a withdrawn key is answered %s", a.Text)
	}
}

// TestRE3_ExpiryCountsWhereItIsRemembered lets a UserSig expire between two
// calls.
func TestRE3_ExpiryCountsWhereItIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testkit.Start(t)
		call := s.RESTCall(check, "")
		call.Query.Set("usersig", s.UserSigFor("administrator", time.Now(), time.Minute))
		for _, want := range []im.Code{0, 0, im.CodeSigExpired} {
			call.Body = strings.NewReader(`{"CheckItem":[{"UserID":"alice"}]}`)
			if a := s.SendREST(call); a.ErrorCode != want {
				t.Errorf("the answer is %s, want %d", a.Text, want)
			}
			time.Sleep(31 * time.Second)
		}
	})
}

func TestRE3_AnotherApplicationsAdministratorIsNobody(t *testing.T) {
	other := im.AppRow{
		ID: 1400000002, Name: "other", Enabled: true, Admins: []im.UserID{"administrator"},
		Keys: []im.AppKey{{ID: 1, Secret: "a key that only this test knows"}},
	}
	dev := testkit.DevApp(nil) // the same key, and no administrator
	s := testkit.StartApps(t, dev, other)
	call := s.RESTCall(check, `{"CheckItem":[{"UserID":"alice"}]}`)
	if a := s.SendREST(call); a.ErrorCode != im.CodeNotAdmin {
		t.Errorf("one who is an administrator elsewhere is answered %s", a.Text)
	}
	call.Query.Set("sdkappid", "1400000002")
	if a := s.SendREST(call); a.ErrorCode != im.CodeSigOtherApp {
		t.Errorf("a UserSig of another application is answered %s", a.Text)
	}
}

func TestRE5_RatesHoldForWhoIsHeldToThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testkit.StartApp(t, held(t), "rest.rates=["+check+"=3]")
		burst := func(command string) (passed int) {
			for range 150 {
				switch a := s.REST(command, `{"CheckItem":[{"UserID":"alice"}]}`); a.ErrorCode {
				case 0, im.CodeInvalid:
					passed++
				case im.CodeRate:
				default:
					t.Fatal(a.Text)
				}
			}
			return passed
		}
		for range 2 {
			if n := burst(check); n != 3 {
				t.Errorf("%d calls passed at once, want 3", n)
			}
			time.Sleep(time.Second)
		}
		time.Sleep(time.Hour)
		if n := burst(check); n != 3 {
			t.Errorf("%d calls passed after an hour, want 3", n)
		}
		if n := burst("im_open_login_svc/kick"); n != 150 {
			t.Errorf("%d calls of another command passed, want 150", n)
		}
		operate(t, s, "PATCH /apps/1400000001", `{"settings":{"rest.limited":"false"}}`)
		if n := burst(check); n != 150 {
			t.Errorf("%d calls passed without limits, want 150", n)
		}
	})
}

func held(t *testing.T) im.AppRow {
	t.Helper()
	row := testkit.DevApp(map[string]string{"rest.limited": "true"})
	row.Admins = []im.UserID{"administrator"}
	return row
}

// TestRE6_SlowBodiesAreGivenUp sends a body of which the rest never comes.
func TestRE6_SlowBodiesAreGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testkit.Start(t)
		body, rest := io.Pipe()
		defer func() { _ = rest.Close() }()
		go func() { _, _ = io.WriteString(rest, `{"CheckItem":`) }()
		call := s.RESTCall(check, "")
		call.Body = body
		began := time.Now()
		a := s.SendREST(call)
		if took := time.Since(began); a.ErrorCode != im.CodeTimeout || took < 10*time.Second || took > 11*time.Second {
			t.Errorf("after %s the answer is %s", took, a.Text)
		}
		// One who is refused is not waited for.
		body, rest2 := io.Pipe()
		defer func() { _ = rest2.Close() }()
		call.Body = body
		call.Query.Set("usersig", "none")
		began = time.Now()
		a = s.SendREST(call)
		if took := time.Since(began); a.ErrorCode != im.CodeSigMalformed || took > time.Second {
			t.Errorf("after %s the answer is %s", took, a.Text)
		}
	})
}

// TestRE6_CutBodiesDoNothing closes the connection in the middle of a body.
func TestRE6_CutBodiesDoNothing(t *testing.T) {
	s := testkit.StartTCP(t)
	s.Login("alice")
	conn, err := s.Dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	req := "POST /v4/im_open_login_svc/kick?" + s.RESTQuery("administrator").Encode() + " HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\n" + `{"UserID":"alice"}`
	if _, err := io.WriteString(conn, req); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	if a := s.REST(check, `{"CheckItem":[{"UserID":"alice"}]}`); a.ErrorCode != 0 {
		t.Error(a.Text)
	}
	if got := s.Metric(`porchlight_rest_requests_total{code="0",command="im_open_login_svc/kick"}`); got != "" {
		t.Error("half a body was carried out")
	}
}
