package server_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/porchlight-im/porchlight/client/webhook"
	"github.com/porchlight-im/porchlight/internal/testkit"
)

const hookToken = "tok-51f0"

// backend is an application's back end, built on the public receiver.
type backend struct {
	t    *testing.T
	url  string
	news chan struct{}

	mu   sync.Mutex
	said []string
	seen map[string]bool
	last map[string]string // version by user
	down bool
	bad  []string

	strange bool // clients may come from anywhere
}

func newBackend(t *testing.T, s *testkit.Server) *backend {
	b := &backend{t: t, news: make(chan struct{}, 1), seen: map[string]bool{}, last: map[string]string{}}
	srv := httptest.NewServer(&webhook.Receiver{AppID: uint32(s.Dev.SDKAppID), Token: hookToken, Handle: b.handle})
	t.Cleanup(srv.Close)
	b.url = srv.URL + "/im"
	return b
}

func (b *backend) handle(_ *http.Request, e *webhook.Event) (webhook.Answer, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down {
		return webhook.Answer{}, fmt.Errorf("down")
	}
	if b.seen[e.ID] {
		return webhook.Answer{}, nil
	}
	b.seen[e.ID] = true
	c, err := e.StateChange()
	if err != nil {
		return webhook.Answer{}, err
	}
	user := c.Info.UserID
	if old := b.last[user]; old != "" && !webhook.Before(old, e.Version) {
		b.bad = append(b.bad, fmt.Sprintf("%s of %s comes after %s", e.Version, user, old))
	}
	b.last[user] = e.Version
	text := strings.TrimSpace(fmt.Sprintf("%s %s/%s %s %s", user, c.Info.Action, c.Info.Reason, e.Platform, c.Info.CustomStatus))
	for _, k := range c.KickedDevice {
		text += " kicks " + k.Platform
	}
	if e.ClientIP != "203.0.113.9" && e.Platform != "RESTAPI" && !b.strange {
		text += " from " + e.ClientIP
	}
	b.said = append(b.said, text)
	select {
	case b.news <- struct{}{}:
	default:
	}
	return webhook.Answer{}, nil
}

func (b *backend) setDown(down bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = down
}

// hears waits for events.
func (b *backend) hears(want ...string) {
	b.t.Helper()
	over := time.After(30 * time.Second)
	for {
		b.mu.Lock()
		said, bad := b.said, b.bad
		b.mu.Unlock()
		if len(bad) > 0 {
			b.t.Errorf("out of order: %v", bad)
		}
		if len(said) >= len(want) {
			if diff := cmp.Diff(want, said[:len(want)]); diff != "" {
				b.t.Fatalf("heard (-want +got)\n%s", diff)
			}
			b.mu.Lock()
			b.said = b.said[len(want):]
			b.mu.Unlock()
			return
		}
		select {
		case <-b.news:
		case <-over:
			b.t.Fatalf("heard %v, want %v", said, want)
		}
	}
}

// hook sets webhooks of the application of -dev.
func hook(t *testing.T, s *testkit.Server, body string) {
	t.Helper()
	operate(t, s, fmt.Sprintf("PATCH /apps/%d/webhooks", s.Dev.SDKAppID), body, &struct{}{})
}

func TestWE1_WE5_WE6_WE7_WE8_BackEndHearsOfUsers(t *testing.T) {
	for _, durable := range []bool{false, true} {
		t.Run(fmt.Sprint("durable ", durable), func(t *testing.T) {
			s := testkit.StartTCP(t, "webhook.allow=[127.0.0.0/8]", "grace.close=300ms")
			b := newBackend(t, s)
			hook(t, s, fmt.Sprintf(`{"token":%q,"durable":%t}`, hookToken, durable))
			operate(t, s, fmt.Sprintf("POST /apps/%d/webhooks/urls", s.Dev.SDKAppID), fmt.Sprintf(`{"url":%q}`, b.url), &struct{}{})
			through := s.Behind("203.0.113.9")
			alice := through.Login("alice")
			b.hears("alice Login/Register Web")
			alice.SetCustom("busy")
			b.hears("alice CustomStatusChange/SetCustomStatus Web busy")
			alice.Break()
			b.hears("alice Disconnect/LinkClose Web")
			alice = through.MustReturn(alice)
			b.hears("alice Login/Register Web")
			alice.Must("im_open_status.wslogout", map[string]any{})
			b.hears("alice Logout/Unregister Web")
			_ = through.Login("bob")
			b.hears("bob Login/Register Web")
			s.Kick("bob")
			b.hears("bob Logout/Unregister RESTAPI")
			s.Set(map[string]any{"login.policy": "single", "login.web_sessions": 1})
			_ = through.Login("carol")
			carol := through.Connect("carol")
			carol.MustLogin()
			b.hears("carol Login/Register Web", "carol Login/Register Web kicks Web")
			s.REST("im_open_login_svc/kick", `{"UserID":"carol"}`)
			b.hears("carol Logout/Unregister RESTAPI")
		})
	}
}

func TestWE15_WE18_RestartLosesNoEvent(t *testing.T) {
	s := testkit.StartTCP(t, "webhook.allow=[127.0.0.0/8]", "grace.node=300ms")
	b := newBackend(t, s)
	hook(t, s, fmt.Sprintf(`{"token":%q,"durable":true,"commands":{"Porchlight.Lost":false}}`, hookToken))
	operate(t, s, fmt.Sprintf("POST /apps/%d/webhooks/urls", s.Dev.SDKAppID), fmt.Sprintf(`{"url":%q}`, b.url), &struct{}{})
	b.strange = true
	b.setDown(true)
	alice := s.Login("alice")
	alice.SetCustom("busy")
	s.Restart()
	b.setDown(false)
	b.hears("alice Login/Register Web", "alice CustomStatusChange/SetCustomStatus Web busy", "alice Disconnect/LinkClose Web")
}

// TestWE20_NoClientWaits lets a back end take every request and answer none.
func TestWE20_NoClientWaits(t *testing.T) {
	s := testkit.StartTCP(t, "webhook.allow=[127.0.0.0/8]")
	ctx, stop := context.WithCancel(t.Context())
	stuck := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-ctx.Done():
		case <-r.Context().Done():
		}
	}))
	defer stuck.Close()
	defer stop()
	operate(t, s, fmt.Sprintf("POST /apps/%d/webhooks/urls", s.Dev.SDKAppID), fmt.Sprintf(`{"url":%q}`, stuck.URL), &struct{}{})
	alice, bob := s.Login("alice"), s.Login("bob")
	bob.Subscribe("alice")
	for n := range 100 {
		alice.SetCustom(fmt.Sprint(n))
	}
	_ = s.Metric("porchlight_webhook_waiting")
	if !alice.Open() || !bob.Open() {
		t.Error("a client lost its connection")
	}
}

// TestWE26_WE27_BackEndHearsOfRelationsAndMayRefuse has a client and the back end
// change relations and profiles, in both ways in which events are sent.
func TestWE26_WE27_BackEndHearsOfRelationsAndMayRefuse(t *testing.T) {
	for _, durable := range []bool{false, true} {
		t.Run(fmt.Sprint("durable ", durable), func(t *testing.T) {
			s := testkit.StartTCP(t, "webhook.allow=[127.0.0.0/8]")
			said := make(chan string, 100)
			srv := httptest.NewServer(&webhook.Receiver{Token: hookToken, Handle: func(_ *http.Request, e *webhook.Event) (webhook.Answer, error) {
				said <- e.Command + " " + e.Platform + " " + string(e.Body)
				if e.Command == "Sns.CallbackPrevFriendAdd" && strings.Contains(string(e.Body), `"rex"`) {
					return webhook.Answer{Items: []webhook.Item{{UserID: "rex", Code: 38001, Info: "not in your class"}}}, nil
				}
				return webhook.Answer{}, nil
			}})
			defer srv.Close()
			hook(t, s, fmt.Sprintf(`{"token":%q,"durable":%t,"commands":{"State.StateChange":false,"Sns.CallbackPrevFriendAdd":true}}`, hookToken, durable))
			operate(t, s, fmt.Sprintf("POST /apps/%d/webhooks/urls", s.Dev.SDKAppID), fmt.Sprintf(`{"url":%q}`, srv.URL), &struct{}{})
			hears := func(parts ...string) {
				t.Helper()
				select {
				case text := <-said:
					for _, part := range parts {
						if !strings.Contains(text, part) {
							t.Errorf("heard %s, want %s", text, part)
						}
					}
				case <-time.After(30 * time.Second):
					t.Fatalf("nothing was heard of %v", parts)
				}
			}
			alice := s.Login("alice")
			_, _ = s.Login("bob"), s.Login("rex")
			answers(t, alice, "sns.friend_add", add("bob"), `{"ResultItem":[{"To_Account":"bob","ResultCode":0,"ResultInfo":""}]}`)
			hears("Sns.CallbackPrevFriendAdd Web", `"FriendItem":[{"To_Account":"bob","Remark":"","GroupName":"","AddSource":"AddSource_Type_Web","AddWording":""}],"AddType":"Add_Type_Both"`)
			hears("Sns.CallbackFriendAdd Web", `{"From_Account":"alice","To_Account":"bob","Initiator_Account":"alice"}`, `{"From_Account":"bob","To_Account":"alice"`, `"ClientCmd":"friend_add"`)
			if a := alice.Call("sns.friend_add", object(t, add("rex"))); !strings.Contains(string(a.Raw), `"ResultCode":38001,"ResultInfo":"not in your class"`) {
				t.Errorf("a friend that the back end refuses: %s", a.Raw)
			}
			hears("Sns.CallbackPrevFriendAdd Web")
			s.REST("sns/black_list_add", `{"From_Account":"alice","To_Account":["bob"]}`)
			hears("Sns.CallbackFriendDelete RESTAPI", `{"From_Account":"alice","To_Account":"bob"}`)
			hears("Sns.CallbackBlackListAdd RESTAPI", `"PairList":[{"From_Account":"alice","To_Account":"bob"}]`)
			s.REST("sns/black_list_delete", `{"From_Account":"alice","To_Account":["bob"]}`)
			hears("Sns.CallbackBlackListDelete RESTAPI")
			s.REST("profile/portrait_set", `{"From_Account":"bob","ProfileItem":[{"Tag":"Tag_Profile_IM_Nick","Value":"Bob"}]}`)
			hears("Profile.CallbackPortraitSet RESTAPI", `"From_Account":"bob","Operator_Account":"administrator"`, `"ProfileItem":[{"Tag":"Tag_Profile_IM_Nick","Value":"Bob"}]`)
			s.REST("sns/friend_add", `{"From_Account":"alice","AddFriendItem":[{"To_Account":"rex","AddSource":"AddSource_Type_Web"}],"ForceAddFlags":1}`)
			hears("Sns.CallbackFriendAdd RESTAPI", `"Admin_Account":"administrator","ForceFlag":1`)
		})
	}
}
