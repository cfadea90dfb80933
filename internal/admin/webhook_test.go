package admin_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/porchlight-im/porchlight/internal/testkit"
)

// hooks is what the API says of webhooks, as far as it is looked at here.
type hooks struct {
	URLs []struct {
		ID       int
		URL      string
		Commands []string
	}
	Commands map[string]bool
	Token    bool
	Durable  bool
	Batch    int
}

func TestWE11_WE24_WebhooksOverTheAPI(t *testing.T) {
	h := testkit.NewOperator(t).Handler()
	var got hooks
	loose := func(line, body string, code int) {
		t.Helper()
		r := send(t, h, line, body)
		if r.code != code {
			t.Fatalf("%s: status %d, want %d: %s", line, r.code, code, r.body)
		}
		if strings.Contains(r.body, "s3cret-token") {
			t.Errorf("%s shows the token: %s", line, r.body)
		}
		if code < 300 {
			got = hooks{}
			unmarshal(t, r.body, &got)
		}
	}
	const path = "/apps/1400000001/webhooks"
	loose("GET "+path, "", 200)
	if len(got.URLs) != 0 || got.Token || got.Batch != 1 || !got.Commands["State.StateChange"] || got.Commands["Sns.CallbackPrevFriendAdd"] {
		t.Errorf("at first: %+v", got)
	}
	loose("PATCH "+path, `{"durable":true}`, 422)
	loose("PATCH "+path, `{"token":"s3cret-token","durable":true,"batch":20,"commands":{"Sns.CallbackPrevFriendAdd":true}}`, 200)
	if !got.Token || !got.Durable || got.Batch != 20 || !got.Commands["Sns.CallbackPrevFriendAdd"] {
		t.Errorf("after a change: %+v", got)
	}
	answer := `{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":""}`
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) }))
	defer srv.Close()
	loose("POST "+path+"/urls", `{"url":"`+srv.URL+`","commands":["State.StateChange"]}`, 201)
	if len(got.URLs) != 1 || got.URLs[0].ID != 1 || len(got.URLs[0].Commands) != 1 {
		t.Errorf("with a URL: %+v", got)
	}
	loose("POST "+path+"/urls", `{"url":"ftp://x"}`, 422)
	loose("PUT "+path+"/urls/1", `{"url":"`+srv.URL+`/x"}`, 200)
	if got.URLs[0].URL != srv.URL+"/x" || len(got.URLs[0].Commands) != 0 {
		t.Errorf("with another: %+v", got)
	}
	var line struct {
		Outcome, Detail, Event, Command, Body string
		Status                                int
	}
	test := func() {
		t.Helper()
		r := send(t, h, "POST "+path+"/urls/1/test", `{}`)
		if r.code != 200 {
			t.Fatalf("%d %s", r.code, r.body)
		}
		line.Outcome, line.Detail = "", ""
		unmarshal(t, r.body, &line)
	}
	if test(); line.Outcome != "ok" || line.Status != 200 || line.Command != "State.StateChange" {
		t.Errorf("a test: %+v", line)
	}
	answer = "<html>"
	if test(); line.Outcome != "not_json" || line.Detail == "" {
		t.Errorf("a test that fails: %+v", line)
	}
	r := send(t, h, "GET "+path+"/log?failed=true", "")
	if r.code != 200 || strings.Count(r.body, `"outcome":"not_json"`) != 1 || strings.Contains(r.body, `"outcome":"ok"`) {
		t.Errorf("the log: %d %s", r.code, r.body)
	}
	for body, code := range map[string]int{`{"after":0}`: 200, `{"since":"2026-01-01T00:00:00Z"}`: 200, `{}`: 422, `{"after":0,"since":"2026-01-01T00:00:00Z"}`: 422} {
		if r := send(t, h, "POST "+path+"/urls/1/replay", body); r.code != code {
			t.Errorf("replay %s: %d %s", body, r.code, r.body)
		}
	}
	loose("DELETE "+path+"/urls/1", "", 200)
	loose("DELETE "+path+"/urls/1", "", 422)
	loose("GET /apps/77/webhooks", "", 404)
	if r := send(t, h, "GET /webhook-commands", ""); r.code != 200 || !strings.Contains(r.body, "Porchlight.Lost") {
		t.Errorf("the commands: %d %s", r.code, r.body)
	}
}

func unmarshal(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}
