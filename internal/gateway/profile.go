package gateway

import (
	"context"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/wire"
)

// maxProfiles is how many users a client asks for at once.
const maxProfiles = 100

// getProfiles answers for those of the users who exist. Nothing can be set yet,
// so every profile has its defaults.
func getProfiles(ctx context.Context, k *call) ([]byte, error) {
	var body wire.ProfileQuery
	if err := wire.DecodeBody(k.req.Body, &body); err != nil {
		return nil, err
	}
	if len(body.Items) == 0 || len(body.Items) > maxProfiles {
		return nil, im.Errorf(im.CodeInvalid, "UserItem must name 1 to %d users", maxProfiles)
	}
	users := make([]im.UserID, 0, len(body.Items))
	for _, item := range body.Items {
		if item.User.Valid() && k.sess.cause() == im.CauseNone { // one that is over is told of nobody
			users = append(users, item.User)
		}
	}
	exist, err := k.c.g.cfg.Accounts.Exist(ctx, k.sess.App, users)
	if err != nil {
		return nil, err
	}
	answer := wire.Profiles{Answer: wire.OK()}
	for i, u := range users {
		if exist[i] {
			answer.Items = append(answer.Items, wire.Profile{User: u, Items: defaultProfile})
		}
	}
	return wire.AppendAnswer(nil, k.req.Head.Command, k.req.Head.Seq, k.now, answer), nil
}

// defaultProfile is what a profile holds in which nothing was set.
var defaultProfile = []wire.ProfileTag{
	{Tag: "Tag_Profile_IM_Gender", Value: "Gender_Type_Unknown"},
	{Tag: "Tag_Profile_IM_AllowType", Value: "AllowType_Type_AllowAny"},
}
