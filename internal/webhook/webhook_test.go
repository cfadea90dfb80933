package webhook_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/porchlight-im/porchlight/internal/im"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func TestWE1_OneRequestAsDocumented(t *testing.T) {
	inWorld(t, func(w *world) {
		r := w.add("hooks.example")
		at := time.Now().UnixMilli()
		e := w.event("mira", 7)
		e.Action, e.Kicked = im.StateLogin, []im.Platform{im.Web, im.IPhone}
		w.tell(e)
		rest(0)
		all := r.take()
		if len(all) != 1 {
			t.Fatalf("%d requests", len(all))
		}
		g := all[0]
		want := "SdkAppid=1400000001&CallbackCommand=State.StateChange&contenttype=json&ClientIP=203.0.113.9&OptPlatform=Web"
		if g.query != want {
			t.Errorf("the query is %s", g.query)
		}
		body := `{"CallbackCommand":"State.StateChange","EventTime":` + itoa(at) + `,` +
			`"Info":{"Action":"Login","To_Account":"mira","Reason":"Register"},` +
			`"KickedDevice":[{"Platform":"Web"},{"Platform":"iOS"}]}`
		if diff := cmp.Diff(body, g.body); diff != "" {
			t.Error(diff)
		}
		if g.header.Get("X-Event-Version") != "1.7" || g.header.Get("X-Event-Id") != "1.m1" || g.header.Get("X-Event-Time") != itoa(at/1000) ||
			g.header.Get("X-Body-Sign") != "" || g.header.Get("Content-Type") != "application/json" {
			t.Errorf("the headers are %v", g.header)
		}
		w.change(im.WebhookChange{Edit: []im.WebhookURL{{ID: 1, URL: "http://hooks.example/im?a=1"}}})
		w.tell(w.event("mira", 8))
		rest(0)
		if all := r.take(); !strings.HasPrefix(all[0].query, "a=1&SdkAppid=1400000001&") || all[0].header.Get("X-Event-Id") != "1.m2" {
			t.Errorf("with a query of its own: %+v", all[0])
		}
	})
}

func TestWE5_WE7_WE8_BodiesOfStateChange(t *testing.T) {
	inWorld(t, func(w *world) {
		r := w.add("hooks.example")
		for i, c := range []struct {
			e    im.StateEvent
			want string
		}{
			{im.StateEvent{Action: im.StateLogin}, `"Info":{"Action":"Login","To_Account":"mira","Reason":"Register"}}`},
			{im.StateEvent{Action: im.StateLogout}, `"Info":{"Action":"Logout","To_Account":"mira","Reason":"Unregister"}}`},
			{im.StateEvent{Action: im.StateLost, Cause: im.CauseClose}, `"Info":{"Action":"Disconnect","To_Account":"mira","Reason":"LinkClose"}}`},
			{
				im.StateEvent{Action: im.StateLost, Cause: im.CauseSilence, By: im.Caller{Platform: im.Web}},
				`"Info":{"Action":"Disconnect","To_Account":"mira","Reason":"LinkClose"}}`,
			},
			{
				im.StateEvent{Action: im.StateLost, Cause: im.CauseSilence, By: im.Caller{Platform: im.Android}},
				`"Info":{"Action":"Disconnect","To_Account":"mira","Reason":"TimeOut"}}`,
			},
			{im.StateEvent{Action: im.StateLost, Cause: im.CauseNode}, `"Info":{"Action":"Disconnect","To_Account":"mira","Reason":"LinkClose"}}`},
			{
				im.StateEvent{Action: im.StateCustom, Custom: `in "a" <meeting> é\`},
				`"Info":{"Action":"CustomStatusChange","To_Account":"mira","Reason":"SetCustomStatus","CustomStatus":"in \"a\" <meeting> é\\"}}`,
			},
			{im.StateEvent{Action: im.StateCustom}, `"Reason":"SetCustomStatus","CustomStatus":""}}`},
		} {
			c.e.User, c.e.Version.Seq = im.UserKey{App: app, User: "mira"}, uint64(i+1)
			w.tell(c.e)
			rest(0)
			if all := r.take(); len(all) != 1 || !strings.HasSuffix(all[0].body, c.want) {
				t.Errorf("%+v gives %+v", c.e, all)
			}
		}
	})
}

func TestWE3_PlatformsAsTheyAreSpelled(t *testing.T) {
	inWorld(t, func(w *world) {
		r := w.add("hooks.example")
		client := func(p im.Platform) im.Caller { return im.Caller{Kind: im.CallerClient, Platform: p} }
		for by, want := range map[im.Caller]string{
			client(im.Web): "Web", client(im.Android): "Android", client(im.IPhone): "IOS", client(im.IPad): "iPad",
			client(im.Mac): "Mac", client(im.Windows): "Windows", client(im.Linux): "Unknown",
			{Kind: im.CallerBackend, Platform: im.Android}: "RESTAPI", {}: "Unknown",
		} {
			e := w.event("mira", 1)
			e.By = by
			w.tell(e)
			rest(0)
			if all := r.take(); len(all) != 1 || all[0].url.Get("OptPlatform") != want || all[0].url.Get("ClientIP") != "" {
				t.Errorf("%+v gives %+v", by, all)
			}
		}
		e := w.event("mira", 1)
		e.Action, e.Kicked = im.StateLogin, []im.Platform{im.Web, im.Android, im.IPhone, im.IPad, im.Mac, im.Windows, im.Linux}
		w.tell(e)
		rest(0)
		var names []string
		for part := range strings.SplitSeq(r.take()[0].body, `{"Platform":"`) {
			name, _, _ := strings.Cut(part, `"`)
			names = append(names, name)
		}
		if want := []string{"Web", "Android", "iOS", "iPad", "Mac", "Windows", "Linux"}; !slices.Equal(names[1:], want) {
			t.Errorf("KickedDevice has %v", names[1:])
		}
	})
}

func TestWE4_WE14_OneAttemptUnlessRetryIsOn(t *testing.T) {
	inWorld(t, func(w *world) {
		r := w.add("hooks.example")
		down := func(_ int, _ got, rw http.ResponseWriter) { rw.WriteHeader(500) }
		r.set(down)
		w.tell(w.event("mira", 1))
		rest(time.Hour)
		if all := r.take(); len(all) != 1 || w.metric("dropped_total", "failed") != 1 || w.metric("requests_total", "status") != 1 {
			t.Errorf("%d requests", len(all))
		}
		w.change(im.WebhookChange{Retry: ptr(true)})
		w.tell(w.event("mira", 2), w.event("mira", 3), w.event("teo", 4))
		rest(time.Hour)
		at := map[string][]time.Duration{}
		bodies := map[string]bool{}
		all := r.take()
		for _, g := range all {
			id := g.header.Get("X-Event-Id")
			at[id] = append(at[id], g.at.Sub(all[0].at).Round(time.Second))
			bodies[g.body] = true
		}
		if len(at) != 3 || len(bodies) != 3 {
			t.Errorf("%d events, %d bodies", len(at), len(bodies))
		}
		if got := w.metric("dropped_total", "failed"); got != 4 {
			t.Errorf("%v events are counted as failed", got)
		}
		for id, times := range at {
			if len(times) != 4 || times[3]-times[0] < 36*time.Second {
				t.Errorf("event %s was sent after %v", id, times)
			}
		}
	})
}

func TestWE14_OldestMakeRoom(t *testing.T) {
	inWorld(t, func(w *world) {
		r := w.add("hooks.example")
		wait := make(chan struct{})
		r.set(func(_ int, _ got, rw http.ResponseWriter) {
			<-wait
			_, _ = io.WriteString(rw, fine)
		})
		const extra = 50
		for n := range im.MaxWebhookQueue + extra {
			w.tell(w.event(im.UserID(fmt.Sprintf("u%d", n)), n+1))
		}
		rest(0) // those on their way stay: they are not the ones to go
		if got := w.metric("dropped_total", "queue"); got != extra {
			t.Errorf("%v were dropped", got)
		}
		close(wait)
		rest(time.Second)
		all := customs(t, r.take())
		if len(all) != im.MaxWebhookQueue {
			t.Errorf("%d came", len(all))
		}
		if _, there := all[fmt.Sprintf("u%d", im.MaxWebhookQueue+extra-1)]; !there {
			t.Error("the newest did not come")
		}
	})
}

func TestWE10_WE15_KeptEventsSurviveAnOutageInOrder(t *testing.T) {
	inWorld(t, func(w *world) {
		r := w.add("hooks.example")
		w.change(im.WebhookChange{Token: ptr("tok-51f0"), Durable: ptr(true)})
		r.set(func(n int, _ got, rw http.ResponseWriter) { rw.WriteHeader(503) })
		const users, each = 30, 200 // over ten minutes, more than is loaded at a time
		for n := range each {
			for u := range users {
				w.tell(w.event(im.UserID(fmt.Sprintf("u%d", u)), n+1))
			}
			rest(3 * time.Second)
		}
		if tries := len(r.take()); tries > 100 {
			t.Errorf("%d requests while it was down", tries)
		}
		if state := w.d.Webhook(app).States[0]; state.Waiting != users*each || state.Dropped != 0 || state.PausedFor == 0 {
			t.Errorf("the state is %+v", state)
		}
		r.set(nil)
		rest(10 * time.Minute)
		all := r.take()
		if len(all) != users*each {
			t.Errorf("%d requests", len(all))
		}
		ids := map[string]bool{}
		for _, g := range all {
			body := g.has(t)
			if body.ID != g.header.Get("X-Event-Id") || body.Version != g.header.Get("X-Event-Version") || body.ID == "" || body.Version == "" {
				t.Fatalf("%s with %v", g.body, g.header)
			}
			ids[body.ID] = true
		}
		if len(ids) != len(all) {
			t.Errorf("%d IDs", len(ids))
		}
		for user, texts := range customs(t, all) {
			for i, text := range texts {
				if text != fmt.Sprint(i+1) {
					t.Fatalf("%s got %v", user, texts)
				}
			}
		}
	})
}

func TestWE15_AnotherProcessGoesOnWhereOneEnded(t *testing.T) {
	inWorld(t, func(w *world) {
		r := w.add("hooks.example")
		w.change(im.WebhookChange{Token: ptr("tok-51f0"), Durable: ptr(true)})
		r.set(func(_ int, g got, rw http.ResponseWriter) {
			if strings.Contains(g.body, "poison") {
				rw.WriteHeader(500)
				return
			}
			_, _ = io.WriteString(rw, fine)
		})
		w.tell(w.event("a", 1), w.event("poison", 2), w.event("b", 3), w.event("poison", 4))
		rest(time.Second)
		w.stop()
		_ = r.take()
		r.set(nil)
		w.start()
		w.tell(w.event("c", 5))
		rest(time.Second)
		want := map[string][]string{"poison": {"2", "4"}, "c": {"5"}}
		if diff := cmp.Diff(want, customs(t, r.take())); diff != "" {
			t.Error(diff)
		}
		// What no process has told is told by the next: a row that is committed.
		first := w.d.Places(app, 1)
		e := w.event("d", 6)
		e.Place = first
		if err := w.store.SaveKept(w.t.Context(), im.Kept{Events: w.d.Events([]im.StateEvent{e})}); err != nil {
			t.Fatal(err)
		}
		w.stop() // before it is told
		w.start()
		rest(time.Second)
		if got := customs(t, r.take()); len(got) != 1 || len(got["d"]) != 1 {
			t.Errorf("after the end: %v", got)
		}
	})
}

func TestWE15_NothingIsPassedOverThatIsCommittedLater(t *testing.T) {
	inWorld(t, func(w *world) {
		r := w.add("hooks.example")
		w.change(im.WebhookChange{Token: ptr("tok-51f0"), Durable: ptr(true)})
		early := w.d.Places(app, 2)
		w.tell(w.event("late", 2))
		rest(time.Minute)
		if all := r.take(); len(all) != 0 {
			t.Errorf("%d came before what is earlier", len(all))
		}
		w.d.Void(app, early+1, 1)
		e := w.event("late", 1)
		e.Place = early
		rows := w.d.Events([]im.StateEvent{e})
		if err := w.store.SaveKept(w.t.Context(), im.Kept{Events: rows}); err != nil {
			t.Fatal(err)
		}
		w.d.Tell(rows)
		rest(time.Minute)
		if got := customs(t, r.take())["late"]; !slices.Equal(got, []string{"1", "2"}) {
			t.Errorf("they came as %v", got)
		}
	})
}

func TestWE16_WhatIsRefusedAlwaysHoldsUpItsUserAlone(t *testing.T) {
	inWorld(t, func(w *world) {
		r := w.add("hooks.example")
		w.change(im.WebhookChange{Token: ptr("tok-51f0"), Durable: ptr(true), Batch: ptr(10)})
		r.set(func(_ int, g got, rw http.ResponseWriter) {
			if strings.Contains(g.body, `"To_Account":"poison"`) && strings.Contains(g.body, `"CustomStatus":"1"`) {
				rw.WriteHeader(400)
				return
			}
			_, _ = io.WriteString(rw, fine)
		})
		w.tell(w.event("poison", 1), w.event("poison", 2))
		for n := range 600 {
			w.tell(w.event("mira", n+1))
			rest(10 * time.Second)
		}
		got := customs(t, r.take())
		if len(got["mira"]) < 600 || got["mira"][599] != "600" {
			t.Errorf("the other user got %d", len(got["mira"]))
		}
		// Together at first, then the first alone, 20 times in all, then the second.
		if n := len(got["poison"]); n != 22 || got["poison"][21] != "2" || w.metric("dropped_total", "refused") != 1 {
			t.Errorf("the refused event came %d times: %v", n, got["poison"])
		}
	})
}

func TestWE17_Batches(t *testing.T) {
	inWorld(t, func(w *world) {
		r := w.add("hooks.example")
		w.change(im.WebhookChange{Token: ptr("tok-51f0"), Durable: ptr(true), Batch: ptr(100)})
		var events []im.StateEvent
		for n := range 250 {
			events = append(events, w.event(im.UserID("u"+fmt.Sprint(n%3)), n+1))
		}
		w.tell(events...)
		rest(time.Second)
		all := r.take()
		if len(all) > 10 || all[0].url.Get("CallbackCommand") != "Porchlight.Batch" || all[0].header.Get("X-Body-Sign") == "" {
			t.Errorf("%d requests, the first %+v", len(all), all[0])
		}
		var body struct {
			Events []struct{ ID, Version, ClientIP, OptPlatform, CallbackCommand string }
		}
		if err := json.Unmarshal([]byte(all[0].body), &body); err != nil || len(body.Events) == 0 ||
			body.Events[0].ClientIP != "203.0.113.9" || body.Events[0].OptPlatform != "Web" || body.Events[0].ID == "" {
			t.Errorf("%v: %s", err, all[0].body)
		}
		for u, texts := range customs(t, all) {
			last := 0
			for _, text := range texts {
				n, _ := strconv.Atoi(text)
				if n <= last {
					t.Fatalf("%s: %v", u, texts)
				}
				last = n
			}
			if len(texts) < 83 {
				t.Errorf("%s got %d", u, len(texts))
			}
		}
	})
}

func TestWE18_ManyWhoAreLostMakeFewEvents(t *testing.T) {
	inWorld(t, func(w *world) {
		r := w.add("hooks.example")
		lost := func(n int) (events []im.StateEvent) {
			for i := range n {
				e := w.event(im.UserID(fmt.Sprintf("u%d", i)), 100+i)
				e.Action, e.Cause = im.StateLost, im.CauseNode
				events = append(events, e)
			}
			return events
		}
		w.tell(lost(3)...)
		rest(0)
		if n := len(r.take()); n != 3 {
			t.Errorf("in memory: %d requests", n)
		}
		w.change(im.WebhookChange{Token: ptr("tok-51f0"), Durable: ptr(true)})
		r.set(func(n int, g got, rw http.ResponseWriter) { // slow, so that an early one would overtake
			time.Sleep(time.Second)
			_, _ = io.WriteString(rw, fine)
		})
		w.tell(w.event("u1", 1))
		w.tell(lost(1201)...)
		w.tell(w.event("u1", 5000))
		rest(time.Minute)
		var seen []string
		users := map[string]int{}
		for _, g := range r.take() {
			body := g.has(t)
			seen = append(seen, body.CallbackCommand)
			for _, u := range body.Users {
				users[u.User]++
			}
		}
		want := []string{"State.StateChange", "Porchlight.Lost", "Porchlight.Lost", "Porchlight.Lost", "State.StateChange"}
		if !slices.Equal(seen, want) || len(users) != 1201 {
			t.Errorf("%v, %d users", seen, len(users))
		}
		w.change(im.WebhookChange{Switches: map[string]*bool{"Porchlight.Lost": ptr(false)}})
		w.tell(lost(5)...)
		rest(time.Minute)
		if n := len(r.take()); n != 5 {
			t.Errorf("switched off: %d requests", n)
		}
	})
}

func TestWE19_ReplayAndRetention(t *testing.T) {
	inWorld(t, func(w *world) {
		r := w.add("hooks.example")
		w.change(im.WebhookChange{Token: ptr("tok-51f0"), Durable: ptr(true)})
		for n := range 5 {
			w.tell(w.event("mira", n+1))
			rest(time.Hour)
		}
		_ = r.take()
		first, last, err := w.store.EventRange(w.t.Context(), app)
		if err != nil || last-first != 4 {
			t.Fatal(first, last, err)
		}
		replay := func(after, since int64, want ...string) {
			t.Helper()
			if _, err := w.d.ReplayWebhook(w.t.Context(), app, 1, after, since); err != nil {
				t.Fatal(err)
			}
			rest(time.Minute)
			if got := customs(t, r.take())["mira"]; !slices.Equal(got, want) {
				t.Errorf("after %d, since %d: %v", after, since, got)
			}
		}
		replay(first+2, 0, "4", "5")
		replay(-1, time.Now().Add(-150*time.Minute).UnixMilli(), "4", "5")
		replay(0, 0, "1", "2", "3", "4", "5")
		if _, err := w.d.ReplayWebhook(w.t.Context(), app, 9, 0, 0); err == nil {
			t.Error("a URL that is not there was told again")
		}
		r.set(func(_ int, _ got, rw http.ResponseWriter) { rw.WriteHeader(500) })
		w.tell(w.event("mira", 6))
		rest(8 * 24 * time.Hour)
		if err := w.d.Purge(w.t.Context()); err != nil {
			t.Fatal(err)
		}
		if first, _, _ := w.store.EventRange(w.t.Context(), app); first != 0 || w.metric("dropped_total", "retention") != 1 {
			t.Errorf("the first event is %d after they were too old, and %v were lost", first, w.metric("dropped_total", "retention"))
		}
		r.set(nil)
		_ = r.take()
		w.tell(w.event("mira", 7))
		rest(time.Hour)
		if got := customs(t, r.take())["mira"]; !slices.Equal(got, []string{"7"}) {
			t.Errorf("what came later: %v", got)
		}
	})
}

func TestWE20_WE21_OneURLHoldsUpNoOther(t *testing.T) {
	inWorld(t, func(w *world) {
		stuck := w.add("stuck.example")
		slow := make(chan struct{})
		stuck.set(func(_ int, g got, _ http.ResponseWriter) {
			select {
			case <-slow:
			case <-g.gone:
			}
		})
		good := w.add("good.example")
		began := time.Now()
		for n := range 1000 {
			w.tell(w.event(im.UserID(fmt.Sprintf("u%d", n)), n+1))
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("telling took %s", took)
		}
		rest(0)
		if n := len(good.take()); n != 1000 {
			t.Errorf("the good one got %d at once", n)
		}
		rest(time.Minute)
		stuck.mu.Lock()
		most, tries := stuck.most, len(stuck.all)
		stuck.mu.Unlock()
		if most > 16 || tries > 60 {
			t.Errorf("the stuck one had %d at a time, %d in all", most, tries)
		}
		if state := w.d.Webhook(app).States[0]; state.PausedFor == 0 || state.Failing < 5 {
			t.Errorf("its state: %+v", state)
		}
		if log := w.d.Deliveries(app, im.DeliveryQuery{Failed: true, Limit: 5, URL: 1}); len(log) != 5 || log[0].Outcome != "timeout" {
			t.Errorf("its log: %+v", log)
		}
		stuck.set(nil)
		close(slow)
		rest(5 * time.Minute)
		if state := w.d.Webhook(app).States[0]; state.PausedFor != 0 || state.Waiting != 0 {
			t.Errorf("its state once it answers: %+v", state)
		}
	})
}
