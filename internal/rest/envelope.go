package rest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/porchlight-im/porchlight/internal/im"
)

// reply writes the answer, counts it and logs it.
func (k *call) reply(status int, answer any, err error) {
	refusal := k.refuse(err)
	if refusal != nil && !errors.As(err, new(partly)) {
		answer = nil
	}
	body, err := k.envelope(nil, answer, refusal)
	if err != nil { // a mistake of ours
		k.api.cfg.Log.Error("encode a REST answer", "command", k.command, "err", err)
		refusal = k.internal()
		body, _ = k.envelope(body[:0], nil, refusal) // nothing in it can fail
	}
	if !k.read && k.r.ContentLength != 0 {
		// What nobody has read is waited for before the answer goes out: not for long.
		_ = http.NewResponseController(k.w).SetReadDeadline(time.Now().Add(unreadWait)) // a test's recorder has none
	}
	k.w.Header().Set("Content-Type", "application/json")
	k.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	k.w.WriteHeader(status)
	k.w.Write(body)
	took := k.api.cfg.Now().Sub(k.began)
	code := im.CodeOK
	if refusal != nil {
		code = refusal.Code
	}
	k.api.metrics.served(k, code, took)
	k.log(code, took)
}

// unreadWait is how long a refused caller has to finish sending what will not be
// read, so that the connection can be kept.
const unreadWait = 200 * time.Millisecond

// log writes the access log: who called what, and what it was told. The query
// string, which holds the UserSig, is in no log, nor is what was not verified.
func (k *call) log(code im.Code, took time.Duration) {
	if k.api.set.NoLog {
		return
	}
	attrs := []any{"command", k.command, "code", int(code), "took", took, "request", k.id()}
	if k.app != nil {
		attrs = append(attrs, "app", k.app.ID, "admin", k.admin)
	}
	k.api.cfg.Log.Info("REST request", attrs...)
}

// refuse gives what the caller is told of an error, nil for none. What the
// caller can do nothing about is logged here.
func (k *call) refuse(err error) *im.Error {
	if err == nil {
		return nil
	}
	refusal, known := im.Refusal(err)
	switch {
	case known:
		return refusal
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		k.api.cfg.Log.Warn("REST request was not done in time", "command", k.command, "err", err)
		return im.Err(im.CodeTimeout)
	}
	k.api.cfg.Log.Error("REST request", "command", k.command, "err", err)
	return k.internal()
}

// internal gives the code by which the command's service says that the server is
// at fault.
func (k *call) internal() *im.Error {
	if k.route == nil {
		return im.Err(im.CodeInternal)
	}
	return im.Errorf(k.route.service.internal, "%s", im.CodeInternal.Text())
}

// envelope appends the answer as it is sent: the outcome, then the members of
// the answer, then the number of the request. [RE1]
func (k *call) envelope(dst []byte, answer any, refusal *im.Error) ([]byte, error) {
	status, code, text := "OK", im.CodeOK, ""
	if refusal != nil {
		status, code, text = "FAIL", refusal.Code, refusal.Text
	}
	dst = append(append(dst, `{"ActionStatus":"`...), status...)
	dst = strconv.AppendInt(append(dst, `","ErrorCode":`...), int64(code), 10)
	dst = append(dst, `,"ErrorInfo":`...)
	dst, _ = jsontext.AppendQuote(dst, text) // its error is of what it has replaced
	if k.route != nil && k.route.service.display {
		dst = append(dst, `,"ErrorDisplay":""`...)
	}
	if answer != nil {
		members, err := json.Marshal(answer)
		if err != nil {
			return dst, err
		}
		if len(members) > len("{}") {
			dst = append(append(dst, ','), members[1:len(members)-1]...)
		}
	}
	dst = append(append(dst, `,"RequestId":"`...), k.id()...)
	return append(dst, `"}`...), nil
}

// id gives the number of the request, in the original's form.
func (k *call) id() string { return k.api.ids + strconv.FormatUint(k.seq, 10) }

func newIDs() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	return "Id-" + hex.EncodeToString(b[:]) + "-O-Seq-"
}
