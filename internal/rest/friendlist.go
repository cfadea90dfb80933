package rest

import (
	"context"
	"slices"
	"strings"

	"github.com/porchlight-im/porchlight/internal/friend"
	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/wire"
)

type checkRelationsRequest struct {
	from
	Users []im.UserID `json:"To_Account" doc:"1 to 1,000 users."`
	Type  string      `json:"CheckType" doc:"CheckResult_Type_Single or _Both; for blocklists BlackCheckResult_Type_Single or _Both."`
}

type checkItem struct {
	User     im.UserID `json:"To_Account" doc:"The user."`
	Relation string    `json:"Relation" doc:"The type's beginning and NoRelation (for blocklists NO), AWithB, BWithA or BothWay."`
	Code     int       `json:"ResultCode" doc:"0, or 30003 for one that does not exist."`
	Info     string    `json:"ResultInfo" doc:"The same in words."`
}

type checkFriendsAnswer struct {
	Items  []checkItem `json:"InfoItem" doc:"One for each user of the request, in its order, repeats left out."`
	Failed []im.UserID `json:"Fail_Account,omitempty" doc:"Those that do not exist."`
}

type checkBlocksAnswer struct {
	Items  []checkItem `json:"BlackListCheckItem" doc:"One for each user of the request, in its order, repeats left out."`
	Failed []im.UserID `json:"Fail_Account,omitempty" doc:"Those that do not exist."`
}

// checkWays reads a CheckType, which a back end has to give.
func checkWays(text, prefix string) (friend.Ways, error) {
	both, ok := wire.CheckBoth(text, prefix)
	return ways(both, ok && text != "", "CheckType")
}

func checkItems(list []friend.Checked, spell func(out, in bool) string) (items []checkItem, failed []im.UserID) {
	for _, c := range list {
		r := wire.ResultOf(c.Result)
		items = append(items, checkItem{c.User, spell(c.Relation.Edges()), r.Code, r.Info})
		if c.Refusal != nil {
			failed = append(failed, c.User)
		}
	}
	return items, failed
}

// checkFriends says who is whose friend. [FR9]
func checkFriends(ctx context.Context, k *call, in *checkRelationsRequest) (answer checkFriendsAnswer, err error) {
	how, err := checkWays(in.Type, wire.FriendCheckPrefix)
	if err != nil {
		return answer, err
	}
	list, err := k.api.cfg.Friends.Check(ctx, k.key(in.From), how, in.Users)
	answer.Items, answer.Failed = checkItems(list, wire.FriendRelation)
	return answer, err
}

// checkBlocks says who blocks whom. [FR17]
func checkBlocks(ctx context.Context, k *call, in *checkRelationsRequest) (answer checkBlocksAnswer, err error) {
	how, err := checkWays(in.Type, wire.BlackCheckPrefix)
	if err != nil {
		return answer, err
	}
	list, err := k.api.cfg.Friends.CheckBlocks(ctx, k.key(in.From), how, in.Users)
	answer.Items, answer.Failed = checkItems(list, wire.BlackRelation)
	return answer, err
}

type getFriendsRequest struct {
	from
	Start    int64 `json:"StartIndex" doc:"0, or the NextStartIndex of the page before."`
	Standard int64 `json:"StandardSequence,omitzero" doc:"Taken and not needed: an answer always has everything."`
	Custom   int64 `json:"CustomSequence,omitzero" doc:"The same."`
}

type getFriendsAnswer struct {
	Items    []friendItem `json:"UserDataItem" doc:"At most 100 friends."`
	Standard int64        `json:"StandardSequence" doc:"Rises with each change of the list."`
	Custom   int64        `json:"CustomSequence" doc:"Rises with each change of an entry."`
	Total    int          `json:"FriendNum" doc:"How many friends there are in all."`
	Complete int          `json:"CompleteFlag" doc:"1 on the last page, else 0."`
	Next     int64        `json:"NextStartIndex" doc:"Where the next page begins, 0 on the last one."`
}

type friendItem struct {
	User im.UserID  `json:"To_Account" doc:"The friend."`
	Tags []fieldOut `json:"ValueItem" doc:"The entry, and the friend's nick."`
}

// getFriends gives a page of a list. [FR11]
func getFriends(ctx context.Context, k *call, in *getFriendsRequest) (answer getFriendsAnswer, err error) {
	page, err := k.api.cfg.Friends.Friends(ctx, k.key(in.From), friendLimits(k.app), in.Start)
	if err != nil {
		return answer, err
	}
	users := make([]im.UserID, len(page.Friends))
	for i := range page.Friends {
		users[i] = page.Friends[i].User
	}
	nicks, err := k.profiles(ctx, users, im.TagNick)
	if err != nil {
		return answer, err
	}
	answer = getFriendsAnswer{Standard: page.Seq, Custom: page.CustomSeq, Total: page.Total, Complete: 1, Next: page.Next}
	if page.Next != 0 {
		answer.Complete = 0
	}
	for i := range page.Friends {
		f := &page.Friends[i]
		tags := append(wire.SnsTags(f), wire.ProfileTags(nicks[f.User])...)
		answer.Items = append(answer.Items, friendItem{f.User, fieldsOut(tags)})
	}
	return answer, nil
}

// profiles gives what the profiles of users say of some tags, all where there
// are none.
func (k *call) profiles(ctx context.Context, users []im.UserID, tags ...string) (map[im.UserID][]im.Field, error) {
	all := make(map[im.UserID][]im.Field, len(users))
	for some := range slices.Chunk(users, im.MaxProfiles) {
		found, err := k.api.cfg.Profiles.Get(ctx, k.app.ID, profileLimits(k.app), some, tags)
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			all[p.User] = p.Fields
		}
	}
	return all, nil
}

type someFriendsRequest struct {
	from
	Users []im.UserID `json:"To_Account" doc:"1 to 1,000 friends; 100 are advised."`
	Tags  []string    `json:"TagList" doc:"The fields of entry and profile to give; all if there are none."`
}

type someFriendsAnswer struct {
	Items  []someFriendsItem `json:"InfoItem" doc:"One for each user of the request, in its order, repeats left out."`
	Failed []im.UserID       `json:"Fail_Account,omitempty" doc:"Those who are no friends."`
}

type someFriendsItem struct {
	User im.UserID  `json:"To_Account" doc:"The friend."`
	Tags []fieldOut `json:"SnsProfileItem" doc:"What the entry and the friend's profile say."`
	Code int        `json:"ResultCode" doc:"0, or 30001 for who is no friend."`
	Info string     `json:"ResultInfo" doc:"The same in words."`
}

// someFriends gives entries of a list by name. [FR11]
func someFriends(ctx context.Context, k *call, in *someFriendsRequest) (answer someFriendsAnswer, err error) {
	list, err := k.api.cfg.Friends.Some(ctx, k.key(in.From), friendLimits(k.app), in.Users)
	if err != nil {
		return answer, err
	}
	var of []string // the profile's
	for _, tag := range in.Tags {
		if strings.HasPrefix(tag, "Tag_Profile_") {
			of = append(of, tag)
		}
	}
	profiles := map[im.UserID][]im.Field{}
	if len(in.Tags) == 0 || len(of) > 0 {
		if profiles, err = k.profiles(ctx, usersOf(list), of...); err != nil {
			return answer, err
		}
	}
	for i := range list {
		f := &list[i]
		if !f.Found {
			answer.Failed = append(answer.Failed, f.User)
			answer.Items = append(answer.Items, someFriendsItem{
				User: f.User, Code: int(im.CodeFriendInvalid), Info: "Err_SNS_FriendGetList_Friend_Not_Exist",
			})
			continue
		}
		tags := append(only(wire.SnsTags(&f.Friend), in.Tags), wire.ProfileTags(profiles[f.User])...)
		answer.Items = append(answer.Items, someFriendsItem{User: f.User, Tags: fieldsOut(tags)})
	}
	return answer, nil
}

func usersOf(list []friend.Listed) []im.UserID {
	users := make([]im.UserID, len(list))
	for i := range list {
		users[i] = list[i].User
	}
	return users
}

// only gives those of the tags that are asked for.
func only(tags []wire.ProfileTag, asked []string) []wire.ProfileTag {
	if len(asked) == 0 {
		return tags
	}
	return slices.DeleteFunc(tags, func(t wire.ProfileTag) bool { return !slices.Contains(asked, t.Tag) })
}

type getGroupsRequest struct {
	from
	Last   int64    `json:"LastSequence,omitzero" doc:"Taken and not needed: an answer always has everything."`
	Need   string   `json:"NeedFriend,omitzero" doc:"Need_Friend_Type_Yes gives the friends in each group."`
	Groups []string `json:"GroupName,omitempty" doc:"The groups to give; all if there are none."`
}

type getGroupsAnswer struct {
	Items []groupItem `json:"ResultItem" doc:"The groups in the order in which they were made."`
	Seq   int64       `json:"CurrentSequence" doc:"Rises with each change of the groups."`
}

type groupItem struct {
	Name  string      `json:"GroupName" doc:"The group."`
	Count int         `json:"FriendNumber" doc:"How many friends are in it."`
	Users []im.UserID `json:"To_Account" doc:"Who they are, where that was asked."`
}

// getGroups gives friend groups. [FR13]
func getGroups(ctx context.Context, k *call, in *getGroupsRequest) (answer getGroupsAnswer, err error) {
	groups, seq, err := k.api.cfg.Friends.Groups(ctx, k.key(in.From))
	if err != nil {
		return answer, err
	}
	answer.Seq = seq
	for _, g := range groups {
		if len(in.Groups) > 0 && !slices.Contains(in.Groups, g.Name) {
			continue
		}
		item := groupItem{Name: g.Name, Count: len(g.Users)}
		if in.Need == "Need_Friend_Type_Yes" {
			item.Users = g.Users
		}
		answer.Items = append(answer.Items, item)
	}
	return answer, nil
}

type getBlocksRequest struct {
	from
	Start int64 `json:"StartIndex" doc:"0, or the StartIndex of the page before."`
	Most  int   `json:"MaxLimited" doc:"Users on a page, at most 1,000."`
	Last  int64 `json:"LastSequence,omitzero" doc:"Taken and not needed: an answer always has everything."`
}

type getBlocksAnswer struct {
	Items []blockItem `json:"BlackListItem" doc:"The users, in the order in which they were blocked."`
	Next  int64       `json:"StartIndex" doc:"Where the next page begins, 0 on the last one."`
	Seq   int64       `json:"CurruentSequence" doc:"Rises with each change of the blocklist; spelled as the original does."`
}

type blockItem struct {
	User im.UserID `json:"To_Account" doc:"Who is blocked."`
	Time int64     `json:"AddBlackTimeStamp" doc:"Since when, Unix seconds."`
}

// getBlocks gives a page of a blocklist. [FR16]
func getBlocks(ctx context.Context, k *call, in *getBlocksRequest) (answer getBlocksAnswer, err error) {
	page, err := k.api.cfg.Friends.Blocks(ctx, k.key(in.From), in.Start, in.Most)
	if err != nil {
		return answer, err
	}
	answer.Next, answer.Seq = page.Next, page.Seq
	for _, b := range page.Entries {
		answer.Items = append(answer.Items, blockItem{b.User, b.Added})
	}
	return answer, nil
}
