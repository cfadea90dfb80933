package friend

import (
	"context"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Relation is what there is between a user, A, and another, B.
type Relation uint8

// The relations.
const (
	Nothing Relation = iota
	AWithB           // from A to B
	BWithA
	Mutual
)

// Edges says whether there is something from A to B, and from B to A.
func (r Relation) Edges() (out, in bool) {
	return r == AWithB || r == Mutual, r == BWithA || r == Mutual
}

// Checked is what was found about one user.
type Checked struct {
	Result
	Relation Relation
}

// Check says who is on whose list of friends. One way it asks for the caller's
// list alone, and so tells Nothing and AWithB apart and no more.
func (s *Service) Check(ctx context.Context, key im.UserKey, ways Ways, users []im.UserID) ([]Checked, error) {
	return s.check(ctx, key, ways, users, func(p *im.Pair) (bool, bool) { return p.Has, p.Had })
}

// CheckBlocks is Check for blocklists.
func (s *Service) CheckBlocks(ctx context.Context, key im.UserKey, ways Ways, users []im.UserID) ([]Checked, error) {
	return s.check(ctx, key, ways, users, func(p *im.Pair) (bool, bool) { return p.Blocks, p.Blocked })
}

func (s *Service) check(
	ctx context.Context, key im.UserKey, ways Ways, users []im.UserID, edges func(*im.Pair) (out, in bool),
) ([]Checked, error) {
	users, err := names(users)
	if err != nil {
		return nil, err
	}
	now, err := s.cfg.Store.Relations(ctx, im.RelationQuery{User: key, Others: users})
	switch {
	case err != nil:
		return nil, err
	case !now.Found:
		return nil, im.Err(im.CodeFriendNoAccount)
	}
	list := make([]Checked, len(now.Pairs))
	for i := range now.Pairs {
		p := &now.Pairs[i]
		out, in := edges(p)
		list[i].User = p.User
		switch in = in && ways == BothWays; {
		case !p.Found:
			list[i].Refusal = im.Err(im.CodeFriendNoAccount)
		case out && in:
			list[i].Relation = Mutual
		case out:
			list[i].Relation = AWithB
		case in:
			list[i].Relation = BWithA
		}
	}
	return list, nil
}
