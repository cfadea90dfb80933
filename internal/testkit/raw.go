package testkit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// Raw is a socket on which a test writes what it likes, frame by frame or byte
// by byte. It answers no ping.
type Raw struct {
	t    testing.TB
	s    *Server
	conn net.Conn

	mu   sync.Mutex
	got  bytes.Buffer
	more chan struct{} // closed and replaced when got grows
	done chan struct{}
}

// Raw opens a socket by hand, of the application with that ID.
func (s *Server) Raw(app any, query string) *Raw {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), s.patience())
	defer cancel()
	conn, err := s.Dial(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	u, err := url.Parse(fmt.Sprintf("%s/binfo?sdkappid=%v%s", s.Dev.WS, app, query))
	if err != nil {
		s.t.Fatal(err)
	}
	br, _, err := ws.Dialer{Header: ws.HandshakeHeaderHTTP(s.proxy)}.Upgrade(conn, u)
	if err != nil {
		s.t.Fatal(err)
	}
	r := &Raw{t: s.t, s: s, conn: conn, more: make(chan struct{}), done: make(chan struct{})}
	var from io.Reader = conn
	if br != nil {
		from = br
	}
	go func() {
		defer close(r.done)
		buf := make([]byte, 4096)
		for {
			n, err := from.Read(buf)
			r.mu.Lock()
			r.got.Write(buf[:n])
			close(r.more)
			r.more = make(chan struct{})
			r.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	s.t.Cleanup(func() { _ = conn.Close(); <-r.done })
	return r
}

// Bytes writes bytes as they are. The server may have closed meanwhile.
func (r *Raw) Bytes(b []byte) { _, _ = r.conn.Write(b) }

// Frame writes one masked frame.
func (r *Raw) Frame(op ws.OpCode, fin bool, payload []byte) {
	f := ws.NewFrame(op, fin, bytes.Clone(payload))
	r.Bytes(ws.MustCompileFrame(ws.MaskFrameInPlace(f)))
}

// Login sends a good first login.
func (r *Raw) Login(c *Client) {
	head := c.Head("im_open_status.wslogin", 1)
	head["identifier"], head["usersig"] = c.User, r.s.UserSig(c.User)
	msg, err := json.Marshal(map[string]any{"head": head, "body": struct{}{}})
	if err != nil {
		r.t.Fatal(err)
	}
	r.Frame(ws.OpBinary, true, msg)
}

// Break closes the connection without a close frame.
func (r *Raw) Break() { _ = r.conn.Close(); <-r.done }

// Ended waits until the server closes and gives all that it has sent.
func (r *Raw) Ended() []byte {
	<-r.done
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Clone(r.got.Bytes())
}

// CloseCode waits until the server closes and gives its close code, 0 where it
// sent none, with all the text it sent before.
func (r *Raw) CloseCode() (code int, text string) {
	in := bytes.NewReader(r.Ended())
	for {
		h, err := ws.ReadHeader(in)
		if err != nil {
			return code, text
		}
		payload := make([]byte, min(h.Length, int64(in.Len())))
		_, _ = in.Read(payload) // from memory: cannot fail
		if h.OpCode == ws.OpClose {
			c, _ := ws.ParseCloseFrameData(payload)
			code = int(c)
			continue
		}
		text += string(payload)
	}
}

// Await waits until the server has sent some text and gives all it has sent so
// far, frames and all.
func (r *Raw) Await(text string) string {
	r.t.Helper()
	late := time.After(r.s.patience())
	for {
		r.mu.Lock()
		got, more := r.got.String(), r.more
		r.mu.Unlock()
		if strings.Contains(got, text) {
			return got
		}
		select {
		case <-more:
		case <-r.done:
			r.t.Fatalf("the socket ended without %q: %q", text, got)
		case <-late:
			r.t.Fatalf("no %q: %q", text, got)
		}
	}
}
