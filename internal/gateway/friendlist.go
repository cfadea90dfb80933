package gateway

import (
	"context"
	"slices"

	"github.com/porchlight-im/porchlight/internal/friend"
	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/wire"
)

// getFriends gives a page of the user's list. The client asks for the profiles
// itself.
func getFriends(ctx context.Context, k *call) ([]byte, error) {
	body, err := ask(k, func(b *wire.FriendPage) im.UserID { return b.From.From })
	if err != nil {
		return nil, err
	}
	answer := wire.Friends{Answer: wire.OK(), CompleteFlag: 1}
	if k.over() {
		return k.answer(answer), nil
	}
	page, err := k.friends().Friends(ctx, k.sess.UserKey, friendLimits(k.app), body.Start)
	if err != nil {
		return nil, err
	}
	if page.Next != 0 {
		answer.CompleteFlag, answer.NextStartIndex = 0, page.Next
	}
	answer.FriendNum, answer.StandardSequence, answer.CustomSequence = page.Total, page.Seq, page.CustomSeq
	answer.Items = make([]wire.FriendItem, len(page.Friends))
	for i := range page.Friends {
		f := &page.Friends[i]
		answer.Items[i] = wire.FriendItem{User: f.User, Tags: wire.SnsTags(f)}
	}
	return k.answer(answer), nil
}

// getSomeFriends gives entries by name, with what the friends' profiles say.
func getSomeFriends(ctx context.Context, k *call) ([]byte, error) {
	body, err := users(k)
	if err != nil {
		return nil, err
	}
	list, err := k.friends().Some(ctx, k.sess.UserKey, friendLimits(k.app), body.Users)
	if err != nil {
		return nil, err
	}
	ids := make([]im.UserID, len(list))
	for i := range list {
		ids[i] = list[i].User
	}
	profiles, err := k.profiles(ctx, ids)
	if err != nil {
		return nil, err
	}
	answer := wire.FriendInfos{Answer: wire.OK()}
	for i := range list {
		f := &list[i]
		info := wire.FriendInfo{ResultItem: wire.ResultItem{User: f.User}}
		if f.Found {
			info.Tags = append(wire.SnsTags(&f.Friend), wire.ProfileTags(profiles[f.User])...)
		} else {
			info.ResultItem = wire.ResultOf(im.Result{User: f.User, Refusal: notListed})
			answer.Failed = append(answer.Failed, f.User)
		}
		answer.Items = append(answer.Items, info)
	}
	return k.answer(answer), nil
}

var notListed = im.Errorf(im.CodeFriendInvalid, "Err_SNS_FriendGetList_Friend_Not_Exist")

// profiles gives what the profiles of users say, those of all who exist.
func (k *call) profiles(ctx context.Context, users []im.UserID, tags ...string) (map[im.UserID][]im.Field, error) {
	all := make(map[im.UserID][]im.Field, len(users))
	for some := range slices.Chunk(users, im.MaxProfiles) {
		found, err := k.c.g.cfg.Profiles.Get(ctx, k.sess.App, profileLimits(k.app), some, tags)
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			all[p.User] = p.Fields
		}
	}
	return all, nil
}

// getFriendGroups gives the user's groups with who is in them.
func getFriendGroups(ctx context.Context, k *call) ([]byte, error) {
	body, err := groupNames(k)
	if err != nil {
		return nil, err
	}
	answer := wire.FriendGroups{Answer: wire.OK()}
	if k.over() {
		return k.answer(answer), nil
	}
	groups, seq, err := k.friends().Groups(ctx, k.sess.UserKey)
	if err != nil {
		return nil, err
	}
	answer.CurrentSequence = seq
	for _, g := range groups {
		if len(body.Groups) == 0 || slices.Contains(body.Groups, g.Name) {
			answer.Items = append(answer.Items, wire.FriendGroupItem{Name: g.Name, Count: len(g.Users), Users: g.Users})
		}
	}
	return k.answer(answer), nil
}

// getApplications gives the user's applications, all of them on one page.
func getApplications(ctx context.Context, k *call) ([]byte, error) {
	body, err := ask(k, func(b *wire.PendencyQuery) im.UserID { return b.From.From })
	if err != nil {
		return nil, err
	}
	which, err := direction(body.Which)
	if err != nil {
		return nil, err
	}
	answer := wire.Pendencies{Answer: wire.OK()}
	if k.over() {
		return k.answer(answer), nil
	}
	box, err := k.friends().Applications(ctx, k.sess.UserKey, which)
	if err != nil {
		return nil, err
	}
	peers := make([]im.UserID, len(box.Applications))
	for i, a := range box.Applications {
		peers[i] = a.Peer
	}
	profiles, err := k.profiles(ctx, peers, im.TagNick, im.TagImage)
	if err != nil {
		return nil, err
	}
	answer.CurrentSequence, answer.Unread = box.Seq, box.Unread
	for _, a := range box.Applications {
		answer.Items = append(answer.Items, wire.Pendency(a, textOf(profiles[a.Peer], im.TagNick), textOf(profiles[a.Peer], im.TagImage)))
	}
	return k.answer(answer), nil
}

// textOf gives the text of a tag, "" where it is not there.
func textOf(fields []im.Field, tag string) string {
	for _, f := range fields {
		if f.Tag == tag {
			text, _ := f.Value.(string)
			return text
		}
	}
	return ""
}

// getBlacklist gives a page of the user's blocklist.
func getBlacklist(ctx context.Context, k *call) ([]byte, error) {
	body, err := ask(k, func(b *wire.BlacklistQuery) im.UserID { return b.From.From })
	if err != nil {
		return nil, err
	}
	answer := wire.Blacklist{Answer: wire.OK()}
	if k.over() {
		return k.answer(answer), nil
	}
	page, err := k.friends().Blocks(ctx, k.sess.UserKey, body.Start, body.Most)
	if err != nil {
		return nil, err
	}
	answer.StartIndex, answer.Sequence = page.Next, page.Seq
	for _, b := range page.Entries {
		answer.Items = append(answer.Items, wire.BlacklistItem{User: b.User, Time: b.Added})
	}
	return k.answer(answer), nil
}

// TellFriend tells a user's devices what happened to the user's relations. It
// never blocks.
func (g *Gateway) TellFriend(e friend.Event) {
	outs := g.cfg.Status.Outboxes(e.To)
	if len(outs) == 0 {
		return
	}
	push := friendPush(&e)
	for _, o := range outs {
		o.(*conn).out.post(push) // all outboxes are ours
	}
	g.metrics.told.WithLabelValues("friend").Add(float64(len(outs)))
}

// friendPush encodes an event.
func friendPush(e *friend.Event) []byte {
	switch e.Kind {
	case friend.Added:
		return wire.AppendFriendsAdded(nil, e.Users)
	case friend.Removed:
		return wire.AppendFriendsDeleted(nil, e.Users)
	case friend.Updated:
		list := make([]wire.UpdatedFriend, len(e.Entries))
		for i, c := range e.Entries {
			list[i] = wire.UpdatedFriend{User: c.User, Tags: wire.UpdatedTags(c.Remark, c.Groups, c.Custom)}
		}
		return wire.AppendFriendsUpdated(nil, list)
	case friend.Applied:
		return wire.AppendApplied(nil, e.To.User, e.Application.FriendApplication, e.Application.Nick, e.Application.Image)
	case friend.Withdrawn:
		return wire.AppendApplicationsGone(nil, e.Users)
	case friend.Seen:
		return wire.AppendApplicationsSeen(nil, e.At)
	case friend.Blocked:
		return wire.AppendBlocked(nil, e.Users)
	default:
		return wire.AppendUnblocked(nil, e.Users)
	}
}
