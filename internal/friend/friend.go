// Package friend holds the rules of friendship: who may add whom, the
// applications that wait for an answer, the groups into which users sort their
// friends, and whom they block. The client's commands and the back end's call
// the same methods.
//
// A friendship is two entries, one on each list; a one-way one is a single entry.
// Each rule is a pure function from what two users are to each other to what
// changes; the store calls it in the transaction that writes the change, so that
// limits are exact and what is two-sided is there whole or not at all. Everyone
// concerned is told in the order of the commits. Nothing here waits for a device.
package friend

import (
	"context"
	"log/slog"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Store keeps relations. A method that returns nil has committed; one that
// returns an error has changed nothing, or says so.
type Store interface {
	// Relate writes the change that decide gives, in the transaction in which
	// what decide looks at was read. It may call decide again, and the last call
	// counts.
	Relate(ctx context.Context, q im.RelationQuery, decide func(im.Relations) im.RelationChange) error
	// Relations reads the same without changing anything.
	Relations(ctx context.Context, q im.RelationQuery) (im.Relations, error)
	// Fans gives who has a user as friend.
	Fans(ctx context.Context, key im.UserKey) ([]im.UserID, error)
}

// Lists reads whole lists, each answer one moment of the database.
type Lists interface {
	// FriendPage gives the entries after a position, at most so many, with the
	// user's side and groups.
	FriendPage(ctx context.Context, key im.UserKey, after int64, most int) (im.Relations, []im.FriendEntry, error)
	// Friends gives all friends in the order of the list.
	Friends(ctx context.Context, key im.UserKey) ([]im.UserID, error)
	// FriendGroups gives the groups, and User and Groups of those in any.
	FriendGroups(ctx context.Context, key im.UserKey) (im.Relations, []im.FriendEntry, error)
	// Applications gives both lists, newest first.
	Applications(ctx context.Context, key im.UserKey) (im.Relation, []im.FriendApplication, error)
	// Blocks gives the entries after a position, at most so many.
	Blocks(ctx context.Context, key im.UserKey, after int64, most int) (im.Relation, []im.BlockEntry, error)
}

// Statuses tells users of others' statuses by their lists. Its methods are called
// after a commit and before the answer, in no order.
type Statuses interface {
	// FriendsChanged says that lists of friends are not what they were.
	FriendsChanged(ctx context.Context, keys ...im.UserKey) error
	// BlocksChanged says that owner has blocked or unblocked users.
	BlocksChanged(ctx context.Context, owner im.UserKey, users ...im.UserID) error
}

// Config is what a Service is made from.
type Config struct {
	Store    Store
	Lists    Lists
	Statuses Statuses    // nil for none
	Tell     func(Event) // tells a user's devices, in order; it neither blocks nor calls back
	Hooks    Hooks       // nil for none
	Now      func() time.Time
	Log      *slog.Logger
}

// Service carries out what users and back ends ask. Make one with [New].
type Service struct {
	cfg   Config
	order order
}

// New makes a service.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Service{cfg: cfg}
	s.order.tell = s.tell
	return s
}

func (s *Service) tell(h happening) {
	for _, e := range h.events {
		s.cfg.Tell(e)
	}
	if len(h.rows) > 0 {
		s.cfg.Hooks.Tell(h.rows)
	}
}

// now gives the time in Unix seconds.
func (s *Service) now() int64 { return s.cfg.Now().Unix() }

// Caller is who asks for something about a user's relations.
type Caller struct {
	User  im.UserKey // whose relations
	Admin im.UserID  // the administrator who asks in the user's place, "" for the user
}

// Limits are an application's settings about relations. See the defaults in im.
type Limits struct {
	Friends      int
	Applications int // on each of the two lists; the oldest make room
	Blocked      int
	Groups       int
	Allow        string    // the AllowType of who has set none
	KeepFriends  bool      // blocking does not end a friendship
	Fields       im.Fields // the custom fields

	GroupBytes   int // the name of a group
	RemarkBytes  int
	WordingBytes int
	FieldBytes   int // a custom field
}

// Ways says whether something is about the caller's list alone.
type Ways uint8

// The ways.
const (
	OneWay   Ways = iota // the caller's list alone
	BothWays             // both lists
	Forced               // both lists, and the other is not asked; only to add
)

// Result is what became of one user of a call about many.
type Result = im.Result

// chunk is how many others one transaction is about: other writers wait for it
// no longer than for that.
const chunk = 100

// relate has decide judge a chunk of others, sees to it that what happened is
// told in the order of the commits, and refuses a caller who has no account.
func (s *Service) relate(ctx context.Context, q im.RelationQuery, decide func(im.Relations, *change)) error {
	var t *ticket
	var last *change       // what the run of the transaction that counts has decided
	var rows []im.EventRow // of the latest run
	missing := false
	err := s.cfg.Store.Relate(ctx, q, func(now im.Relations) im.RelationChange {
		last = &change{app: q.User.App, own: q.User.User}
		if missing = !now.Found; !missing {
			decide(now, last)
		}
		s.forsake(rows)
		if s.cfg.Hooks != nil && len(last.done) > 0 {
			last.rows = s.cfg.Hooks.Events(ctx, last.done)
			last.Events = last.rows
		}
		rows = last.rows
		t = s.order.enter(t, last.happening)
		return last.RelationChange
	})
	if err != nil {
		s.forsake(rows)
	}
	s.order.settle(t, err)
	switch {
	case err != nil:
		return err
	case missing:
		return im.Err(im.CodeFriendNoAccount)
	}
	s.follow(ctx, last)
	return nil
}

// forsake says of rows that they will never be true.
func (s *Service) forsake(rows []im.EventRow) {
	if len(rows) > 0 {
		s.cfg.Hooks.Forsake(rows)
	}
}

// follow has statuses be told by the lists as they are now. What fails is made
// good at the next login of whom it concerns.
func (s *Service) follow(ctx context.Context, ch *change) {
	if s.cfg.Statuses == nil {
		return
	}
	if keys := ch.lists(); len(keys) > 0 {
		if err := s.cfg.Statuses.FriendsChanged(ctx, keys...); err != nil {
			s.cfg.Log.Error("tell statuses by new lists of friends", "user", ch.own, "err", err)
		}
	}
	if users := ch.blocks(); len(users) > 0 {
		if err := s.cfg.Statuses.BlocksChanged(ctx, im.UserKey{App: ch.app, User: ch.own}, users...); err != nil {
			s.cfg.Log.Error("hide statuses by a new blocklist", "user", ch.own, "err", err)
		}
	}
}

// change collects what a decision writes and whom it is told.
type change struct {
	im.RelationChange
	happening
	app im.AppID
	own im.UserID
}

// lists gives whose lists of friends are longer or shorter.
func (c *change) lists() (keys []im.UserKey) {
	seen := make(map[im.UserID]struct{}, 2)
	owner := func(u im.UserID) {
		if _, again := seen[u]; !again {
			seen[u] = struct{}{}
			keys = append(keys, im.UserKey{App: c.app, User: u})
		}
	}
	for _, f := range c.Add {
		owner(f.Owner)
	}
	for _, e := range c.Drop {
		owner(e.From)
	}
	return keys
}

// blocks gives who came to the caller's blocklist or left it.
func (c *change) blocks() (users []im.UserID) {
	for _, b := range c.Block {
		users = append(users, b.User)
	}
	for _, e := range c.Unblock {
		users = append(users, e.To)
	}
	return users
}

// addFriend puts an entry on a list.
func (c *change) addFriend(owner im.UserID, e im.FriendEntry) {
	c.Add = append(c.Add, im.OwnedFriend{Owner: owner, FriendEntry: e})
	c.event(owner, Added, e.User)
}

// dropFriend takes an entry off a list.
func (c *change) dropFriend(owner, friend im.UserID) {
	c.Drop = append(c.Drop, im.Edge{From: owner, To: friend})
	c.event(owner, Removed, friend)
}

// withdraw takes an application off a list, where it is. Whoever gets the peer as
// friend by the same change need not hear of it: clients ask anew then.
func (c *change) withdraw(owner, peer im.UserID, outgoing bool) {
	c.Withdraw = append(c.Withdraw, im.ApplicationKey{Owner: owner, Peer: peer, Outgoing: outgoing})
	for i := len(c.Add) - 1; i >= max(0, len(c.Add)-2); i-- {
		if c.Add[i].Owner == owner && c.Add[i].User == peer {
			return
		}
	}
	c.event(owner, Withdrawn, peer)
}

// settleApplications takes all applications between the caller and another off both lists.
func (c *change) settleApplications(p *im.Pair) {
	for _, w := range []struct {
		there       bool
		owner, peer im.UserID
		outgoing    bool
	}{
		{p.Applied, c.own, p.User, true},
		{p.Asked, c.own, p.User, false},
		{p.AppliedBack, p.User, c.own, true},
		{p.AskedBack, p.User, c.own, false},
	} {
		if w.there {
			c.withdraw(w.owner, w.peer, w.outgoing)
		}
	}
}

// names checks the users whom a call names, and gives them without repeats.
func names(users []im.UserID) ([]im.UserID, error) {
	switch {
	case len(users) == 0:
		return nil, im.Errorf(im.CodeFriendInvalid, "no user is named")
	case len(users) > im.MaxRelationBatch:
		return nil, im.Errorf(im.CodeFriendInvalid, "%d users are more than %d in one call", len(users), im.MaxRelationBatch)
	}
	seen := make(map[im.UserID]struct{}, len(users))
	once := make([]im.UserID, 0, len(users))
	for _, u := range users {
		if _, again := seen[u]; !again {
			seen[u] = struct{}{}
			once = append(once, u)
		}
	}
	return once, nil
}

// once gives the items without those about a user of an earlier one.
func once[T any](items []T, user func(*T) im.UserID) ([]T, error) {
	users := make([]im.UserID, len(items))
	for i := range items {
		users[i] = user(&items[i])
	}
	unique, err := names(users)
	if err != nil || len(unique) == len(items) {
		return items, err
	}
	kept := make([]T, 0, len(unique))
	for i := range items {
		if len(kept) < len(unique) && user(&items[i]) == unique[len(kept)] {
			kept = append(kept, items[i])
		}
	}
	return kept, nil
}
