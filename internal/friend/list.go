package friend

import (
	"context"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Page is one page of a list of friends.
type Page struct {
	Friends   []im.Friend
	Next      int64 // where the next page begins, 0 at the end
	Total     int
	Seq       int64 // rises with each change of the list
	CustomSeq int64 // rises with each change of an entry
}

// Friends gives a page of a user's list, from a place that an earlier page gave,
// 0 for the beginning. What comes to the list meanwhile is at its end; nothing
// that stays is left out.
func (s *Service) Friends(ctx context.Context, key im.UserKey, lim Limits, from int64) (Page, error) {
	own, entries, err := s.cfg.Lists.FriendPage(ctx, key, from, im.FriendPage+1)
	switch {
	case err != nil:
		return Page{}, err
	case !own.Found:
		return Page{}, im.Err(im.CodeFriendNoAccount)
	}
	p := Page{Total: own.Friends, Seq: own.FriendSeq, CustomSeq: own.CustomSeq}
	if len(entries) > im.FriendPage {
		entries = entries[:im.FriendPage]
		p.Next = entries[im.FriendPage-1].Position
	}
	p.Friends = make([]im.Friend, len(entries))
	for i, e := range entries {
		p.Friends[i] = dress(e, own.Groups, lim.Fields)
	}
	return p, nil
}

// Listed is a friend who was asked for by name. Found is false where the user is
// not on the list.
type Listed struct {
	im.Friend
	Found bool
}

// Some gives the entries for some users, in their order.
func (s *Service) Some(ctx context.Context, key im.UserKey, lim Limits, users []im.UserID) ([]Listed, error) {
	users, err := names(users)
	if err != nil {
		return nil, err
	}
	now, err := s.cfg.Store.Relations(ctx, im.RelationQuery{User: key, Others: users, Entries: true, Groups: true})
	switch {
	case err != nil:
		return nil, err
	case !now.Found:
		return nil, im.Err(im.CodeFriendNoAccount)
	}
	list := make([]Listed, len(now.Pairs))
	for i, p := range now.Pairs {
		list[i].User = p.User
		if p.Entry != nil {
			list[i] = Listed{dress(*p.Entry, now.Groups, lim.Fields), true}
		}
	}
	return list, nil
}

func dress(e im.FriendEntry, groups []im.FriendGroup, fields im.Fields) im.Friend {
	return im.Friend{FriendEntry: e, GroupNames: groupNames(groups, e.Groups), Fields: customFields(fields, e.Custom)}
}
