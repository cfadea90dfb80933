package usersig_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/adler32"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/usersig"
)

// seldom draws the usual value nine times in ten, and else a strange one.
func seldom[T any](t *rapid.T, label string, usual T, strange ...T) T {
	if rapid.IntRange(0, 19).Draw(t, label+"?") != 19 {
		return usual
	}
	return rapid.SampledFrom(strange).Draw(t, label)
}

func drawWant(t *rapid.T) usersig.Want {
	w := want()
	now := w.Now.Unix() + seldom(t, "now", int64(0), -60, -61, -360, -361, -362, 86339, 86340, 86341, 1<<40)
	w.Now = time.Unix(now, 0)
	w.App = seldom(t, "app", im.AppID(app), 0, 1, app+1)
	w.User = seldom(t, "user", im.UserID("alice"), "", "bob", "Alice", "alice ", "al\"ce")
	w.Skew = seldom(t, "skew", im.TokenSkew, 0, time.Second-1, time.Hour, 1<<62)
	w.MaxLife = seldom(t, "life", 0, time.Hour, 24*time.Hour-1, 24*time.Hour, 1<<62)
	w.MaxEncoded = seldom(t, "encoded", 0, -1, 1, 200, 236, 4096, 1<<20)
	w.MaxInflated = seldom(t, "inflated", 0, -1, 1, 155, 166, 4096, 1<<20)
	w.Keys = nil
	bounds := []int64{-1, 1, now - 1, now, now + 1, 1<<63 - 1, -1 << 63}
	for i := range seldom(t, "keys", 2, 0, 1, 3) {
		w.Keys = append(w.Keys, im.AppKey{
			ID: uint32(i + 1), Secret: rapid.SampledFrom([]string{secret, secret, other, ""}).Draw(t, "secret"),
			NotBefore: seldom(t, "from", 0, bounds...), NotAfter: seldom(t, "to", 0, bounds...),
			Withdrawn: seldom(t, "withdrawn", false, true),
		})
	}
	return w
}

func drawMembers(t *rapid.T) members {
	numbers := []string{
		"", "0", "-1", "-0", "1.0", "1e3", "01", `"1"`, "null", "1699996460", "1700000359", "1700000360",
		"1700000361", "9223372036854775807", "9223372036854775808", "7523372036854775807", "4294967296",
	}
	texts := []string{"", `""`, "null", "2.0", `"2.1"`, `"bob"`, `"alice\n"`, `"\u0061lice"`, `"al\"ce"`, `"\ud800"`, "\"\xff\""}
	m := good()
	m.ver = seldom(t, "ver", m.ver, texts...)
	m.user = seldom(t, "identifier", m.user, texts...)
	m.app = seldom(t, "sdkappid", m.app, numbers...)
	m.time = seldom(t, "time", m.time, numbers...)
	m.expire = seldom(t, "expire", m.expire, numbers...)
	m.buf = seldom(t, "userbuf", "", `"YWJj"`, `""`, `"YWK="`, `"YWI="`, `"YW=="`, `"YWJj\n"`, "null", "5", `"*-__"`)
	m = m.signed(seldom(t, "signer", secret, other, "", "x"))
	m.sig = seldom(t, "sig", m.sig, append(texts, strings.ReplaceAll(m.sig, "=", ""), `"`+plainSig+`"`)...)
	m.more = seldom(t, "more", "", ",", `,"TLS.Sig":null`,
		`,"a":1`, `,"a":1,"a":2`, `,"TLS.ver":"2.0"`, `,"tls.ver":1`, `,"a":{"b":[1e9,"\u00e9"]}`, `,"a":"\ude00"`)
	return m
}

func drawToken(t *rapid.T) string {
	doc := drawMembers(t).doc()
	doc = seldom(t, "head", "", " ", "\n", "\ufeff", "[", "{") + doc + seldom(t, "tail", "", " ", "\r\n", "\x00", "}", "x", "{}")
	if rapid.IntRange(0, 19).Draw(t, "edit the document") == 0 {
		doc = edit(t, doc)
	}
	raw := string(deflated([]byte(doc), rapid.SampledFrom(levels).Draw(t, "level")))
	if rapid.IntRange(0, 19).Draw(t, "edit the stream") == 0 {
		raw = edit(t, raw)
	}
	token := armour([]byte(raw))
	if rapid.IntRange(0, 19).Draw(t, "edit the token") == 0 {
		token = edit(t, token)
	}
	return token
}

// edit changes a few bytes.
func edit(t *rapid.T, s string) string {
	for range rapid.IntRange(1, 3).Draw(t, "edits") {
		i := rapid.IntRange(0, len(s)).Draw(t, "at")
		j := min(len(s), i+rapid.IntRange(0, 2).Draw(t, "drop"))
		add := rapid.SampledFrom([]string{"", "\r", "\n", "_", "=", "*", "A", "0", "\"", "\\", "\x00", "\xff", "\x01"}).Draw(t, "add")
		s = s[:i] + add + s[j:]
	}
	return s
}

// TestSE1_VerifyAgreesWithTheOracle has the two decide on tokens, claims and keys
// that are mostly right.
func TestSE1_VerifyAgreesWithTheOracle(t *testing.T) {
	var accepted, refused int
	rapid.Check(t, func(t *rapid.T) {
		diff, ok := agree(drawToken(t), drawWant(t))
		if diff != "" {
			t.Fatal(diff)
		}
		if ok {
			accepted++
		} else {
			refused++
		}
	})
	t.Logf("%d accepted, %d refused", accepted, refused)
	if accepted == 0 || refused == 0 {
		t.Error("one answer was never given")
	}
}

// TestMintAgreesWithTheOracle holds that what Mint makes is accepted by both.
func TestMintAgreesWithTheOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := usersig.Sig{
			App:    im.AppID(rapid.Uint32Range(1, 1<<32-1).Draw(t, "app")),
			User:   im.UserID(rapid.StringMatching(`[!-~]{1,32}`).Draw(t, "user")),
			Issued: rapid.Int64Range(0, 1<<40).Draw(t, "issued"), KeyID: 7,
		}
		s.Expires = s.Issued + rapid.Int64Range(1, 1<<62).Draw(t, "life")
		if buf := rapid.SliceOfN(rapid.Byte(), 0, 1000).Draw(t, "userbuf"); len(buf) > 0 {
			s.UserBuf = buf
		}
		token, err := s.Mint(secret)
		if err != nil {
			t.Fatal(err)
		}
		w := want()
		w.App, w.User, w.Now = s.App, s.User, time.Unix(s.Issued, 0)
		got, err := usersig.Verify(token, w)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(s) {
			t.Fatalf("got %v, %v, want %v", got, err, s)
		}
		if diff, _ := agree(token, w); diff != "" {
			t.Fatal(diff)
		}
	})
}

// Ways in which FuzzVerify makes a token of its bytes, each past one more of
// the walls that bytes by chance do not pass.
const (
	asToken = iota
	asBytes
	asDeflate
	asDocument
	asSigned // a document in which SIG stands for the signature
	fuzzModes
)

func fuzzToken(mode byte, body []byte) string {
	switch mode % fuzzModes {
	case asBytes:
		return armour(body)
	case asDeflate:
		doc, _ := flateOf(body, 4096)
		raw := append([]byte{0x78, 0x9c}, body...)
		return armour(binary.BigEndian.AppendUint32(raw, adler32.Checksum(doc)))
	case asDocument:
		return wrap(string(body), 0)
	case asSigned:
		var m map[string]json.RawMessage
		_ = json.Unmarshal(body, &m) // no members, then
		parts := members{
			user: string(m["TLS.identifier"]), app: string(m["TLS.sdkappid"]), time: string(m["TLS.time"]),
			expire: string(m["TLS.expire"]), buf: string(m["TLS.userbuf"]),
		}
		return wrap(strings.Replace(string(body), `"SIG"`, parts.signed(secret).sig, 1), 6)
	default:
		return string(body)
	}
}

func FuzzVerify(f *testing.F) {
	m := good()
	signed := m.signed(secret).doc()
	m.sig = `"SIG"`
	add := func(mode byte, body string) {
		f.Add(mode, []byte(body), "alice", int64(issued+60), int64(0), int64(0), false)
	}
	add(asToken, plainToken)
	add(asToken, "eJw_")
	add(asBytes, string(deflated([]byte(signed), 9)))
	add(asDeflate, string(deflated([]byte(signed), 0)[2:]))
	add(asDocument, signed)
	add(asSigned, m.doc())
	m.buf = `"YWJj"`
	m.more = `,"a":["\ud83d\ude00",{"b":-1.5e3}]`
	add(asSigned, m.doc())
	f.Fuzz(func(t *testing.T, mode byte, body []byte, user string, now, from, to int64, withdrawn bool) {
		w := want()
		w.User, w.Now = im.UserID(user), time.Unix(now, 0)
		w.Keys = append([]im.AppKey{{ID: 1, Secret: other}}, w.Keys...)
		w.Keys[1].NotBefore, w.Keys[1].NotAfter, w.Keys[1].Withdrawn = from, to, withdrawn
		if diff, _ := agree(fuzzToken(mode, body), w); diff != "" {
			t.Fatal(diff)
		}
	})
}
