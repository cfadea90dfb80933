package server

import (
	"cmp"

	"github.com/porchlight-im/porchlight/internal/friend"
	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/profile"
	"github.com/porchlight-im/porchlight/internal/status"
	"github.com/porchlight-im/porchlight/internal/store"
)

// friends gives who knows who has whom as a friend: the store, unless a test
// says otherwise.
func (o Options) friends(s *store.Store) status.Friends { return cmp.Or[status.Friends](o.Friends, s) }

// blocks gives who knows who has blocked whom.
func (o Options) blocks(s *store.Store) status.Blocks { return cmp.Or[status.Blocks](o.Blocks, s) }

// newFriends makes the rules of friendship. What happens is told by the gateway,
// which is there before anybody is served.
func (s *Server) newFriends() *friend.Service {
	return friend.New(friend.Config{
		Store: s.store, Lists: s.store, Statuses: s.status, Log: s.log,
		Tell: func(e friend.Event) { s.gateway.TellFriend(e) }, Hooks: friendHooks{s.webhooks},
	})
}

// newProfiles makes the rules of profiles.
func (s *Server) newProfiles() *profile.Service {
	return profile.New(profile.Config{
		Store: s.store, Log: s.log,
		Tell: func(c profile.Change, to []im.UserID) { s.gateway.TellProfile(c, to) }, Hooks: profileHooks{s.webhooks},
	})
}
