package rest

import (
	"context"
	"strings"

	"github.com/porchlight-im/porchlight/internal/app"
	"github.com/porchlight-im/porchlight/internal/friend"
	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/wire"
)

// friendLimits gives an application's settings about relations.
func friendLimits(a *app.App) friend.Limits {
	s := &a.Settings
	return friend.Limits{
		Friends: s.MaxFriends, Applications: s.MaxApplications, Blocked: s.MaxBlocked, Groups: s.MaxFriendGroups,
		Allow: s.AllowType.Value(), KeepFriends: s.KeepFriends, Fields: s.FriendFields,
		GroupBytes: s.MaxGroupBytes, RemarkBytes: s.MaxRemarkBytes, WordingBytes: s.MaxWordingBytes, FieldBytes: s.MaxFieldBytes,
	}
}

// from names whose relations a call is about.
type from struct {
	From im.UserID `json:"From_Account" doc:"Whose lists."`
}

// caller gives the administrator who acts for a user.
func (k *call) caller(f from) friend.Caller {
	return friend.Caller{User: k.key(f.From), Admin: k.admin}
}

// resultsAnswer says what became of each user.
type resultsAnswer struct {
	Items  []resultItem `json:"ResultItem" doc:"One for each user of the request, in its order, repeats left out."`
	Failed []im.UserID  `json:"Fail_Account,omitempty" doc:"Those for whom it was not done."`
}

type resultItem struct {
	User im.UserID `json:"To_Account" doc:"The user."`
	Code int       `json:"ResultCode" doc:"0, or why it was not done."`
	Info string    `json:"ResultInfo" doc:"The same in words."`
}

// resultsOf gives results as callers are told of them.
func resultsOf(results []im.Result, err error) (answer resultsAnswer, _ error) {
	if err != nil {
		return answer, err
	}
	items, failed := wire.ResultItems(results)
	for _, item := range items {
		answer.Items = append(answer.Items, resultItem(item))
	}
	answer.Failed = failed
	return answer, nil
}

// ways turns what was read of a type into the rules' word.
func ways(both, ok bool, what string) (friend.Ways, error) {
	switch {
	case !ok:
		return 0, im.Errorf(im.CodeFriendInvalid, "%s is none of the known ones", what)
	case both:
		return friend.BothWays, nil
	default:
		return friend.OneWay, nil
	}
}

type addFriendsRequest struct {
	from
	Items []addFriendItem `json:"AddFriendItem" doc:"1 to 1,000 friends."`
	Type  string          `json:"AddType,omitzero" doc:"Add_Type_Both, which is the default, or Add_Type_Single."`
	Force int             `json:"ForceAddFlags,omitzero" doc:"1 asks nobody: AllowType does not count."`
}

type addFriendItem struct {
	User    im.UserID `json:"To_Account" doc:"The friend."`
	Remark  string    `json:"Remark,omitzero" doc:"What the user calls the friend."`
	Group   string    `json:"GroupName,omitzero" doc:"The user's group for the friend; made where it is missing."`
	Source  string    `json:"AddSource" doc:"AddSource_Type_ and 1 to 8 letters."`
	Wording string    `json:"AddWording,omitzero" doc:"The words of the application."`
}

func (a *addFriendItem) adding() friend.Adding {
	return friend.Adding{User: a.User, Remark: a.Remark, Group: a.Group, Source: wire.Source(a.Source), Wording: a.Wording}
}

// addFriends adds friends. [FR1]
func addFriends(ctx context.Context, k *call, in *addFriendsRequest) (resultsAnswer, error) {
	both, ok := wire.AddBoth(in.Type)
	how, err := ways(both, ok, "AddType")
	if err != nil {
		return resultsAnswer{}, err
	}
	if in.Force == 1 && how == friend.BothWays {
		how = friend.Forced
	}
	items := make([]friend.Adding, len(in.Items))
	for i := range in.Items {
		items[i] = in.Items[i].adding()
	}
	return resultsOf(k.api.cfg.Friends.Add(ctx, k.caller(in.from), friendLimits(k.app), how, items))
}

type importFriendsRequest struct {
	from
	Items []importFriendItem `json:"AddFriendItem" doc:"1 to 1,000 friends."`
}

type importFriendItem struct {
	User    im.UserID `json:"To_Account" doc:"The friend."`
	Remark  string    `json:"Remark,omitzero" doc:"What the user calls the friend."`
	Groups  []string  `json:"GroupName,omitempty" doc:"The user's groups for the friend; made where they are missing."`
	Source  string    `json:"AddSource" doc:"AddSource_Type_ and 1 to 8 letters."`
	Wording string    `json:"AddWording,omitzero" doc:"The words of the application."`
	Time    int64     `json:"AddTime,omitzero" doc:"When they became friends, Unix seconds; now if it is left out."`
	Custom  []fieldIn `json:"CustomItem,omitempty" doc:"Custom fields: Tag_SNS_Custom_ and a declared name."`
}

// importFriends puts friends on one list, asking nobody. [FR6]
func importFriends(ctx context.Context, k *call, in *importFriendsRequest) (resultsAnswer, error) {
	items := make([]friend.Importing, len(in.Items))
	for i := range in.Items {
		m := &in.Items[i]
		items[i] = friend.Importing{
			Adding: friend.Adding{User: m.User, Remark: m.Remark, Source: wire.Source(m.Source), Wording: m.Wording},
			Groups: m.Groups, Added: m.Time,
		}
		if len(m.Custom) == 0 {
			continue
		}
		u, wrong := wire.ReadUpdate(fieldsIn(m.Custom))
		if wrong == nil && (u.Remark != nil || u.Groups != nil) {
			wrong = im.Errorf(im.CodeFriendInvalid, "CustomItem holds custom fields alone")
		}
		items[i].Custom, items[i].Wrong = u.Custom, wrong
	}
	return resultsOf(k.api.cfg.Friends.Import(ctx, k.caller(in.from), friendLimits(k.app), items))
}

type updateFriendsRequest struct {
	from
	Items []updateFriendItem `json:"UpdateItem" doc:"1 to 1,000 friends."`
}

type updateFriendItem struct {
	User im.UserID `json:"To_Account" doc:"The friend."`
	Tags []fieldIn `json:"SnsItem" doc:"Tag_SNS_IM_Remark, Tag_SNS_IM_Group (all groups) and declared Tag_SNS_Custom_ fields."`
}

// updateFriends changes entries of a list. [FR10]
func updateFriends(ctx context.Context, k *call, in *updateFriendsRequest) (resultsAnswer, error) {
	items := make([]friend.Updating, len(in.Items))
	for i, item := range in.Items {
		u, wrong := wire.ReadUpdate(fieldsIn(item.Tags))
		items[i] = friend.Updating{User: item.User, Remark: u.Remark, Groups: u.Groups, Custom: u.Custom, Wrong: wrong}
	}
	return resultsOf(k.api.cfg.Friends.Update(ctx, k.caller(in.from), friendLimits(k.app), items))
}

type deleteFriendsRequest struct {
	from
	Users []im.UserID `json:"To_Account" doc:"1 to 1,000 friends."`
	Type  string      `json:"DeleteType,omitzero" doc:"Delete_Type_Single, which is the default, or Delete_Type_Both."`
}

// deleteFriends takes friends off one list or both. [FR8]
func deleteFriends(ctx context.Context, k *call, in *deleteFriendsRequest) (resultsAnswer, error) {
	both, ok := wire.DeleteBoth(in.Type, false)
	how, err := ways(both, ok, "DeleteType")
	if err != nil {
		return resultsAnswer{}, err
	}
	return resultsOf(k.api.cfg.Friends.Delete(ctx, k.caller(in.from), how, in.Users))
}

type deleteAllRequest struct {
	from
	Type string `json:"DeleteType,omitzero" doc:"Delete_Type_Single, which is the default, or Delete_Type_Both."`
}

// deleteAllFriends empties a list. [FR8]
func deleteAllFriends(ctx context.Context, k *call, in *deleteAllRequest) (none nothing, err error) {
	both, ok := wire.DeleteBoth(in.Type, false)
	how, err := ways(both, ok, "DeleteType")
	if err != nil {
		return none, err
	}
	return none, k.api.cfg.Friends.DeleteAll(ctx, k.caller(in.from), how)
}

type usersRequest struct {
	from
	Users []im.UserID `json:"To_Account" doc:"1 to 1,000 users."`
}

// block puts users on a blocklist. [FR15]
func block(ctx context.Context, k *call, in *usersRequest) (resultsAnswer, error) {
	results, err := k.api.cfg.Friends.Block(ctx, k.caller(in.from), friendLimits(k.app), in.Users)
	for i, r := range results { // as the original words it
		if r.Refusal != nil && strings.HasSuffix(r.Refusal.Text, "already") {
			results[i].Refusal = im.Errorf(r.Refusal.Code, "Err_SNS_BlackListAdd_Already_Exist")
		}
	}
	return resultsOf(results, err)
}

// unblock takes users off a blocklist. [FR16]
func unblock(ctx context.Context, k *call, in *usersRequest) (resultsAnswer, error) {
	return resultsOf(k.api.cfg.Friends.Unblock(ctx, k.caller(in.from), in.Users))
}

type makeGroupsRequest struct {
	from
	Groups []string    `json:"GroupName" doc:"The groups; who is there already stays."`
	Users  []im.UserID `json:"To_Account,omitempty" doc:"Friends to put into each of them."`
}

type makeGroupsAnswer struct {
	resultsAnswer
	Seq int64 `json:"CurrentSequence" doc:"Rises with each change of the groups."`
}

// makeGroups makes friend groups. [FR12]
func makeGroups(ctx context.Context, k *call, in *makeGroupsRequest) (makeGroupsAnswer, error) {
	results, seq, err := k.api.cfg.Friends.MakeGroups(ctx, k.caller(in.from), friendLimits(k.app), in.Groups, in.Users)
	answer, err := resultsOf(results, err)
	return makeGroupsAnswer{answer, seq}, err
}

type dropGroupsRequest struct {
	from
	Groups []string `json:"GroupName" doc:"The groups; their friends stay friends."`
}

type dropGroupsAnswer struct {
	Seq int64 `json:"CurrentSequence" doc:"Rises with each change of the groups."`
}

// dropGroups removes friend groups. [FR12]
func dropGroups(ctx context.Context, k *call, in *dropGroupsRequest) (dropGroupsAnswer, error) {
	seq, err := k.api.cfg.Friends.DropGroups(ctx, k.caller(in.from), in.Groups)
	return dropGroupsAnswer{seq}, err
}
