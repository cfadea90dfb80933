package rest_test

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/testkit"
	"github.com/porchlight-im/porchlight/internal/usersig"
)

const check = "im_open_login_svc/account_check"

func TestRE1_EveryAnswerIsInTheEnvelope(t *testing.T) {
	s := testkit.Start(t)
	s.Login("alice")
	a := s.REST(check, `{"CheckItem":[{"UserID":"alice"},{"Identifier":"ghost"}]}`)
	head, tail := `{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":"","ResultItem":[`+
		`{"UserID":"alice","ResultCode":0,"ResultInfo":"","AccountStatus":"Imported"},`+
		`{"UserID":"ghost","ResultCode":0,"ResultInfo":"","AccountStatus":"NotImported"}],"RequestId":"`, a.RequestId+`"}`
	if a.HTTP != http.StatusOK || a.Text != head+tail || a.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %v %s", a.HTTP, a.Header, a.Text)
	}
	if !strings.HasPrefix(a.RequestId, "Id-") || !strings.Contains(a.RequestId, "-O-Seq-") {
		t.Errorf("the request has the id %q", a.RequestId)
	}
	b := s.REST("openim/nothing", `{}`)
	if b.HTTP != http.StatusOK || b.ActionStatus != "FAIL" || b.ErrorInfo == "" || b.RequestId == a.RequestId || b.RequestId == "" {
		t.Errorf("%d %s", b.HTTP, b.Text)
	}
	for _, method := range []string{"GET", "PUT", "DELETE", "PATCH"} {
		c := s.RESTCall(check, `{}`)
		c.Method = method
		if a := s.SendREST(c); a.HTTP != http.StatusMethodNotAllowed || a.ErrorCode != im.CodeBadRequest || a.Header.Get("Allow") != "POST, OPTIONS" {
			t.Errorf("%s is answered %d %s", method, a.HTTP, a.Text)
		}
	}
}

// TestRE2_FirstFaultIsTold spoils a good request in more and more ways, the
// last one first.
func TestRE2_FirstFaultIsTold(t *testing.T) {
	s := testkit.Start(t, "rest.body_bytes=64")
	s.Login("mallory")
	c := s.RESTCall(check, "")
	for _, step := range []struct {
		want  im.Code
		spoil func()
		body  string
	}{
		{0, func() {}, `{"CheckItem":[{"UserID":"alice"}]}`},
		{im.CodeInvalid, func() {}, `{"CheckItem":[]}`},
		{im.CodeNotJSON, func() {}, `{"CheckItem":[]`},
		{im.CodeTooLong, func() {}, `{"CheckItem":[` + strings.Repeat(" ", 64)},
		{im.CodeNotAdmin, func() { c.Query = s.RESTQuery("mallory") }, strings.Repeat(" ", 65)},
		{im.CodeSigOtherUser, func() { c.Query.Set("identifier", "administrator") }, ""},
		{im.CodeSigMalformed, func() { c.Query.Set("usersig", "eJ") }, ""},
		{im.CodeBadParameter, func() { c.Query.Set("contenttype", "JSON") }, ""},
		{im.CodeBadParameter, func() { c.Query.Del("identifier") }, ""},
		{im.CodeNoApp, func() { c.Query.Set("sdkappid", "1400999999") }, ""},
		{im.CodeNoApp, func() { c.Query.Set("sdkappid", "0x10") }, ""},
		{im.CodeNoAppID, func() { c.Query.Del("sdkappid") }, ""},
		{im.CodeNoResource, func() { c.Path += "/" }, ""},
	} {
		step.spoil()
		c.Body = strings.NewReader(step.body)
		if a := s.SendREST(c); a.ErrorCode != step.want || a.HTTP != http.StatusOK {
			t.Errorf("want %d, got %d %s", step.want, a.HTTP, a.Text)
		}
	}
}

func TestRE2_EveryUserSigHasItsCode(t *testing.T) {
	s := testkit.Start(t)
	now := time.Now()
	other, err := usersig.Mint(s.Dev.SDKAppID+1, "administrator", s.Dev.SecretKey, now, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := usersig.Mint(s.Dev.SDKAppID, "administrator", "another key", now, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for sig, want := range map[string]im.Code{
		s.UserSig("administrator"):                                      0,
		s.UserSigFor("administrator", now.Add(-time.Hour), time.Minute): im.CodeSigExpired,
		s.UserSigFor("administrator", now.Add(time.Hour), time.Hour):    im.CodeSigMalformed,
		s.UserSig("alice"):               im.CodeSigOtherUser,
		other:                            im.CodeSigOtherApp,
		forged:                           im.CodeSigMismatch,
		s.UserSig("administrator") + "x": im.CodeSigMalformed,
		" " + s.UserSig("administrator"): im.CodeSigMalformed,
		strings.Repeat("e", 5000):        im.CodeSigMalformed,
		strings.ReplaceAll(s.UserSig("administrator"), "_", "=") + "\r\n":      im.CodeSigMalformed,
		strings.Replace(s.UserSig("administrator"), "eJ", "fJ", 1) + "\x00%00": im.CodeSigMalformed,
		s.UserSigFor("administrator", now, 100*365*24*time.Hour):               0,
		strings.ToUpper(s.UserSig("administrator")):                            im.CodeSigMalformed,
		url.QueryEscape(url.QueryEscape(s.UserSig("administrator") + "*")):     im.CodeSigMalformed,
		strings.Repeat(s.UserSig("administrator"), 2):                          im.CodeSigMalformed,
	} {
		c := s.RESTCall(check, `{"CheckItem":[{"UserID":"alice"}]}`)
		c.Query.Set("usersig", sig)
		if a := s.SendREST(c); a.ErrorCode != want {
			t.Errorf("a UserSig %.20s… is answered %s, want %d", sig, a.Text, want)
		}
	}
}

func TestRE4_ParametersAreReadOnce(t *testing.T) {
	s := testkit.Start(t)
	sig := s.UserSig("administrator")
	good := "sdkappid=1400000001&identifier=administrator&contenttype=json&usersig="
	for query, want := range map[string]im.Code{
		good + sig: 0,
		good + strings.NewReplacer("*", "%2A", "-", "%2D", "_", "%5F").Replace(sig): 0,
		good + strings.NewReplacer("*", "%2a", "-", "%2d", "_", "%5f").Replace(sig): 0,
		"random=1&random2=2&" + good + sig + "&&=&x=%zz":                            0,
		"random=99999999999999999999&" + good + sig:                                 0,
		good + sig + "&usersig=" + sig:                                              im.CodeBadParameter,
		good + sig + "&user%73ig=" + sig:                                            im.CodeBadParameter,
		good + sig + "&sdkappid=1400000001":                                         im.CodeBadParameter,
		good + sig + "&random=1&random=1":                                           im.CodeBadParameter,
		good + sig + "%":                                                            im.CodeBadRequest,
		good + sig + "&x%z=1":                                                       im.CodeBadRequest,
		strings.Replace(good, "sdkappid", "SDKAppID", 1) + sig:                      im.CodeNoAppID,
		strings.Replace(good, "usersig", "UserSig", 1) + sig:                        im.CodeBadParameter,
		strings.Replace(good, "json", "xml", 1) + sig:                               im.CodeBadParameter,
		strings.Replace(good, "=administrator", "=Administrator", 1) + sig:          im.CodeSigOtherUser,
		strings.Replace(good, "1400000001", "+1400000001", 1) + sig:                 im.CodeNoApp,
		"": im.CodeNoAppID,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.Dev.URL+"/v4/"+check, strings.NewReader(`{"CheckItem":[{"UserID":"alice"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		req.URL.RawQuery = query
		if a := s.SendRawREST(req); a.ErrorCode != want {
			t.Errorf("%q is answered %s, want %d", strings.ReplaceAll(query, sig, "…"), a.Text, want)
		}
	}
}

func TestRE6_BodiesAreJudged(t *testing.T) {
	s := testkit.Start(t, "rest.body_bytes=200000")
	deep := strings.Repeat("[", 90000) + strings.Repeat("]", 90000)
	for _, c := range []struct {
		body string
		want im.Code
	}{
		{`{"CheckItem":[{"UserID":"alice"}]}`, 0},
		{" \n{\"CheckItem\":[{\"UserID\":\"alice\"}],\"more\":[1,{}]}", 0},
		{``, im.CodeNotJSON},
		{` `, im.CodeNotJSON},
		{`null`, im.CodeInvalid}, // decoded, and nobody is named
		{`[]`, im.CodeNotJSON},
		{`"text"`, im.CodeNotJSON},
		{`{`, im.CodeNotJSON},
		{`{}{}`, im.CodeNotJSON},
		{`{"CheckItem":[{"UserID":"alice"}]} x`, im.CodeNotJSON},
		{`{"CheckItem":[],"CheckItem":[{"UserID":"alice"}]}`, im.CodeNotJSON},
		{`{"checkitem":[{"UserID":"alice"}]}`, im.CodeInvalid},
		{`{"CheckItem":"alice"}`, im.CodeInvalid},
		{`{"CheckItem":["alice"]}`, im.CodeInvalid},
		{`{"CheckItem":[{"UserID":7}]}`, im.CodeInvalid},
		{`{"CheckItem":null}`, im.CodeInvalid},
		{`{"CheckItem":[{"UserID":"` + "\xff" + `"}]}`, im.CodeNotJSON},
		{`{"CheckItem":[{"UserID":"\ud800"}]}`, im.CodeNotJSON},
		{`{"CheckItem":[{"UserID":"alice",}]}`, im.CodeNotJSON},
		{"\ufeff{}", im.CodeNotJSON},
		{`{"more":` + deep + `}`, im.CodeNotJSON},
		{`{"more":"` + strings.Repeat("x", 200000) + `"}`, im.CodeTooLong},
		{`{"CheckItem":[` + strings.Repeat(`{},`, 100) + `{}]}`, im.CodeInvalid},
		{`{"CheckItem":[` + strings.Repeat(`{"UserID":"a"},`, 99) + `{"UserID":"a"}]}`, 0},
	} {
		if a := s.REST(check, c.body); a.ErrorCode != c.want {
			t.Errorf("%.80q is answered %s, want %d", c.body, a.Text, c.want)
		}
	}
	c := s.RESTCall(check, "")
	c.Body = struct{ *bytes.Reader }{bytes.NewReader(bytes.Repeat([]byte(" "), 200001))} // its length is not said
	if a := s.SendREST(c); a.ErrorCode != im.CodeTooLong {
		t.Errorf("a long body in pieces is answered %s", a.Text)
	}
}

func TestRE7_PathsHaveOneSpelling(t *testing.T) {
	s := testkit.Start(t)
	for _, path := range []string{
		"/v4/im_open_login_svc/Account_Check", "/v4/IM_open_login_svc/account_check", "/v4/im_open_login_svc/account_check/",
		"/v4//im_open_login_svc/account_check", "//v4/im_open_login_svc/account_check", "/v4/./im_open_login_svc/account_check",
		"/v4/x/../im_open_login_svc/account_check", "/x/../v4/im_open_login_svc/account_check", "/v4/im_open_login_svc%2Faccount_check",
		"/v4/im_open_login_svc/%61ccount_check", "/v4/im_open_login_svc/account_check%00", "/v3/im_open_login_svc/account_check",
		"/v40/im_open_login_svc/account_check", "/v4/", "/v4/im_open_login_svc", "/v4/im_open_login_svc/account_check;x=1",
	} {
		c := s.RESTCall(check, `{}`)
		c.Path = path
		if a := s.SendREST(c); a.HTTP != http.StatusOK || a.ErrorCode != im.CodeNoResource {
			t.Errorf("%s is answered %d %s", path, a.HTTP, a.Text)
		}
	}
}

func TestRE8_PagesMayAsk(t *testing.T) {
	s := testkit.Start(t)
	c := s.RESTCall(check, ``)
	c.Method = http.MethodOptions
	a := s.SendREST(c)
	if a.HTTP != http.StatusNoContent || a.Text != "" || a.Header.Get("Access-Control-Allow-Methods") != "POST, OPTIONS" ||
		a.Header.Get("Access-Control-Allow-Origin") != "*" || a.Header.Get("Access-Control-Allow-Headers") != "Content-Type" {
		t.Errorf("%d %v", a.HTTP, a.Header)
	}
	if a := s.REST(check, `{}`); a.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("an answer has the header %v", a.Header)
	}
	s = testkit.Start(t, "rest.cors=false")
	for _, method := range []string{http.MethodOptions, http.MethodPost} {
		c.Method = method
		if a := s.SendREST(c); a.Header.Get("Access-Control-Allow-Origin")+a.Header.Get("Access-Control-Allow-Methods") != "" {
			t.Errorf("with the setting off %s has the header %v", method, a.Header)
		}
	}
}

func TestRE9_LogSaysWhoCalledWhat(t *testing.T) {
	s := testkit.Start(t)
	c := s.RESTCall(check, `{"CheckItem":[{"UserID":"body_text"}]}`)
	a := s.SendREST(c)
	for _, want := range []string{`msg="REST request" command=` + check + ` code=0`, "request=" + a.RequestId, "app=1400000001", "admin=administrator"} {
		if !strings.Contains(s.Log(), want) {
			t.Errorf("the log does not say %s", want)
		}
	}
	c.Query.Set("identifier", "somebody_else")
	c.Path = "/v4/openim/path_text"
	s.SendREST(c)
	for _, secret := range []string{c.Query.Get("usersig"), c.Query.Get("usersig")[:40], "body_text", "somebody_else", "path_text", "4294967295"} {
		if strings.Contains(s.Log(), secret) {
			t.Errorf("the log says %s", secret)
		}
	}
	s = testkit.Start(t, "rest.access_log=false")
	s.REST(check, `{}`)
	if strings.Contains(s.Log(), "REST request") {
		t.Error("with the setting off requests are logged")
	}
}

func TestRE10_WhatIsMissingIsCounted(t *testing.T) {
	s := testkit.Start(t)
	for _, path := range []string{"openim/sendmsg", "openim/sendmsg", "group_open_http_svc/create_group", "openim/sendmsg2", "a/b", "c/d/e"} {
		if a := s.REST(path, `{}`); a.ErrorCode != im.CodeNoResource {
			t.Errorf("%s is answered %s", path, a.Text)
		}
	}
	for command, want := range map[string]string{"openim/sendmsg": "2", "group_open_http_svc/create_group": "1", "other": "3", "a/b": ""} {
		if got := s.Metric(`porchlight_rest_requests_total{code="60009",command="` + command + `"}`); got != want {
			t.Errorf("%s was counted %q times, want %q", command, got, want)
		}
	}
}

func TestRE15_OnlyListedAddressesAreLetIn(t *testing.T) {
	s := testkit.StartTCP(t, "rest.allow=[192.0.2.0/24, 2001:db8::7]")
	for forwarded, want := range map[string]im.Code{
		"192.0.2.9":               0,
		"2001:db8::7":             0,
		"198.51.100.1, 192.0.2.9": 0,
		"192.0.2.9, 198.51.100.1": im.CodeAddress,
		"2001:db8::8":             im.CodeAddress,
		"":                        im.CodeAddress,
		"somewhere":               im.CodeAddress,
	} {
		c := s.RESTCall(check, `{"CheckItem":[{"UserID":"alice"}]}`)
		req, err := http.NewRequestWithContext(t.Context(), c.Method, s.Dev.URL+c.Path+"?"+c.Query.Encode(), c.Body)
		if err != nil {
			t.Fatal(err)
		}
		if forwarded != "" {
			req.Header.Set("X-Forwarded-For", forwarded)
		}
		if a := s.SendRawREST(req); a.ErrorCode != want {
			t.Errorf("from %q the answer is %s, want %d", forwarded, a.Text, want)
		}
	}
}

// TestRE16_LibrariesAreServed sends what two libraries that are in use send, one
// for Go and one for Node.
func TestRE16_LibrariesAreServed(t *testing.T) {
	s := testkit.Start(t)
	for _, c := range []struct{ command, body, random, kind, want string }{
		{importOne, `{"Identifier":"alice","Nick":"","FaceUrl":""}`, "1943822931", "application/json", ``},
		{importMany, `{"Accounts":["bob","carol"]}`, "176406940101288123456", "application/json; charset=utf-8", `"FailAccounts":[]`},
		{check, `{"CheckItem":[{"UserID":"bob"}],"UserID":"bob"}`, "176406940101288123456", "application/json;charset=utf-8", `"AccountStatus":"Imported"`},
		{online, `{"To_Account":["bob"],"IsNeedDetail":0}`, "1", "", `"QueryResult":[{"To_Account":"bob","Status":"Offline"}],"ErrorList":[]`},
		{kick, `{"Identifier":"bob"}`, "", "text/plain", ``},
		{remove, `{"DeleteItem":[{"UserID":"bob"}],"UserID":""}`, "0.5", "application/x-www-form-urlencoded", `"ResultItem":[{"ResultCode":0,"ResultInfo":"","UserID":"bob"}]`},
		{info, `{}`, "7", "application/json", `"RegistUserNumTotal":"2"`},
	} {
		call := s.RESTCall(c.command, c.body)
		call.Query.Set("random", c.random)
		req, err := http.NewRequestWithContext(t.Context(), call.Method, s.Dev.URL+call.Path+"?"+call.Query.Encode(), call.Body)
		if err != nil {
			t.Fatal(err)
		}
		if c.kind != "" {
			req.Header.Set("Content-Type", c.kind)
		}
		if a := s.SendRawREST(req); a.ErrorCode != 0 || !strings.Contains(a.Text, c.want) {
			t.Errorf("%s %s is answered %s", c.command, c.body, a.Text)
		}
	}
}
