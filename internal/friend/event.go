package friend

import (
	"context"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Kind says what happened to a user's relations.
type Kind uint8

// The kinds.
const (
	Added     Kind = iota // Users came to the list of friends
	Removed               // Users left it
	Updated               // the entries in Entries changed
	Applied               // the application in Application came, or was made
	Withdrawn             // applications of Users, or to them, are no more
	Seen                  // all applications up to At have been seen
	Blocked               // Users came to the blocklist
	Unblocked             // Users left it
)

// Event is something that happened to a user's relations, for the user's
// devices.
type Event struct {
	To          im.UserKey
	Kind        Kind
	Users       []im.UserID
	Entries     []Changed
	Application *Introduced
	At          int64 // Unix seconds
}

// Introduced is an application with what its peer's profile says.
type Introduced struct {
	im.FriendApplication
	Nick, Image string
}

// Changed is what became new of an entry; nil is what did not.
type Changed struct {
	User   im.UserID
	Remark *string
	Groups []string // all of them, where they changed
	Custom []im.Field
}

// happening is what a committed change brings about.
type happening struct {
	events []Event
	done   []Done
	rows   []im.EventRow // that tell of done
}

// event adds an event about a user, to the latest one of its kind where that can
// be.
func (c *change) event(to im.UserID, kind Kind, about im.UserID) {
	for i := len(c.events) - 1; i >= 0; i-- {
		if e := &c.events[i]; e.To.User == to {
			if e.Kind != kind {
				break
			}
			e.Users = append(e.Users, about)
			return
		}
	}
	c.events = append(c.events, Event{To: im.UserKey{App: c.app, User: to}, Kind: kind, Users: []im.UserID{about}})
}

// Hooks is what an application's back end may say of what is asked, and where it
// is told of what was done.
type Hooks interface {
	// Before is asked about what a user, never an administrator, wants to do. It
	// gives a refusal for each item that it does not allow, nil for the others,
	// in their order; nil allows all. It has a deadline of its own.
	Before(ctx context.Context, ask Ask) []*im.Error
	// Events makes what tells of deeds, to be committed with them. It neither
	// blocks nor waits, nor does any of the rest.
	Events(ctx context.Context, deeds []Done) []im.EventRow
	// Tell says that rows are true, in the order of the commits.
	Tell(rows []im.EventRow)
	// Forsake says that rows will never be true.
	Forsake(rows []im.EventRow)
}

// Ask is what a user wants to do: exactly one of the lists is there.
type Ask struct {
	User    im.UserKey
	Adding  []Adding
	Ways    Ways // of Adding
	Answers []Answer
}

// Deed is a kind of thing that was done.
type Deed uint8

// The deeds.
const (
	DidAdd     Deed = iota // To came to From's list, by Initiator's doing
	DidAccept              // the same by an application that was accepted
	DidDelete              // To left From's list
	DidBlock               // From blocks To
	DidUnblock             // From does so no more
)

// Done is what was done to some pairs of users.
type Done struct {
	App       im.AppID
	Deed      Deed
	Pairs     []im.Edge
	Initiator im.UserID // who wanted a friendship
	Admin     im.UserID // the administrator who did it, "" for a user
	Forced    bool      // an administrator asked nobody
}

// did adds pairs to what was done; d says all else of them.
func (c *change) did(d Done, pairs ...im.Edge) {
	if len(pairs) == 0 {
		return
	}
	for i := range c.done {
		if old := &c.done[i]; old.Deed == d.Deed && old.Initiator == d.Initiator {
			old.Pairs = append(old.Pairs, pairs...)
			return
		}
	}
	d.App, d.Pairs = c.app, pairs
	c.done = append(c.done, d)
}

// before asks the back end about what a user wants, and gives what it refuses.
func (s *Service) before(ctx context.Context, c Caller, ask Ask, items int) []*im.Error {
	if s.cfg.Hooks == nil || c.Admin != "" {
		return make([]*im.Error, items)
	}
	ask.User = c.User
	refused := s.cfg.Hooks.Before(ctx, ask)
	if len(refused) != items {
		return make([]*im.Error, items)
	}
	return refused
}
