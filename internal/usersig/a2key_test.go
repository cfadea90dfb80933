package usersig_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/usersig"
)

const serverSecret = "a server's secret of 32 bytes ..."

func session() usersig.A2 {
	return usersig.A2{
		App: app, User: "alice", Platform: im.IPhone, Inst: 42, Issued: issued,
		Opened: issued*1000 + 5, Expires: issued + expire, KeyID: 7,
	}
}

// seal signs a payload as a server would, whatever it holds.
func seal(payload string) string {
	sum := func(key, text string) string {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(text))
		return string(mac.Sum(nil))
	}
	key := sum(serverSecret, "porchlight a2 v1")
	return base64.RawURLEncoding.EncodeToString([]byte(payload + sum(key, "porchlight a2key\x00"+payload)))
}

// payload is what session is sealed as.
const payload = "\x01" + "\x53\x72\x4e\x7b" + "\x02" + "\x00\x00\x00\x2a" + "\x00\x00\x00\x00\x65\x53\xf1\x00" +
	"\x00\x00\x01\x8b\xcf\xe5\x68\x05" + "\x00\x00\x00\x00\x65\x55\x42\x80" + "\x00\x00\x00\x07" + "alice"

func TestA2KeyLayout(t *testing.T) {
	s := usersig.NewSealer([]byte(serverSecret))
	if got := s.Seal(session()); got != seal(payload) {
		raw, _ := base64.RawURLEncoding.DecodeString(got)
		t.Errorf("sealed as %x", raw)
	}
	got, err := s.Open(seal(payload))
	if diff := cmp.Diff(got, session()); err != nil || diff != "" {
		t.Errorf("opened: %v %s", err, diff)
	}
}

func TestA2KeyRoundTrip(t *testing.T) {
	s := usersig.NewSealer([]byte(serverSecret))
	rapid.Check(t, func(t *rapid.T) {
		a := usersig.A2{
			App:      im.AppID(rapid.Uint32().Draw(t, "app")),
			User:     im.UserID(rapid.StringMatching(`[!-~]{0,33}|.{1,9}`).Draw(t, "user")),
			Platform: im.Platform(rapid.IntRange(0, im.Platforms).Draw(t, "platform")),
			Inst:     im.InstID(rapid.Uint32Range(0, 1<<32-1).Draw(t, "inst")),
			Issued:   rapid.Int64().Draw(t, "issued"), Opened: rapid.Int64().Draw(t, "opened"),
			Expires: rapid.Int64().Draw(t, "expires"), KeyID: rapid.Uint32().Draw(t, "key"),
		}
		token := s.Seal(a)
		got, err := s.Open(token)
		if a.App == 0 || a.Inst == 0 || int(a.Platform) >= im.Platforms || !a.User.Valid() {
			if code(err) != im.CodeSigExpired {
				t.Fatalf("%v is opened: %v, %v", a, got, err)
			}
			return
		}
		if err != nil || got != a || len(token) > 136 {
			t.Fatalf("got %v, %v, want %v (%s)", got, err, a, token)
		}
	})
}

func TestA2OpenRefuses(t *testing.T) {
	s := usersig.NewSealer([]byte(serverSecret))
	token := s.Seal(session())
	raw, _ := base64.RawURLEncoding.DecodeString(token)
	derived := hmac.New(sha256.New, []byte(serverSecret))
	derived.Write([]byte(payload))
	for name, bad := range map[string]string{
		"empty":                         "",
		"another server's":              usersig.NewSealer([]byte("another secret of 32 bytes ......")).Seal(session()),
		"a UserSig":                     plainToken,
		"no HMAC":                       base64.RawURLEncoding.EncodeToString([]byte(payload)),
		"signed with the secret itself": base64.RawURLEncoding.EncodeToString(derived.Sum([]byte(payload))),
		"padded":                        base64.URLEncoding.EncodeToString(raw) + "=",
		"a line feed":                   token + "\n",
		"CR LF inside":                  token[:50] + "\r\n" + token[50:],
		"twice":                         token + token,
		"too long":                      strings.Repeat("A", 513),
		"as long as is looked at":       strings.Repeat("A", 512),
		"another version":               seal("\x02" + payload[1:]),
		"no version":                    seal(payload[1:]),
		"no user":                       seal(payload[:len(payload)-5]),
		"no payload":                    seal(""),
		"one byte":                      seal("\x01"),
		"a long user":                   seal(payload + strings.Repeat("a", 28)),
		"a bad user":                    seal(payload + " "),
		"no app":                        seal(payload[:1] + "\x00\x00\x00\x00" + payload[5:]),
		"no instance":                   seal(payload[:6] + "\x00\x00\x00\x00" + payload[10:]),
		"no platform":                   seal(payload[:5] + "\x07" + payload[6:]),
	} {
		if got, err := s.Open(bad); code(err) != im.CodeSigExpired || got != (usersig.A2{}) {
			t.Errorf("%s: %v, %v", name, got, err)
		} else if len(bad) > 12 && strings.Contains(err.Error(), bad[:12]) {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
	}
	flips(token, func(changed string) {
		if _, err := s.Open(changed); err == nil {
			t.Errorf("%s is opened, as is %s", changed, token)
		}
	})
	for i := range token {
		if _, err := s.Open(token[:i]); err == nil {
			t.Errorf("the first %d characters are opened", i)
		}
	}
}

func TestA2KeyOfAnotherSession(t *testing.T) {
	s := usersig.NewSealer([]byte(serverSecret))
	seen := map[string]bool{s.Seal(session()): true}
	for _, change := range []func(*usersig.A2){
		func(a *usersig.A2) { a.App++ }, func(a *usersig.A2) { a.User = "alicf" }, func(a *usersig.A2) { a.User += "0" },
		func(a *usersig.A2) { a.Platform++ }, func(a *usersig.A2) { a.Inst++ }, func(a *usersig.A2) { a.Issued++ },
		func(a *usersig.A2) { a.Opened++ }, func(a *usersig.A2) { a.Expires++ }, func(a *usersig.A2) { a.KeyID++ },
	} {
		a := session()
		change(&a)
		seen[s.Seal(a)] = true
	}
	if len(seen) != 10 {
		t.Errorf("10 sessions have %d keys", len(seen))
	}
}

func TestNewSealerRefusesShortSecrets(t *testing.T) {
	usersig.NewSealer(make([]byte, usersig.MinSecretBytes))
	defer func() {
		if recover() == nil {
			t.Error("a short secret is taken")
		}
	}()
	usersig.NewSealer(make([]byte, usersig.MinSecretBytes-1))
}

func TestSealerKeepsNoReference(t *testing.T) {
	secret := []byte(serverSecret)
	s := usersig.NewSealer(secret)
	clear(secret)
	if got := s.Seal(session()); got != seal(payload) {
		t.Error("the key changed with the caller's slice")
	}
}

func TestSealerConcurrently(t *testing.T) {
	s := usersig.NewSealer([]byte(serverSecret))
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			a := session()
			for range 1000 {
				a.Inst += im.InstID(i + 1)
				if got, err := s.Open(s.Seal(a)); err != nil || got != a {
					t.Errorf("got %v, %v, want %v", got, err, a)
				}
				if _, err := s.Open("AAAA"); err == nil {
					t.Error("nonsense is opened")
				}
			}
		})
	}
	wg.Wait()
}

func TestA2KeyAllocations(t *testing.T) {
	s := usersig.NewSealer([]byte(serverSecret))
	token := s.Seal(session())
	least := math.Inf(1) // the race detector makes a sync.Pool forget
	for range 100 {
		least = min(least, testing.AllocsPerRun(1, func() {
			if _, err := s.Open(token); err != nil {
				t.Fatal(err)
			}
		}))
	}
	if least > 1 {
		t.Errorf("Open allocates %v times", least)
	}
}

// FuzzA2Open gives Open text, and bytes as text: it must refuse all but what was
// sealed here. Bytes put behind a good signature are opened as they stand, or
// not at all.
func FuzzA2Open(f *testing.F) {
	s := usersig.NewSealer([]byte(serverSecret))
	sealed := map[string]bool{s.Seal(session()): true}
	second := session()
	second.User, second.Inst = "bob", 43
	sealed[s.Seal(second)] = true
	for token := range sealed {
		raw, _ := base64.RawURLEncoding.DecodeString(token)
		f.Add(token, raw)
	}
	f.Add(plainToken, []byte(payload))
	f.Fuzz(func(t *testing.T, token string, raw []byte) {
		for _, text := range []string{token, base64.RawURLEncoding.EncodeToString(raw)} {
			got, err := s.Open(text)
			if (err == nil) != sealed[text] {
				t.Fatalf("%s: %v, %v", text, got, err)
			}
			if err != nil && code(err) != im.CodeSigExpired {
				t.Fatalf("%s: %v", text, err)
			}
		}
		text := seal(string(raw))
		if got, err := s.Open(text); err == nil && s.Seal(got) != text {
			t.Fatalf("%s is opened as %v", text, got)
		}
	})
}

func BenchmarkA2Seal(b *testing.B) {
	s, a := usersig.NewSealer([]byte(serverSecret)), session()
	b.ReportAllocs()
	for b.Loop() {
		s.Seal(a)
	}
}

func BenchmarkA2Open(b *testing.B) {
	s := usersig.NewSealer([]byte(serverSecret))
	token := s.Seal(session())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Open(token); err != nil {
			b.Fatal(err)
		}
	}
}
