package main

import (
	"bufio"
	"bytes"
	"crypto/sha1" //nolint:gosec // RFC 6455 wants it; it protects nothing
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"net/http"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

// The commands that a session sends, and the start of what it is sent.
const (
	cmdLogin       = "im_open_status.wslogin"
	cmdLogout      = "im_open_status.wslogout"
	cmdHello       = "im_open_status.wshello"
	cmdSubscribe   = "im_open_status.ws_status_subscribe"
	cmdUnsubscribe = "im_open_status.ws_status_unsubscribe"
	cmdSet         = "im_open_status.ws_set_custom_status"
	cmdQuery       = "im_open_status.ws_get_user_status"
	cmdPush        = "im_open_push.msg_push"
	cmdKick        = "im_open_status.stat_forceoffline"
)

// state is how far a session's socket has come.
type state uint8

const (
	absent    state = iota // no socket yet, or none at the moment
	dialling               // the connection is being made
	upgrading              // the handshake has been sent
	open                   // frames go both ways
	closing                // a close frame has been sent, the server's is awaited
	ended                  // the socket is closed, for good
)

// session is one client: what it is and what it waits for. It does no I/O: it
// is given what arrived and appends what is to be sent. Its swarm's loop owns it.
type session struct {
	number int // of all in the run
	user   im.UserID
	sig    string // until it has logged in
	page   uint64 // how often it has begun anew, as a page that is loaded again

	fd        int32
	state     state
	in        []byte // the beginning of a frame whose rest is still to come
	out       []byte // what the socket did not take yet
	identity  []byte // members of the head that say who this is, from its login on
	seq       uint32
	dialled   time.Duration
	script    []request // what is still to be sent in this phase; its first waits for an answer
	sent      time.Duration
	helloAt   time.Duration // when to send the next wshello, 0 for never
	helloEach time.Duration

	made      uint32        // changes of its status so far
	acked     uint32        // the last one that was acknowledged since it logged in
	change    *change       // the one that waits for its answer
	since     time.Duration // when its socket became its session's
	returning bool          // its socket was cut, and it is not back yet
	returnAt  time.Duration // when it began to return
}

// request is one command of a session.
type request struct {
	cmd, body string
	seq       uint32 // of one that is sent again; 0 for a new one
}

// hasSocket reports whether there is a descriptor to use.
func (s *session) hasSocket() bool { return s.state != absent && s.state != ended }

// atWork reports whether the session is counted among those in flight.
func (s *session) atWork() bool { return len(s.script) > 0 || s.state == closing }

// message is what the server sent, as far as anyone here asks.
type message struct {
	Head struct {
		ServCmd string `json:"servcmd"`
		Seq     uint32 `json:"seq"`
	} `json:"head"`
	Body struct {
		ErrorCode     int             `json:"ErrorCode"`
		A2Key         string          `json:"A2Key"`
		TinyID        string          `json:"TinyId"`
		InstID        uint32          `json:"InstId"`
		HelloInterval int             `json:"HelloInterval"`
		CustomStatus  string          `json:"CustomStatus"`
		Statuses      []givenStatus   `json:"UserStatusList"`
		ErrorList     []deniedAccount `json:"ErrorList"`
	} `json:"body"`
}

// givenStatus is an entry of the answer to a query.
type givenStatus struct {
	Account string `json:"To_Account"`
	General int    `json:"Status"`
	Custom  string `json:"CustomStatus"`
}

// deniedAccount is an entry of an answer's list of failures.
type deniedAccount struct {
	Account string `json:"To_Account"`
	Code    int    `json:"ErrorCode"`
}

// A handshake with one key for all: nobody relies on its randomness.
const handshakeKey = "bG9hZGdlbi1sb2FkZ2VuIQ=="

var handshakeAccept = func() string {
	sum := sha1.Sum([]byte(handshakeKey + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // as above
	return base64.StdEncoding.EncodeToString(sum[:])
}()

// appendHandshake appends the request that asks for the WebSocket.
func (s *session) appendHandshake(dst []byte, cfg *config, run uint64) []byte {
	return fmt.Appendf(dst, "GET /binfo?sdkappid=%d&instanceid=%016x%016x&random=0.5"+
		"&platform=7&host=unknown&version=-1&sdkversion=3.6.6&compress=gzip HTTP/1.1\r\n"+
		"Host: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n",
		cfg.App, run+s.page, s.number, cfg.Server, handshakeKey)
}

// takeHandshake reads the server's consent off b; ok is false while it is not
// all there.
func takeHandshake(b []byte) (rest []byte, ok bool, err error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) > 16<<10 {
			return b, false, errors.New("handshake: the answer has no end")
		}
		return b, false, nil
	}
	res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b[:end+4])), nil)
	if err != nil {
		return b, false, errors.New("handshake: the answer is not HTTP")
	}
	_ = res.Body.Close() // it is empty: an upgrade has none
	if res.StatusCode != http.StatusSwitchingProtocols {
		return b, false, fmt.Errorf("handshake: HTTP %d", res.StatusCode)
	}
	if res.Header.Get("Sec-WebSocket-Accept") != handshakeAccept {
		return b, false, errors.New("handshake: wrong Sec-WebSocket-Accept")
	}
	return b[end+4:], true, nil
}

// appendRequest appends a command as the official client frames it. The scratch
// holds the message before it is masked, and is returned for the next one.
func (s *session) appendRequest(dst, scratch []byte, app im.AppID, r request) (frame, used []byte) {
	if r.seq == 0 {
		s.seq++
		r.seq = s.seq
	}
	checksum := uint32(0)
	if r.cmd != cmdLogin && r.cmd != cmdLogout {
		checksum = crc32.ChecksumIEEE([]byte(r.body))
	}
	m := append(scratch[:0], `{"head":{"ver":"v4","platform":7,"websdkappid":537048168,"websdkversion":"1.7.3",`...)
	if s.identity != nil {
		m = append(m, s.identity...)
	} else {
		m = fmt.Appendf(m, `"identifier":"%s","usersig":"%s","status_instid":0`, s.user, s.sig)
	}
	m = fmt.Appendf(m, `,"sdkappid":%d,"contenttype":"json","reqtime":%d,"sdkability":75689843,"sdkability_ext":"","cappid":0,`+
		`"servcmd":"%s","seq":%d,"cs":%d},"body":%s}`,
		app, time.Now().Unix(), r.cmd, r.seq, checksum, r.body)
	return appendFrame(dst, opBinary, s.mask(), m), m
}

// mask gives a frame's mask: another one each time, so that a server that
// unmasks wrongly shows it.
func (s *session) mask() uint32 {
	return (s.seq + uint32(s.number)<<8 + 1) * 2654435761
}

// loggedIn takes over who the session is from the answer to its login.
func (s *session) loggedIn(m *message) error {
	b := &m.Body
	if b.A2Key == "" || b.TinyID == "" || b.InstID == 0 {
		return errors.New("login: the answer lacks A2Key, TinyId or InstId")
	}
	a2, err := json.Marshal(b.A2Key)
	if err != nil {
		return err
	}
	tiny, err := json.Marshal(b.TinyID)
	if err != nil {
		return err
	}
	s.identity = fmt.Appendf(nil, `"a2":%s,"tinyid":%s,"status_instid":%d`, a2, tiny, b.InstID)
	s.sig = ""
	s.helloEach = time.Duration(b.HelloInterval) * time.Second
	return nil
}

// asked says what a session at work waits for an answer to.
func (s *session) asked() string {
	switch s.state {
	case dialling:
		return "the connection"
	case upgrading:
		return "the handshake"
	case closing:
		return "the close"
	default:
		return verb(s.script[0].cmd)
	}
}

// answers reports whether m answers the request that the session waits for.
func (s *session) answers(m *message) bool {
	return len(s.script) > 0 && m.Head.Seq == s.seq && m.Head.ServCmd == s.script[0].cmd
}

// serverSent sorts a message by its head without decoding what nobody reads: of
// a push only that it came.
func serverSent(payload []byte) (cmd string) {
	head := payload[:min(len(payload), 200)]
	switch {
	case bytes.Contains(head, []byte(`"`+cmdPush+`"`)):
		return cmdPush
	case bytes.Contains(head, []byte(`"`+cmdKick+`"`)):
		return cmdKick
	default:
		return ""
	}
}

// closeReason says in words what a close frame says.
func closeReason(payload []byte) string {
	if len(payload) < 2 {
		return "closed without a code"
	}
	code := binary.BigEndian.Uint16(payload)
	if text := payload[2:]; len(text) > 0 {
		return fmt.Sprintf("closed with %d (%q)", code, text)
	}
	return fmt.Sprintf("closed with %d", code)
}
