package friend

import (
	"context"
	"slices"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Action is an answer to an application.
type Action uint8

// The actions.
const (
	Reject      Action = iota
	Agree              // the applicant gets the user as friend
	AgreeAndAdd        // both get each other
)

// Answer is a user's answer to one application.
type Answer struct {
	User   im.UserID // the applicant
	Action Action
	Remark string // what the user calls the applicant
	Group  string // the user's group for the applicant, "" for none
}

// Respond answers applications. It refuses with CodeNoApplication where there is
// none.
func (s *Service) Respond(ctx context.Context, c Caller, lim Limits, items []Answer) ([]Result, error) {
	items, err := once(items, func(a *Answer) im.UserID { return a.User })
	if err != nil {
		return nil, err
	}
	refused := s.before(ctx, c, Ask{Answers: items}, len(items))
	results := make([]Result, len(items))
	for i := range items {
		a := &items[i]
		results[i].User = a.User
		switch {
		case len(a.Remark) > lim.RemarkBytes:
			results[i].Refusal = tooLong("a remark", lim.RemarkBytes)
		case len(a.Group) > lim.GroupBytes:
			results[i].Refusal = tooLong("the name of a friend group", lim.GroupBytes)
		default:
			results[i].Refusal = refused[i]
		}
	}
	at := s.now()
	q := im.RelationQuery{
		User: c.User, Applications: true,
		Groups: slices.ContainsFunc(items, func(a Answer) bool { return a.Group != "" }),
	}
	return results, s.each(ctx, q, results, func(now im.Relations, ch *change, todo []int) {
		a := adder{Caller: c, lim: lim, at: at}
		a.begin(now, ch)
		for i, n := range todo {
			results[n].Refusal = a.respond(&now.Pairs[i], &items[n])
		}
	})
}

// respond decides about one answer.
func (a *adder) respond(p *im.Pair, answer *Answer) *im.Error {
	if p.Application == nil {
		return im.Err(im.CodeNoApplication)
	}
	if answer.Action == Reject {
		a.ch.withdraw(a.User.User, p.User, false)
		if p.AppliedBack {
			a.ch.withdraw(p.User, a.User.User, true)
		}
		return nil
	}
	gains, gives := answer.missing(p)
	switch {
	case !p.Found:
		return im.Err(im.CodeFriendNoAccount)
	case gains && a.mine >= a.lim.Friends:
		return im.Err(im.CodeFriendsFull)
	case gives && p.Friends >= a.lim.Friends:
		return im.Err(im.CodePeerFriendsFull)
	}
	group, refusal := a.book.find(answer.Group)
	if refusal != nil {
		return refusal
	}
	a.accept(p, answer, group)
	return nil
}

// missing says which entries the answer would make: the user's, the applicant's.
func (a *Answer) missing(p *im.Pair) (mine, theirs bool) {
	return a.Action == AgreeAndAdd && !p.Has, !p.Had
}

// accept makes the entries that follow from an application.
func (a *adder) accept(p *im.Pair, answer *Answer, group []int64) {
	gains, gives := answer.missing(p)
	own, asked := a.User.User, p.Application
	var pairs []im.Edge
	if gives {
		var theirs []int64
		if asked.Group != 0 {
			theirs = []int64{asked.Group}
		}
		a.ch.addFriend(p.User, im.FriendEntry{
			User: own, Added: a.at, Remark: asked.Remark, Source: asked.Source, Wording: asked.Wording, Groups: theirs,
		})
		pairs = append(pairs, im.Edge{From: p.User, To: own})
	}
	if gains {
		a.mine++
		a.ch.addFriend(own, im.FriendEntry{
			User: p.User, Added: a.at, Remark: answer.Remark, Source: asked.Source, Wording: asked.Wording, Groups: group,
		})
		pairs = append(pairs, im.Edge{From: own, To: p.User})
	}
	a.ch.settleApplications(p)
	a.ch.did(Done{Deed: DidAccept, Initiator: p.User, Admin: a.Admin}, pairs...)
}

// Direction says which applications are meant.
type Direction uint8

// The directions.
const (
	Incoming Direction = iota
	Outgoing
	EitherWay
)

// Inbox is a user's applications.
type Inbox struct {
	Applications []im.FriendApplication // newest first
	Unread       int
	Seq          int64
}

// Applications gives a user's applications, newest first.
func (s *Service) Applications(ctx context.Context, key im.UserKey, which Direction) (Inbox, error) {
	own, all, err := s.cfg.Lists.Applications(ctx, key)
	if err != nil {
		return Inbox{}, err
	}
	box := Inbox{Seq: own.ApplicationSeq}
	for _, a := range all {
		if !a.Outgoing && !a.Seen {
			box.Unread++
		}
	}
	box.Applications = slices.DeleteFunc(all, func(a im.FriendApplication) bool {
		return which == Incoming && a.Outgoing || which == Outgoing && !a.Outgoing
	})
	return box, nil
}

// DropApplications takes applications off the caller's lists alone. It refuses
// with CodeNoApplicationLeft where there is none.
func (s *Service) DropApplications(ctx context.Context, c Caller, which Direction, users []im.UserID) ([]Result, error) {
	results, err := resultsOf(users)
	if err != nil {
		return nil, err
	}
	return results, s.each(ctx, im.RelationQuery{User: c.User}, results, func(now im.Relations, ch *change, todo []int) {
		for i, n := range todo {
			p := &now.Pairs[i]
			came, sent := p.Asked && which != Outgoing, p.Applied && which != Incoming
			if results[n].Refusal = nil; !came && !sent {
				results[n].Refusal = im.Err(im.CodeNoApplicationLeft)
			}
			if came {
				ch.withdraw(ch.own, p.User, false)
			}
			if sent {
				ch.withdraw(ch.own, p.User, true)
			}
		}
	})
}

// SeeApplications says that the user has seen the applications that came up to a
// time, Unix seconds, 0 for now.
func (s *Service) SeeApplications(ctx context.Context, c Caller, until int64) error {
	if until <= 0 {
		until = s.now()
	}
	return s.relate(ctx, im.RelationQuery{User: c.User}, func(_ im.Relations, ch *change) {
		ch.See = until
		ch.events = append(ch.events, Event{To: c.User, Kind: Seen, At: until})
	})
}

func resultsOf(users []im.UserID) ([]Result, error) {
	users, err := names(users)
	if err != nil {
		return nil, err
	}
	results := make([]Result, len(users))
	for i, u := range users {
		results[i].User = u
	}
	return results, nil
}
