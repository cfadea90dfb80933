package rest

import (
	"context"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/porchlight-im/porchlight/internal/app"
	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/profile"
	"github.com/porchlight-im/porchlight/internal/wire"
)

// fieldIn is a field that a back end sets; fieldOut is one that it is told.
type (
	fieldIn struct {
		Tag   string         `json:"Tag" doc:"The field."`
		Value jsontext.Value `json:"Value" doc:"A text, a number, or for groups a list of texts."`
	}
	fieldOut struct {
		Tag   string `json:"Tag" doc:"The field."`
		Value any    `json:"Value" doc:"A text, a number, or for groups a list of texts."`
	}
)

func fieldsIn(list []fieldIn) []wire.TagValue {
	values := make([]wire.TagValue, len(list))
	for i, f := range list {
		values[i] = wire.TagValue(f)
	}
	return values
}

func fieldsOut(tags []wire.ProfileTag) []fieldOut {
	fields := make([]fieldOut, len(tags))
	for i, t := range tags {
		fields[i] = fieldOut(t)
	}
	return fields
}

// profileLimits gives an application's settings about profiles.
func profileLimits(a *app.App) profile.Limits {
	s := &a.Settings
	return profile.Limits{Allow: s.AllowType.Value(), Fields: s.ProfileFields, Owner: s.OwnRank, Bytes: s.MaxFieldBytes}
}

type setProfileRequest struct {
	From  im.UserID `json:"From_Account" doc:"Whose profile."`
	Items []fieldIn `json:"ProfileItem" doc:"The fields to set, all or none."`
}

// setProfile sets fields of a user's profile. [PR3]
func setProfile(ctx context.Context, k *call, in *setProfileRequest) (none nothing, err error) {
	if in.From == "" {
		return none, im.Err(im.CodeProfileNobody)
	}
	caller := profile.Caller{User: k.key(in.From), Admin: k.admin}
	return none, k.api.cfg.Profiles.Set(ctx, caller, profileLimits(k.app), wire.Fields(fieldsIn(in.Items)))
}

type getProfilesRequest struct {
	Users []im.UserID `json:"To_Account" doc:"1 to 100 accounts."`
	Tags  []string    `json:"TagList" doc:"The fields to give; all if there are none."`
}

type getProfilesAnswer struct {
	Items  []profileItem `json:"UserProfileItem" doc:"One for each account of the request, in its order."`
	Failed []im.UserID   `json:"Fail_Account,omitempty" doc:"Those that do not exist."`
}

type profileItem struct {
	User  im.UserID  `json:"To_Account" doc:"The account."`
	Items []fieldOut `json:"ProfileItem" doc:"Its fields; what was never set is left out, but for the gender and who may add the user."`
	Code  im.Code    `json:"ResultCode" doc:"0, or 40003 for one that does not exist."`
	Info  string     `json:"ResultInfo" doc:"The same in words."`
}

// getProfiles gives profiles. If nobody of the list exists, the call fails, and
// says so of each. [PR5]
func getProfiles(ctx context.Context, k *call, in *getProfilesRequest) (answer getProfilesAnswer, err error) {
	found, err := k.api.cfg.Profiles.Get(ctx, k.app.ID, profileLimits(k.app), in.Users, in.Tags)
	if err != nil {
		return answer, err
	}
	missing := im.Err(im.CodeProfileNoAccount)
	for _, p := range found {
		item := profileItem{User: p.User, Items: fieldsOut(wire.ProfileTags(p.Fields))}
		if !p.Found {
			item.Code, item.Info = missing.Code, missing.Text
			answer.Failed = append(answer.Failed, p.User)
		}
		answer.Items = append(answer.Items, item)
	}
	if len(answer.Failed) == len(answer.Items) {
		return answer, partly{missing}
	}
	return answer, nil
}
