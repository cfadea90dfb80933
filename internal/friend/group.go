package friend

import (
	"context"
	"slices"

	"github.com/porchlight-im/porchlight/internal/im"
)

// groupBook finds a user's groups by name, and makes those that are missing.
type groupBook struct {
	groups []im.FriendGroup
	last   int64 // the highest number so far
	most   int
	ch     *change
}

// find gives the numbers of groups, made where there is none of a name. If one
// would be too many, none is made.
func (b *groupBook) find(names ...string) ([]int64, *im.Error) {
	var ids []int64
	var missing []string
	for _, name := range names {
		if name == "" {
			continue
		}
		if id := b.id(name); id == 0 && !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
	}
	if len(b.groups)+len(missing) > b.most {
		return nil, im.Errorf(im.CodeFriendGroupsFull, "there would be more than %d friend groups", b.most)
	}
	for _, name := range missing {
		b.last++
		g := im.FriendGroup{ID: b.last, Name: name}
		b.groups = append(b.groups, g)
		b.ch.Groups = append(b.ch.Groups, g)
	}
	for _, name := range names {
		if id := b.id(name); id != 0 && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// id gives the number of a group, 0 for none.
func (b *groupBook) id(name string) int64 {
	for _, g := range b.groups {
		if g.Name == name {
			return g.ID
		}
	}
	return 0
}

// names gives the names of groups, in the order in which they were made. One
// that is no more has none.
func groupNames(groups []im.FriendGroup, ids []int64) []string {
	var names []string
	for _, g := range groups {
		if slices.Contains(ids, g.ID) {
			names = append(names, g.Name)
		}
	}
	return names
}

func checkGroups(lim *Limits, names []string) *im.Error {
	for _, name := range names {
		switch {
		case name == "":
			return im.Errorf(im.CodeFriendInvalid, "a friend group needs a name")
		case len(name) > lim.GroupBytes:
			return tooLong("the name of a friend group", lim.GroupBytes)
		}
	}
	return nil
}

// Group is a friend group with who is in it.
type Group struct {
	Name  string
	Users []im.UserID
}

// MakeGroups makes groups, where they are missing, and puts friends into each of
// them. It gives the sequence of the groups after that.
func (s *Service) MakeGroups(ctx context.Context, c Caller, lim Limits, groups []string, users []im.UserID) ([]Result, int64, error) {
	if len(groups) == 0 {
		return nil, 0, im.Errorf(im.CodeFriendInvalid, "no friend group is named")
	}
	if refusal := checkGroups(&lim, groups); refusal != nil {
		return nil, 0, refusal
	}
	var results []Result
	if len(users) > 0 {
		once, err := names(users)
		if err != nil {
			return nil, 0, err
		}
		users = once
	}
	var full *im.Error
	var seq int64
	q := im.RelationQuery{User: c.User, Others: users, Entries: true, Groups: true}
	err := s.relate(ctx, q, func(now im.Relations, ch *change) {
		results, full = make([]Result, 0, len(users)), nil
		book := groupBook{groups: slices.Clone(now.Groups), last: now.GroupSeq, most: lim.Groups, ch: ch}
		var ids []int64
		if ids, full = book.find(groups...); full != nil {
			return
		}
		seq = now.GroupSeq + int64(len(ch.Groups))
		for i := range now.Pairs {
			results = append(results, regroup(ch, &now.Pairs[i], book.groups, ids, nil))
		}
	})
	if err == nil && full != nil {
		err = full
	}
	return results, seq, err
}

// regroup puts a friend into groups and takes the friend out of others.
func regroup(ch *change, p *im.Pair, groups []im.FriendGroup, into, out []int64) Result {
	if p.Entry == nil {
		return Result{User: p.User, Refusal: im.Err(im.CodeNotInGroup)}
	}
	e := *p.Entry
	e.Groups = nil
	for _, g := range groups { // without those that are no more
		in := slices.Contains(p.Entry.Groups, g.ID) && !slices.Contains(out, g.ID)
		if in || slices.Contains(into, g.ID) {
			e.Groups = append(e.Groups, g.ID)
		}
	}
	if slices.Equal(e.Groups, p.Entry.Groups) {
		return Result{User: p.User}
	}
	names := groupNames(groups, e.Groups)
	if names == nil {
		names = []string{}
	}
	ch.saveFriend(e, Changed{User: p.User, Groups: names})
	return Result{User: p.User}
}

// saveFriend changes an entry of the caller's list.
func (c *change) saveFriend(e im.FriendEntry, what Changed) {
	c.Save = append(c.Save, im.OwnedFriend{Owner: c.own, FriendEntry: e})
	if n := len(c.events); n > 0 && c.events[n-1].Kind == Updated {
		c.events[n-1].Entries = append(c.events[n-1].Entries, what)
		return
	}
	c.events = append(c.events, Event{To: im.UserKey{App: c.app, User: c.own}, Kind: Updated, Entries: []Changed{what}})
}

// DropGroups removes groups; the friends in them stay friends. One that is
// missing is no error. It gives the sequence of the groups after that.
func (s *Service) DropGroups(ctx context.Context, c Caller, groups []string) (seq int64, err error) {
	if len(groups) == 0 {
		return 0, im.Errorf(im.CodeFriendInvalid, "no friend group is named")
	}
	err = s.relate(ctx, im.RelationQuery{User: c.User, Groups: true}, func(now im.Relations, ch *change) {
		for _, g := range now.Groups {
			if slices.Contains(groups, g.Name) {
				ch.Ungroup = append(ch.Ungroup, g.ID)
			}
		}
		seq = now.GroupSeq + int64(len(ch.Ungroup))
	})
	return seq, err
}

// RenameGroup gives a group another name, which no other group may have.
func (s *Service) RenameGroup(ctx context.Context, c Caller, lim Limits, old, name string) error {
	if refusal := checkGroups(&lim, []string{name}); refusal != nil {
		return refusal
	}
	var refusal *im.Error
	err := s.relate(ctx, im.RelationQuery{User: c.User, Groups: true}, func(now im.Relations, ch *change) {
		book := groupBook{groups: now.Groups}
		refusal = nil
		switch id := book.id(old); {
		case id == 0:
			refusal = im.Errorf(im.CodeFriendInvalid, "there is no such friend group")
		case old == name:
		case book.id(name) != 0:
			refusal = im.Errorf(im.CodeFriendInvalid, "there is a friend group of that name already")
		default:
			ch.Groups = []im.FriendGroup{{ID: id, Name: name}}
		}
	})
	if err == nil && refusal != nil {
		err = refusal
	}
	return err
}

// Regrouping is a friend who comes into a group, or leaves it.
type Regrouping struct {
	User  im.UserID
	Leave bool
}

// Regroup puts friends into a group, or takes them out of it.
func (s *Service) Regroup(ctx context.Context, c Caller, group string, items []Regrouping) ([]Result, error) {
	items, err := once(items, func(r *Regrouping) im.UserID { return r.User })
	if err != nil {
		return nil, err
	}
	results := make([]Result, len(items))
	for i := range items {
		results[i].User = items[i].User
	}
	missing := false
	q := im.RelationQuery{User: c.User, Entries: true, Groups: true}
	err = s.each(ctx, q, results, func(now im.Relations, ch *change, todo []int) {
		book := groupBook{groups: now.Groups}
		id := book.id(group)
		if missing = id == 0; missing {
			return
		}
		for i, n := range todo {
			into, out := []int64{id}, []int64(nil)
			if items[n].Leave {
				into, out = out, into
			}
			results[n] = regroup(ch, &now.Pairs[i], now.Groups, into, out)
		}
	})
	if err == nil && missing {
		err = im.Errorf(im.CodeFriendInvalid, "there is no such friend group")
	}
	return results, err
}

// Groups gives a user's groups with who is in each, and their sequence.
func (s *Service) Groups(ctx context.Context, key im.UserKey) ([]Group, int64, error) {
	own, grouped, err := s.cfg.Lists.FriendGroups(ctx, key)
	if err != nil {
		return nil, 0, err
	}
	if !own.Found {
		return nil, 0, im.Err(im.CodeFriendNoAccount)
	}
	groups := make([]Group, len(own.Groups))
	for i, g := range own.Groups {
		groups[i].Name = g.Name
		for _, e := range grouped {
			if slices.Contains(e.Groups, g.ID) {
				groups[i].Users = append(groups[i].Users, e.User)
			}
		}
	}
	return groups, own.GroupSeq, nil
}
