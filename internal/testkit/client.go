package testkit

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Client is one socket that speaks the official protocol, as the official
// client does but step by step.
type Client struct {
	t    testing.TB
	s    *Server
	ws   *websocket.Conn
	kind websocket.MessageType

	mu       sync.Mutex
	seq      int64
	waiting  map[string]chan Answer
	pushes   chan Frame
	closeErr error
	closedAt time.Time
	done     chan struct{}
	silent   atomic.Bool // it answers no ping

	User     im.UserID
	Platform int
	A2       string // of the session, once logged in
	Inst     uint32
	TinyID   string
}

// Frame is one frame of the server.
type Frame struct {
	At   time.Time `json:"-"` // when it was read
	Head struct {
		Command string          `json:"servcmd"`
		Seq     json.RawMessage `json:"seq"`
	} `json:"head"`
	Body json.RawMessage `json:"body"`
}

// Answer is the body of an answer.
type Answer struct {
	Code int    `json:"ErrorCode"`
	Info string `json:"ErrorInfo"`
	Kick int    `json:"KickType"`
	Raw  json.RawMessage
}

// Status is one entry of a list of statuses.
type Status struct {
	User    string `json:"To_Account"`
	General int    `json:"Status"`
	Custom  string `json:"CustomStatus"` // decoded
	Version string `json:"Version"`
}

// String gives "bob ONLINE busy".
func (s Status) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", s.User, im.General(s.General), s.Custom))
}

// patience bounds every wait of a client: in fake time it costs nothing.
func (s *Server) patience() time.Duration {
	if s.memory != nil {
		return 48 * time.Hour
	}
	return 20 * time.Second
}

// Connect opens a socket for binary frames.
func (s *Server) Connect(user im.UserID) *Client {
	s.t.Helper()
	return s.ConnectTo("/binfo", user)
}

// ConnectTo opens a socket at /binfo or /info.
func (s *Server) ConnectTo(path string, user im.UserID) *Client {
	s.t.Helper()
	return s.ConnectFrom(path, user, fmt.Sprintf("page%d", pages.Add(1)))
}

// pages counts the instances: in fake time no clock tells them apart.
var pages atomic.Int64

// ConnectFrom opens a socket with an instance ID, as one page does that
// reconnects.
func (s *Server) ConnectFrom(path string, user im.UserID, instance string) *Client {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), s.patience())
	defer cancel()
	url := fmt.Sprintf("%s%s?sdkappid=%d&instanceid=%s&random=0.5&platform=7", s.Dev.URL, path, s.Dev.SDKAppID, instance)
	c := &Client{
		t: s.t, s: s, kind: websocket.MessageBinary, seq: 1000, User: user, Platform: 7,
		waiting: make(map[string]chan Answer), pushes: make(chan Frame, 1_000), done: make(chan struct{}),
	}
	pong := func(context.Context, []byte) bool { return !c.silent.Load() }
	opt := &websocket.DialOptions{HTTPClient: s.HTTP(), HTTPHeader: s.proxy.Clone(), OnPingReceived: pong}
	conn, resp, err := websocket.Dial(ctx, url, opt)
	if err != nil {
		s.t.Fatal(err)
	}
	if resp != nil && resp.Body != nil {
		_ = resp.Body.Close() // empty after an upgrade
	}
	conn.SetReadLimit(1 << 20)
	c.ws = conn
	if path == "/info" {
		c.kind = websocket.MessageText
	}
	go c.read()
	s.t.Cleanup(c.Break)
	return c
}

// Login connects and logs in.
func (s *Server) Login(user im.UserID) *Client {
	s.t.Helper()
	c := s.Connect(user)
	c.MustLogin()
	return c
}

func (c *Client) read() {
	defer close(c.done)
	defer close(c.pushes)
	for {
		kind, msg, err := c.ws.Read(context.Background())
		if err != nil {
			c.mu.Lock()
			c.closeErr, c.closedAt = err, time.Now()
			c.mu.Unlock()
			return
		}
		if kind != c.kind {
			c.t.Errorf("frame of kind %v, want %v", kind, c.kind)
		}
		if strings.Contains(string(msg), ":null") {
			c.t.Errorf("null in a frame: %s", msg)
		}
		f := Frame{At: time.Now()}
		if err := json.Unmarshal(msg, &f); err != nil {
			c.t.Errorf("frame %s: %v", msg, err)
			return
		}
		c.mu.Lock()
		wait := c.waiting[f.Head.Command+string(f.Head.Seq)]
		delete(c.waiting, f.Head.Command+string(f.Head.Seq))
		c.mu.Unlock()
		if wait == nil {
			c.pushes <- f
			continue
		}
		var a Answer
		if err := json.Unmarshal(f.Body, &a); err != nil {
			c.t.Errorf("body %s: %v", f.Body, err)
		}
		a.Raw = f.Body
		wait <- a
	}
}

// NextSeq gives the seq of the next command.
func (c *Client) NextSeq() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seq++
	return c.seq
}

// Head gives the head of a command as the official client sends it.
func (c *Client) Head(command string, seq int64) map[string]any {
	h := map[string]any{
		"ver": "v4", "platform": c.Platform, "websdkappid": 537048168, "websdkversion": "1.7.3",
		"sdkappid": c.s.Dev.SDKAppID, "contenttype": "json", "reqtime": time.Now().Unix(), "cappid": 0,
		"servcmd": command, "seq": seq, "status_instid": c.Inst, "cs": 0,
	}
	if c.A2 != "" {
		h["a2"], h["tinyid"] = c.A2, c.TinyID
	}
	return h
}

// Call gives a command and waits for its answer.
func (c *Client) Call(command string, body any) Answer {
	c.t.Helper()
	return c.CallHead(c.Head(command, c.NextSeq()), body)
}

// CallHead is Call with a head of one's own.
func (c *Client) CallHead(head map[string]any, body any) Answer {
	c.t.Helper()
	wait := c.Send(head, body)
	select {
	case a := <-wait:
		return a
	case <-c.done:
		c.t.Fatalf("%v: the socket closed: %v", head["servcmd"], c.CloseError())
	case <-time.After(c.s.patience()):
		c.t.Fatalf("%v: no answer", head["servcmd"])
	}
	return Answer{}
}

// Send sends a command; its answer will come on the channel.
func (c *Client) Send(head map[string]any, body any) <-chan Answer {
	c.t.Helper()
	wait := make(chan Answer, 1)
	c.mu.Lock()
	c.waiting[fmt.Sprint(head["servcmd"], head["seq"])] = wait
	c.mu.Unlock()
	msg, err := json.Marshal(map[string]any{"head": head, "body": body})
	if err != nil {
		c.t.Fatal(err)
	}
	c.Write(msg)
	return wait
}

// Write sends a message as it is.
func (c *Client) Write(msg []byte) {
	ctx, cancel := context.WithTimeout(context.Background(), c.s.patience())
	defer cancel()
	_ = c.ws.Write(ctx, c.kind, msg) // a socket that is gone is noticed by reading
}

// TryLogin sends a first login and gives its answer.
func (c *Client) TryLogin(userSig string) Answer {
	c.t.Helper()
	head := c.Head("im_open_status.wslogin", c.NextSeq())
	head["identifier"], head["usersig"] = c.User, userSig
	return c.keep(c.CallHead(head, loginBody))
}

var loginBody = map[string]any{"State": "Online", "is_web_uniapp": 0, "InstType": 0, "CustomInfo": ""}

// keep takes from a login answer what later frames need.
func (c *Client) keep(a Answer) Answer {
	if a.Code != 0 {
		return a
	}
	var in struct {
		A2Key, TinyID string
		InstID        uint32
	}
	if err := json.Unmarshal(a.Raw, &in); err != nil {
		c.t.Fatal(err)
	}
	c.A2, c.TinyID, c.Inst = in.A2Key, in.TinyID, in.InstID
	return a
}

// MustLogin logs in with a good UserSig.
func (c *Client) MustLogin() Answer {
	c.t.Helper()
	a := c.TryLogin(c.s.UserSig(c.User))
	if a.Code != 0 {
		c.t.Fatalf("login of %s: %d %s", c.User, a.Code, a.Info)
	}
	c.Ready()
	return a
}

// Ready gives the last of the commands with which the official client starts;
// events come from then on.
func (c *Client) Ready() {
	c.t.Helper()
	c.Must("million_group_open_http_svc.get_joined_group_list", struct{}{})
}

// Return sends the login of a session that comes back on this socket.
func (c *Client) Return(from *Client) Answer {
	c.t.Helper()
	c.A2, c.TinyID, c.Inst, c.Platform = from.A2, from.TinyID, from.Inst, from.Platform
	return c.Call("im_open_status.wslogin", loginBody)
}

// MustReturn opens a new socket and brings the session back on it.
func (s *Server) MustReturn(from *Client) *Client {
	s.t.Helper()
	c := s.Connect(from.User)
	if a := c.Return(from); a.Code != 0 {
		s.t.Fatalf("return of %s: %d %s", from.User, a.Code, a.Info)
	}
	return c
}

// Must gives a command that must succeed.
func (c *Client) Must(command string, body any) Answer {
	c.t.Helper()
	a := c.Call(command, body)
	if a.Code != 0 {
		c.t.Fatalf("%s: %d %s", command, a.Code, a.Info)
	}
	return a
}

// SetCustom sets the custom status.
func (c *Client) SetCustom(text string) {
	c.t.Helper()
	c.Must("im_open_status.ws_set_custom_status", map[string]any{"CustomStatus": text})
}

// Subscribe subscribes to users, who must all exist.
func (c *Client) Subscribe(users ...string) {
	c.t.Helper()
	c.Must("im_open_status.ws_status_subscribe", map[string]any{"To_Account": users})
}

// Query gives the statuses of users.
func (c *Client) Query(users ...string) []Status {
	c.t.Helper()
	a := c.Must("im_open_status.ws_get_user_status", map[string]any{"To_Account": users})
	var body struct {
		List []Status `json:"UserStatusList"`
	}
	c.decode(a.Raw, &body)
	return decodeCustom(c.t, body.List)
}

func (c *Client) decode(raw json.RawMessage, v any) {
	c.t.Helper()
	if err := json.Unmarshal(raw, v); err != nil {
		c.t.Fatalf("%s: %v", raw, err)
	}
}

func decodeCustom(t testing.TB, list []Status) []Status {
	for i := range list {
		text, err := base64.StdEncoding.DecodeString(list[i].Custom)
		if err != nil {
			t.Errorf("custom status of %s is not base64: %v", list[i].User, err)
		}
		list[i].Custom = string(text)
	}
	return list
}

// Push waits for the next frame that answers nothing; ok is false when the
// socket closed instead.
func (c *Client) Push() (f Frame, ok bool) {
	c.t.Helper()
	select {
	case f, ok = <-c.pushes:
		return f, ok
	case <-time.After(c.s.patience()):
		c.t.Fatal("no push")
	}
	return f, false
}

// Statuses waits for the next push of statuses.
func (c *Client) Statuses() []Status {
	c.t.Helper()
	f, ok := c.Push()
	if !ok {
		c.t.Fatalf("the socket closed: %v", c.CloseError())
	}
	list := c.StatusesOf(f)
	if len(list) == 0 {
		c.t.Fatalf("not a push of statuses: %s", f.Body)
	}
	return list
}

// Sees waits for the next status and checks it against "bob ONLINE busy".
func (c *Client) Sees(want string) {
	c.t.Helper()
	list := c.Statuses()
	if len(list) != 1 || list[0].String() != want {
		c.t.Fatalf("%s sees %v, want %s", c.User, list, want)
	}
}

// SeesNothing gives two commands and checks that no push has come: what waited
// in the outbox when the first one came was written with its answer, and so
// before the second one's.
func (c *Client) SeesNothing() {
	c.t.Helper()
	c.Must("heartbeat.alive", struct{}{})
	c.Must("heartbeat.alive", struct{}{})
	select {
	case f, ok := <-c.pushes:
		if ok {
			c.t.Fatalf("%s sees %s", c.User, f.Body)
		}
	default:
	}
}

// Kicked waits for the push that says the session was pushed out, and gives its
// type.
func (c *Client) Kicked() int {
	c.t.Helper()
	f, ok := c.Push()
	if !ok || f.Head.Command != "im_open_status.stat_forceoffline" {
		c.t.Fatalf("got %s %s, want a kick", f.Head.Command, f.Body)
	}
	return c.KickOf(f)
}

// Break ends the socket without a close frame.
func (c *Client) Break() {
	_ = c.ws.CloseNow() // it may be closed already
	<-c.done
}

// Close ends the socket with a close frame.
func (c *Client) Close(code int) {
	_ = c.ws.Close(websocket.StatusCode(code), "") // the answer is read by the reader
	<-c.done
}

// Closed waits until the server has ended the socket and gives the close code,
// -1 where there was none.
func (c *Client) Closed() int {
	c.t.Helper()
	select {
	case <-c.done:
	case <-time.After(c.s.patience()):
		c.t.Fatal("the socket stays open")
	}
	return int(websocket.CloseStatus(c.CloseError()))
}

// Open reports whether the socket is open as far as its reader knows.
func (c *Client) Open() bool {
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

// CloseError gives why reading ended.
func (c *Client) CloseError() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closeErr == nil {
		return errors.New("open")
	}
	return c.closeErr
}
