package usersig_test

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/adler32"
	"io"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/usersig"
)

// oracle says what Verify must accept, from the specification alone and with
// other means: a base64 of its own, compress/flate, maps of encoding/json, an
// HMAC made by hand, big integers.
func oracle(token string, w usersig.Want) (sig usersig.Sig, ok bool) {
	limitText, limitDoc := w.MaxEncoded, w.MaxInflated
	if limitText <= 0 {
		limitText = 4096
	}
	if limitDoc <= 0 {
		limitDoc = 4096
	}
	if len(token) == 0 || len(token) > limitText {
		return sig, false
	}
	raw, ok := oracleBase64(token, "*-", '_')
	if !ok {
		return sig, false
	}
	doc, ok := oracleZlib(raw, limitDoc)
	if !ok || !oracleJSON(doc) {
		return sig, false
	}
	return oracleClaims(doc, w)
}

// oracleBase64 decodes a base64 whose last two digits and padding are given.
func oracleBase64(text, last string, pad byte) ([]byte, bool) {
	if len(text)%4 != 0 {
		return nil, false
	}
	digits := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" + last
	body := text
	for range 2 {
		body = strings.TrimSuffix(body, string(pad))
	}
	out, acc, n := []byte{}, 0, 0
	for _, c := range []byte(body) {
		v := strings.IndexByte(digits, c)
		if v < 0 {
			return nil, false
		}
		acc, n = acc<<6|v, n+6
		if n >= 8 {
			n -= 8
			out = append(out, byte(acc>>n))
			acc &= 1<<n - 1
		}
	}
	return out, acc == 0 && n < 6
}

func oracleZlib(raw []byte, limit int) ([]byte, bool) {
	if len(raw) < 2 || (int(raw[0])*256+int(raw[1]))%31 != 0 ||
		raw[0]%16 != 8 || raw[0]/16 > 7 || raw[1]&32 != 0 {
		return nil, false
	}
	src := bytes.NewReader(raw[2:])
	doc, err := io.ReadAll(io.LimitReader(flate.NewReader(src), int64(limit)+1))
	if err != nil || len(doc) > limit || src.Len() != 4 {
		return nil, false
	}
	sum := binary.BigEndian.Uint32(raw[len(raw)-4:])
	return doc, sum == adler32.Checksum(doc) && paddedWithZeros(raw[2:len(raw)-4])
}

// oracleJSON reports whether doc is strict JSON: one object, UTF-8, no name twice.
func oracleJSON(doc []byte) bool {
	if !json.Valid(doc) || !utf8.Valid(doc) || loneSurrogate(string(doc)) {
		return false
	}
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	first, _ := dec.Token()
	return first == json.Delim('{') && uniqueNames(dec, true)
}

// uniqueNames reads an object or array whose first bracket has been read.
func uniqueNames(dec *json.Decoder, object bool) bool {
	names := map[string]bool{}
	for dec.More() {
		if object {
			name, _ := dec.Token()
			if names[name.(string)] {
				return false
			}
			names[name.(string)] = true
		}
		value, _ := dec.Token()
		if d, ok := value.(json.Delim); ok && !uniqueNames(dec, d == '{') {
			return false
		}
	}
	_, err := dec.Token()
	return err == nil
}

var escape = regexp.MustCompile(`\\(u[0-9a-fA-F]{4}|.)`)

// loneSurrogate reports whether an escape in valid JSON is half a character.
func loneSurrogate(doc string) bool {
	high := -1 // where the low half must stand
	for _, m := range escape.FindAllStringIndex(doc, -1) {
		e := doc[m[0]:m[1]]
		var r uint64
		if e[1] == 'u' {
			r, _ = strconv.ParseUint(e[2:], 16, 32)
		}
		low := r >= 0xdc00 && r <= 0xdfff
		if low != (high == m[0]) || high >= 0 && high != m[0] {
			return true
		}
		high = -1
		if r >= 0xd800 && r <= 0xdbff {
			high = m[1]
		}
	}
	return high >= 0
}

var digits = regexp.MustCompile(`^(0|[1-9][0-9]*)$`)

func oracleClaims(doc []byte, w usersig.Want) (sig usersig.Sig, ok bool) {
	var m map[string]json.RawMessage
	if json.Unmarshal(doc, &m) != nil {
		return sig, false
	}
	text := func(name string) (s string, ok bool) {
		raw, ok := m[name]
		return s, ok && raw[0] == '"' && json.Unmarshal(raw, &s) == nil
	}
	number := func(name string) *big.Int {
		n, ok := new(big.Int).SetString(string(m[name]), 10)
		if !ok || !digits.Match(m[name]) || !n.IsInt64() {
			return nil
		}
		return n
	}
	ver, ok1 := text("TLS.ver")
	user, ok2 := text("TLS.identifier")
	macText, ok3 := text("TLS.sig")
	app, issued, expire := number("TLS.sdkappid"), number("TLS.time"), number("TLS.expire")
	if !ok1 || !ok2 || !ok3 || app == nil || issued == nil || expire == nil {
		return sig, false
	}
	until := new(big.Int).Add(issued, expire)
	now := big.NewInt(w.Now.Unix())
	ahead := new(big.Int).Add(now, big.NewInt(int64(w.Skew/time.Second)))
	if ver != "2.0" || app.Cmp(big.NewInt(int64(w.App))) != 0 ||
		user != string(w.User) || !regexp.MustCompile(`^[!-~]{1,32}$`).MatchString(user) ||
		expire.Sign() <= 0 || w.MaxLife > 0 && expire.Cmp(big.NewInt(int64(w.MaxLife/time.Second))) > 0 ||
		issued.Cmp(ahead) > 0 || !until.IsInt64() || now.Cmp(until) > 0 {
		return sig, false
	}
	signed := fmt.Sprintf("TLS.identifier:%s\nTLS.sdkappid:%v\nTLS.time:%v\nTLS.expire:%v\n", user, app, issued, expire)
	if _, given := m["TLS.userbuf"]; given {
		buf, ok := text("TLS.userbuf")
		if ok {
			sig.UserBuf, ok = oracleBase64(buf, "+/", '=')
		}
		if !ok {
			return sig, false
		}
		signed += "TLS.userbuf:" + buf + "\n"
	}
	mac, ok := oracleBase64(macText, "+/", '=')
	sig.KeyID, ok = oracleKey(signed, string(mac), w), ok && len(mac) == 32
	sig.App, sig.User, sig.Issued, sig.Expires = w.App, w.User, issued.Int64(), until.Int64()
	return sig, ok && sig.KeyID != 0
}

// oracleKey gives the first key that made the MAC and may, 0 for none.
func oracleKey(signed, mac string, w usersig.Want) uint32 {
	now := w.Now.Unix()
	for _, k := range w.Keys {
		early, late := now < k.NotBefore && k.NotBefore != 0, now > k.NotAfter && k.NotAfter != 0
		if early || late || k.Withdrawn || len(k.Secret) == 0 {
			continue
		}
		if handMAC(k.Secret, signed) == mac {
			return k.ID
		}
	}
	return 0
}

// handMAC is HMAC-SHA256 as RFC 2104 writes it down.
func handMAC(key, text string) string {
	if len(key) > 64 {
		sum := sha256.Sum256([]byte(key))
		key = string(sum[:])
	}
	var in, out [64]byte
	copy(in[:], key)
	copy(out[:], key)
	for i := range in {
		in[i] ^= 0x36
		out[i] ^= 0x5c
	}
	inner := sha256.Sum256(append(in[:], text...))
	outer := sha256.Sum256(append(out[:], inner[:]...))
	return string(outer[:])
}

// handText is a MAC as a token shows it.
func handText(key, text string) string {
	return base64.StdEncoding.EncodeToString([]byte(handMAC(key, text)))
}

// agree reports what Verify and the oracle disagree on, "" if on nothing.
func agree(token string, w usersig.Want) (diff string, accepted bool) {
	want, ok := oracle(token, w)
	got, err := usersig.Verify(token, w)
	var refusal *im.Error
	switch {
	case (err == nil) != ok:
		return fmt.Sprintf("Verify: %v, the oracle: accepted %t", err, ok), false
	case err == nil && fmt.Sprint(got) != fmt.Sprint(want):
		return fmt.Sprintf("Verify read %v, want %v", got, want), true
	case err != nil && (!errors.As(err, &refusal) || refusal.Text == ""):
		return fmt.Sprintf("the error is %#v, want an im.Error with a text", err), false
	}
	return "", ok
}
