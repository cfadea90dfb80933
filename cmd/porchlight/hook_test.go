package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWE11_WE24_WebhooksAreManaged(t *testing.T) {
	operate(t)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("s3cret-token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	answer := `{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":""}`
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) }))
	defer back.Close()
	says(t, "webhook show 1400000001", "requests are not signed", "There is no URL", "State.StateChange")
	says(t, "webhook commands", "Porchlight.Lost", "Sns.CallbackPrevFriendAdd       false")
	says(t, "webhook token 1400000001 -file "+file, "set")
	if out := carryOut(t, "webhook show 1400000001 -json"); strings.Contains(out, "s3cret") || !strings.Contains(out, `"token":true`) {
		t.Errorf("the token: %s", out)
	}
	says(t, "webhook set 1400000001 durable=true batch=20 Sns.CallbackPrevFriendAdd=true", "durable   true", "batch     20", "Sns.CallbackPrevFriendAdd       true")
	says(t, "webhook set 1400000001 durable= batch= Sns.CallbackPrevFriendAdd=", "durable   false", "batch     1", "Sns.CallbackPrevFriendAdd       false")
	says(t, "webhook add 1400000001 "+back.URL+" -for State.StateChange", back.URL, "State.StateChange")
	says(t, "webhook change 1400000001 1 "+back.URL+"/x", "/x  everything")
	says(t, "webhook test 1400000001 1", "ok")
	answer = "<html>"
	if o := try(t, "webhook", "test", "1400000001", "1"); o.err == nil || !strings.Contains(o.err.Error(), "not_json") {
		t.Errorf("a test that fails: %+v", o)
	}
	says(t, "webhook log 1400000001", "ok", "not_json", "State.StateChange")
	says(t, "webhook log 1400000001 -failed", "not_json")
	says(t, "webhook replay 1400000001 1 -after 0", "event 0")
	says(t, "webhook replay 1400000001 1 -since 2h", "event 0")
	says(t, "webhook remove 1400000001 1", "There is no URL")
	for _, line := range []string{
		"webhook set 1400000001 durable=maybe", "webhook set 1400000001 batch=x", "webhook replay 1400000001 1",
		"webhook replay 1400000001 1 -after 0 -since 1h", "webhook show x",
	} {
		if o := try(t, strings.Fields(line)...); o.err == nil {
			t.Errorf("porchlight %s succeeded", line)
		}
	}
	says(t, "webhook token 1400000001 -none", "not signed")
}
