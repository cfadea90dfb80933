// Package wire is the protocol of the official web client: its frames, the
// names of its commands, and the bodies the server reads and writes. It turns
// bytes into requests and answers into bytes; it holds no state, decides
// nothing, and is the only place, beside rest and webhook, where the vendor's
// spelling appears.
//
// A frame is one JSON object {"head":{…},"body":{…}} in one WebSocket message.
// Decoding is strict: valid UTF-8, no duplicate names, exact case, bounded
// depth. Encoding never writes null for a list.
package wire

import (
	"errors"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Request is one decoded frame of a client. It aliases nothing of the bytes that
// were decoded.
type Request struct {
	Head Head
	Body jsontext.Value
}

// Head is what the server uses of a request's head; the rest is ignored.
type Head struct {
	Command    string         `json:"servcmd"`
	Seq        jsontext.Value `json:"seq"`        // number or short string, echoed as it came
	A2         string         `json:"a2"`         // the session, once logged in
	Identifier string         `json:"identifier"` // with UserSig, at the first login
	UserSig    string         `json:"usersig"`
	AppID      int64          `json:"sdkappid"`
	Platform   int64          `json:"platform"`
}

// frame splits a message. The body's own shape is judged by who serves it.
type frame struct {
	Head Head           `json:"head"`
	Body jsontext.Value `json:"body"`
}

// maxSeq bounds the text of a seq: ten digits are sent, twenty fit a uint64.
const maxSeq = 32

var (
	errDepth   = errors.New("nested deeper than allowed")
	errNoHead  = errors.New("no servcmd in the head")
	errBadSeq  = errors.New("seq is neither a number nor a short string")
	errBadText = errors.New("not valid UTF-8")
)

// halves lets half a pair of surrogates, written as an escape, stand for U+FFFD.
// That is what JavaScript makes of a text that was cut inside a character, and
// a client whose socket were closed for it would send it again and again.
var halves = jsontext.AllowInvalidUTF8(true)

// Decode reads one message, nested no deeper than depth, into r. The error says what is wrong with it in
// words fit for its sender; it quotes nothing of it.
func Decode(msg []byte, depth int, r *Request) error {
	if !utf8.Valid(msg) {
		return errBadText
	}
	if tooDeep(msg, depth) {
		return errDepth
	}
	var f frame
	if err := json.Unmarshal(msg, &f, halves); err != nil {
		return describe(err)
	}
	if f.Head.Command == "" {
		return errNoHead
	}
	if k := f.Head.Seq.Kind(); len(f.Head.Seq) > maxSeq || len(f.Head.Seq) > 0 && k != '0' && k != '"' {
		return errBadSeq
	}
	r.Head, r.Body = f.Head, f.Body
	return nil
}

// describe turns a decoder's error into one that quotes nothing of its input.
func describe(err error) error {
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return errors.New("duplicate name at byte " + strconv.FormatInt(syntactic.ByteOffset, 10))
		}
		return errors.New("not JSON from byte " + strconv.FormatInt(syntactic.ByteOffset, 10))
	}
	var semantic *json.SemanticError
	if errors.As(err, &semantic) {
		return errors.New("wrong type at byte " + strconv.FormatInt(semantic.ByteOffset, 10))
	}
	return errors.New("not JSON")
}

// tooDeep reports whether the brackets of msg nest deeper than limit. It is a
// bound, not a parser: what it lets through may still be no JSON.
func tooDeep(msg []byte, limit int) bool {
	depth, text := 0, false
	for i := 0; i < len(msg); i++ {
		switch c := msg[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '{' || c == '[':
			if depth++; depth > limit {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// DecodeBody reads a request's body into v, a pointer to a struct whose unknown
// members are ignored. A missing body is an empty one. The error is an
// [im.Error] with CodeInvalid.
func DecodeBody(body jsontext.Value, v any) error {
	if len(body) == 0 {
		return nil
	}
	if body.Kind() != '{' {
		return im.Errorf(im.CodeInvalid, "the body is not a JSON object")
	}
	if err := json.Unmarshal(body, v, halves); err != nil {
		return im.Errorf(im.CodeInvalid, "the body is invalid: %v", describe(err))
	}
	return nil
}

// Answer is what begins the body of every answer.
type Answer struct {
	ActionStatus string `json:"ActionStatus"`
	ErrorCode    int    `json:"ErrorCode"`
	ErrorInfo    string `json:"ErrorInfo"`
}

// OK is the Answer of a command that was carried out.
func OK() Answer { return Answer{ActionStatus: "OK"} }

// AppendAnswer appends the frame that answers seq of command with body, a
// struct that begins with an [Answer] or one of the few bodies with codes of
// their own. A body that cannot be encoded is a mistake of ours and answered
// as internal.
func AppendAnswer(dst []byte, command string, seq jsontext.Value, now int64, body any) []byte {
	dst = appendHead(dst, command, seq, now)
	text, err := json.Marshal(body)
	if err != nil {
		return AppendError(dst[:len(dst)-len(bodyOpen)], im.Err(im.CodeInternal))
	}
	dst = append(dst, text...)
	return append(dst, '}')
}

// AppendOK is AppendAnswer for the bare success.
func AppendOK(dst []byte, command string, seq jsontext.Value, now int64) []byte {
	dst = appendHead(dst, command, seq, now)
	return append(dst, `{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":""}}`...)
}

// AppendFailure is AppendAnswer for a refusal.
func AppendFailure(dst []byte, command string, seq jsontext.Value, now int64, refusal *im.Error) []byte {
	dst = appendHead(dst, command, seq, now)
	return AppendError(dst[:len(dst)-len(bodyOpen)], refusal)
}

const bodyOpen = `,"body":`

// AppendError appends the body of a refusal and the end of its frame.
func AppendError(dst []byte, refusal *im.Error) []byte {
	dst = append(dst, bodyOpen...)
	dst = append(dst, `{"ActionStatus":"FAIL","ErrorCode":`...)
	dst = strconv.AppendInt(dst, int64(refusal.Code), 10)
	dst = append(dst, `,"ErrorInfo":`...)
	dst = appendString(dst, refusal.Text)
	return append(dst, `}}`...)
}

// appendHead appends a frame up to where the value of its body begins.
func appendHead(dst []byte, command string, seq jsontext.Value, now int64) []byte {
	dst = append(dst, `{"head":{"ver":"v4","servcmd":`...)
	dst = appendString(dst, command)
	dst = append(dst, `,"seq":`...)
	if len(seq) == 0 {
		dst = append(dst, '0')
	} else {
		dst = append(dst, seq...)
	}
	dst = append(dst, `,"time":`...)
	dst = strconv.AppendInt(dst, now, 10)
	dst = append(dst, '}')
	return append(dst, bodyOpen...)
}

// appendString appends s as a JSON string, invalid UTF-8 replaced.
func appendString(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			out, _ := jsontext.AppendQuote(dst, s) // its error is of what it has replaced
			return out
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}
