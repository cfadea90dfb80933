package server

import (
	"context"
	"fmt"
	"net/http"

	"github.com/porchlight-im/porchlight/internal/friend"
	"github.com/porchlight-im/porchlight/internal/gateway"
	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/profile"
	"github.com/porchlight-im/porchlight/internal/webhook"
	"github.com/porchlight-im/porchlight/internal/wire"
)

// openWebhooks makes what tells applications' back ends.
func (s *Server) openWebhooks(ctx context.Context, epoch uint64) (err error) {
	c := s.cfg.Webhook
	allow, err := webhook.ParseNets(c.Allow)
	if err != nil {
		return fmt.Errorf("webhook.allow: %w", err)
	}
	s.webhooks, err = webhook.New(ctx, webhook.Config{
		Store: s.store, Epoch: epoch, Allow: allow, Timeout: c.Timeout, QueueEvents: c.QueueEvents,
		Keep: c.Keep, KeepEvents: int64(c.KeepEvents), Metrics: s.registry, Log: s.log,
	})
	return err
}

// runWebhooks delivers until what is returned is called. That is last, so that
// what the other parts say at their end is heard.
func (s *Server) runWebhooks(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.webhooks.Run(ctx) // it has no error to give
	}()
	return func() {
		cancel()
		<-done
	}
}

// byBackend says of each request from where a back end, or an operator, sends it.
func byBackend(proxies gateway.Proxies, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller := im.Caller{Kind: im.CallerBackend, Addr: proxies.Client(r)}
		h.ServeHTTP(w, r.WithContext(im.WithCaller(r.Context(), caller)))
	})
}

// friendHooks lets the rules of friendship tell and ask applications' back ends.
type friendHooks struct{ *webhook.Dispatcher }

var deedKinds = [...]webhook.DeedKind{
	friend.DidAdd: webhook.Added, friend.DidAccept: webhook.Accepted, friend.DidDelete: webhook.Deleted,
	friend.DidBlock: webhook.Blocked, friend.DidUnblock: webhook.Unblocked,
}

var responses = [...]string{
	friend.Reject: wire.RespondReject, friend.Agree: wire.RespondAgree, friend.AgreeAndAdd: wire.RespondAgreeAndAdd,
}

// Events makes what tells of deeds.
func (h friendHooks) Events(ctx context.Context, deeds []friend.Done) (rows []im.EventRow) {
	for _, d := range deeds {
		deed := webhook.Deed{
			App: d.App, By: im.CallerOf(ctx), Kind: deedKinds[d.Deed], Initiator: d.Initiator, Admin: d.Admin, Forced: d.Forced,
		}
		for _, p := range d.Pairs {
			deed.Pairs = append(deed.Pairs, webhook.Pair(p))
		}
		rows = append(rows, h.DeedEvents(deed)...)
	}
	return rows
}

// Before asks about what a user wants.
func (h friendHooks) Before(ctx context.Context, ask friend.Ask) []*im.Error {
	if len(ask.Answers) > 0 {
		items := make([]webhook.Answering, len(ask.Answers))
		for i, a := range ask.Answers {
			items[i] = webhook.Answering{To: a.User, Remark: a.Remark, Tag: a.Group, Action: responses[a.Action]}
		}
		return h.BeforeAnswer(ctx, ask.User, items)
	}
	kind := "Add_Type_Both"
	if ask.Ways == friend.OneWay {
		kind = "Add_Type_Single"
	}
	items := make([]webhook.Adding, len(ask.Adding))
	for i, a := range ask.Adding {
		items[i] = webhook.Adding{To: a.User, Remark: a.Remark, Group: a.Group, Source: a.Source, Wording: a.Wording}
	}
	return h.BeforeAdd(ctx, ask.User, kind, items)
}

// profileHooks lets the rules of profiles tell applications' back ends.
type profileHooks struct{ *webhook.Dispatcher }

// Events makes what tells of a change.
func (h profileHooks) Events(ctx context.Context, c profile.Change) []im.EventRow {
	items := make([]webhook.ProfileItem, len(c.Fields))
	for i, f := range c.Fields {
		items[i] = webhook.ProfileItem(f)
	}
	return h.ProfileEvents(ctx, c.User, c.By, items)
}
