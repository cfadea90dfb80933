package server

import (
	"context"
	"fmt"
	"net/http"

	"github.com/porchlight-im/porchlight/internal/gateway"
	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/webhook"
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
