package rest_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/rest"
	"github.com/porchlight-im/porchlight/internal/testkit"
)

// FuzzRE4_Query holds the reader of query strings to the standard library's:
// both read the same of whatever names no parameter twice and has no bad escape.
func FuzzRE4_Query(f *testing.F) {
	for _, raw := range []string{"", "sdkappid=1&identifier=a&usersig=eJ*_&random=1&contenttype=json", "usersig=%2A%2a+&usersig=", "a=1;b=2&%73dkappid=7&=&x=%z"} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		app, identifier, userSig, err := rest.ParseQueryForTest(raw)
		want, badly := url.ParseQuery(raw)
		twice := false
		for _, name := range []string{"sdkappid", "identifier", "usersig", "random", "contenttype", "nettype"} {
			twice = twice || len(want[name]) > 1
		}
		if err == nil && twice {
			t.Errorf("%q names a parameter twice and is read", raw)
		}
		if badly == nil && !twice && err != nil {
			t.Errorf("%q is refused: %v", raw, err)
		}
		if err == nil && badly == nil && (app != want.Get("sdkappid") || identifier != want.Get("identifier") || userSig != want.Get("usersig")) {
			t.Errorf("%q is read as %q, %q, %q", raw, app, identifier, userSig)
		}
		if refusal, known := im.Refusal(err); err != nil && (!known || refusal.Code != im.CodeBadParameter && refusal.Code != im.CodeBadRequest) {
			t.Errorf("%q gives %v", raw, err)
		}
	})
}

// lasting is what a server belongs to that outlives single inputs: it may not
// be asked to mark helpers while one runs.
type lasting struct{ testing.TB }

// Helper marks nothing.
func (lasting) Helper() {}

// FuzzRE6_Body sends any body to every command of a server. Each is answered in
// the envelope, by a code that is no fault of the server's.
func FuzzRE6_Body(f *testing.F) {
	for _, body := range []string{
		``, `{}`, `{"UserID":"alice","Nick":"A","FaceUrl":null}`, `{"AccountList":[{"UserID":"alice","Nick":"A"}],"Accounts":["bob"]}`,
		`{"DeleteItem":[{"UserID":"alice"},{"UserID":"ghost"}]}`, `{"CheckItem":[{"UserID":"alice"}]}`,
		`{"To_Account":["alice","ghost"],"IsNeedDetail":1,"IsReturnInstid":1,"IsReturnCustomStatus":1}`, `{"RequestField":["LoginTimes"]}`,
		`[[[[`, `{"To_Account":["\ud800"]}`, "{\"UserID\":\"\xff\"}", `{"UserID":"a","UserID":"b"}`,
	} {
		for i := range len(served) {
			f.Add(uint8(i), body)
		}
	}
	s := testkit.Start(lasting{f}, "rest.access_log=false")
	s.Login("alice")
	f.Fuzz(func(t *testing.T, i uint8, body string) {
		command := served[int(i)%len(served)]
		a := s.REST(command, body)
		var members map[string]json.RawMessage
		if err := json.Unmarshal([]byte(a.Text), &members); err != nil || a.HTTP != 200 || a.RequestId == "" || (a.ErrorCode == 0) != (a.ActionStatus == "OK") {
			t.Fatalf("%s %q is answered %d %s", command, body, a.HTTP, a.Text)
		}
		switch a.ErrorCode {
		case im.CodeInternal, im.CodeQueryFailed, im.CodeTimeout, im.CodeServerTimeout:
			t.Errorf("%s %q is answered %s", command, body, a.Text)
		}
		if strings.Contains(a.Text, ":null") {
			t.Errorf("%s %q is answered with a null: %s", command, body, a.Text)
		}
	})
}

// served are the commands that are served here.
var served = []string{
	importOne, importMany, remove, check, kick, online, "openim/querystate", info, "ConfigSvc/GetIPList",
}
