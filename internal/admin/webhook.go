package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Webhooks are what applications' back ends are told by. It refuses with
// CodeInvalid what cannot be.
type Webhooks interface {
	// Webhook gives what an application has set, and how it stands.
	Webhook(app im.AppID) im.WebhookView
	// ChangeWebhook changes what an application has set. nil says that it is
	// committed and in effect.
	ChangeWebhook(ctx context.Context, actor string, app im.AppID, c im.WebhookChange) error
	// Deliveries gives the latest requests, newest first.
	Deliveries(app im.AppID, q im.DeliveryQuery) []im.Delivery
	// ReplayWebhook sends again to a URL what came after an event or, with after
	// below zero, since a time in Unix ms. It gives the event after which it begins.
	ReplayWebhook(ctx context.Context, app im.AppID, url uint32, after, since int64) (int64, error)
	// TestWebhook sends a test to a URL and says what became of it.
	TestWebhook(ctx context.Context, app im.AppID, url uint32, user im.UserID) (im.Delivery, error)
}

// HookPath is the part of a path that names a URL of an application.
type HookPath struct {
	AppPath
	URL uint32 `path:"url" minimum:"1" maximum:"4294967295" doc:"The number of the URL."`
}

// webhooks are an application's as its operator sees them.
type webhooks struct {
	URLs     []hookURL       `json:"urls" nullable:"false"`
	Commands map[string]bool `json:"commands" doc:"Which commands are sent, by name."`
	Token    bool            `json:"token" doc:"There is a token that signs requests. It is never shown."`
	SignBody bool            `json:"signBody" doc:"Bodies are signed too. They always are where events are kept."`
	Retry    bool            `json:"retry" doc:"Events that are not kept are sent again, up to three times."`
	Strict   bool            `json:"strict" doc:"What the back end was asked about and gave no answer to is refused."`
	Durable  bool            `json:"durable" doc:"Events are kept with the change that they tell of, and sent at least once."`
	Batch    int             `json:"batch" doc:"Events in one request, where they are kept."`
}

// hookURL is one of the URLs.
type hookURL struct {
	ID        uint32     `json:"id"`
	URL       string     `json:"url"`
	Commands  []string   `json:"commands" nullable:"false" doc:"What is sent there; everything if it is empty."`
	Waiting   int64      `json:"waiting" doc:"Events that are not delivered yet."`
	Oldest    *time.Time `json:"oldest" doc:"When the oldest of them happened."`
	InFlight  int        `json:"inFlight" doc:"Requests that wait for an answer."`
	Failing   int        `json:"failing" doc:"Requests that failed in a row."`
	PausedFor int64      `json:"pausedMS" doc:"Milliseconds until it is tried again after failures; 0 if it is not left alone."`
	Last      int64      `json:"last" doc:"The last kept event that was taken up: the number after the dot of its ID."`
	LastOK    *time.Time `json:"lastOK" doc:"When a request last succeeded, since the start of the server."`
	Sent      uint64     `json:"sent" doc:"Events delivered since the start."`
	Failed    uint64     `json:"failed" doc:"Requests that failed since the start."`
	Dropped   uint64     `json:"dropped" doc:"Events given up since the start."`
}

type oneWebhooks struct{ Body webhooks }

// webhookChange is what is to be changed; what is left out stays.
type webhookChange struct {
	AppPath
	Body struct {
		Token    *string          `json:"token,omitempty" doc:"Signs requests; an empty text for none."`
		SignBody *bool            `json:"signBody,omitempty"`
		Retry    *bool            `json:"retry,omitempty"`
		Strict   *bool            `json:"strict,omitempty"`
		Durable  *bool            `json:"durable,omitempty"`
		Batch    *int             `json:"batch,omitempty"`
		Commands map[string]*bool `json:"commands,omitempty" doc:"Whether a command is sent, by name; null for the default."`
	}
}

// hookTarget is a URL in a request.
type hookTarget struct {
	URL      string   `json:"url"`
	Commands []string `json:"commands,omitempty" nullable:"false" doc:"What is sent there; everything if it is left out."`
}

type newHook struct {
	AppPath
	Body hookTarget
}

type hookEdit struct {
	HookPath
	Body hookTarget
}

type hookTest struct {
	HookPath
	Body struct {
		User string `json:"user,omitempty" default:"porchlight-test" doc:"The user that the test speaks of."`
	}
}

type hookReplay struct {
	HookPath
	Body struct {
		After *int64     `json:"after,omitempty" minimum:"0" doc:"Send what came after this event; 0 for all."`
		Since *time.Time `json:"since,omitempty" doc:"Or what came since this time."`
	}
}

type replayed struct {
	Body struct {
		After int64 `json:"after" doc:"The event after which it begins."`
	}
}

type deliveryQuery struct {
	AppPath
	URL    uint32 `query:"url" minimum:"0" doc:"To one URL; to all if it is left out."`
	Failed bool   `query:"failed" doc:"Only those that failed, of which more are remembered."`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

// delivery is one request to a back end.
type delivery struct {
	At       *time.Time `json:"at"`
	URL      uint32     `json:"url" doc:"The number of the URL."`
	Event    string     `json:"event" doc:"Its ID, as in X-Event-Id."`
	Command  string     `json:"command"`
	Attempt  int        `json:"attempt"`
	Question bool       `json:"question" doc:"The answer could refuse."`
	Outcome  string     `json:"outcome" doc:"ok, or what was wrong in a word."`
	Detail   string     `json:"detail,omitempty" doc:"The same in words."`
	Status   int        `json:"status" doc:"Of the answer; 0 for none."`
	TookMS   float64    `json:"tookMS"`
	Bytes    int        `json:"bytes" doc:"Of the body."`
	Body     string     `json:"body" doc:"Without what users wrote."`
}

type oneDelivery struct{ Body delivery }

type deliveryPage struct {
	Body struct {
		Deliveries []delivery `json:"deliveries" nullable:"false" doc:"The newest first."`
	}
}

type hookCommands struct {
	Body struct {
		Commands []hookCommand `json:"commands" nullable:"false"`
	}
}

// hookCommand describes a command.
type hookCommand struct {
	Name    string `json:"name"`
	Before  bool   `json:"before" doc:"It is a question: the answer may refuse."`
	Default bool   `json:"default" doc:"It is sent unless it is switched off."`
	Doc     string `json:"doc"`
}

func (h *Handlers) webhookRoutes(api huma.API) {
	const path, one = "/apps/{app}/webhooks", "/apps/{app}/webhooks/urls/{url}"
	huma.Register(api, operation(api, "GET "+path+" showWebhooks", "Show what a back end is told, and how it goes"), h.showWebhooks)
	huma.Register(api, operation(api, "PATCH "+path+" changeWebhooks", "Change what an application's back end is told"), h.changeWebhooks)
	add := operation(api, "POST "+path+"/urls addWebhookURL", "Add a URL that is told of what happens from now on")
	add.DefaultStatus = http.StatusCreated
	huma.Register(api, add, h.addHook)
	huma.Register(api, operation(api, "PUT "+one+" changeWebhookURL", "Change a URL and what is sent there"), h.editHook)
	huma.Register(api, operation(api, "DELETE "+one+" removeWebhookURL", "Remove a URL, with what waits for it"), h.removeHook)
	test := operation(api, "POST "+one+"/test testWebhookURL", "Send a test to a URL now, and tell what became of it; success ends a pause")
	huma.Register(api, test, h.testHook)
	huma.Register(api, operation(api, "POST "+one+"/replay replayWebhookURL", "Send kept events to a URL again"), h.replayHook)
	huma.Register(api, operation(api, "GET "+path+"/log listDeliveries", "List the latest requests to a back end"), h.listDeliveries)
	huma.Register(api, operation(api, "GET /webhook-commands listWebhookCommands", "List what a back end can be told"), h.listHookCommands)
}

func (h *Handlers) viewWebhooks(app im.AppID) *oneWebhooks {
	v := h.cfg.Webhooks.Webhook(app)
	out := webhooks{
		URLs: []hookURL{}, Commands: map[string]bool{}, Token: v.HasToken, SignBody: v.SignBody, Retry: v.Retry,
		Strict: v.Strict, Durable: v.Durable, Batch: max(v.Batch, 1),
	}
	for _, c := range h.cfg.WebhookCommands {
		out.Commands[c.Name] = c.Default
		if on, set := v.Switches[c.Name]; set {
			out.Commands[c.Name] = on
		}
	}
	for i, u := range v.URLs {
		line := hookURL{ID: u.ID, URL: u.URL, Commands: append([]string{}, u.Commands...)}
		if i < len(v.States) {
			s := v.States[i]
			line.Waiting, line.Oldest, line.InFlight, line.Failing = s.Waiting, milli(s.Oldest), s.InFlight, s.Failing
			line.PausedFor, line.Last, line.LastOK = s.PausedFor, s.Last, milli(s.LastOK)
			line.Sent, line.Failed, line.Dropped = s.Sent, s.Failed, s.Dropped
		}
		out.URLs = append(out.URLs, line)
	}
	return &oneWebhooks{out}
}

// changeHooks changes the webhooks of an application and shows them.
func (h *Handlers) changeHooks(ctx context.Context, app im.AppID, c im.WebhookChange) (*oneWebhooks, error) {
	if _, err := h.cfg.Apps.App(app); err != nil {
		return nil, h.fail(err)
	}
	if err := h.cfg.Webhooks.ChangeWebhook(ctx, actor, app, c); err != nil {
		return nil, h.fail(err)
	}
	return h.viewWebhooks(app), nil
}

func (h *Handlers) showWebhooks(ctx context.Context, in *AppPath) (*oneWebhooks, error) {
	return h.changeHooks(ctx, in.App, im.WebhookChange{})
}

func (h *Handlers) changeWebhooks(ctx context.Context, in *webhookChange) (*oneWebhooks, error) {
	b := in.Body
	return h.changeHooks(ctx, in.App, im.WebhookChange{
		Token: b.Token, SignBody: b.SignBody, Retry: b.Retry, Strict: b.Strict, Durable: b.Durable, Batch: b.Batch, Switches: b.Commands,
	})
}

func (h *Handlers) addHook(ctx context.Context, in *newHook) (*oneWebhooks, error) {
	return h.changeHooks(ctx, in.App, im.WebhookChange{Add: &im.WebhookURL{URL: in.Body.URL, Commands: in.Body.Commands}})
}

func (h *Handlers) editHook(ctx context.Context, in *hookEdit) (*oneWebhooks, error) {
	return h.changeHooks(ctx, in.App, im.WebhookChange{Edit: []im.WebhookURL{{ID: in.URL, URL: in.Body.URL, Commands: in.Body.Commands}}})
}

func (h *Handlers) removeHook(ctx context.Context, in *HookPath) (*oneWebhooks, error) {
	return h.changeHooks(ctx, in.App, im.WebhookChange{Remove: []uint32{in.URL}})
}

func (h *Handlers) testHook(ctx context.Context, in *hookTest) (*oneDelivery, error) {
	user := im.UserID(in.Body.User)
	if !user.Valid() {
		return nil, h.fail(im.Err(im.CodeInvalidUserID))
	}
	if _, err := h.cfg.Apps.App(in.App); err != nil {
		return nil, h.fail(err)
	}
	d, err := h.cfg.Webhooks.TestWebhook(ctx, in.App, in.URL, user)
	if err != nil {
		return nil, h.fail(err)
	}
	return &oneDelivery{viewDelivery(d)}, nil
}

func (h *Handlers) replayHook(ctx context.Context, in *hookReplay) (*replayed, error) {
	if _, err := h.cfg.Apps.App(in.App); err != nil {
		return nil, h.fail(err)
	}
	after, since := int64(-1), int64(0)
	switch {
	case (in.Body.After == nil) == (in.Body.Since == nil):
		return nil, invalid("body", "expected either after or since")
	case in.Body.After != nil:
		after = *in.Body.After
	default:
		since = in.Body.Since.UnixMilli()
	}
	from, err := h.cfg.Webhooks.ReplayWebhook(ctx, in.App, in.URL, after, since)
	if err != nil {
		return nil, h.fail(err)
	}
	out := &replayed{}
	out.Body.After = from
	return out, nil
}

func viewDelivery(d im.Delivery) delivery {
	return delivery{
		At: milli(d.At), URL: d.URL, Event: d.Event, Command: d.Command, Attempt: d.Attempt, Question: d.Question,
		Outcome: d.Outcome, Detail: d.Detail, Status: d.Status, TookMS: float64(d.TookUS) / 1000, Bytes: d.Bytes, Body: d.Body,
	}
}

func (h *Handlers) listDeliveries(_ context.Context, in *deliveryQuery) (*deliveryPage, error) {
	if _, err := h.cfg.Apps.App(in.App); err != nil {
		return nil, h.fail(err)
	}
	out := &deliveryPage{}
	out.Body.Deliveries = []delivery{}
	for _, d := range h.cfg.Webhooks.Deliveries(in.App, im.DeliveryQuery{URL: in.URL, Failed: in.Failed, Limit: in.Limit}) {
		out.Body.Deliveries = append(out.Body.Deliveries, viewDelivery(d))
	}
	return out, nil
}

func (h *Handlers) listHookCommands(context.Context, *struct{}) (*hookCommands, error) {
	out := &hookCommands{}
	out.Body.Commands = []hookCommand{}
	for _, c := range h.cfg.WebhookCommands {
		out.Body.Commands = append(out.Body.Commands, hookCommand(c))
	}
	return out, nil
}
