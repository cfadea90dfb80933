package usersig_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/usersig"
)

func stdText(raw []byte) string { return base64.StdEncoding.EncodeToString(raw) }

// unwrap is the document of a good token.
func unwrap(t *testing.T, token string) string {
	t.Helper()
	raw, ok := oracleBase64(token, "*-", '_')
	doc, ok2 := oracleZlib(raw, 1<<20)
	if !ok || !ok2 {
		t.Fatalf("the oracle cannot read %s", token)
	}
	return string(doc)
}

// with changes the good members, signs them, and gives their token.
func with(change func(m *members)) string {
	m := good()
	change(&m)
	return m.signed(secret).token()
}

// after signs the good members, changes them, and gives their token.
func after(change func(m *members)) string {
	m := good().signed(secret)
	change(&m)
	return m.token()
}

// refusal is a token, the reason for its name, and what Verify must say to it.
type refusal struct {
	name  string
	token string
	code  im.Code
}

// check compares Verify with a table, and each row with the oracle.
func check(t *testing.T, w usersig.Want, rows []refusal) {
	t.Helper()
	for _, r := range rows {
		_, err := usersig.Verify(r.token, w)
		if code(err) != r.code {
			t.Errorf("%s: got %v, want code %d", r.name, err, r.code)
		}
		if diff, _ := agree(r.token, w); diff != "" {
			t.Errorf("%s: %s", r.name, diff)
		}
	}
}

func TestVerifyRefusesEncodings(t *testing.T) {
	const bad = im.CodeSigMalformed
	doc := good().signed(secret).doc()
	raw := deflated([]byte(doc), 6)
	std := stdText(raw)
	short := armour(raw[:len(raw)-len(raw)%3-2]) // ends with one pad
	rows := []refusal{
		{"good", armour(raw), im.CodeOK},
		{"empty", "", bad},
		{"one character", "e", bad},
		{"blank", "    ", bad},
		{"not base64", "hello, world!", bad},
		{"standard base64", std, bad},
		{"URL base64", base64.URLEncoding.EncodeToString(raw), bad},
		{"a line feed at the end", armour(raw) + "\n", bad},
		{"four line feeds at the end", armour(raw) + "\n\n\n\n", bad},
		{"CR LF inside", armour(raw)[:76] + "\r\n" + armour(raw)[76:], bad},
		{"a blank before", " " + armour(raw), bad},
		{"more padding", armour(raw) + "____", bad},
		{"a NUL after", armour(raw) + "\x00", bad},
		{"a byte lost", armour(raw[1:]), bad},
		{"no checksum", armour(raw[:len(raw)-4]), bad},
		{"half a checksum", armour(raw[:len(raw)-2]), bad},
		{"a wrong checksum", armour(append(raw[:len(raw)-1:len(raw)-1], raw[len(raw)-1]+1)), bad},
		{"a byte after the zlib stream", armour(append(raw[:len(raw):len(raw)], 0)), bad},
		{"a second zlib stream", armour(append(raw[:len(raw):len(raw)], raw...)), bad},
		{"not zlib", armour([]byte(doc)), bad},
		{"a preset dictionary", armour(append([]byte{0x78, 0xbb, 0, 0, 0, 1}, raw[2:]...)), bad},
		{"a preset dictionary that is not there", armour(append([]byte{0x78, 0x20}, raw[2:]...)), bad},
		{"a window too large", armour(append([]byte{0x88, 0x1c}, raw[2:]...)), bad},
		{"a smaller window", armour(append([]byte{0x18, 0x19}, raw[2:]...)), im.CodeOK},
		{"too long when inflated", wrap(doc+strings.Repeat(" ", 4097-len(doc)), 9), bad},
		{"as long as may be when inflated", wrap(doc+strings.Repeat(" ", 4096-len(doc)), 9), im.CodeOK},
		{"too long", wrap(doc+strings.Repeat(" ", 3100-len(doc)), 0), bad},
		{"v1 or nonsense in a good envelope", wrap("v1", 6), bad},
	}
	pad := strings.IndexByte(short, '_')
	rows = append(rows,
		refusal{"pad bits", short[:pad-1] + string(short[pad-1]+1) + "_", bad},
		refusal{"no padding", short[:pad], bad})
	check(t, want(), rows)

	w := want()
	w.MaxEncoded, w.MaxInflated = len(armour(raw)), len(doc)
	check(t, w, []refusal{{"at both limits", armour(raw), im.CodeOK}})
	w.MaxEncoded--
	check(t, w, []refusal{{"over the limit of characters", armour(raw), bad}})
	w.MaxEncoded, w.MaxInflated = 0, len(doc)-1
	check(t, w, []refusal{{"over the limit of the document", armour(raw), bad}})
}

func TestVerifyRefusesJSON(t *testing.T) {
	const bad = im.CodeSigMalformed
	doc := good().signed(secret).doc()
	more := func(s string) string { return after(func(m *members) { m.more = s }) }
	check(t, want(), []refusal{
		{"another member", more(`,"TLS.extra":[{"a":1.5e3,"b":null},"ü😀"]`), im.CodeOK},
		{"a name in another case beside", more(`,"TLS.Ver":3`), im.CodeOK},
		{"an escaped name", wrap(strings.Replace(doc, `"TLS.ver"`, `"\u0054LS.ver"`, 1), 6), im.CodeOK},
		{"an escaped value", after(func(m *members) { m.user = `"\u0061lice"` }), im.CodeOK},
		{"blanks around", wrap(" \n"+doc+"\r\n\t ", 6), im.CodeOK},
		{"a surrogate pair", more(`,"a":"\ud83d\ude00"`), im.CodeOK},

		{"nothing", wrap("", 6), bad},
		{"null", wrap("null", 6), bad},
		{"a list", wrap("["+doc+"]", 6), bad},
		{"a string", wrap(`"2.0"`, 6), bad},
		{"an empty object", wrap("{}", 6), bad},
		{"text after", wrap(doc+"x", 6), bad},
		{"an object after", wrap(doc+doc, 6), bad},
		{"a NUL after", wrap(doc+"\x00", 6), bad},
		{"a byte order mark", wrap("\ufeff"+doc, 6), bad},
		{"cut short", wrap(doc[:len(doc)-1], 6), bad},
		{"a comma at the end", more(","), bad},
		{"a comment", more(`,"a":1/**/`), bad},
		{"a name twice", more(`,"TLS.ver":"2.0"`), bad},
		{"a name twice, once escaped", more(`,"TLS.\u0076er":"2.0"`), bad},
		{"an unknown name twice", more(`,"a":1,"a":1`), bad},
		{"a name twice, deeper", more(`,"a":[{"b":{"c":1,"c":1}}]`), bad},
		{"bad UTF-8", more(",\"a\":\"\xff\""), bad},
		{"bad UTF-8 in a name", more(",\"\xc0\x80\":1"), bad},
		{"bad UTF-8, deeper", more(",\"a\":[[\"\xed\xa0\x80\"]]"), bad},
		{"half a surrogate pair", more(`,"a":"\ud83d"`), bad},
		{"the other half", more(`,"a":"\ude00"`), bad},
		{"a line break in a string", more(",\"a\":\"\n\""), bad},
		{"too deep", wrap(strings.Repeat("[", 4096), 9), bad},
		{"upper case", wrap(strings.Replace(doc, "TLS.ver", "TLS.VER", 1), 6), bad},
		{"lower case", wrap(strings.ReplaceAll(doc, "TLS.", "tls."), 6), bad},
		{"no prefix", wrap(strings.ReplaceAll(doc, "TLS.", ""), 6), bad},
	})
}

func TestVerifyRefusesMembers(t *testing.T) {
	const bad = im.CodeSigMalformed
	rows := []refusal{
		{"another key's signature", good().signed(other).token(), im.CodeSigMismatch},
		{"no signature", good().token(), bad},
		{"a short signature", after(func(m *members) { m.sig = `"AAAA"` }), bad},
		{"an empty signature", after(func(m *members) { m.sig = `""` }), bad},
		{"a long signature", after(func(m *members) { m.sig = `"` + stdText(make([]byte, 33)) + `"` }), bad},
		{"pad bits in the signature", after(func(m *members) { m.sig = strings.Replace(m.sig, "k=", "l=", 1) }), bad},
		{"a line break in the signature", after(func(m *members) { m.sig = strings.Replace(m.sig, "k=", `\nk=`, 1) }), bad},
		{"the signature of another user", after(func(m *members) { m.sig = with2("bob").sig }), im.CodeSigMismatch},

		{"with userbuf", with(func(m *members) { m.buf = `"YWJj"` }), im.CodeOK},
		{"with an empty userbuf", with(func(m *members) { m.buf = `""` }), im.CodeOK},
		{"userbuf not signed", after(func(m *members) { m.buf = `"YWJj"` }), im.CodeSigMismatch},
		{"userbuf changed", swap(with(func(m *members) { m.buf = `"YWJj"` }), "YWJj", "YWJk", t), im.CodeSigMismatch},
		{"userbuf with padding", with(func(m *members) { m.buf = `"YWI="` }), im.CodeOK},
		{"userbuf with set pad bits", with(func(m *members) { m.buf = `"YWK="` }), bad},
		{"userbuf of other base64", with(func(m *members) { m.buf = `"Y_-*"` }), bad},
		{"userbuf with a line break", with(func(m *members) { m.buf = `"YWJj\n"` }), bad},
		{"userbuf null", with(func(m *members) { m.buf = `null` }), bad},
		{"userbuf a number", with(func(m *members) { m.buf = `1234` }), bad},

		{"another user", with(func(m *members) { m.user = `"bob"` }), im.CodeSigOtherUser},
		{"a user in another case", with(func(m *members) { m.user = `"Alice"` }), im.CodeSigOtherUser},
		{"a user with a blank", with(func(m *members) { m.user = `"alice "` }), im.CodeSigOtherUser},
		{"a user who signs more lines", with(func(m *members) { m.user = `"alice\nTLS.sdkappid:1"` }), im.CodeSigOtherUser},
		{"an empty user", with(func(m *members) { m.user = `""` }), bad},
		{"no user", with(func(m *members) { m.user = `` }), bad},
		{"a user that is null", with(func(m *members) { m.user = `null` }), bad},
		{"a user that is a number", with(func(m *members) { m.user = `5` }), bad},

		{"another app", with(func(m *members) { m.app = "1400000124" }), im.CodeSigOtherApp},
		{"another app and user", with(func(m *members) { m.app, m.user = "1", `"bob"` }), im.CodeSigOtherApp},
		{"an app 2^32 further", with(func(m *members) { m.app = "5694967419" }), im.CodeSigOtherApp},
		{"app 0", with(func(m *members) { m.app = "0" }), im.CodeSigOtherApp},
	}
	for _, v := range []string{`"2.1"`, `"1.0"`, `"2"`, `"2.00"`, `" 2.0"`, `""`, `2.0`, `2`, `null`, `["2.0"]`, ``} {
		rows = append(rows, refusal{"version " + v, with(func(m *members) { m.ver = v }), bad})
	}
	for _, n := range []string{
		``, `null`, `true`, `""`, `"1"`, `"1700000000"`, `-1`, `-0`, `1.0`, `1700000000.0`, `1e3`, `17e8`, `1E9`, `1e-1`,
		`00`, `01`, `+1`, `0x1`, `1_000`, `NaN`, `[1]`, `{}`, `9223372036854775808`, `18446744073709551616`,
		`-9223372036854775808`, strings.Repeat("9", 100), `1e999999999`,
	} {
		rows = append(rows,
			refusal{"app " + n, with(func(m *members) { m.app = n }), bad},
			refusal{"time " + n, with(func(m *members) { m.time = n }), bad},
			refusal{"expire " + n, with(func(m *members) { m.expire = n }), bad})
	}
	check(t, want(), rows)
}

// with2 is the good members with another user, signed.
func with2(user string) members {
	m := good()
	m.user = `"` + user + `"`
	return m.signed(secret)
}

// swap replaces text in a token's document.
func swap(token, from, to string, t *testing.T) string {
	t.Helper()
	return wrap(strings.Replace(unwrap(t, token), from, to, 1), 6)
}

func TestVerifyRefusesTimes(t *testing.T) {
	at := func(start, life int64) string {
		return with(func(m *members) { m.time, m.expire = fmt.Sprint(start), fmt.Sprint(life) })
	}
	const now, most, bad = issued + 60, 1<<63 - 1, im.CodeSigMalformed
	w := want()
	check(t, w, []refusal{
		{"expires this second", at(now-100, 100), im.CodeOK},
		{"expired a second ago", at(now-100, 99), im.CodeSigExpired},
		{"expired long ago", at(0, 1), im.CodeSigExpired},
		{"issued in 1970", at(0, now), im.CodeOK},
		{"ahead by the skew", at(now+300, 1), im.CodeOK},
		{"ahead by more", at(now+301, 1), bad},
		{"as far ahead as can be", at(most-1, 1), bad},
		{"lives as long as can be", at(now, most-now), im.CodeOK},
		{"overflows by one", at(now, most-now+1), bad},
		{"overflows by far", at(most, most), bad},
		{"no lifetime", at(now, 0), bad},
		{"expired and of another key", swap(at(0, 1), `"TLS.sig":"`, `"TLS.sig":"AAAA`, t), bad},
		{"future, but another key's", swap(at(most-1, 1), `"TLS.time":9`, `"TLS.time":8`, t), im.CodeSigMismatch},
		{"expired, but another key's", swap(at(1, 1), `"TLS.time":1`, `"TLS.time":2`, t), im.CodeSigMismatch},
	})
	_, err := usersig.Verify(at(now+301, 1), w)
	if err == nil || !strings.Contains(err.Error(), "clock") {
		t.Errorf("a token dated ahead: %v, which does not speak of the clock", err)
	}
	w.MaxLife = time.Hour
	check(t, w, []refusal{
		{"at the cap", at(now, 3600), im.CodeOK},
		{"over the cap", at(now, 3601), bad},
		{"far over the cap", at(now, most-now), bad},
	})
	w.MaxLife, w.Skew = 0, 0
	check(t, w, []refusal{
		{"now, without skew", at(now, 1), im.CodeOK},
		{"ahead, without skew", at(now+1, 1), bad},
	})
	w.Now = time.Time{}
	check(t, w, []refusal{{"before 1970", at(0, 1), bad}})
}

func TestVerifyKeys(t *testing.T) {
	const now = issued + 60
	token, rotated := good().signed(secret).token(), good().signed(other).token()
	key := func(id uint32, s string, from, to int64) im.AppKey {
		return im.AppKey{ID: id, Secret: s, NotBefore: from, NotAfter: to}
	}
	withdrawn := key(1, secret, 0, 0)
	withdrawn.Withdrawn = true
	for _, row := range []struct {
		name string
		keys []im.AppKey
		code im.Code
		id   uint32
	}{
		{"one", []im.AppKey{key(1, secret, 0, 0)}, 0, 1},
		{"none", nil, im.CodeNoKey, 0},
		{"withdrawn", []im.AppKey{withdrawn}, im.CodeNoKey, 0},
		{"without a secret", []im.AppKey{key(1, "", 0, 0)}, im.CodeNoKey, 0},
		{"not yet", []im.AppKey{key(1, secret, now+1, 0)}, im.CodeNoKey, 0},
		{"from now", []im.AppKey{key(1, secret, now, 0)}, 0, 1},
		{"until now", []im.AppKey{key(1, secret, 0, now)}, 0, 1},
		{"no longer", []im.AppKey{key(1, secret, 0, now-1)}, im.CodeNoKey, 0},
		{"the other", []im.AppKey{key(1, other, 0, 0)}, im.CodeSigMismatch, 0},
		{"withdrawn beside another", []im.AppKey{withdrawn, key(2, other, 0, 0)}, im.CodeSigMismatch, 0},
		{"rotation, the old one", []im.AppKey{key(1, secret, 0, now+9), key(2, other, now-9, 0)}, 0, 1},
		{"rotation, the new one", []im.AppKey{key(1, other, 0, now+9), key(2, secret, now-9, 0)}, 0, 2},
		{"the third", []im.AppKey{key(1, other, 0, 0), key(2, "x", 0, 0), key(3, secret, 0, 0)}, 0, 3},
		{"withdrawn and added again", []im.AppKey{withdrawn, key(2, secret, 0, 0)}, 0, 2},
		{"as text, not decoded from hex", []im.AppKey{key(1, strings.ToUpper(secret), 0, 0)}, im.CodeSigMismatch, 0},
	} {
		w := want()
		w.Keys = row.keys
		s, err := usersig.Verify(token, w)
		if code(err) != row.code || s.KeyID != row.id {
			t.Errorf("%s: key %d, %v; want key %d, code %d", row.name, s.KeyID, err, row.id, row.code)
		}
		for _, token := range []string{token, rotated} {
			if diff, _ := agree(token, w); diff != "" {
				t.Errorf("%s: %s", row.name, diff)
			}
		}
	}
	// What anybody can sign with no key at all.
	w := want()
	w.Keys = []im.AppKey{{ID: 1}}
	check(t, w, []refusal{{"signed with an empty key", good().signed("").token(), im.CodeNoKey}})
}

func TestVerifyRefusesInvalidUserOfTheCaller(t *testing.T) {
	for _, user := range []string{"no one", "\x00", strings.Repeat("a", 33), "é"} {
		w := want()
		w.User = im.UserID(user)
		m := good()
		m.user = fmt.Sprintf(`"%s"`, strings.ReplaceAll(user, "\x00", `\u0000`))
		check(t, w, []refusal{{user, m.signed(secret).token(), im.CodeInvalidUserID}})
	}
}

// TestRefusalsKeepSecrets looks for pieces of tokens and keys in every error.
func TestRefusalsKeepSecrets(t *testing.T) {
	m := with2("mallory-the-visitor")
	m.more = `,"secret-member":"secret-value"`
	tokens := []string{
		m.token(), wrap(m.doc()+"x", 6), wrap(m.doc()[5:], 6), m.token() + "\n", m.token()[:40],
		good().signed(other).token(), wrap(strings.ReplaceAll(m.doc(), "17", `"1`), 6),
		with(func(m *members) { m.time = "1" }), with(func(m *members) { m.app = "5" }),
		with(func(m *members) { m.expire = "9223372036854775807" }),
	}
	flips(good().signed(secret).token(), func(changed string) { tokens = append(tokens, changed) })
	for _, token := range tokens {
		_, err := usersig.Verify(token, want())
		if err == nil {
			t.Fatalf("%s is accepted", token)
		}
		for _, piece := range []string{
			secret[:8], other[:8], token[:12], token[len(token)-12:], plainSig[:8], bufSig[:8],
			"mallory", "secret-", "alice", "1400000123", "17000",
		} {
			if strings.Contains(err.Error(), piece) {
				t.Fatalf("the error shows %q: %v", piece, err)
			}
		}
	}
}
