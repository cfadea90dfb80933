package gateway

import (
	"context"

	"github.com/porchlight-im/porchlight/internal/app"
	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/profile"
	"github.com/porchlight-im/porchlight/internal/wire"
)

// profileLimits gives an application's settings about profiles.
func profileLimits(a *app.App) profile.Limits {
	s := &a.Settings
	return profile.Limits{Allow: s.AllowType.Value(), Fields: s.ProfileFields, Owner: s.OwnRank, Bytes: s.MaxFieldBytes}
}

// getProfiles answers for those of the users who exist.
func getProfiles(ctx context.Context, k *call) ([]byte, error) {
	body, err := decode[wire.ProfileQuery](k)
	if err != nil {
		return nil, err
	}
	users := make([]im.UserID, len(body.Items))
	for i, item := range body.Items {
		users[i] = item.User
	}
	answer := wire.Profiles{Answer: wire.OK()}
	if k.over() { // which is told of nobody
		return k.answer(answer), nil
	}
	found, err := k.c.g.cfg.Profiles.Get(ctx, k.sess.App, profileLimits(k.app), users, nil)
	if err != nil {
		return nil, err
	}
	for _, p := range found {
		if p.Found {
			answer.Items = append(answer.Items, wire.Profile{User: p.User, Items: wire.ProfileTags(p.Fields)})
		}
	}
	return k.answer(answer), nil
}

// setProfile sets fields of the user's own profile.
func setProfile(ctx context.Context, k *call) ([]byte, error) {
	body, err := decode[wire.ProfileSet](k)
	if err != nil {
		return nil, err
	}
	if body.From != "" && body.From != k.sess.User {
		return nil, im.Errorf(im.CodeProfileInvalid, "From_Account must be the user who is logged in")
	}
	caller := profile.Caller{User: k.sess.UserKey}
	if err := k.c.g.cfg.Profiles.Set(ctx, caller, profileLimits(k.app), wire.Fields(body.Items)); err != nil {
		return nil, err
	}
	return k.ok(), nil
}

// TellProfile tells users' devices of a change of somebody's profile, encoded
// once for all of them.
func (g *Gateway) TellProfile(c profile.Change, to []im.UserID) {
	var push []byte
	told := g.metrics.told.WithLabelValues("profile")
	for _, u := range to {
		for _, o := range g.cfg.Status.Outboxes(im.UserKey{App: c.User.App, User: u}) {
			if push == nil {
				push = wire.AppendProfilePush(nil, c.User.User, c.Fields)
			}
			o.(*conn).out.post(push) // all outboxes are ours
			told.Inc()
		}
	}
}
