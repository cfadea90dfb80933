package usersig

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/adler32"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/porchlight-im/porchlight/internal/im"
)

// variant is the token's base64: not that of RFC 4648 for URLs.
var variant = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789*-").
	WithPadding('_').Strict()

const (
	version   = "2.0"
	mintIt    = "; mint it with a TLSSigAPIv2 library"
	maxMinted = 3000     // bytes of a document that im.MaxTokenBytes can carry
	maxPooled = 16 << 10 // a buffer grown beyond this by unusual limits is not kept
)

// scratch is what decoding one token needs, some KiB. It holds the last token
// until the next one overwrites it.
type scratch struct {
	token []byte
	raw   []byte
	z     inflater
	doc   []byte
	text  bytes.Buffer // over doc
	json  jsontext.Decoder
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// decode takes a token apart without trusting any of it.
func decode(token string, want Want) (claims, error) {
	maxEncoded, maxInflated := want.MaxEncoded, want.MaxInflated
	if maxEncoded <= 0 {
		maxEncoded = im.MaxTokenBytes
	}
	if maxInflated <= 0 {
		maxInflated = im.MaxTokenInflated
	}
	if token == "" {
		return claims{}, malformed("it is empty; fetch one from your application's back end")
	}
	if len(token) > maxEncoded {
		return claims{}, malformed("it is too long" + mintIt)
	}
	s := scratches.Get().(*scratch)
	defer s.release()
	if !s.unpack(token) {
		return claims{}, malformed("it is not the base64 variant of a UserSig, or was changed on its way" + mintIt)
	}
	var why string
	if s.doc, why = s.z.inflate(s.doc, s.raw, maxInflated); why != "" {
		return claims{}, malformed(why + mintIt)
	}
	c := claims{app: -1, time: -1}
	if why = c.parse(s); why != "" {
		return claims{}, malformed(why + mintIt)
	}
	return c, nil
}

func (s *scratch) release() {
	if cap(s.token) <= maxPooled && cap(s.doc) <= maxPooled {
		scratches.Put(s)
	}
}

// unpack decodes the token into raw. Encoding again shows what the decoder
// lets pass: line breaks above all.
func (s *scratch) unpack(token string) bool {
	var err error
	s.token = append(s.token[:0], token...)
	s.raw, err = variant.AppendDecode(s.raw[:0], s.token)
	if err != nil {
		return false
	}
	s.token = variant.AppendEncode(s.token[:0], s.raw)
	return string(s.token) == token
}

// parse reads doc, and says what is wrong, "" if nothing is.
func (c *claims) parse(s *scratch) string {
	s.text = *bytes.NewBuffer(s.doc)
	s.json.Reset(&s.text)
	if !c.object(&s.json) {
		return "its JSON is broken, has a name twice or a member of the wrong type"
	}
	if _, err := s.json.ReadToken(); !errors.Is(err, io.EOF) {
		return "there are bytes after its JSON object"
	}
	if c.version != version {
		return "its TLS.ver is not 2.0"
	}
	if c.user == "" || c.app < 0 || !c.signed || !c.inRange() {
		return "a member of its JSON is missing or out of range"
	}
	return ""
}

// object reads the one object of a document. The decoder refuses duplicate
// names, compared unescaped, and bad UTF-8 at every depth.
func (c *claims) object(dec *jsontext.Decoder) bool {
	if open, err := dec.ReadToken(); err != nil || open.Kind() != jsontext.KindBeginObject {
		return false
	}
	for dec.PeekKind() != jsontext.KindEndObject {
		name, err := dec.ReadToken()
		if err != nil || !c.member(name.String(), dec) {
			return false
		}
	}
	_, err := dec.ReadToken()
	return err == nil
}

// member reads the value of one name; those it does not know it skips.
func (c *claims) member(name string, dec *jsontext.Decoder) (ok bool) {
	var text string
	switch name {
	case "TLS.ver":
		c.version, ok = readText(dec)
	case "TLS.identifier":
		c.user, ok = readText(dec)
	case "TLS.sdkappid":
		c.app, ok = readInt(dec)
	case "TLS.time":
		c.time, ok = readInt(dec)
	case "TLS.expire":
		c.expire, ok = readInt(dec)
	case "TLS.userbuf":
		if text, ok = readText(dec); ok {
			c.userBuf, ok = unbase64(text)
		}
	case "TLS.sig":
		if text, ok = readText(dec); ok {
			var mac []byte
			mac, ok = unbase64(text)
			c.signed = ok && copy(c.mac[:], mac) == len(mac) && len(mac) == len(c.mac)
		}
	default:
		ok = dec.SkipValue() == nil
	}
	return ok
}

func readText(dec *jsontext.Decoder) (string, bool) {
	if dec.PeekKind() != jsontext.KindString {
		return "", false
	}
	t, err := dec.ReadToken()
	if err != nil {
		return "", false
	}
	return t.String(), true
}

// readInt reads a number that is written as digits alone: no sign, fraction or
// exponent.
func readInt(dec *jsontext.Decoder) (int64, bool) {
	v, err := dec.ReadValue()
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(string(v), 10, 63)
	return int64(n), err == nil
}

// unbase64 decodes canonical base64, never to nil.
func unbase64(text string) ([]byte, bool) {
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	return b, err == nil && !strings.ContainsAny(text, "\r\n")
}

// appendDocument appends the JSON document.
func (c *claims) appendDocument(b []byte) []byte {
	b = append(b, `{"TLS.ver":"`+version+`","TLS.identifier":`...)
	b, _ = jsontext.AppendQuote(b, c.user) // a UserID is ASCII
	b = append(b, `,"TLS.sdkappid":`...)
	b = strconv.AppendInt(b, c.app, 10)
	b = append(b, `,"TLS.expire":`...)
	b = strconv.AppendInt(b, c.expire, 10)
	b = append(b, `,"TLS.time":`...)
	b = strconv.AppendInt(b, c.time, 10)
	if c.userBuf != nil {
		b = append(b, `,"TLS.userbuf":"`...)
		b = base64.StdEncoding.AppendEncode(b, c.userBuf)
		b = append(b, '"')
	}
	b = append(b, `,"TLS.sig":"`...)
	b = base64.StdEncoding.AppendEncode(b, c.mac[:])
	return append(b, `"}`...)
}

// pack gives the token of a document, of less than 64 KiB. It stores and does
// not compress: so little text gains nothing, and a compressor's output may
// change from one release to the next.
func pack(doc []byte) string {
	b := make([]byte, 0, len(doc)+11)
	b = append(b, 0x78, 0x01) // deflate, a window of 32 KiB, no dictionary
	b = append(b, 0x01)       // the last block, a stored one
	b = binary.LittleEndian.AppendUint16(b, uint16(len(doc)))
	b = binary.LittleEndian.AppendUint16(b, ^uint16(len(doc)))
	b = append(b, doc...)
	b = binary.BigEndian.AppendUint32(b, adler32.Checksum(doc))
	return variant.EncodeToString(b)
}
