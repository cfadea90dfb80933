package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/porchlight-im/porchlight/internal/app"
	"github.com/porchlight-im/porchlight/internal/im"
)

// problem is the answer to a request that failed, as RFC 9457 has it. It never
// repeats a value of the request: one of them may be a secret.
type problem struct {
	Title  string  `json:"title" doc:"The status in words."`
	Status int     `json:"status" doc:"The status of the answer."`
	Detail string  `json:"detail" doc:"What is wrong, and what to do about it."`
	Code   im.Code `json:"code,omitempty" doc:"The code that a client of the chat would be given, where there is one."`
	Errors []fault `json:"errors,omitempty" nullable:"false" doc:"What is wrong, one by one."`
}

// fault is one thing that is wrong with a request.
type fault struct {
	Location string `json:"location" doc:"Where it is, such as body.name."`
	Message  string `json:"message"`
}

func newProblem(status int, detail string) *problem {
	return &problem{Title: http.StatusText(status), Status: status, Detail: detail}
}

// Error gives the detail.
func (p *problem) Error() string { return p.Detail }

// GetStatus gives the status of the answer.
func (p *problem) GetStatus() int { return p.Status }

// ContentType gives that of problems.
func (p *problem) ContentType(string) string { return "application/problem+json" }

// write writes the problem as the whole answer.
func (p *problem) write(w http.ResponseWriter) {
	text, _ := json.Marshal(p) // texts and numbers: it cannot fail
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	w.Write(append(text, '\n'))
}

// shape gives problems of the library the shape of ours, and leaves everything
// else as it is.
func shape(_ huma.Context, _ string, v any) (any, error) {
	model, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	p := newProblem(model.Status, model.Detail)
	if len(model.Errors) == 0 {
		return p, nil
	}
	var texts []string
	for _, e := range model.Errors {
		p.Errors = append(p.Errors, fault{e.Location, e.Message})
		texts = append(texts, e.Location+": "+e.Message)
	}
	p.Detail = strings.Join(texts, "; ")
	return p, nil
}

// advice is what an operator can do about a refusal whose text is for the
// clients of the chat.
var advice = map[im.Code]string{
	im.CodeNoApp:     "; list the applications to see which there are",
	im.CodeNoAccount: "; the first login of a user makes the account",
}

// fail gives the problem of an error. One that its caller can do nothing about
// is logged here and not told.
func (h *Handlers) fail(err error) error {
	refusal, known := im.Refusal(err)
	switch {
	case known:
		p := newProblem(statusOf(refusal.Code), refusal.Text+advice[refusal.Code])
		p.Code = refusal.Code
		return p
	case errors.Is(err, app.ErrNoKey):
		return newProblem(http.StatusNotFound, err.Error()+"; show the application to see its keys")
	case errors.Is(err, app.ErrExists), errors.Is(err, app.ErrConflict):
		return newProblem(http.StatusConflict, err.Error())
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		h.cfg.Log.Error("operator request", "err", err)
		p := newProblem(http.StatusServiceUnavailable, "the server took too long; look whether the change was made before you try again")
		p.Code = im.CodeTimeout
		return p
	}
	h.cfg.Log.Error("operator request", "err", err)
	p := newProblem(http.StatusInternalServerError, "internal server error; the server's log says what went wrong")
	p.Code = refusal.Code
	return p
}

// statusOf gives the status that goes with the code of a refusal.
func statusOf(code im.Code) int {
	switch code {
	case im.CodeNoApp, im.CodeNoAccount:
		return http.StatusNotFound
	case im.CodeInternal:
		return http.StatusInternalServerError
	case im.CodeOverload, im.CodeTimeout, im.CodeServerTimeout:
		return http.StatusServiceUnavailable
	default:
		return http.StatusUnprocessableEntity
	}
}

// invalid refuses a value of a request.
func invalid(location, format string, args ...any) error {
	message := fmt.Sprintf(format, args...)
	p := newProblem(http.StatusUnprocessableEntity, location+": "+message)
	p.Errors = []fault{{location, message}}
	return p
}
