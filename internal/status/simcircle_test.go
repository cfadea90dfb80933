package status_test

import (
	"context"
	"slices"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/status"
)

// Friends makes the store one of friendships, read while other things happen.
func (s *simStore) Friends(_ context.Context, key im.UserKey) ([]im.UserID, error) {
	friends := slices.Clone(s.friends[key])
	s.reading(key)
	if s.deaf {
		return nil, errDisk
	}
	return friends, nil
}

// BlockedBy makes the store one of blocklists.
func (s *simStore) BlockedBy(_ context.Context, who im.UserKey, users []im.UserID) ([]bool, error) {
	out := make([]bool, len(users))
	for i, u := range users {
		out[i] = slices.Contains(s.blocked[im.UserKey{App: who.App, User: u}], who.User)
	}
	s.reading(who)
	if s.deaf {
		return nil, errDisk
	}
	return out, nil
}

// befriend has a user take another as a friend, or give one up [ST15].
func (s *sim) befriend(adds bool) bool {
	return s.toggle("befriends", s.store.friends, adds, func(p *person) *[]im.UserID { return &p.friends }, func(k im.UserKey, _ im.UserID) {
		s.owe(k, func() error { return s.e.FriendsChanged(context.Background(), k) })
	})
}

// block has a user block another, or no more [ST16].
func (s *sim) block(blocks bool) bool {
	return s.toggle("blocks", s.store.blocked, blocks, func(p *person) *[]im.UserID { return &p.blocked }, func(k im.UserKey, u im.UserID) {
		s.owe(im.UserKey{App: k.App, User: u}, func() error { return s.e.BlocksChanged(context.Background(), k, u) })
	})
}

// toggle puts somebody on a list of somebody else, or takes one off it, in the model
// and in the store, and has the engine be told.
func (s *sim) toggle(what string, stored map[im.UserKey][]im.UserID, puts bool, of func(*person) *[]im.UserID, tell func(im.UserKey, im.UserID)) bool {
	k := simUsers[s.rng.IntN(len(simUsers))]
	list, u := of(s.m.person(k)), everybody[s.rng.IntN(5)]
	if u == k.User || slices.Contains(*list, u) == puts {
		return false
	}
	s.logf("%v %s %s: %v", k, what, u, puts)
	*list = without(*list, []im.UserID{u})
	if puts {
		*list = append(*list, u)
	}
	stored[k] = *list
	tell(k, u)
	return true
}

// owed is what the engine is yet to be told of whom a user hears of.
type owed struct {
	key im.UserKey
	run func() error
}

// owe tells the engine of what changed as soon as the user's turn is free. Until
// then nobody knows of whom the user is told.
func (s *sim) owe(k im.UserKey, run func() error) {
	s.m.person(k).vague++
	s.debts = append(s.debts, owed{k, run})
}

// pay pays what is owed to users whose turn is free.
func (s *sim) pay() {
	for {
		i := slices.IndexFunc(s.debts, func(d owed) bool { return !s.busy[d.key] })
		if i < 0 {
			return
		}
		d := s.debts[i]
		s.debts = slices.Delete(s.debts, i, i+1)
		p := s.m.person(d.key)
		s.catch(d.key, true)
		_, err := s.op(d.key, d.run)
		s.catch(d.key, false)
		if p.vague--; err != nil {
			s.excused("change whom to tell of", err)
			p.missed = true
		}
		s.settle(d.key)
	}
}

// catch says that what a user's connections are told now may be known already.
func (s *sim) catch(k im.UserKey, on bool) {
	for _, c := range s.clients {
		if c.key == k && c.conn != nil {
			c.conn.catching = on
		}
	}
}

// settle has a user's clients forget those of whom they are not told any more, and
// ask for those of whom they are now, once that is known.
func (s *sim) settle(k im.UserKey) {
	p := s.m.person(k)
	if p.vague > 0 || p.missed {
		return
	}
	hears := s.m.hears(k)
	for _, c := range s.clients {
		if c.key != k {
			continue
		}
		for u := range c.believes {
			if !slices.Contains(hears, u) {
				delete(c.believes, u)
			}
		}
		if c.conn == nil {
			continue
		}
		for u := range c.conn.told {
			if !slices.Contains(hears, u) {
				delete(c.conn.told, u)
			}
		}
		if c.conn.ended == 0 {
			c.conn.learn(hears)
		}
	}
}

// turn turns one of an application's switches; everyone follows.
func (s *sim) turn() bool {
	app := im.AppID(1 + s.rng.IntN(2))
	on := s.m.on[app]
	if s.rng.IntN(2) == 0 {
		on.FriendNotices = !on.FriendNotices
	} else {
		on.HideFromBlocked = !on.HideFromBlocked
	}
	s.logf("the switches of %v are %+v", app, on)
	deaf := s.store.deaf
	s.store.deaf = false
	s.vague(app, 1)
	s.m.on[app] = on
	s.e.Switch(app, on)
	s.depth += 2 // so that only one thing happens meanwhile
	err := s.e.Follow(context.Background(), app)
	s.depth -= 2
	s.vague(app, -1)
	if s.store.deaf = deaf; err != nil {
		s.fail("ST15", "follow: %v", err)
	}
	return true
}

// vague says that nobody knows of whom an application's users are told, or that
// it is known again.
func (s *sim) vague(app im.AppID, by int) {
	for _, k := range simUsers {
		if k.App == app {
			s.m.person(k).vague += by
			s.catch(k, by > 0)
			s.settle(k)
		}
	}
}

// switchOn has a process begin with the switches as they are.
func (s *sim) switchOn() {
	for app := range im.AppID(3) {
		if on := s.m.on[app]; on != (status.Switches{}) {
			s.e.Switch(app, on)
		}
	}
}
