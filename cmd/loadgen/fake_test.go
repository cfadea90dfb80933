package main

import (
	"context"
	"encoding/base64"
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
	requests map[string]int             // by command
	log      []string                   // of each request "user command seq"
	sockets  map[string]*websocket.Conn // by user
	watches  map[string]map[string]bool // by watcher
	customs  map[string]string          // by user
	seen     map[string]uint32          // seq of the last change, by user
	refused  bool                       // a return
	held     []byte                     // a push that waits for a later one to be before it
}

// fakeHabits is how a fake differs from one that takes everybody and tells
// everything. It is set at start: what the generator does with its sockets orders
// no memory.
type fakeHabits struct {
	refuseUser string // whose logins it answers with 70402
	silentUser string // whose logins it does not answer
	denyUser   string // whom nobody can subscribe to
	pingEach   bool   // ping every session after its login
	dropUser   string // whose socket it closes with 1001 after the login

	losesPushes   string // about that user to those who watch
	swapsPushes   string // about that user, two by two
	repeatsPushes string // about that user
	leaksPushes   string // about that user to everyone
	showsGone     string // that user for a moment, as it returns
	forgetsCustom string // of that user in the answer to a query
	mutesChange   string // does not answer that user's first change
	refusesReturn string // closes that user's socket at its first return
}

func newFake(t *testing.T, habits fakeHabits) *fakeServer {
	f := &fakeServer{
		fakeHabits: habits, requests: map[string]int{}, sockets: map[string]*websocket.Conn{},
		watches: map[string]map[string]bool{}, customs: map[string]string{}, seen: map[string]uint32{},
	}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

func (f *fakeServer) count(cmd string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.requests[cmd]
}

// said gives a user's requests, each as "command seq".
func (f *fakeServer) said(user string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var said []string
	for _, line := range f.log {
		if rest, ok := strings.CutPrefix(line, user+" "); ok {
			said = append(said, rest)
		}
	}
	return said
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
		ToAccount    []string `json:"To_Account"`
		CustomStatus string   `json:"CustomStatus"`
	} `json:"body"`
}

// user says who sent the frame.
func (in *frame) user() string {
	if in.Head.A2 == "" {
		return in.Head.Identifier
	}
	return strings.TrimPrefix(in.Head.A2, `a2 "of" `)
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
			f.gone(c)
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

// answer carries out a request and answers it, all in one turn, so that what
// everyone is told is in order.
func (f *fakeServer) answer(ctx context.Context, c *websocket.Conn, in *frame) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests[in.Head.ServCmd]++
	user := in.user()
	f.log = append(f.log, fmt.Sprintf("%s %s %d", user, verb(in.Head.ServCmd), in.Head.Seq))
	code, extra := 0, ""
	switch in.Head.ServCmd {
	case cmdLogin:
		if user == f.silentUser {
			return nil
		}
		if in.Head.A2 != "" && user == f.refusesReturn && !f.refused {
			f.refused = true
			return c.Close(websocket.StatusTryAgainLater, "come again")
		}
		if in.Head.A2 == "" {
			code = f.checkLogin(in)
		}
		extra = fmt.Sprintf(`,"A2Key":%q,"TinyId":"144115","InstId":7,"HelloInterval":1,"CustomStatus":%q`, `a2 "of" `+user, f.custom(user))
	case cmdSubscribe:
		extra = f.subscribe(user, in.Body.ToAccount)
	case cmdUnsubscribe:
		delete(f.watches, user)
	case cmdSet:
		if f.change(ctx, user, in) {
			return nil
		}
	case cmdQuery:
		extra = `,"UserStatusList":[` + strings.Join(f.statuses(in.Body.ToAccount), ",") + `]`
	}
	text := fmt.Appendf(nil, `{"head":{"servcmd":%q,"seq":%d,"time":1795400000},"body":{"ActionStatus":"OK","ErrorCode":%d,"ErrorInfo":""%s}}`,
		in.Head.ServCmd, in.Head.Seq, code, extra)
	if err := c.Write(ctx, websocket.MessageBinary, text); err != nil || in.Head.ServCmd != cmdLogin || code != 0 {
		return err
	}
	return f.loggedIn(ctx, c, in)
}

// loggedIn follows a login's answer with what the fake does then.
func (f *fakeServer) loggedIn(ctx context.Context, c *websocket.Conn, in *frame) error {
	user := in.user()
	f.sockets[user] = c
	if user == f.dropUser {
		return c.Close(websocket.StatusGoingAway, "draining")
	}
	if f.pingEach {
		go func() { _ = c.Ping(ctx) }() // its pong is read by serve; it ends with the socket
	}
	if user == f.showsGone && in.Head.A2 != "" {
		f.tell(ctx, user, pushOf(f.item(user, 3)))
		f.tell(ctx, user, pushOf(f.item(user, 1)))
	}
	if in.Head.A2 == "" {
		return c.Write(ctx, websocket.MessageBinary, pushOf(f.item(user, 1)))
	}
	var missed []string
	for target := range f.watches[user] {
		missed = append(missed, f.item(target, 1))
	}
	return c.Write(ctx, websocket.MessageBinary, pushOf(missed...))
}

// gone takes note that a socket has ended.
func (f *fakeServer) gone(c *websocket.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for user, socket := range f.sockets {
		if socket == c {
			delete(f.sockets, user)
		}
	}
}

func (f *fakeServer) subscribe(user string, targets []string) (extra string) {
	if f.watches[user] == nil {
		f.watches[user] = map[string]bool{}
	}
	for _, id := range targets {
		if id == f.denyUser {
			return fmt.Sprintf(`,"ErrorList":[{"To_Account":%q,"ErrorCode":70107,"ErrorInfo":"no such account"}]`, id)
		}
		f.watches[user][id] = true
	}
	return ""
}

// change carries out a change and reports whether it is to go unanswered. One
// that is sent again is not carried out again.
func (f *fakeServer) change(ctx context.Context, user string, in *frame) (mute bool) {
	if f.seen[user] == in.Head.Seq {
		return false
	}
	mute = user == f.mutesChange && f.seen[user] == 0
	f.seen[user], f.customs[user] = in.Head.Seq, in.Body.CustomStatus
	push := pushOf(f.item(user, 1))
	if c := f.sockets[user]; c != nil {
		_ = c.Write(ctx, websocket.MessageBinary, push)
	}
	switch user {
	case f.losesPushes:
	case f.swapsPushes:
		if f.held == nil {
			f.held = push
			return mute
		}
		f.tell(ctx, user, push)
		f.tell(ctx, user, f.held)
		f.held = nil
	case f.repeatsPushes:
		f.tell(ctx, user, push)
		f.tell(ctx, user, push)
	default:
		f.tell(ctx, user, push)
	}
	return mute
}

// tell pushes to all who watch a user.
func (f *fakeServer) tell(ctx context.Context, user string, push []byte) {
	for watcher, c := range f.sockets {
		if f.watches[watcher][user] || user == f.leaksPushes && watcher != user {
			_ = c.Write(ctx, websocket.MessageBinary, push) // one that has gone needs none
		}
	}
}

func (f *fakeServer) statuses(users []string) []string {
	var items []string
	for _, user := range users {
		if user == f.forgetsCustom {
			items = append(items, fmt.Sprintf(`{"To_Account":%q,"Status":1,"CustomStatus":""}`, user))
			continue
		}
		items = append(items, f.item(user, 1))
	}
	return items
}

func (f *fakeServer) custom(user string) string {
	return base64.StdEncoding.EncodeToString([]byte(f.customs[user]))
}

// item is a status of the user as it is sent.
func (f *fakeServer) item(user string, general int) string {
	return fmt.Sprintf(`{"To_Account":%q,"Status":%d,"CustomStatus":%q,"Version":"1.2"}`, user, general, f.custom(user))
}

// pushOf is a push of such statuses.
func pushOf(items ...string) []byte {
	return fmt.Appendf(nil, `{"head":{"servcmd":"im_open_push.msg_push","seq":0},"body":{"EventArray":[{"Event":22,"UserStatusList":[%s]}]}}`,
		strings.Join(items, ","))
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
