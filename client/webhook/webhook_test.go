package webhook

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

const at = 1700000000

func TestVectors(t *testing.T) {
	if got := Sign("xxxxyyyy", 1669872112); got != "17773bc39a671d7b9aa835458704d2a6db81360a5940292b587d6d760d484061" {
		t.Errorf("Sign gives %s", got)
	}
	good := url.Values{"Sign": {"31f59cfb324544423b3944dd76317dedf2c294530d9d70b9b03a0c7e153e5bf9"}, "RequestTime": {"1700000000"}}
	for off, want := range map[time.Duration]error{0: nil, Window: nil, -Window: nil, Window + time.Second: ErrTime, -Window - time.Second: ErrTime} {
		if err := Verify("tok-51f0", good, time.Unix(at, 0).Add(off)); !errors.Is(err, want) {
			t.Errorf("%s off: %v, want %v", off, err, want)
		}
	}
	for name, q := range map[string]url.Values{
		"none": {}, "no time": {"Sign": good["Sign"]}, "another time": {"Sign": good["Sign"], "RequestTime": {"1700000001"}},
		"twice": {"Sign": {good.Get("Sign"), "x"}, "RequestTime": good["RequestTime"]},
	} {
		if err := Verify("tok-51f0", q, time.Unix(at, 0)); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Verify("tok-51f1", good, time.Unix(at, 0)); !errors.Is(err, ErrSignature) {
		t.Errorf("another token: %v", err)
	}
}

// post sends a receiver one request and gives the answer.
func post(rc *Receiver, query, body string, header http.Header) (int, string) {
	r := httptest.NewRequest(http.MethodPost, "/im?"+query, strings.NewReader(body))
	for k, v := range header {
		r.Header[k] = v
	}
	w := httptest.NewRecorder()
	rc.ServeHTTP(w, r)
	text, _ := io.ReadAll(w.Result().Body)
	return w.Code, strings.TrimSpace(string(text))
}

func TestReceiver(t *testing.T) {
	var got []Event
	var fail error
	rc := &Receiver{
		AppID: 7, Token: "tok-51f0", now: func() time.Time { return time.Unix(at, 0) },
		Handle: func(_ *http.Request, e *Event) (Answer, error) {
			got = append(got, *e)
			return Answer{Items: []Item{{UserID: "teo", Code: 38001}}}, fail
		},
	}
	query := "SdkAppid=7&CallbackCommand=State.StateChange&contenttype=json&ClientIP=203.0.113.9&OptPlatform=Web&Sign=" +
		Sign("tok-51f0", at) + "&RequestTime=1700000000"
	body := `{"CallbackCommand":"State.StateChange","EventTime":5,"Info":{"Action":"Login","To_Account":"mira","Reason":"Register"},"KickedDevice":[{"Platform":"Web"}]}`
	code, text := post(rc, query, body, http.Header{"X-Event-Id": {"1.2"}, "X-Event-Version": {"1.7"}})
	if code != 200 || text != `{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":"","ResultItem":[{"To_Account":"teo","ResultCode":38001,"ResultInfo":""}]}` {
		t.Errorf("%d %s", code, text)
	}
	s, err := got[0].StateChange()
	if err != nil || s.Info.UserID != "mira" || s.Info.Action != "Login" || s.KickedDevice[0].Platform != "Web" ||
		got[0].ID != "1.2" || got[0].Version != "1.7" || got[0].ClientIP != "203.0.113.9" {
		t.Errorf("%+v %+v %v", got[0], s, err)
	}
	for name, c := range map[string][2]string{
		"another app":     {strings.Replace(query, "SdkAppid=7", "SdkAppid=8", 1), body},
		"no app":          {strings.Replace(query, "SdkAppid=7&", "", 1), body},
		"another token":   {strings.Replace(query, "Sign=3", "Sign=4", 1), body},
		"another command": {strings.Replace(query, "State.StateChange", "State.Other", 1), body},
		"no JSON":         {query, "<html>"},
	} {
		if code, _ := post(rc, c[0], c[1], nil); code != 403 || len(got) != 1 {
			t.Errorf("%s: %d, %d events", name, code, len(got))
		}
	}
	rc.SignBody = true
	if code, _ := post(rc, query, body, nil); code != 403 {
		t.Errorf("a body without a signature: %d", code)
	}
	rc.SignBody = false
	batch := `{"CallbackCommand":"Porchlight.Batch","Events":[{"CallbackCommand":"A","Id":"1.1","OptPlatform":"Web"},{"CallbackCommand":"B","Version":"1.9"}]}`
	query = strings.Replace(query, "State.StateChange", "Porchlight.Batch", 1)
	if code, _ := post(rc, query, batch, nil); code != 200 || len(got) != 3 || got[1].Command != "A" || got[1].ID != "1.1" || got[2].Version != "1.9" {
		t.Errorf("a batch: %d %+v", code, got)
	}
	if fail = errors.New("the database is away"); len(got) > 0 {
		if code, text := post(rc, query, batch, nil); code != 500 || strings.Contains(text, "database") {
			t.Errorf("a failure: %d %s", code, text)
		}
	}
}

func TestBefore(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{{"1.9", "1.10", true}, {"1.10", "1.9", false}, {"1.99", "2.1", true}, {"1.1", "1.1", false}, {"", "1.1", true}} {
		if got := Before(c.a, c.b); got != c.want {
			t.Errorf("Before(%s, %s) = %v", c.a, c.b, got)
		}
	}
}
