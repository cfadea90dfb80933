package server_test

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/testkit"
	"github.com/porchlight-im/porchlight/internal/usersig"
)

// bystander is a client that must not notice what is done to the server.
func bystander(t *testing.T, s *testkit.Server) {
	t.Helper()
	c := s.Login("bystander")
	t.Cleanup(func() {
		c.Must("heartbeat.alive", struct{}{})
		if got := c.Query("bystander")[0].String(); got != "bystander ONLINE" {
			t.Errorf("the bystander is %s", got)
		}
		for _, secret := range []string{s.Dev.SecretKey, c.A2, s.Dev.OperatorToken} {
			if strings.Contains(s.Log(), secret) {
				t.Error("a secret is in the log")
			}
		}
		if n := s.Metric("porchlight_connection_panics_total"); n != "0" {
			t.Errorf("%s panics", n)
		}
	})
}

func TestWI20_FramesThatCannotBeRead(t *testing.T) {
	s := testkit.StartTCP(t)
	bystander(t, s)
	head := `"head":{"servcmd":"heartbeat.alive","seq":1}`
	for name, msg := range map[string]string{
		"empty":                  ``,
		"no JSON":                `hello`,
		"truncated":              `{` + head + `,"body":{`,
		"trailing data":          `{` + head + `,"body":{}} x`,
		"two objects":            `{` + head + `,"body":{}}{}`,
		"array":                  `[]`,
		"null":                   `null`,
		"no head":                `{"body":{}}`,
		"empty head":             `{"head":{},"body":{}}`,
		"head a string":          `{"head":"x","body":{}}`,
		"command a number":       `{"head":{"servcmd":1,"seq":1},"body":{}}`,
		"seq an object":          `{"head":{"servcmd":"heartbeat.alive","seq":{}},"body":{}}`,
		"seq endless":            `{"head":{"servcmd":"heartbeat.alive","seq":` + strings.Repeat("1", 40) + `},"body":{}}`,
		"app a float":            `{"head":{"servcmd":"heartbeat.alive","seq":1,"sdkappid":1.5},"body":{}}`,
		"app out of range":       `{"head":{"servcmd":"heartbeat.alive","seq":1,"sdkappid":1e99},"body":{}}`,
		"duplicate head":         `{` + head + `,` + head + `,"body":{}}`,
		"duplicate in head":      `{"head":{"servcmd":"heartbeat.alive","servcmd":"heartbeat.alive","seq":1},"body":{}}`,
		"duplicate in body":      `{` + head + `,"body":{"a":1,"a":2}}`,
		"duplicate deep in body": `{` + head + `,"body":{"a":[{"b":1,"b":2}]}}`,
		"duplicate by an escape": `{` + head + `,"body":{"a":1,"\u0061":2}}`,
		"case of the head":       `{"HEAD":{"servcmd":"heartbeat.alive","seq":1},"body":{}}`,
		"deep arrays":            `{` + head + `,"body":` + strings.Repeat("[", 33) + strings.Repeat("]", 33) + `}`,
		"deep objects":           `{` + head + `,"body":` + strings.Repeat(`{"a":`, 5000) + `1` + strings.Repeat("}", 5000) + `}`,
		"not UTF-8":              `{` + head + `,"body":{"a":"` + "\xff" + `"}}`,
		"overlong UTF-8":         `{` + head + `,"body":{"a":"` + "\xc0\xaf" + `"}}`,
		"a control character":    "{" + head + ",\"body\":{\"a\":\"\x01\"}}",
		"a bare NaN":             `{` + head + `,"body":{"a":NaN}}`,
		"a comment":              `{` + head + `,/*x*/"body":{}}`,
		"a BOM":                  "\ufeff{" + head + `,"body":{}}`,
	} {
		t.Run(name, func(t *testing.T) {
			r := s.Raw(s.Dev.SDKAppID, "")
			at := time.Now()
			r.Frame(ws.OpBinary, true, []byte(msg))
			code, text := r.CloseCode()
			if code != 1007 || !strings.Contains(text, `"ErrorCode":60002`) {
				t.Errorf("close %d, text %q; want 1007 and 60002", code, text)
			}
			if d := time.Since(at); d > 5*time.Second {
				t.Errorf("answered after %s", d)
			}
		})
	}
}

func TestWI20_SocketsThatBreakTheProtocol(t *testing.T) {
	s := testkit.StartTCP(t)
	bystander(t, s)
	good := []byte(`{"head":{"servcmd":"heartbeat.alive","seq":1},"body":{}}`)
	for name, c := range map[string]struct {
		do   func(*testkit.Raw)
		want int
	}{
		"unmasked":                 {func(r *testkit.Raw) { r.Bytes(ws.MustCompileFrame(ws.NewBinaryFrame(good))) }, 1002},
		"reserved bit":             {func(r *testkit.Raw) { r.Bytes([]byte{0xc2, 0x80, 0, 0, 0, 0}) }, 1002},
		"reserved opcode":          {func(r *testkit.Raw) { r.Bytes([]byte{0x83, 0x80, 0, 0, 0, 0}) }, 1002},
		"reserved control opcode":  {func(r *testkit.Raw) { r.Bytes([]byte{0x8b, 0x80, 0, 0, 0, 0}) }, 1002},
		"fragmented ping":          {func(r *testkit.Raw) { r.Frame(ws.OpPing, false, nil) }, 1002},
		"long ping":                {func(r *testkit.Raw) { r.Frame(ws.OpPing, true, make([]byte, 126)) }, 1002},
		"continuation of nothing":  {func(r *testkit.Raw) { r.Frame(ws.OpContinuation, true, good) }, 1002},
		"new message in fragments": {func(r *testkit.Raw) { r.Frame(ws.OpBinary, false, good); r.Frame(ws.OpBinary, true, good) }, 1002},
		"negative length": {func(r *testkit.Raw) {
			r.Bytes([]byte{0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4})
		}, 1002},
		"declared too long": {func(r *testkit.Raw) { r.Bytes([]byte{0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4}) }, 1009},
		"too long":          {func(r *testkit.Raw) { r.Frame(ws.OpBinary, true, make([]byte, 64<<10+1)) }, 1009},
		"too long in fragments": {func(r *testkit.Raw) {
			r.Frame(ws.OpBinary, false, make([]byte, 40<<10))
			r.Frame(ws.OpContinuation, true, make([]byte, 40<<10))
		}, 1009},
		"text that is not UTF-8":  {func(r *testkit.Raw) { r.Frame(ws.OpText, true, []byte("\xff\xfe")) }, 1007},
		"close with one byte":     {func(r *testkit.Raw) { r.Frame(ws.OpClose, true, []byte{3}) }, 1002},
		"close with a false code": {func(r *testkit.Raw) { r.Frame(ws.OpClose, true, ws.NewCloseFrameBody(1005, "")) }, 1002},
		"close that is not UTF-8": {func(r *testkit.Raw) { r.Frame(ws.OpClose, true, ws.NewCloseFrameBody(1000, "\xff")) }, 1002},
		"good close":              {func(r *testkit.Raw) { r.Frame(ws.OpClose, true, ws.NewCloseFrameBody(1000, "bye")) }, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			r := s.Raw(s.Dev.SDKAppID, "")
			c.do(r)
			if code, text := r.CloseCode(); code != c.want {
				t.Errorf("close %d, want %d (%s)", code, c.want, text)
			}
		})
	}
}

func TestWI21_SE16_CommandsBeforeTheLogin(t *testing.T) {
	s := testkit.StartTCP(t)
	c := s.Connect("alice")
	for _, command := range []string{"im_open_status.ws_get_user_status", "openim.getmsg", "no.such"} {
		if a := c.Call(command, map[string]any{"To_Account": []string{"bob"}}); a.Code != 6014 {
			t.Errorf("%s: %d %s", command, a.Code, a.Info)
		}
	}
	for _, command := range []string{"heartbeat.alive", "im_open_status.wslogout"} {
		c.Must(command, struct{}{})
	}
	c.MustLogin()
}

// TestFragmentsAndBytes sends good frames in odd ways.
func TestFragmentsAndBytes(t *testing.T) {
	s := testkit.StartTCP(t)
	good := []byte(`{"head":{"servcmd":"heartbeat.alive","seq":7},"body":{}}`)
	r := s.Raw(s.Dev.SDKAppID, "")
	r.Frame(ws.OpBinary, false, good[:10])
	r.Frame(ws.OpPing, true, []byte("p"))
	r.Frame(ws.OpContinuation, false, good[10:20])
	r.Frame(ws.OpContinuation, true, good[20:])
	r.Frame(ws.OpText, true, good)
	whole := ws.MustCompileFrame(ws.MaskFrame(ws.NewBinaryFrame(good)))
	for _, b := range whole {
		r.Bytes([]byte{b})
	}
	big := append([]byte(`{"head":{"servcmd":"heartbeat.alive","seq":7},"body":{"x":"`), bytes.Repeat([]byte("x"), 60<<10)...)
	r.Frame(ws.OpBinary, true, append(big, `"}}`...))
	r.Bytes(append(append([]byte{}, whole...), whole...)) // two at once
	r.Frame(ws.OpClose, true, nil)
	_, text := r.CloseCode()
	if n := strings.Count(text, `"seq":7`); n != 6 {
		t.Errorf("%d answers, want 6: %s", n, text)
	}
}

func TestSE2_WI14_UserSigsThatAreRefused(t *testing.T) {
	s := testkit.StartTCP(t)
	bystander(t, s)
	now := time.Now()
	good := s.UserSig("alice")
	mint := func(app im.AppID, user im.UserID, key string, at time.Time, d time.Duration) string {
		sig, err := usersig.Mint(app, user, key, at, d)
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}
	flipped := []byte(good)
	flipped[len(flipped)/2] ^= 1
	for name, c := range map[string]struct {
		sig  string
		want im.Code
	}{
		"none":           {"", im.CodeSigMalformed},
		"garbage":        {"garbage", im.CodeSigMalformed},
		"cut":            {good[:len(good)-8], im.CodeSigMalformed},
		"bomb":           {bomb(), im.CodeSigMalformed},
		"huge":           {strings.Repeat("A", 5000), im.CodeSigMalformed},
		"wrong key":      {mint(s.Dev.SDKAppID, "alice", "another", now, time.Hour), im.CodeSigMismatch},
		"other user":     {s.UserSig("mallory"), im.CodeSigOtherUser},
		"other app":      {mint(1400000002, "alice", s.Dev.SecretKey, now, time.Hour), im.CodeSigOtherApp},
		"expired":        {s.UserSigFor("alice", now.Add(-2*time.Hour), time.Hour), im.CodeSigExpired},
		"from tomorrow":  {s.UserSigFor("alice", now.Add(24*time.Hour), time.Hour), im.CodeSigMalformed},
		"case of a user": {s.UserSig("Alice"), im.CodeSigOtherUser},
	} {
		client := s.Connect("alice")
		a := client.TryLogin(c.sig)
		if a.Code != int(c.want) || a.Info == "" {
			t.Errorf("%s: got %d %q, want %d", name, a.Code, a.Info, c.want)
		}
		if a := client.MustLogin(); a.Code != 0 {
			t.Errorf("%s: a good login after it: %d", name, a.Code)
		}
		if n := s.Metric(fmt.Sprintf(`porchlight_logins_total{code="%d"}`, c.want)); n == "" {
			t.Errorf("%s: not counted", name)
		}
	}
	client := s.Connect("alice")
	if a := client.TryLogin(string(flipped)); a.Code == 0 {
		t.Error("a flipped bit was accepted")
	}
	for _, user := range []im.UserID{"", "a b", "ä", im.UserID(strings.Repeat("x", 33))} {
		client := s.Connect(user)
		if a := client.TryLogin(good); a.Code != int(im.CodeInvalidUserID) {
			t.Errorf("userID %q: got %d, want %d", user, a.Code, im.CodeInvalidUserID)
		}
	}
}

// bomb is a token that inflates to a megabyte and a half.
func bomb() string {
	var buf bytes.Buffer
	w := zlib.NewWriter(&buf)
	_, _ = w.Write(make([]byte, 1_500_000))
	_ = w.Close()
	return strings.NewReplacer("+", "*", "/", "-", "=", "_").Replace(base64.StdEncoding.EncodeToString(buf.Bytes()))
}

func TestWI3_SessionsThatAreNone(t *testing.T) {
	s := testkit.StartTCP(t)
	bystander(t, s)
	alice := s.Login("alice")
	sealed := alice.A2
	flipped := []byte(sealed)
	flipped[10] ^= 2
	other := usersig.NewSealer([]byte("the secret of another server, 32+")).Seal(usersig.A2{App: s.Dev.SDKAppID, User: "alice", Inst: im.InstID(alice.Inst), Expires: 1 << 40})
	for name, a2 := range map[string]string{
		"garbage": "garbage", "flipped": string(flipped), "cut": sealed[:len(sealed)-1], "longer": sealed + "A",
		"another server's": other, "huge": strings.Repeat("A", 10_000),
	} {
		c := s.Connect("alice")
		c.A2 = a2
		for _, command := range []string{"im_open_status.wslogin", "im_open_status.wshello", "im_open_status.ws_get_user_status"} {
			if a := c.Call(command, map[string]any{"To_Account": []string{"alice"}}); a.Code != 70001 {
				t.Errorf("%s: %s answered %d, want 70001", name, command, a.Code)
			}
		}
	}
	// The session of one application on a socket of another.
	r := s.Raw(1400000099, "")
	head := alice.Head("im_open_status.ws_get_user_status", 5)
	msg, err := json.Marshal(map[string]any{"head": head, "body": map[string]any{"To_Account": []string{"alice"}}})
	if err != nil {
		t.Fatal(err)
	}
	r.Frame(ws.OpBinary, true, msg)
	r.Frame(ws.OpClose, true, nil)
	if _, text := r.CloseCode(); !strings.Contains(text, `"ErrorCode":70001`) {
		t.Errorf("another application's session: %s", text)
	}
	alice.Must("im_open_status.wshello", struct{}{})
}

func TestWI22_UnknownCommands(t *testing.T) {
	s := testkit.StartTCP(t)
	alice := s.Login("alice")
	for _, name := range []string{"openim.sendmsg", "no.such", "x", "group_open_http_svc.create_group", "im_open_status.WSLOGIN", "porchlight.\u0000"} {
		if a := alice.Call(name, struct{}{}); a.Code != int(im.CodeNoResource) || a.Info == "" {
			t.Errorf("%q: got %d %q, want %d", name, a.Code, a.Info, im.CodeNoResource)
		}
	}
	alice.Must("im_open_status.wshello", struct{}{})
	if n := s.Metric("porchlight_commands_unserved_total"); n != "6" {
		t.Errorf("%s unserved commands were counted, want 6", n)
	}
}

func TestFloodOfCommandsIsSlowed(t *testing.T) {
	s := testkit.StartTCP(t, "limits.command_rate=1", "limits.command_burst=20")
	alice := s.Login("alice")
	codes := map[int]int{}
	for range 40 {
		codes[alice.Call("im_open_status.wshello", struct{}{}).Code]++
	}
	if codes[0] < 15 || codes[int(im.CodeUserRate)] < 15 {
		t.Errorf("answers by code: %v", codes)
	}
	alice.Must("heartbeat.alive", struct{}{})
}

// TestMemoryComesBack throws bad input at the server and looks at its heap.
func TestMemoryComesBack(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		attack := func() uint64 {
			for range 50 {
				r := s.Raw(s.Dev.SDKAppID, "")
				r.Frame(ws.OpBinary, false, make([]byte, 60<<10))
				r.Break()
				r = s.Raw(s.Dev.SDKAppID, "")
				r.Frame(ws.OpBinary, true, bytes.Repeat([]byte("["), 60<<10))
				r.Ended()
				s.Raw(s.Dev.SDKAppID, "").Break()
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			runtime.GC()
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := attack()
		if after := attack(); after > before+2<<20 {
			t.Errorf("heap: %d before, %d after", before, after)
		}
	})
}
