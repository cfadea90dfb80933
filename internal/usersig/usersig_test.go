package usersig_test

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/usersig"
)

// The published vectors.
const (
	app    = 1400000123
	secret = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
	other  = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
	issued = 1700000000
	expire = 86400

	plainSig   = "rOs/6rObPpBXjXKsbBEI/m8obyxt29ykPlB5uVciTck="
	bufSig     = "tUSMLi4uZIkbxd6gC30XRCtMzgiQayTU6DjrWSAi75E="
	plainToken = "eJyrVgrxCdYrSy1SslIy0jNQ0gHzM1NS80oy0zLBwok5mcmpUInilOzEgoLMFCUrQxMDEDA0MobIpFYUZBalKllZmAElIEIlmblA" +
		"AUNzAyiAGpGZDjS0yL9Y36zIPymgwCkiK8K7OMnJ1VM-1yI-qbKixMiyMjsgx8m0NCw5MyQ521apFgCksjFH"
)

func want() usersig.Want {
	return usersig.Want{
		App: app, User: "alice", Keys: []im.AppKey{{ID: 7, Secret: secret}},
		Now: time.Unix(issued+60, 0), Skew: im.TokenSkew,
	}
}

func plain() usersig.Sig {
	return usersig.Sig{App: app, User: "alice", Issued: issued, Expires: issued + expire, KeyID: 7}
}

// wrap makes a token of a document, at a level of zlib.
func wrap(doc string, level int) string { return armour(deflated([]byte(doc), level)) }

// armour makes a token of bytes.
func armour(raw []byte) string {
	return strings.NewReplacer("+", "*", "/", "-", "=", "_").Replace(stdText(raw))
}

// members are the parts of a document as JSON has them, "" for one left out.
type members struct{ ver, user, app, expire, time, buf, sig, more string }

func good() members {
	return members{ver: `"2.0"`, user: `"alice"`, app: "1400000123", expire: "86400", time: "1700000000"}
}

// signed adds the signature over the members as they are written, quotes off.
func (m members) signed(key string) members {
	bare := func(s string) string { return strings.Trim(s, `"`) }
	text := "TLS.identifier:" + bare(m.user) + "\nTLS.sdkappid:" + bare(m.app) +
		"\nTLS.time:" + bare(m.time) + "\nTLS.expire:" + bare(m.expire) + "\n"
	if m.buf != "" {
		text += "TLS.userbuf:" + bare(m.buf) + "\n"
	}
	m.sig = `"` + handText(key, text) + `"`
	return m
}

func (m members) doc() string {
	var b strings.Builder
	for _, f := range [][2]string{
		{"TLS.ver", m.ver},
		{"TLS.identifier", m.user},
		{"TLS.sdkappid", m.app},
		{"TLS.expire", m.expire},
		{"TLS.time", m.time},
		{"TLS.userbuf", m.buf},
		{"TLS.sig", m.sig},
	} {
		if f[1] != "" {
			fmt.Fprintf(&b, `,%q:%s`, f[0], f[1])
		}
	}
	return "{" + strings.TrimPrefix(b.String()+m.more, ",") + "}"
}

func (m members) token() string { return wrap(m.doc(), 6) }

func TestPublishedVectors(t *testing.T) {
	got, err := usersig.Verify(plainToken, want())
	if diff := cmp.Diff(got, plain()); err != nil || diff != "" {
		t.Errorf("the published token: %v %s", err, diff)
	}
	if got := good().signed(secret).sig; got != `"`+plainSig+`"` {
		t.Errorf("TLS.sig without userbuf: %s", got)
	}
	m := good()
	m.buf = `"YWJj"`
	m = m.signed(secret)
	if m.sig != `"`+bufSig+`"` {
		t.Errorf("TLS.sig with userbuf: %s", m.sig)
	}
	withBuf := plain()
	withBuf.UserBuf = []byte("abc")
	for _, level := range levels {
		got, err := usersig.Verify(wrap(m.doc(), level), want())
		if diff := cmp.Diff(got, withBuf); err != nil || diff != "" {
			t.Errorf("level %d: %v %s", level, err, diff)
		}
	}
}

func TestMintMakesThePublishedSignatures(t *testing.T) {
	token, err := usersig.Mint(app, "alice", secret, time.Unix(issued, 999), expire*time.Second+time.Second/2)
	if err != nil {
		t.Fatal(err)
	}
	if doc := unwrap(t, token); !strings.Contains(doc, plainSig) {
		t.Errorf("Mint made %s", doc)
	}
	again, _ := usersig.Mint(app, "alice", secret, time.Unix(issued, 0), expire*time.Second)
	if again != token {
		t.Error("Mint made another token of the same arguments")
	}
	s := plain()
	s.UserBuf = []byte("abc")
	token, err = s.Mint(secret)
	if doc := unwrap(t, token); err != nil || !strings.Contains(doc, bufSig) || !strings.Contains(doc, `"TLS.userbuf":"YWJj"`) {
		t.Errorf("Sig.Mint made %s, %v", doc, err)
	}
	got, err := usersig.Verify(token, want())
	if diff := cmp.Diff(got, s); err != nil || diff != "" {
		t.Errorf("Verify: %v %s", err, diff)
	}
}

func TestMintRefuses(t *testing.T) {
	at := time.Unix(issued, 0)
	for name, err := range map[string]error{
		"no app":         mintErr(usersig.Mint(0, "alice", secret, at, time.Hour)),
		"no secret":      mintErr(usersig.Mint(app, "alice", "", at, time.Hour)),
		"no lifetime":    mintErr(usersig.Mint(app, "alice", secret, at, time.Second-1)),
		"dead":           mintErr(usersig.Mint(app, "alice", secret, at, -time.Hour)),
		"before 1970":    mintErr(usersig.Mint(app, "alice", secret, time.Time{}, time.Hour)),
		"overflow":       mintErr(usersig.Mint(app, "alice", secret, time.Unix(math.MaxInt64, 0), time.Hour)),
		"a long userbuf": mintErr(usersig.Sig{App: app, User: "alice", Expires: 1, UserBuf: make([]byte, 3000)}.Mint(secret)),
	} {
		if code(err) != im.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := usersig.Mint(app, "no one", secret, at, time.Hour); code(err) != im.CodeInvalidUserID {
		t.Errorf("a bad userID: %v", err)
	}
}

func TestMintedVerifyForEveryUserID(t *testing.T) {
	for c := byte(0x21); c <= 0x7e; c++ {
		for _, n := range []int{1, im.MaxUserIDBytes} {
			w := want()
			w.User = im.UserID(strings.Repeat(string(c), n))
			token, err := usersig.Mint(app, w.User, secret, time.Unix(issued, 0), time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			if diff, ok := agree(token, w); !ok {
				t.Errorf("%s is refused %s", w.User, diff)
			}
		}
	}
}

func mintErr(_ string, err error) error { return err }

// code is that of an im.Error, -1 for any other error.
func code(err error) im.Code {
	var e *im.Error
	switch {
	case err == nil:
		return im.CodeOK
	case errors.As(err, &e):
		return e.Code
	default:
		return -1
	}
}

// flips gives every token that differs from this one in one bit of one
// character, or in one of the six bits a character stands for.
func flips(token string, visit func(changed string)) {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789*-"
	b := []byte(token)
	for i, c := range b {
		for bit := range 8 {
			b[i] = c ^ 1<<bit
			visit(string(b))
		}
		if v := strings.IndexByte(digits, c); v >= 0 {
			for bit := range 6 {
				b[i] = digits[v^1<<bit]
				visit(string(b))
			}
		}
		b[i] = c
	}
}

func TestChangedTokensAreNeverAccepted(t *testing.T) {
	tokens := []string{plainToken}
	minted, err := plain().Mint(secret)
	if err != nil {
		t.Fatal(err)
	}
	tokens = append(tokens, minted)
	m := good()
	m.buf = `"YWJj"`
	for _, level := range levels {
		tokens = append(tokens, wrap(m.signed(secret).doc(), level))
	}
	for _, token := range tokens {
		if _, err := usersig.Verify(token, want()); err != nil {
			t.Fatal(err)
		}
		flips(token, func(changed string) {
			if _, err := usersig.Verify(changed, want()); err == nil {
				t.Errorf("%s is accepted, as is %s", changed, token)
			}
		})
		for i := range token {
			if _, err := usersig.Verify(token[:i], want()); code(err) != im.CodeSigMalformed {
				t.Errorf("the first %d characters of %s: %v", i, token, err)
			}
		}
	}
}

// TestBombsAreCheap holds what anybody may make the server spend: zeros that
// inflate to 1.5 MB, and headers that make tables dear.
func TestBombsAreCheap(t *testing.T) {
	bomb := wrap(strings.Repeat("\x00", 1_500_000), 9)
	if len(bomb) > im.MaxTokenBytes {
		t.Fatalf("the bomb has %d characters", len(bomb))
	}
	for name, token := range map[string]string{"zeros": bomb, "headers": armour(hostile(3000))} {
		const runs = 100
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		for range runs {
			if _, err := usersig.Verify(token, want()); code(err) != im.CodeSigMalformed {
				t.Fatalf("%s: %v", name, err)
			}
		}
		took := time.Since(start) / runs
		runtime.ReadMemStats(&after)
		bytes := (after.TotalAlloc - before.TotalAlloc) / runs
		t.Logf("%s: %d characters, %d bytes allocated, %v", name, len(token), bytes, took)
		if bytes > 8<<10 {
			t.Errorf("%s: %d bytes are allocated for one token", name, bytes)
		}
	}
}

func TestVerifyConcurrently(t *testing.T) {
	var wg sync.WaitGroup
	for i := range 4 {
		w := want()
		w.User = im.UserID(fmt.Sprintf("user%d", i))
		token, err := usersig.Mint(app, w.User, secret, time.Unix(issued, 0), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for range 500 {
				if s, err := usersig.Verify(token, w); err != nil || s.User != w.User {
					t.Errorf("%s: %v %v", w.User, s, err)
				}
				if _, err := usersig.Verify(token[:len(token)-4], w); err == nil {
					t.Error("a short token is accepted")
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkVerify(b *testing.B) {
	minted, err := plain().Mint(secret)
	if err != nil {
		b.Fatal(err)
	}
	for name, token := range map[string]string{"minted": minted, "compressed": plainToken} {
		b.Run(name, func(b *testing.B) {
			w := want()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := usersig.Verify(token, w); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerifyHostile(b *testing.B) {
	token, w := armour(hostile(3000)), want()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := usersig.Verify(token, w); err == nil {
			b.Fatal("accepted")
		}
	}
}

func BenchmarkMint(b *testing.B) {
	at := time.Unix(issued, 0)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := usersig.Mint(app, "alice", secret, at, time.Hour); err != nil {
			b.Fatal(err)
		}
	}
}
