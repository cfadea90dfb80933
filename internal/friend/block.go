package friend

import (
	"context"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Block puts users on the caller's blocklist. That ends the friendship on both
// lists, unless the application keeps it, and all applications between the two.
// Who is there already is refused, as is one too many.
func (s *Service) Block(ctx context.Context, c Caller, lim Limits, users []im.UserID) ([]Result, error) {
	results, err := resultsOf(users)
	if err != nil {
		return nil, err
	}
	for i := range results {
		switch u := results[i].User; {
		case u == c.User.User:
			results[i].Refusal = im.Errorf(im.CodeFriendInvalid, "nobody can block themself")
		case !u.Valid():
			results[i].Refusal = im.Err(im.CodeFriendNoAccount)
		}
	}
	b := blocker{Caller: c, lim: lim, at: s.now()}
	return results, s.each(ctx, im.RelationQuery{User: c.User}, results, func(now im.Relations, ch *change, todo []int) {
		b.ch, b.count = ch, now.Blocked
		for i, n := range todo {
			results[n].Refusal = b.block(&now.Pairs[i])
		}
	})
}

// blocker decides whom a user blocks.
type blocker struct {
	Caller
	lim   Limits
	at    int64
	ch    *change
	count int // users on the blocklist, with those who are being put there
}

// block decides about one.
func (b *blocker) block(p *im.Pair) *im.Error {
	ch := b.ch
	switch {
	case !p.Found:
		return im.Err(im.CodeFriendNoAccount)
	case p.Blocks:
		return im.Errorf(im.CodeFriendInvalid, "on the blocklist already")
	case b.count >= b.lim.Blocked:
		return im.Err(im.CodeBlocklistFull)
	}
	b.count++
	if !b.lim.KeepFriends {
		_ = part(b.Caller, ch, p, BothWays) // who was no friend is none
	}
	ch.settleApplications(p)
	ch.Block = append(ch.Block, im.OwnedBlock{Owner: ch.own, BlockEntry: im.BlockEntry{User: p.User, Added: b.at}})
	ch.event(ch.own, Blocked, p.User)
	ch.did(Done{Deed: DidBlock, Initiator: ch.own, Admin: b.Admin}, im.Edge{From: ch.own, To: p.User})
	return nil
}

// Unblock takes users off the caller's blocklist. Who is not there is no error.
func (s *Service) Unblock(ctx context.Context, c Caller, users []im.UserID) ([]Result, error) {
	results, err := resultsOf(users)
	if err != nil {
		return nil, err
	}
	return results, s.each(ctx, im.RelationQuery{User: c.User}, results, func(now im.Relations, ch *change, todo []int) {
		for i := range todo {
			p := &now.Pairs[i]
			if !p.Blocks {
				continue
			}
			ch.Unblock = append(ch.Unblock, im.Edge{From: ch.own, To: p.User})
			ch.event(ch.own, Unblocked, p.User)
			ch.did(Done{Deed: DidUnblock, Initiator: ch.own, Admin: c.Admin}, im.Edge{From: ch.own, To: p.User})
		}
	})
}

// BlockPage is one page of a blocklist.
type BlockPage struct {
	Entries []im.BlockEntry
	Next    int64 // where the next page begins, 0 at the end
	Seq     int64
}

// Blocks gives a page of a user's blocklist, at most so many from a place that
// an earlier page gave, 0 for the beginning.
func (s *Service) Blocks(ctx context.Context, key im.UserKey, from int64, most int) (BlockPage, error) {
	if most <= 0 || most > im.MaxBlocked {
		most = im.MaxBlocked
	}
	own, page, err := s.cfg.Lists.Blocks(ctx, key, from, most+1)
	switch {
	case err != nil:
		return BlockPage{}, err
	case !own.Found:
		return BlockPage{}, im.Err(im.CodeFriendNoAccount)
	}
	p := BlockPage{Entries: page, Seq: own.BlockSeq}
	if len(page) > most {
		p.Entries, p.Next = page[:most], page[most-1].Position
	}
	return p, nil
}
