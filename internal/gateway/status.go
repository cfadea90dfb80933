package gateway

import (
	"context"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/wire"
)

// setStatus sets the custom status.
func setStatus(ctx context.Context, k *call) ([]byte, error) {
	var body wire.SetStatus
	if err := wire.DecodeBody(k.req.Body, &body); err != nil {
		return nil, err
	}
	most := k.app.Settings.MaxCustomBytes
	switch {
	case body.Text == nil:
		return nil, im.Errorf(im.CodeInvalid, "CustomStatus is missing")
	case len(*body.Text) > most:
		return nil, im.Errorf(im.CodeInvalid, "a custom status is at most %d bytes of UTF-8", most)
	}
	if err := k.c.g.cfg.Status.SetCustom(ctx, k.sess.UserKey, *body.Text); err != nil {
		return nil, err
	}
	return wire.AppendOK(nil, k.req.Head.Command, k.req.Head.Seq, k.now), nil
}

// getStatus queries others. The status lane is held meanwhile, so that nothing
// newer is written before the answer.
func getStatus(ctx context.Context, k *call) ([]byte, error) {
	users, err := k.targets(k.app.Settings.MaxQuery)
	if err != nil {
		return nil, err
	}
	k.c.out.hold()
	defer k.c.out.release()
	found, failed, err := k.c.g.cfg.Status.StatusFor(ctx, k.sess.UserKey, users)
	if err != nil {
		return nil, err
	}
	k.c.reply(wire.AppendStatuses(nil, k.req.Head.Seq, k.now, found, failed))
	return nil, nil
}

// subscribe puts users on the account's list.
func subscribe(ctx context.Context, k *call) ([]byte, error) {
	set := &k.app.Settings
	users, err := k.targets(set.MaxSubscribe)
	if err != nil {
		return nil, err
	}
	failed, err := k.c.g.cfg.Status.Subscribe(ctx, k.sess.UserKey, users, set.MaxSubscribed)
	if err != nil {
		return nil, err
	}
	return k.answerFailed(failed), nil
}

// unsubscribe takes users off the account's list, or all of them.
func unsubscribe(ctx context.Context, k *call) ([]byte, error) {
	var body wire.Targets
	if err := wire.DecodeBody(k.req.Body, &body); err != nil {
		return nil, err
	}
	engine := k.c.g.cfg.Status
	if body.All == 1 || len(body.Users) == 0 {
		if err := engine.UnsubscribeAll(ctx, k.sess.UserKey); err != nil {
			return nil, err
		}
		return k.answerFailed(nil), nil
	}
	if most := k.app.Settings.MaxUnsubscribe; len(body.Users) > most {
		return nil, im.Errorf(im.CodeInvalid, "at most %d users in one call", most)
	}
	failed, err := engine.Unsubscribe(ctx, k.sess.UserKey, body.Users)
	if err != nil {
		return nil, err
	}
	return k.answerFailed(failed), nil
}

// aboutOneself reports whether a list of users names nobody but the session's
// own.
func (k *call) aboutOneself() bool {
	const most = 4 * im.MaxUserIDBytes // a longer body names more, or is nothing to hurry for
	var body wire.Targets
	if len(k.req.Body) > most || wire.DecodeBody(k.req.Body, &body) != nil {
		return false
	}
	for _, u := range body.Users {
		if u != k.sess.User {
			return false
		}
	}
	return len(body.Users) > 0
}

// targets reads a list of users, at least one and at most so many.
func (k *call) targets(most int) ([]im.UserID, error) {
	var body wire.Targets
	if err := wire.DecodeBody(k.req.Body, &body); err != nil {
		return nil, err
	}
	switch {
	case len(body.Users) == 0:
		return nil, im.Errorf(im.CodeInvalid, "To_Account is missing or empty")
	case len(body.Users) > most:
		return nil, im.Errorf(im.CodeInvalid, "at most %d users in one call", most)
	}
	return body.Users, nil
}

func (k *call) answerFailed(failed []im.Failed) []byte {
	return wire.AppendFailed(nil, k.req.Head.Command, k.req.Head.Seq, k.now, failed)
}
