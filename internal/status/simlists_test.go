package status_test

import (
	"context"
	"maps"
	"slices"

	"github.com/porchlight-im/porchlight/internal/im"
)

var everybody = []im.UserID{"ann", "bob", "cy", "dee", "eve", "ghost", ""}

// some gives users, perhaps with repeats and such as do not or cannot exist.
func (s *sim) some(most int) (users []im.UserID) {
	for range 1 + s.rng.IntN(most) {
		users = append(users, everybody[s.rng.IntN(len(everybody))])
	}
	return users
}

// sort splits users as a command must: those it is good for, in order and once each,
// and the codes of the others [ST5, ST6].
func (s *sim) sort(k im.UserKey, users []im.UserID) (good []im.UserID, codes map[im.UserID]im.Code) {
	codes = map[im.UserID]im.Code{}
	for _, u := range users {
		switch {
		case u == "":
			codes[u] = im.CodeInvalidUserID
		case u == k.User:
			codes[u] = im.CodeInvalid
		case !s.store.rows[im.UserKey{App: k.App, User: u}].Found:
			codes[u] = im.CodeNoAccount
		case !slices.Contains(good, u):
			good = append(good, u)
		}
	}
	return good, codes
}

func (s *sim) checkFailed(what string, failed []im.Failed, want map[im.UserID]im.Code) {
	got := map[im.UserID]im.Code{}
	for _, f := range failed {
		got[f.User] = f.Refusal.Code
	}
	if !maps.Equal(got, want) || len(failed) != len(want) {
		s.fail("ST5 ST6", "%s refuses %v, not %v", what, got, want)
	}
}

func (s *sim) subscribe() bool {
	c := s.anyClient(connected)
	if c == nil {
		return false
	}
	return s.subscribeTo(c, s.some(4))
}

func (s *sim) subscribeTo(c *simClient, users []im.UserID) bool {
	good, codes := s.sort(c.key, users)
	s.logf("%v %d subscribes to %v", c.key, c.session.Inst, users)
	return s.changeList(c, "subscribe", func(list []im.UserID) []im.UserID {
		list = append(without(list, good), good...)
		return list[max(0, len(list)-s.m.limit):]
	}, len(good) > 0, func() error {
		failed, err := s.e.Subscribe(context.Background(), c.key, users, s.m.limit)
		if err == nil {
			s.checkFailed("subscribe", failed, codes)
		}
		return err
	})
}

func (s *sim) unsubscribe() bool {
	c := s.anyClient(connected)
	if c == nil {
		return false
	}
	return s.unsubscribeFrom(c, s.some(3))
}

func (s *sim) unsubscribeFrom(c *simClient, users []im.UserID) bool {
	s.logf("%v %d unsubscribes from %v", c.key, c.session.Inst, users)
	return s.changeList(c, "unsubscribe", func(list []im.UserID) []im.UserID { return without(list, users) }, true, func() error {
		_, err := s.e.Unsubscribe(context.Background(), c.key, users)
		return err
	})
}

func (s *sim) unsubscribeAll() bool {
	c := s.anyClient(connected)
	if c == nil {
		return false
	}
	s.logf("%v %d unsubscribes from all", c.key, c.session.Inst)
	return s.changeList(c, "unsubscribe all", func([]im.UserID) []im.UserID { return nil }, true, func() error {
		return s.e.UnsubscribeAll(context.Background(), c.key)
	})
}

func without(list, users []im.UserID) []im.UserID {
	return slices.DeleteFunc(slices.Clone(list), func(u im.UserID) bool { return slices.Contains(users, u) })
}

// changeList runs a command that changes a list, as change says, unless it changes
// none. What may be on disk it may be applied to.
func (s *sim) changeList(c *simClient, what string, change func([]im.UserID) []im.UserID, changes bool, run func() error) bool {
	p, began := s.m.person(c.key), s.m.next()
	bases := slices.Clone(p.disk.lists)
	for _, e := range bases {
		p.disk.lists.add(join(change(split(e.value))), began)
	}
	p.disk.lists.add(join(change(nil)), began)
	pending := p.waiting()
	_, err := s.op(c.key, run)
	if err != nil {
		p.unsure = p.unsure || changes
		return s.excused(what, err)
	}
	if !changes {
		p.disk.lists = bases
		return true
	}
	before := p.list
	p.list = slices.Clone(s.store.rows[c.key].Watching)
	if p.disk.lists.sure(began); !p.unsure && join(p.list) != join(change(before)) || !p.disk.lists.allows(join(p.list)) {
		s.fail("B2 B6", "%s makes the list of %v %v and not %v, of %v", what, c.key, p.list, change(before), p.disk.lists)
	}
	p.disk.lists.only(join(p.list))
	if what == "subscribe" {
		p.built(pending)
	}
	if p.unsure { // whom they were told of nobody knows
		s.unlearn(c.key, everybody)
	}
	s.unlearn(c.key, without(before, p.list))
	p.unsure, p.clearing = false, false
	s.settle(c.key)
	return true
}

// custom sets a custom status, sometimes of a session that has no connection.
func (s *sim) custom() bool {
	c := s.anyClient(func(c *simClient) bool { return connected(c) || s.sitting(c).closed == 0 && s.rng.IntN(10) == 0 })
	if c == nil || s.store.deaf && c.conn == nil {
		return false
	}
	return s.say(c, []string{"", "x", "y", "z"}[s.rng.IntN(4)])
}

func (s *sim) say(c *simClient, text string) bool {
	p := s.m.person(c.key)
	s.logf("%v says %q", c.key, text)
	old := p.custom
	p.custom = text
	s.m.tick() // who is not ONLINE has none
	began, pending := s.m.next(), p.waiting()
	p.disk.words.add(p.custom, began)
	text = p.custom
	_, err := s.op(c.key, func() error { return s.e.SetCustom(context.Background(), c.key, text) })
	if err == nil {
		p.disk.words.sure(began)
		p.built(pending)
		return true
	}
	if p.custom == text {
		p.custom = old
	}
	s.m.tick()
	p.disk.words.later(p.custom, s.m.next())
	return s.excused("custom", err)
}

func (s *sim) query() bool {
	c := s.anyClient(connected)
	if c == nil {
		return false
	}
	users := s.some(7)
	good, codes := s.sort(im.UserKey{App: c.key.App}, users)
	if slices.Contains(users, "") {
		codes[""] = im.CodeInvalidUserID
	}
	quiet := s.quiet
	s.quiet = true
	found, failed, err := s.e.StatusFor(context.Background(), c.key, users)
	if s.quiet = quiet; err != nil {
		return s.excused("query", err)
	}
	s.checkFailed("query", failed, codes)
	if len(found) != len(good) {
		s.fail("ST5", "query of %v gives %v", users, found)
	}
	for i, f := range found {
		if f.User != good[i] || f.Version.Less(c.conn.versions[f.User]) || f.Version == c.conn.versions[f.User] && f.Status != c.conn.said[f.User] {
			s.fail("A3", "query says %v where %s is asked for, after %v", f, good[i], c.conn.versions[f.User])
		}
		c.conn.versions[f.User], c.conn.said[f.User] = f.Version, f.Status
		if want := s.m.seen(c.key, f.User); f.Status != want {
			s.fail("A2 B5", "%v asks, and is shown %v, and should see %v", c.key, f, want)
		}
	}
	return true
}

func (s *sim) deliver() bool {
	c := s.anyClient(connected)
	if c != nil {
		c.conn.deliver(s.rng.IntN(len(c.conn.waits) + 1))
	}
	return c != nil
}

func (s *sim) pong() bool {
	c := s.anyClient(connected)
	if c != nil {
		c.conn.prove()
	}
	return c != nil
}
