package store_test

import (
	"context"
	"strings"
	"testing"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store"
)

// hub gives the user whom all of a writer's rounds of a cycle befriend.
func hub(user im.UserID) im.UserID { return user[:strings.LastIndex(string(user), ".")] }

// crashBefriend writes both sides of a friendship.
func crashBefriend(ctx context.Context, s *store.Store, r crashRound) error {
	user := r.user()
	other := hub(user)
	q := im.RelationQuery{User: im.UserKey{App: testApp, User: user}, Others: []im.UserID{other}}
	return s.Relate(ctx, q, func(im.Relations) im.RelationChange {
		return im.RelationChange{Add: []im.OwnedFriend{
			owned(user, im.FriendEntry{User: other, Added: 1}), owned(other, im.FriendEntry{User: user, Added: 1}),
		}}
	})
}

// crashFriends gives "f" where both sides of a round's friendship are there, ""
// where neither is.
func crashFriends(t *testing.T, s *store.Store, user im.UserID) string {
	t.Helper()
	q := im.RelationQuery{User: im.UserKey{App: testApp, User: user}, Others: []im.UserID{hub(user)}}
	now, err := s.Relations(t.Context(), q)
	if err != nil {
		t.Error(err)
		return ""
	}
	switch p := now.Pairs[0]; {
	case p.Has && p.Had && now.Friends == 1:
		return "f"
	case p.Has || p.Had || now.Friends != 0:
		t.Errorf("half of the friendship of %s is there: %+v, %d friends", user, p, now.Friends)
	}
	return ""
}

// checkCrashedHubs: what each hub counts is what its list holds.
func checkCrashedHubs(t *testing.T, s *store.Store, cycle int) {
	t.Helper()
	for w := range crashWriters {
		key := im.UserKey{App: testApp, User: hub(crashRound{cycle, w, 0}.user())}
		list, err := s.Friends(t.Context(), key)
		must(t, err)
		own, err := s.Relations(t.Context(), im.RelationQuery{User: key})
		must(t, err)
		equal(t, []int{own.Friends, int(own.FriendSeq)}, []int{len(list), len(list)})
	}
}
