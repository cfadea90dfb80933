package friend

import (
	"context"
	"slices"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Delete takes friends off the caller's list, or off both lists. It refuses with
// CodeNotFriend who is on none of them.
func (s *Service) Delete(ctx context.Context, c Caller, ways Ways, users []im.UserID) ([]Result, error) {
	results, err := resultsOf(users)
	if err != nil {
		return nil, err
	}
	return results, s.each(ctx, im.RelationQuery{User: c.User}, results, func(now im.Relations, ch *change, todo []int) {
		for i, n := range todo {
			results[n].Refusal = part(c, ch, &now.Pairs[i], ways)
		}
	})
}

// part ends what there is of a friendship.
func part(c Caller, ch *change, p *im.Pair, ways Ways) *im.Error {
	mine, theirs := p.Has, p.Had && ways == BothWays
	if !mine && !theirs {
		return im.Err(im.CodeNotFriend)
	}
	var pairs []im.Edge
	if mine {
		ch.dropFriend(ch.own, p.User)
		pairs = append(pairs, im.Edge{From: ch.own, To: p.User})
	}
	if theirs {
		ch.dropFriend(p.User, ch.own)
		pairs = append(pairs, im.Edge{From: p.User, To: ch.own})
	}
	ch.did(Done{Deed: DidDelete, Initiator: ch.own, Admin: c.Admin}, pairs...)
	return nil
}

// DeleteAll takes all who are friends now off the caller's list, or off both.
func (s *Service) DeleteAll(ctx context.Context, c Caller, ways Ways) error {
	all, err := s.cfg.Lists.Friends(ctx, c.User)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return s.exists(ctx, c.User)
	}
	for some := range slices.Chunk(all, im.MaxRelationBatch) {
		if _, err := s.Delete(ctx, c, ways, some); err != nil {
			return err
		}
	}
	return nil
}

// exists refuses a user who has no account.
func (s *Service) exists(ctx context.Context, key im.UserKey) error {
	own, err := s.cfg.Store.Relations(ctx, im.RelationQuery{User: key})
	if err == nil && !own.Found {
		err = im.Err(im.CodeFriendNoAccount)
	}
	return err
}

// Gone has an account removed, whose relations go with it, and tells the devices
// of those who had it as friend.
func (s *Service) Gone(ctx context.Context, key im.UserKey, remove func() error) error {
	fans, err := s.cfg.Store.Fans(ctx, key)
	if err != nil {
		return err
	}
	if err := remove(); err != nil {
		return err
	}
	ch := &change{app: key.App, own: key.User}
	for _, fan := range fans {
		ch.Drop = append(ch.Drop, im.Edge{From: fan, To: key.User})
		ch.event(fan, Removed, key.User)
	}
	s.order.settle(s.order.enter(nil, ch.happening), nil)
	s.follow(ctx, ch)
	return nil
}
