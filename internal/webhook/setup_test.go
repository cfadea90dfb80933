package webhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/webhook"
)

func TestWE2_Signatures(t *testing.T) {
	for _, v := range []struct {
		token, want string
		at          int64
	}{
		{"xxxxyyyy", "17773bc39a671d7b9aa835458704d2a6db81360a5940292b587d6d760d484061", 1669872112},
		{"tok-51f0", "31f59cfb324544423b3944dd76317dedf2c294530d9d70b9b03a0c7e153e5bf9", 1700000000},
	} {
		if got := webhook.SignForTest(v.token, time.Unix(v.at, 0)); got != v.want {
			t.Errorf("%s: %s", v.token, got)
		}
	}
	inWorld(t, func(w *world) {
		r := w.add("hooks.example")
		w.change(im.WebhookChange{Token: ptr("tok-51f0")})
		check := func(body bool) {
			t.Helper()
			w.tell(w.event("mira", 1))
			rest(time.Minute)
			g := r.take()[0]
			at := g.url.Get("RequestTime")
			sum := sha256.Sum256([]byte("tok-51f0" + at))
			if g.url.Get("Sign") != hex.EncodeToString(sum[:]) || at == "" {
				t.Errorf("the query is %s", g.query)
			}
			mac := hmac.New(sha256.New, []byte("tok-51f0"))
			mac.Write([]byte(g.header.Get("X-Event-Id") + "." + g.header.Get("X-Event-Time") + "." + g.body))
			want := ""
			if body {
				want = hex.EncodeToString(mac.Sum(nil))
			}
			if got := g.header.Get("X-Body-Sign"); got != want {
				t.Errorf("the body's signature is %q, want %q", got, want)
			}
		}
		check(false)
		w.change(im.WebhookChange{SignBody: ptr(true)})
		check(true)
		w.change(im.WebhookChange{SignBody: ptr(false), Durable: ptr(true)})
		check(true)
	})
}

func TestWE11_URLsAndSwitches(t *testing.T) {
	inWorld(t, func(w *world) {
		if w.d.Hears(app) {
			t.Error("an application without webhooks is told")
		}
		some := w.add("some.example", "Sns.CallbackFriendAdd")
		if w.d.Hears(app) {
			t.Error("it is told of what it has no URL for")
		}
		all := w.add("all.example")
		if !w.d.Hears(app) {
			t.Error("it is not told")
		}
		w.tell(w.event("mira", 1))
		rest(0)
		if a, b := len(some.take()), len(all.take()); a != 0 || b != 1 {
			t.Errorf("%d and %d requests", a, b)
		}
		w.change(im.WebhookChange{Switches: map[string]*bool{"State.StateChange": ptr(false)}})
		if w.d.Hears(app) {
			t.Error("it is told of what is switched off")
		}
		w.change(im.WebhookChange{Switches: map[string]*bool{"State.StateChange": nil}, Remove: []uint32{2}})
		if view := w.d.Webhook(app); w.d.Hears(app) || len(view.URLs) != 1 || view.URLs[0].ID != 1 || len(view.Switches) != 0 {
			t.Errorf("after all: %+v", view)
		}
		w.change(im.WebhookChange{Token: ptr("a-secret-token")})
		if view := w.d.Webhook(app); !view.HasToken || view.Token != "" {
			t.Errorf("the token is shown: %+v", view)
		}
		audit, err := w.store.Audit(w.t.Context(), app, 0, 100)
		if err != nil || len(audit) != 5 || strings.Contains(fmt.Sprint(audit), "secret-token") {
			t.Errorf("the audit is %+v, %v", audit, err)
		}
		for range 9 {
			w.add("x.example")
		}
		if err := w.d.ChangeWebhook(w.t.Context(), "operator", app, im.WebhookChange{Add: &im.WebhookURL{URL: "http://x.example"}}); err == nil {
			t.Error("an 11th URL was taken")
		}
		w.stop()
		w.start()
		if view := w.d.Webhook(app); len(view.URLs) != 10 || !view.HasToken {
			t.Errorf("after a restart: %+v", view)
		}
	})
}

func TestWE12_WE13_WhatCannotBeSet(t *testing.T) {
	inWorld(t, func(w *world) {
		for _, url := range []string{
			"", "ftp://a.example", "a.example", "http://", "http://user@a.example", "http://user:pass@a.example", "http://a.example/#x",
			"http://a_b.example", "http://-a.example", "http://a..example", "http://a.example:0", "http://a.example:70000", "http://a.example:",
			"http://" + strings.Repeat("a", 64), "http://a.example/ x", "http://a.example/\n", "http://[fe80::1%25eth0]/", "http://é.example",
			"http://a.example/" + strings.Repeat("x", 1024), "http://a.example:x",
		} {
			if err := w.d.ChangeWebhook(w.t.Context(), "operator", app, im.WebhookChange{Add: &im.WebhookURL{URL: url}}); err == nil {
				t.Errorf("%q was taken", url)
			}
		}
		for _, url := range []string{"http://a.example", "https://A-b.example:8443/x?y=z&w", "http://203.0.113.9", "http://[2001:db8::1]:80/"} {
			if err := w.d.ChangeWebhook(w.t.Context(), "operator", app, im.WebhookChange{Add: &im.WebhookURL{URL: url}}); err != nil {
				t.Errorf("%q: %v", url, err)
			}
		}
		for name, c := range map[string]im.WebhookChange{
			"a long token":         {Token: ptr(strings.Repeat("x", 65))},
			"a space in the token": {Token: ptr("a b")},
			"kept without a token": {Durable: ptr(true)},
			"signed without one":   {SignBody: ptr(true)},
			"a huge batch":         {Batch: ptr(501)},
			"no batch":             {Batch: ptr(0)},
			"an unknown command":   {Switches: map[string]*bool{"State.Nothing": ptr(true)}},
			"a URL for none":       {Add: &im.WebhookURL{URL: "http://a.example", Commands: []string{"State.Nothing"}}},
			"no such URL":          {Remove: []uint32{99}},
			"no such URL to edit":  {Edit: []im.WebhookURL{{ID: 99, URL: "http://a.example"}}},
		} {
			if err := w.d.ChangeWebhook(w.t.Context(), "operator", app, c); err == nil {
				t.Errorf("%s was taken", name)
			}
		}
		w.change(im.WebhookChange{Token: ptr("t"), Durable: ptr(true)})
		if err := w.d.ChangeWebhook(w.t.Context(), "operator", app, im.WebhookChange{Token: ptr("")}); err == nil {
			t.Error("the token went from under kept events")
		}
	})
}

func TestWE24_LogHasNotWhatUsersWrote(t *testing.T) {
	inWorld(t, func(w *world) {
		r := w.add("hooks.example")
		w.change(im.WebhookChange{Token: ptr("tok-51f0")})
		e := w.event("mira", 1)
		e.Custom = "my secret thought"
		w.tell(e)
		rest(0)
		r.set(func(_ int, _ got, rw http.ResponseWriter) { rw.WriteHeader(502) })
		w.tell(w.event("teo", 2))
		rest(0)
		log := w.d.Deliveries(app, im.DeliveryQuery{Limit: 10})
		if len(log) != 2 || log[0].Outcome != "status" || log[0].Status != 502 || log[1].Outcome != "ok" || log[1].Event != "1.m1" ||
			!strings.Contains(log[1].Body, `"CustomStatus":"(17 bytes)"`) || strings.Contains(fmt.Sprint(log), "thought") ||
			strings.Contains(fmt.Sprint(log), "tok-51f0") {
			t.Errorf("the log is %+v", log)
		}
		if failed := w.d.Deliveries(app, im.DeliveryQuery{Failed: true, Limit: 10}); len(failed) != 1 {
			t.Errorf("those that failed: %+v", failed)
		}
		r.set(nil)
		line, err := w.d.TestWebhook(w.t.Context(), app, 1, "someone")
		if err != nil || line.Outcome != "ok" {
			t.Errorf("the test: %+v, %v", line, err)
		}
		all := r.take()
		if last := all[len(all)-1]; last.header.Get("X-Event-Test") != "1" || !strings.Contains(last.body, `"To_Account":"someone"`) {
			t.Errorf("the test's request: %+v", last)
		}
	})
}

func TestWE26_Relations(t *testing.T) {
	inWorld(t, func(w *world) {
		r := w.add("hooks.example")
		by := im.Caller{Kind: im.CallerClient, Platform: im.IPhone, Addr: netip.MustParseAddr("2001:db8::1")}
		bodies := func() (out []string) {
			rest(0)
			for _, g := range r.take() {
				out = append(out, g.url.Get("OptPlatform")+" "+g.url.Get("ClientIP")+" "+g.body)
			}
			return out
		}
		w.keep(w.d.DeedEvents(webhook.Deed{
			App: app, By: by, Kind: webhook.Added, Initiator: "mira",
			Pairs: []webhook.Pair{{From: "mira", To: "teo"}, {From: "teo", To: "mira"}},
		}))
		want := []string{`iOS 2001:db8::1 {"CallbackCommand":"Sns.CallbackFriendAdd","PairList":[` +
			`{"From_Account":"mira","To_Account":"teo","Initiator_Account":"mira"},{"From_Account":"teo","To_Account":"mira","Initiator_Account":"mira"}],` +
			`"ClientCmd":"friend_add","Admin_Account":"","ForceFlag":0}`}
		if diff := cmp.Diff(want, bodies()); diff != "" {
			t.Error(diff)
		}
		w.keep(w.d.DeedEvents(webhook.Deed{
			App: app, Kind: webhook.Accepted, Initiator: "mira", Admin: "root", Forced: true, Pairs: []webhook.Pair{{From: "a", To: "b"}},
		}))
		w.keep(w.d.DeedEvents(webhook.Deed{App: app, Kind: webhook.Blocked, Pairs: []webhook.Pair{{From: "mira", To: "rex"}}}))
		text := strings.Join(bodies(), "\n")
		for _, part := range []string{
			`"ClientCmd":"friend_response","Admin_Account":"root","ForceFlag":1}`,
			`{"CallbackCommand":"Sns.CallbackBlackListAdd","PairList":[{"From_Account":"mira","To_Account":"rex"}]}`,
		} {
			if !strings.Contains(text, part) {
				t.Errorf("%s is not in %s", part, text)
			}
		}
		w.change(im.WebhookChange{Token: ptr("t"), Durable: ptr(true)})
		slow := func(_ int, _ got, rw http.ResponseWriter) {
			time.Sleep(time.Second)
			_, _ = io.WriteString(rw, fine)
		}
		r.set(slow)
		for _, k := range []webhook.DeedKind{webhook.Unblocked, webhook.Added, webhook.Deleted} {
			w.keep(w.d.DeedEvents(webhook.Deed{App: app, Kind: k, Pairs: []webhook.Pair{{From: "x", To: "y"}, {From: "x", To: "z"}}}))
		}
		w.keep(w.d.ProfileEvents(im.WithCaller(w.t.Context(), by), im.UserKey{App: app, User: "mira"}, "root",
			[]webhook.ProfileItem{{Tag: "Tag_Profile_IM_Nick", Value: "Mira K."}, {Tag: "Tag_Profile_IM_Level", Value: 3}}))
		rest(time.Minute)
		var y []string
		for _, g := range r.take() {
			if strings.Contains(g.body, `"To_Account":"y"`) {
				y = append(y, g.url.Get("CallbackCommand"))
				if !strings.Contains(g.body, `"EventTime":`) {
					t.Errorf("no time in %s", g.body)
				}
			}
			if g.url.Get("CallbackCommand") == "Profile.CallbackPortraitSet" &&
				!strings.Contains(g.body, `"From_Account":"mira","Operator_Account":"root","EventTime":`) {
				t.Errorf("the profile's: %s", g.body)
			}
		}
		if diff := cmp.Diff([]string{"Sns.CallbackBlackListDelete", "Sns.CallbackFriendAdd", "Sns.CallbackFriendDelete"}, y); diff != "" {
			t.Error(diff)
		}
	})
}

func TestWE25_WE27_Questions(t *testing.T) {
	inWorld(t, func(w *world) {
		r := w.add("hooks.example")
		ask := func() []*im.Error {
			t.Helper()
			began := time.Now()
			refused := w.d.BeforeAdd(w.t.Context(), im.UserKey{App: app, User: "mira"}, "Add_Type_Both", []webhook.Adding{{To: "teo", Wording: "hi"}, {To: "rex"}})
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("a question took %s", took)
			}
			return refused
		}
		codes := func(refused []*im.Error) (out [2]int) {
			for i, e := range refused {
				if e != nil {
					out[i] = int(e.Code)
				}
			}
			return out
		}
		if got := codes(ask()); got != [2]int{} || len(r.take()) != 0 {
			t.Errorf("asked without the switch: %v", got)
		}
		w.change(im.WebhookChange{Switches: map[string]*bool{
			"Sns.CallbackPrevFriendAdd": ptr(true), "Sns.CallbackPrevFriendResponse": ptr(true),
		}})
		text := fine
		r.set(func(_ int, _ got, rw http.ResponseWriter) { _, _ = io.WriteString(rw, text) })
		for answer, want := range map[string][2]int{
			fine: {},
			`{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":"","ResultItem":[{"To_Account":"teo","ResultCode":38001,"ResultInfo":"not in your class"}]}`:    {38001, 0},
			`{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":"","ResultItem":[{"To_Account":"rex","ResultCode":0},{"To_Account":"teo","ResultCode":39000}]}`: {39000, 0},
			`{"ActionStatus":"FAIL","ErrorCode":1,"ErrorInfo":"","ResultItem":[{"To_Account":"teo","ResultCode":38001}]}`:                                   {},
			`{"ActionStatus":"OK","ErrorCode":0,"ResultItem":{"To_Account":"teo","ResultCode":38001}}`:                                                      {},
			`<html>`: {},
		} {
			text = answer
			if got := codes(ask()); got != want {
				t.Errorf("%s gives %v, want %v", answer, got, want)
			}
		}
		g := r.take()[0]
		if want := `{"CallbackCommand":"Sns.CallbackPrevFriendAdd","Requester_Account":"mira","From_Account":"mira",` +
			`"FriendItem":[{"To_Account":"teo","Remark":"","GroupName":"","AddSource":"","AddWording":"hi"},` +
			`{"To_Account":"rex","Remark":"","GroupName":"","AddSource":"","AddWording":""}],` +
			`"AddType":"Add_Type_Both","ForceAddFlags":0,"EventTime":` + itoa(g.at.UnixMilli()) + `}`; g.body != want {
			t.Errorf("the body is %s", g.body)
		}
		text = fine
		refused := w.d.BeforeAnswer(w.t.Context(), im.UserKey{App: app, User: "mira"}, []webhook.Answering{{To: "teo", Action: "Response_Action_AgreeAndAdd"}})
		if g := r.take()[0]; refused[0] != nil || !strings.Contains(g.body, `"ResponseFriendItem":[{"To_Account":"teo","Remark":"","TagName":"","ResponseAction":"Response_Action_AgreeAndAdd"}]`) {
			t.Errorf("%v, %s", refused, g.body)
		}
		r.set(func(_ int, _ got, _ http.ResponseWriter) { time.Sleep(time.Hour) })
		if got := codes(ask()); got != [2]int{} {
			t.Errorf("without an answer: %v", got)
		}
		w.change(im.WebhookChange{Strict: ptr(true)})
		for range 9 { // by and by it is not even asked
			if got := codes(ask()); got != [2]int{80003, 80003} {
				t.Errorf("without an answer, strict: %v", got)
			}
		}
		rest(time.Minute)
		if n := len(r.take()); n > 6 {
			t.Errorf("asked %d times", n)
		}
		if w.metric("questions_total", "breaker") == 0 || w.metric("questions_total", "timeout") == 0 {
			t.Error("questions are not counted")
		}
		rest(2 * time.Hour)
	})
}

// TestWE21_OperatorEndsAPause repairs a receiver in the middle of a pause: each of
// what an operator may do then has all that waits sent in that moment.
func TestWE21_OperatorEndsAPause(t *testing.T) {
	inWorld(t, func(w *world) {
		r := w.add("hooks.example")
		w.change(im.WebhookChange{Token: ptr("tok-51f0"), Durable: ptr(true)})
		down := func(_ int, _ got, rw http.ResponseWriter) { rw.WriteHeader(503) }
		test := func() im.Delivery {
			line, err := w.d.TestWebhook(w.t.Context(), app, 1, "mira")
			if err != nil {
				t.Fatal(err)
			}
			return line
		}
		state := func() im.WebhookState { return w.d.Webhook(app).States[0] }
		for name, act := range map[string]func(){
			"a test":       func() { test() },
			"a new token":  func() { w.change(im.WebhookChange{Token: ptr("tok-" + fmt.Sprint(time.Now().Unix()))}) },
			"a new switch": func() { w.change(im.WebhookChange{Strict: ptr(!w.d.Webhook(app).Strict)}) },
			"a new URL": func() {
				w.change(im.WebhookChange{Edit: []im.WebhookURL{{ID: 1, URL: "http://hooks.example/" + fmt.Sprint(time.Now().Unix())}}})
			},
			"a replay": func() {
				if _, err := w.d.ReplayWebhook(w.t.Context(), app, 1, 0, 0); err != nil {
					t.Fatal(err)
				}
			},
		} {
			r.set(down)
			for n := range 20 {
				w.tell(w.event(im.UserID(fmt.Sprintf("u%d", n)), 1))
			}
			for rest(10 * time.Minute); state().PausedFor < 10_000; rest(time.Second) {
			}
			if test(); state().PausedFor == 0 {
				t.Errorf("%s: a test that failed ended the pause", name)
			}
			r.set(nil)
			act()
			rest(0)
			if s := state(); s.PausedFor != 0 || s.Waiting != 0 {
				t.Errorf("%s: the state is %+v", name, s)
			}
		}
	})
}

func TestWE21_FailuresOfOneMomentMakeNoLongPause(t *testing.T) {
	inWorld(t, func(w *world) {
		r := w.add("hooks.example")
		w.change(im.WebhookChange{Token: ptr("tok-51f0"), Durable: ptr(true)})
		r.set(func(_ int, _ got, rw http.ResponseWriter) {
			time.Sleep(time.Second)
			rw.WriteHeader(503)
		})
		for n := range 20 {
			w.tell(w.event(im.UserID(fmt.Sprintf("u%d", n)), 1))
		}
		rest(time.Second)
		if state := w.d.Webhook(app).States[0]; state.PausedFor == 0 || state.PausedFor > 1001 || len(r.take()) < 5 {
			t.Errorf("the state is %+v", state)
		}
	})
}
