// Package webhook is for back ends that receive webhooks: it checks that a
// request comes from the chat server, reads what it says, and answers in the
// form that the server expects. It works with receivers of Porchlight and, save
// for what is Porchlight's own, with what the documentation of Tencent Cloud
// Chat describes.
//
// It promises that nothing of a request whose signature is wrong or old reaches
// the caller's function, and that signatures are compared in constant time. It
// keeps nothing: a repeat of an event is for the caller to notice, by its ID.
package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Window is how far the time of a request may be from the receiver's clock.
const Window = 60 * time.Second

// maxBody bounds what is read of a request.
const maxBody = 4 << 20

// The ways in which a request is refused.
var (
	ErrSignature = errors.New("the signature is wrong")
	ErrTime      = errors.New("the request is too old, or from the future")
	ErrApp       = errors.New("the request is for another application")
)

// Event is one webhook.
type Event struct {
	Command  string // such as State.StateChange
	AppID    uint32
	ClientIP string // from where the client, or the caller of the REST API, acted; "" where that is unknown
	Platform string // OptPlatform
	ID       string // the same in a repeat; "" from a server that says none
	Version  string // of a status, "<epoch>.<sequence>"; "" where there is none
	Test     bool   // an operator has pressed a button
	Body     json.RawMessage
}

// Before reports whether the version of one event is lower than that of another
// of the same user: then what the other said is newer. A version that cannot be
// read is the lowest.
func Before(version, other string) bool {
	e1, s1 := split(version)
	e2, s2 := split(other)
	return e1 < e2 || e1 == e2 && s1 < s2
}

func split(version string) (epoch, sequence uint64) {
	e, s, _ := strings.Cut(version, ".")
	epoch, _ = strconv.ParseUint(e, 10, 64)
	sequence, _ = strconv.ParseUint(s, 10, 64)
	return epoch, sequence
}

// Device is a device that was logged out by a login elsewhere.
type Device struct {
	Platform string
}

// StateChange is the body of State.StateChange: what became of a session or of
// a custom status.
type StateChange struct {
	EventTime int64 // Unix milliseconds
	Info      struct {
		Action       string // Login, Logout, Disconnect or CustomStatusChange
		UserID       string `json:"To_Account"`
		Reason       string // Register, Unregister, LinkClose, TimeOut or SetCustomStatus
		CustomStatus string
	}
	KickedDevice []Device
}

// StateChange reads the body of State.StateChange.
func (e *Event) StateChange() (StateChange, error) {
	var s StateChange
	return s, e.Decode(&s)
}

// Decode reads the body into a value of the caller's.
func (e *Event) Decode(into any) error {
	if err := json.Unmarshal(e.Body, into); err != nil {
		return fmt.Errorf("read the body of %s: %w", e.Command, err)
	}
	return nil
}

// Answer is what a receiver says. Its zero value is OK.
type Answer struct {
	Code  int
	Info  string
	Items []Item // of a question about friends
}

// Item is the verdict about one of the users whom a question names; Code 0 allows
// it, and one from 38000 to 39000 reaches the client.
type Item struct {
	UserID string `json:"To_Account"`
	Code   int    `json:"ResultCode"`
	Info   string `json:"ResultInfo"`
}

// MarshalJSON writes the answer as the server reads it.
func (a Answer) MarshalJSON() ([]byte, error) {
	status := "OK"
	if a.Code != 0 {
		status = "FAIL"
	}
	return json.Marshal(struct {
		Status string `json:"ActionStatus"`
		Code   int    `json:"ErrorCode"`
		Info   string `json:"ErrorInfo"`
		Items  []Item `json:"ResultItem,omitempty"`
	}{status, a.Code, a.Info, a.Items})
}

// Sign gives the signature of a request by a token; at is in Unix seconds.
func Sign(token string, at int64) string {
	sum := sha256.Sum256([]byte(token + strconv.FormatInt(at, 10)))
	return hex.EncodeToString(sum[:])
}

// Verify checks Sign and RequestTime of a request's query. It gives [ErrSignature]
// or [ErrTime].
func Verify(token string, query url.Values, now time.Time) error {
	at, err := strconv.ParseInt(query.Get("RequestTime"), 10, 64)
	if err != nil || len(query["Sign"]) != 1 || len(query["RequestTime"]) != 1 {
		return ErrSignature
	}
	if subtle.ConstantTimeCompare([]byte(Sign(token, at)), []byte(query.Get("Sign"))) != 1 {
		return ErrSignature
	}
	if d := now.Sub(time.Unix(at, 0)); d > Window || d < -Window {
		return ErrTime
	}
	return nil
}

// VerifyBody checks X-Body-Sign, which Porchlight sends where an application signs
// bodies or has its events kept. It gives [ErrSignature] or [ErrTime].
func VerifyBody(token string, header http.Header, body []byte, now time.Time) error {
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte(header.Get("X-Event-Id") + "." + header.Get("X-Event-Time") + "."))
	mac.Write(body)
	got, err := hex.DecodeString(header.Get("X-Body-Sign"))
	if err != nil || !hmac.Equal(got, mac.Sum(nil)) {
		return ErrSignature
	}
	at, err := strconv.ParseInt(header.Get("X-Event-Time"), 10, 64)
	if err != nil {
		return ErrTime
	}
	if d := now.Sub(time.Unix(at, 0)); d > Window || d < -Window {
		return ErrTime
	}
	return nil
}

// Receiver is an HTTP handler for webhooks.
type Receiver struct {
	AppID    uint32 // 0 for any
	Token    string // "" checks no signature
	SignBody bool   // X-Body-Sign is demanded too

	// Handle is called for each event, those of a batch in their order. What it
	// gives answers the request, that of the last event where there are several.
	// An error makes the request fail, with status 500: then the server may send
	// it again, all of it.
	Handle func(r *http.Request, e *Event) (Answer, error)

	now func() time.Time // for tests; nil for the clock
}

// ServeHTTP answers one request.
func (rc *Receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	events, err := rc.read(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	var a Answer
	for i := range events {
		if a, err = rc.Handle(r, &events[i]); err != nil {
			http.Error(w, "the event cannot be taken now", http.StatusInternalServerError)
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(a) // the server may be gone
}

// read verifies a request and gives what it tells of.
func (rc *Receiver) read(r *http.Request) ([]Event, error) {
	now := time.Now
	if rc.now != nil {
		now = rc.now
	}
	query := r.URL.Query()
	if rc.Token != "" {
		if err := Verify(rc.Token, query, now()); err != nil {
			return nil, err
		}
	}
	app, err := strconv.ParseUint(query.Get("SdkAppid"), 10, 32)
	if err != nil || rc.AppID != 0 && uint32(app) != rc.AppID {
		return nil, ErrApp
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return nil, fmt.Errorf("read the body: %w", err)
	}
	if rc.SignBody {
		if err := VerifyBody(rc.Token, r.Header, body, now()); err != nil {
			return nil, err
		}
	}
	e := Event{
		Command: query.Get("CallbackCommand"), AppID: uint32(app), ClientIP: query.Get("ClientIP"), Platform: query.Get("OptPlatform"),
		ID: r.Header.Get("X-Event-Id"), Version: r.Header.Get("X-Event-Version"), Test: r.Header.Get("X-Event-Test") != "", Body: body,
	}
	return e.unpack()
}

// unpack gives the events of a batch, or the one event.
func (e *Event) unpack() ([]Event, error) {
	var head struct {
		Command string            `json:"CallbackCommand"`
		Events  []json.RawMessage `json:"Events"`
	}
	if err := json.Unmarshal(e.Body, &head); err != nil {
		return nil, fmt.Errorf("read the body: %w", err)
	}
	if head.Command != e.Command {
		return nil, fmt.Errorf("the query says %q, the body %q", e.Command, head.Command)
	}
	if e.Command != "Porchlight.Batch" {
		return []Event{*e}, nil
	}
	events := make([]Event, len(head.Events))
	for i, body := range head.Events {
		var one struct {
			Command  string `json:"CallbackCommand"`
			ID       string `json:"Id"`
			Version  string `json:"Version"`
			ClientIP string `json:"ClientIP"`
			Platform string `json:"OptPlatform"`
		}
		if err := json.Unmarshal(body, &one); err != nil {
			return nil, fmt.Errorf("read event %d of a batch: %w", i, err)
		}
		events[i] = Event{
			Command: one.Command, AppID: e.AppID, ClientIP: one.ClientIP, Platform: one.Platform,
			ID: one.ID, Version: one.Version, Body: body,
		}
	}
	return events, nil
}
