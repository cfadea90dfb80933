package friend

import (
	"cmp"
	"context"
	"slices"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Adding is one friend whom a user wants.
type Adding struct {
	User    im.UserID
	Remark  string
	Group   string // made where there is none of that name; "" for none
	Source  string // letters; needed
	Wording string
}

// Add adds friends as a user asks: to the caller's list alone, or to both lists,
// and then as the other's AllowType has it. A refusal with CodeFriendPending says
// that the other is asked.
func (s *Service) Add(ctx context.Context, c Caller, lim Limits, ways Ways, items []Adding) ([]Result, error) {
	items, err := once(items, func(a *Adding) im.UserID { return a.User })
	if err != nil {
		return nil, err
	}
	refused := s.before(ctx, c, Ask{Adding: items, Ways: ways}, len(items))
	results := make([]Result, len(items))
	for i := range items {
		results[i].User = items[i].User
		if results[i].Refusal = checkAdding(c.User.User, &lim, &items[i]); results[i].Refusal == nil {
			results[i].Refusal = refused[i]
		}
	}
	a := adder{Caller: c, lim: lim, ways: ways, at: s.now()}
	q := im.RelationQuery{User: c.User, Groups: slices.ContainsFunc(items, func(a Adding) bool { return a.Group != "" })}
	return results, s.each(ctx, q, results, func(now im.Relations, ch *change, todo []int) {
		a.begin(now, ch)
		for i, n := range todo {
			results[n].Refusal = a.add(&now.Pairs[i], &items[n])
		}
	})
}

// each runs decide on the results that are not refused, in chunks. It is given
// their numbers, in the order of the pairs.
func (s *Service) each(ctx context.Context, q im.RelationQuery, results []Result, decide func(im.Relations, *change, []int)) error {
	var todo []int
	for i := range results {
		if results[i].Refusal == nil {
			todo = append(todo, i)
		}
	}
	for part := range slices.Chunk(todo, chunk) {
		q.Others = make([]im.UserID, len(part))
		for i, n := range part {
			q.Others[i] = results[n].User
		}
		if err := s.relate(ctx, q, func(now im.Relations, ch *change) { decide(now, ch, part) }); err != nil {
			return err
		}
	}
	return nil
}

func checkAdding(own im.UserID, lim *Limits, a *Adding) *im.Error {
	switch {
	case a.User == own:
		return im.Errorf(im.CodeFriendInvalid, "nobody can be a friend of themself")
	case !a.User.Valid():
		return im.Err(im.CodeFriendNoAccount)
	case !im.Letters(a.Source, im.MaxSourceName):
		return im.Errorf(im.CodeFriendInvalid, "AddSource is needed: AddSource_Type_ and 1 to %d letters", im.MaxSourceName)
	case len(a.Remark) > lim.RemarkBytes:
		return tooLong("a remark", lim.RemarkBytes)
	case len(a.Wording) > lim.WordingBytes:
		return tooLong("the words of an application", lim.WordingBytes)
	case len(a.Group) > lim.GroupBytes:
		return tooLong("the name of a friend group", lim.GroupBytes)
	}
	return nil
}

func tooLong(what string, most int) *im.Error {
	return im.Errorf(im.CodeFriendInvalid, "%s is at most %d bytes of UTF-8", what, most)
}

// adder decides whom a user gets as friends. It is made anew for each run of a
// transaction by begin.
type adder struct {
	Caller
	lim  Limits
	ways Ways
	at   int64

	now  im.Relations
	ch   *change
	book groupBook
	mine int // entries of the caller's list, with what is being added
}

func (a *adder) begin(now im.Relations, ch *change) {
	a.now, a.ch, a.mine = now, ch, now.Friends
	a.book = groupBook{groups: slices.Clone(now.Groups), last: now.GroupSeq, most: a.lim.Groups, ch: ch}
	ch.Keep = a.lim.Applications
}

// add decides about one. The checks are in the documented order.
func (a *adder) add(p *im.Pair, item *Adding) *im.Error {
	gains, gives := a.missing(p)
	switch {
	case !p.Found:
		return im.Err(im.CodeFriendNoAccount)
	case a.now.Forbidden == im.ForbidAdding && a.Admin == "":
		return im.Err(im.CodeFriendForbidden)
	case p.Blocks:
		return im.Err(im.CodeBlocksPeer)
	case p.Blocked:
		return im.Err(im.CodePeerBlocks)
	case !gains && !gives:
		return nil // friends already: a repeat changes nothing
	case gains && a.mine >= a.lim.Friends:
		return im.Err(im.CodeFriendsFull)
	case gives && p.Friends >= a.lim.Friends:
		return im.Err(im.CodePeerFriendsFull)
	}
	if gives && a.ways != Forced && !p.Asked { // who has asked the caller has agreed
		switch allow := cmp.Or(p.Allow, a.lim.Allow); allow {
		case im.AllowNobody:
			return im.Err(im.CodePeerDenies)
		case im.AllowConfirm:
			return a.apply(p, item)
		}
	}
	group, refusal := a.book.find(item.Group)
	if refusal != nil {
		return refusal
	}
	a.befriend(p, item, group)
	return nil
}

// missing says which entries an addition would make: the caller's, the other's.
func (a *adder) missing(p *im.Pair) (mine, theirs bool) {
	return !p.Has, a.ways != OneWay && !p.Had
}

// befriend makes the entries.
func (a *adder) befriend(p *im.Pair, item *Adding, group []int64) {
	gains, gives := a.missing(p)
	own := a.User.User
	var pairs []im.Edge
	if gains {
		a.mine++
		a.ch.addFriend(own, im.FriendEntry{
			User: p.User, Added: a.at, Remark: item.Remark, Source: item.Source, Wording: item.Wording, Groups: group,
		})
		pairs = append(pairs, im.Edge{From: own, To: p.User})
	}
	if gives {
		a.ch.addFriend(p.User, im.FriendEntry{User: own, Added: a.at, Source: item.Source, Wording: item.Wording})
		pairs = append(pairs, im.Edge{From: p.User, To: own})
	}
	if a.ways != OneWay {
		a.ch.settleApplications(p)
	}
	a.ch.did(Done{Deed: DidAdd, Initiator: own, Admin: a.Admin, Forced: a.ways == Forced}, pairs...)
}

// apply asks the other.
func (a *adder) apply(p *im.Pair, item *Adding) *im.Error {
	group, refusal := a.book.find(item.Group)
	if refusal != nil {
		return refusal
	}
	own := a.User.User
	sent := im.FriendApplication{
		Peer: p.User, Outgoing: true, Added: a.at, Source: item.Source, Wording: item.Wording, Remark: item.Remark,
	}
	if len(group) > 0 {
		sent.Group = group[0]
	}
	came := sent
	came.Peer, came.Outgoing = own, false
	a.ch.applied(own, sent, p.Nick, p.Image)
	a.ch.applied(p.User, came, a.now.Nick, a.now.Image)
	return im.Err(im.CodeFriendPending)
}

// applied puts an application on a list.
func (c *change) applied(owner im.UserID, a im.FriendApplication, nick, image string) {
	c.Apply = append(c.Apply, im.OwnedApplication{Owner: owner, FriendApplication: a})
	c.events = append(c.events, Event{
		To: im.UserKey{App: c.app, User: owner}, Kind: Applied, Application: &Introduced{a, nick, image},
	})
}

// Importing is one friend whom a back end puts on a list.
type Importing struct {
	Adding
	Groups []string // in place of Adding.Group
	Added  int64    // Unix seconds, 0 for now
	Custom []im.Field
	Wrong  *im.Error // what the edge could not make out
}

// Import puts friends on the caller's list alone, asking nobody. It is for
// administrators moving a list here, and no hook hears of it.
func (s *Service) Import(ctx context.Context, c Caller, lim Limits, items []Importing) ([]Result, error) {
	items, err := once(items, func(m *Importing) im.UserID { return m.User })
	if err != nil {
		return nil, err
	}
	results := make([]Result, len(items))
	customs := make([]map[string]string, len(items))
	for i := range items {
		m := &items[i]
		results[i].User = m.User
		customs[i], results[i].Refusal = checkImporting(c.User.User, &lim, m)
	}
	at := s.now()
	q := im.RelationQuery{User: c.User, Groups: true}
	return results, s.each(ctx, q, results, func(now im.Relations, ch *change, todo []int) {
		a := adder{Caller: c, lim: lim}
		a.begin(now, ch)
		for i, n := range todo {
			results[n].Refusal = a.importOne(&now.Pairs[i], &items[n], customs[n], at)
		}
	})
}

func checkImporting(own im.UserID, lim *Limits, m *Importing) (map[string]string, *im.Error) {
	if m.Wrong != nil {
		return nil, m.Wrong
	}
	if refusal := checkAdding(own, lim, &m.Adding); refusal != nil {
		return nil, refusal
	}
	if refusal := checkGroups(lim, m.Groups); refusal != nil {
		return nil, refusal
	}
	return customValues(lim, m.Custom)
}

func (a *adder) importOne(p *im.Pair, m *Importing, custom map[string]string, at int64) *im.Error {
	switch {
	case !p.Found:
		return im.Err(im.CodeFriendNoAccount)
	case p.Blocks:
		return im.Err(im.CodeBlocksPeer)
	case p.Has:
		return nil
	case a.mine >= a.lim.Friends:
		return im.Err(im.CodeFriendsFull)
	}
	groups, refusal := a.book.find(m.Groups...)
	if refusal != nil {
		return refusal
	}
	a.mine++
	a.ch.addFriend(a.User.User, im.FriendEntry{
		User: p.User, Added: cmp.Or(m.Added, at), Remark: m.Remark, Source: m.Source, Wording: m.Wording, Groups: groups, Custom: custom,
	})
	return nil
}
