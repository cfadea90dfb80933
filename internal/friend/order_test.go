package friend_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/porchlight-im/porchlight/internal/friend"
	"github.com/porchlight-im/porchlight/internal/im"
)

// TestFR14_ToldInTheOrderOfTheCommits: whoever only hears what happened, and has
// it in the order in which it came, knows all lists at the end. A deletion that
// overtook its addition would be seen.
func TestFR14_ToldInTheOrderOfTheCommits(t *testing.T) {
	w := newWorld(t, "a", "b", "c", "d")
	users := []im.UserID{"a", "b", "c", "d"}
	heard := map[string]bool{}
	var wrong []string
	w.Service = friend.New(friend.Config{
		Store: w.store, Lists: w.store, Log: slog.New(slog.DiscardHandler),
		Tell: func(e friend.Event) { // one at a time: the order is its lock
			for _, u := range e.Users {
				edge := fmt.Sprintf("%s-%s", e.To.User, u)
				if e.Kind == friend.Added == heard[edge] {
					wrong = append(wrong, edge)
				}
				heard[edge] = e.Kind == friend.Added
			}
		},
	})
	var calls sync.WaitGroup
	for worker := range 8 {
		random := rand.New(rand.NewPCG(uint64(worker), 1))
		calls.Go(func() {
			for range 60 {
				x, y := users[random.IntN(4)], users[random.IntN(4)]
				if x == y {
					continue
				}
				var err error
				if random.IntN(2) == 0 {
					_, err = w.Add(t.Context(), as(x), limits(), friend.Ways(random.IntN(2)), adding(y))
				} else {
					_, err = w.Delete(t.Context(), as(x), friend.Ways(random.IntN(2)), []im.UserID{y})
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	calls.Wait()
	same(t, "told out of order", wrong, nil)
	for edge, is := range heard {
		if !is {
			delete(heard, edge)
		}
	}
	want := map[string]bool{}
	for _, edge := range w.edges(users...) {
		want[edge] = true
	}
	same(t, "heard", heard, want)
}

// crankyStore runs decisions twice and then fails some of the commits.
type crankyStore struct {
	friend.Store
	fail bool
}

var errDisk = errors.New("disk full")

func (s *crankyStore) Relate(ctx context.Context, q im.RelationQuery, decide func(im.Relations) im.RelationChange) error {
	if s.fail {
		now, err := s.Relations(ctx, q)
		if err != nil {
			return err
		}
		decide(now)
		decide(now)
		return errDisk
	}
	return s.Store.Relate(ctx, q, func(now im.Relations) im.RelationChange {
		decide(now)
		return decide(now)
	})
}

// TestFR14_WhatIsNotCommittedIsNotTold, and what was decided twice is told once.
func TestFR14_WhatIsNotCommittedIsNotTold(t *testing.T) {
	w := newWorld(t, "alice", "bob")
	cranky := &crankyStore{Store: w.store, fail: true}
	w.Service = friend.New(friend.Config{
		Store: cranky, Lists: w.store, Tell: w.tell, Hooks: w, Log: slog.New(slog.DiscardHandler),
	})
	if _, err := w.Add(t.Context(), as("alice"), limits(), friend.BothWays, adding("bob")); !errors.Is(err, errDisk) {
		t.Errorf("got %v", err)
	}
	same(t, "told", w.told(), nil)
	same(t, "done", w.did(), nil)
	cranky.fail = false
	same(t, "added", w.add(limits(), "alice", "bob"), list("bob 0"))
	same(t, "told", w.told(), list("alice: added bob", "bob: added alice"))
	same(t, "done", w.did(), list("add alice-bob bob-alice by alice"))
}

// statuses hears whose lists are new.
type statuses struct{ lists, blocks []string }

func (s *statuses) FriendsChanged(_ context.Context, keys ...im.UserKey) error {
	for _, k := range keys {
		s.lists = append(s.lists, string(k.User))
	}
	return errDisk // which is no failure of the command
}

func (s *statuses) BlocksChanged(_ context.Context, owner im.UserKey, users ...im.UserID) error {
	for _, u := range users {
		s.blocks = append(s.blocks, fmt.Sprintf("%s-%s", owner.User, u))
	}
	return errDisk
}

func TestStatusesFollowTheLists(t *testing.T) {
	w := newWorld(t, "alice", "bob", "carol")
	var heard statuses
	w.Service = friend.New(friend.Config{
		Store: w.store, Lists: w.store, Tell: w.tell, Statuses: &heard, Log: slog.New(slog.DiscardHandler),
	})
	same(t, "add", w.add(limits(), "alice", "bob"), list("bob 0"))
	same(t, "nothing new", w.add(limits(), "alice", "bob"), list("bob 0"))
	same(t, "block", w.codes(w.Block(t.Context(), as("alice"), limits(), []im.UserID{"bob", "carol"})), list("bob 0", "carol 0"))
	same(t, "unblock", w.codes(w.Unblock(t.Context(), as("alice"), []im.UserID{"bob"})), list("bob 0"))
	same(t, "lists", heard.lists, list("alice", "bob", "alice", "bob"))
	same(t, "blocks", heard.blocks, list("alice-bob", "alice-carol", "alice-bob"))
}

func TestFR19_WhoIsDeletedLeavesAllLists(t *testing.T) {
	w := friends(t, "bob", "carol")
	w.register("dave")
	same(t, "dave asks", w.add(confirming(), "dave", "alice"), list("alice 30539"))
	same(t, "carol blocks", w.codes(w.Block(t.Context(), as("dave"), limits(), []im.UserID{"carol"})), list("carol 0"))
	w.told()
	gone := func(u im.UserID) error {
		return w.Gone(t.Context(), key(u), func() error {
			return w.store.Revoke(t.Context(), im.Order{User: key(u), Before: 1, Delete: true})
		})
	}
	for _, u := range []im.UserID{"alice", "carol"} {
		if err := gone(u); err != nil {
			t.Fatal(err)
		}
	}
	same(t, "told", w.told(), list("bob: removed alice", "carol: removed alice"))
	same(t, "edges", w.edges("alice", "bob", "carol"), nil)
	same(t, "dave's", w.inbox("dave"), nil)
	page, err := w.Blocks(t.Context(), key("dave"), 0, 0)
	if err != nil || len(page.Entries) != 0 {
		t.Error(page, err)
	}
	refused(t, gone("alice"), im.CodeNoAccount)
	if _, err := w.store.OpenSession(t.Context(), im.Opening{User: key("alice"), Session: im.SessionRow{Inst: 9, Opened: 1}}, 2); err != nil {
		t.Fatal(err)
	}
	same(t, "a new alice is a stranger", w.edges("alice", "bob"), nil)
}
