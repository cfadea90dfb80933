package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/porchlight-im/porchlight/internal/app"
	"github.com/porchlight-im/porchlight/internal/im"
)

// call is one request being served.
type call struct {
	api     *API
	w       http.ResponseWriter
	r       *http.Request
	began   time.Time
	seq     uint64
	command string // as the table has it, or "other": what a caller made up is in no label and no log

	route *route // nil until it is found
	query query
	app   *app.App  // nil until the caller has been verified
	admin im.UserID // the caller
	body  []byte
	read  bool // the body was read to its end
}

// actor is who the audit says has ordered what the call does.
func (k *call) actor() string { return "rest:" + string(k.admin) }

// key names a user of the caller's application.
func (k *call) key(user im.UserID) im.UserKey { return im.UserKey{App: k.app.ID, User: user} }

// handler carries out one command. Make one with [with].
type handler struct {
	run     func(ctx context.Context, k *call) (answer any, err error)
	in, out reflect.Type // of the body and of what the answer has beside the envelope
}

// with makes a handler of a function that gets the decoded body and gives the
// members of the answer beside the envelope, as structs whose tags json and doc
// say all there is to say of them. What the function returns with an error is
// not sent, unless the error is [partly].
func with[In, Out any](f func(ctx context.Context, k *call, in *In) (Out, error)) handler {
	return handler{
		in: reflect.TypeFor[In](), out: reflect.TypeFor[Out](),
		run: func(ctx context.Context, k *call) (any, error) {
			var in In
			if err := k.decode(&in); err != nil {
				return nil, err
			}
			return f(ctx, k, &in)
		},
	}
}

// nothing is the body of a command that takes none, and the answer of one that
// has nothing to say.
type nothing struct{}

// partly makes an answer a failure that nevertheless says what became of each
// part of it.
type partly struct{ refusal *im.Error }

// Error gives the refusal's text.
func (p partly) Error() string { return p.refusal.Error() }

// Unwrap gives the refusal.
func (p partly) Unwrap() error { return p.refusal }

// serve does what every call demands, in the order of the clauses, and calls
// the handler. [RE2]
func (k *call) serve() (answer any, err error) {
	defer func() {
		if p := recover(); p != nil {
			k.api.metrics.panics.Inc()
			k.api.cfg.Log.Error("REST request panicked", "command", k.command, "panic", p, "stack", string(debug.Stack()))
			answer, err = nil, k.internal()
		}
	}()
	if err := k.find(); err != nil {
		return nil, err
	}
	if allowed := k.api.cfg.Allowed; allowed != nil && !allowed(k.r) {
		return nil, im.Err(im.CodeAddress)
	}
	if k.query, err = parseQuery(k.r.URL.RawQuery); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(k.r.Context(), k.api.set.Timeout)
	defer cancel()
	if err := k.authenticate(ctx); err != nil {
		return nil, err
	}
	if err := k.withinRate(); err != nil {
		return nil, err
	}
	if err := k.readBody(); err != nil {
		return nil, err
	}
	return k.route.handler.run(ctx, k)
}

// find finds the row of the table. A path has one spelling.
func (k *call) find() error {
	name, ok := strings.CutPrefix(k.r.URL.EscapedPath(), root)
	if !ok {
		return im.Errorf(im.CodeNoResource, "the path is not of the form /v4/service/command")
	}
	r := k.api.routes[name]
	if r == nil {
		return im.Errorf(im.CodeNoResource, "there is no such command; its path is case-sensitive")
	}
	k.command = r.path
	if r.handler.run == nil {
		return im.Errorf(im.CodeNoResource, "this server does not serve %s", r.path)
	}
	k.route = r
	return nil
}

// readBody reads the body, within its limit and its time. [RE6]
func (k *call) readBody() error {
	limit := k.api.set.BodyBytes
	if k.route.message {
		limit = k.api.set.MessageBytes
	}
	tooLong := im.Errorf(im.CodeTooLong, "the body is longer than %d bytes", limit)
	_ = http.NewResponseController(k.w).SetReadDeadline(time.Now().Add(k.api.set.BodyTimeout)) // a test's recorder has none
	if k.r.ContentLength > int64(limit) {
		// The caller is known, and reads no answer before it has sent everything.
		_, err := io.CopyN(io.Discard, k.r.Body, min(k.r.ContentLength, maxDiscarded))
		k.read = err == nil && k.r.ContentLength <= maxDiscarded
		return tooLong
	}
	body, err := readAll(io.LimitReader(k.r.Body, int64(limit)+1), k.r.ContentLength)
	switch {
	case len(body) > limit:
		return tooLong
	case isTimeout(err):
		return im.Errorf(im.CodeTimeout, "the body did not arrive within %s", k.api.set.BodyTimeout)
	case err != nil:
		return im.Errorf(im.CodeBadRequest, "the body did not arrive as a whole")
	}
	k.body, k.read = body, true
	return nil
}

// maxDiscarded is how much of a body that is too long is read all the same.
const maxDiscarded = 8 << 20

// readAll reads to the end, into one allocation where the length is known.
func readAll(r io.Reader, length int64) ([]byte, error) {
	if length < 0 {
		return io.ReadAll(r)
	}
	body := make([]byte, length)
	n, err := io.ReadFull(r, body)
	return body[:n], err
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// decode reads the body into a struct. Its members are spelled exactly, none may
// come twice, and others are ignored. What is wrong is said without quoting it.
func (k *call) decode(into any) error {
	if len(k.body) == 0 {
		if k.route.bare {
			return nil
		}
		return im.Errorf(k.route.notJSON(), "the body is empty; send a JSON object")
	}
	err := json.Unmarshal(k.body, into)
	var semantic *json.SemanticError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &semantic) && semantic.JSONPointer != "":
		code := k.route.service.invalid
		if own, ok := into.(interface {
			mistyped(jsontext.Pointer) im.Code
		}); ok {
			code = own.mistyped(semantic.JSONPointer)
		}
		return im.Errorf(code, "%s has the wrong type", field(semantic.JSONPointer))
	case errors.As(err, &semantic):
		return im.Errorf(k.route.notJSON(), "the body is not a JSON object")
	}
	return im.Errorf(k.route.notJSON(), "the body is not valid JSON%s", where(err))
}

// field gives a place in the body as people write it: names that are ours alone,
// since those of the caller are not decoded.
func field(p jsontext.Pointer) string {
	var text strings.Builder
	for token := range p.Tokens() {
		switch {
		case strings.Trim(token, "0123456789") == "":
			fmt.Fprintf(&text, "[%s]", token)
		case text.Len() > 0:
			text.WriteString("." + token)
		default:
			text.WriteString(token)
		}
	}
	return text.String()
}

func where(err error) string {
	var syntactic *jsontext.SyntacticError
	if !errors.As(err, &syntactic) {
		return ""
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return fmt.Sprintf(": a name comes twice, at byte %d", syntactic.ByteOffset)
	}
	return fmt.Sprintf(" from byte %d on", syntactic.ByteOffset)
}
