package webhook

import (
	"context"
	"fmt"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

// question is what a back end is asked before something is done.
type question struct {
	app     im.AppID
	command string
	by      im.Caller
	body    any
}

// ask puts a question to the first URL that takes its command. ok is false where
// there is no answer to go by and the thing is to be done; an error says that the
// application wants what cannot be asked about refused. It takes no longer than
// the timeout of a request.
func (d *Dispatcher) ask(ctx context.Context, q question) (a answer, ok bool, err error) {
	t := d.tenant(q.app)
	if t == nil {
		return a, false, nil
	}
	row := t.row.Load()
	if row == nil || !sent(row, q.command) {
		return a, false, nil
	}
	for _, ep := range *t.endpoints.Load() {
		tg := ep.conf.Load()
		if !takes(&tg.url, q.command) {
			continue
		}
		res := ep.question(ctx, tg, q)
		d.metrics.questions.WithLabelValues(res.outcome).Inc()
		if res.outcome == sentOK {
			return res.answer, true, nil
		}
		if row.Strict {
			return a, false, im.Errorf(im.CodeWebhook, "the application's back end was asked and gave no answer: %s", res.outcome)
		}
		return a, false, nil
	}
	return a, false, nil
}

// question sends one question, unless the URL fails or is busy with others.
func (ep *endpoint) question(ctx context.Context, tg *target, q question) result {
	ctx, cancel := context.WithTimeout(ctx, ep.d.cfg.Timeout)
	defer cancel()
	r := &request{
		app: q.app, url: tg.url.URL, command: q.command, addr: address(q.by.Addr), device: device(q.by),
		id:    fmt.Sprintf("%d.q%d", ep.d.cfg.Epoch, ep.d.numbers.Add(1)),
		token: tg.row.Token, sign: tg.row.SignBody || tg.row.Durable, body: []byte(encode(q.body)),
	}
	res := ep.askWith(ctx, r)
	line := ep.delivery(r, 1, res)
	line.Question = true
	ep.tenant.log.add(line)
	return res
}

func (ep *endpoint) askWith(ctx context.Context, r *request) result {
	select {
	case ep.asking <- struct{}{}:
		defer func() { <-ep.asking }()
	case <-ctx.Done():
		return result{outcome: sentBusy, detail: "too many questions wait for an answer"}
	}
	ep.mu.Lock()
	allowed := ep.ask.allow(time.Now())
	ep.mu.Unlock()
	if !allowed {
		return result{outcome: sentBreaker, detail: "not asked: questions before it failed"}
	}
	res := send(ctx, ep.client, r)
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if res.outcome == sentOK {
		_ = ep.ask.succeed()
	} else {
		now := time.Now()
		ep.ask.fail(now, now.Add(-res.took))
	}
	return res
}
