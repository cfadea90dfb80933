package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/usersig"
)

const (
	testApp    im.AppID = 1400000001
	testSecret          = "a secret of the tests"
)

// fakeServer answers as much of the protocol as the generator uses, with an
// implementation of WebSockets that is not ours.
type fakeServer struct {
	*httptest.Server
	fakeHabits

	mu       sync.Mutex
	requests map[string]int // by command
}

// fakeHabits is how a fake differs from one that takes everybody. It is set at
// start: what the generator does with its sockets orders no memory.
type fakeHabits struct {
	refuseUser string // whose logins it answers with 70402
	silentUser string // whose logins it does not answer
	denyUser   string // whom nobody can subscribe to
	pingEach   bool   // ping every session after its login
	dropUser   string // whose socket it closes with 1001 after the login
}

func newFake(t *testing.T, habits fakeHabits) *fakeServer {
	f := &fakeServer{fakeHabits: habits, requests: map[string]int{}}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

func (f *fakeServer) count(cmd string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.requests[cmd]
}

// args is a command line that points at the fake, with more appended.
func (f *fakeServer) args(more ...string) []string {
	return append([]string{
		"-server", "ws" + strings.TrimPrefix(f.URL, "http"), "-appid", testApp.String(), "-secret", testSecret,
		"-hold", "1ms", "-json",
	}, more...)
}

// frame is what a client sends, and what an answer repeats.
type frame struct {
	Head struct {
		ServCmd    string `json:"servcmd"`
		Seq        uint32 `json:"seq"`
		Identifier string `json:"identifier"`
		UserSig    string `json:"usersig"`
		A2         string `json:"a2"`
	} `json:"head"`
	Body struct {
		ToAccount []string `json:"To_Account"`
	} `json:"body"`
}

func (f *fakeServer) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/binfo" || len(r.FormValue("instanceid")) != 32 {
		http.Error(w, "not a client", http.StatusBadRequest)
		return
	}
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = c.CloseNow() }()
	for {
		kind, text, err := c.Read(r.Context())
		if err != nil {
			return
		}
		var in frame
		if kind != websocket.MessageBinary || json.Unmarshal(text, &in) != nil {
			_ = c.Close(websocket.StatusUnsupportedData, "binary JSON only")
			return
		}
		if f.answer(r.Context(), c, &in) != nil {
			return
		}
	}
}

func (f *fakeServer) answer(ctx context.Context, c *websocket.Conn, in *frame) error {
	f.mu.Lock()
	f.requests[in.Head.ServCmd]++
	f.mu.Unlock()
	code, extra, user := 0, "", strings.TrimPrefix(in.Head.A2, `a2 "of" `)
	switch in.Head.ServCmd {
	case cmdLogin:
		user = in.Head.Identifier
		if user == f.silentUser {
			return nil
		}
		code = f.checkLogin(in)
		extra = fmt.Sprintf(`,"A2Key":%q,"TinyId":"144115","InstId":7,"HelloInterval":1`, `a2 "of" `+user)
	case cmdSubscribe:
		for _, id := range in.Body.ToAccount {
			if id == f.denyUser {
				extra = fmt.Sprintf(`,"ErrorList":[{"To_Account":%q,"ErrorCode":70107,"ErrorInfo":"no such account"}]`, id)
			}
		}
	}
	text := fmt.Appendf(nil, `{"head":{"servcmd":%q,"seq":%d,"time":1795400000},"body":{"ActionStatus":"OK","ErrorCode":%d,"ErrorInfo":""%s}}`,
		in.Head.ServCmd, in.Head.Seq, code, extra)
	if err := c.Write(ctx, websocket.MessageBinary, text); err != nil {
		return err
	}
	if in.Head.ServCmd != cmdLogin {
		return nil
	}
	if user == f.dropUser {
		return c.Close(websocket.StatusGoingAway, "draining")
	}
	if f.pingEach {
		go func() { _ = c.Ping(ctx) }() // its pong is read by serve; it ends with the socket
	}
	push := `{"head":{"servcmd":"im_open_push.msg_push","seq":0},"body":{"EventArray":[{"Event":22,"UserStatusList":[]}]}}`
	return c.Write(ctx, websocket.MessageBinary, []byte(push))
}

// checkLogin verifies the UserSig as a server does.
func (f *fakeServer) checkLogin(in *frame) int {
	if in.Head.Identifier == f.refuseUser {
		return int(im.CodeInvalid)
	}
	_, err := usersig.Verify(in.Head.UserSig, usersig.Want{
		App: testApp, User: im.UserID(in.Head.Identifier), Now: time.Now(),
		Keys: []im.AppKey{{ID: 1, Secret: testSecret}},
	})
	if err != nil {
		return int(im.CodeSigMismatch)
	}
	return 0
}
