package store_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store"
)

// relate writes a change of a user's relations and gives what was found before.
func relate(t testing.TB, s *store.Store, q im.RelationQuery, ch im.RelationChange) (before im.Relations) {
	t.Helper()
	must(t, s.Relate(t.Context(), q, func(now im.Relations) im.RelationChange {
		before = now
		return ch
	}))
	return before
}

func relations(t testing.TB, s *store.Store, q im.RelationQuery) im.Relations {
	t.Helper()
	all, err := s.Relations(t.Context(), q)
	must(t, err)
	return all
}

// anyText is one that a database may not take as it is.
const anyText = "a\x00\"'\\,;%_é🎧\n"

func owned(owner im.UserID, e im.FriendEntry) im.OwnedFriend {
	return im.OwnedFriend{Owner: owner, FriendEntry: e}
}

func testRelate(t *testing.T, s *store.Store) {
	openSession(t, s, login(alice, 1, im.Web, 1))
	openSession(t, s, login(bob, 1, im.Web, 1))
	must(t, s.SaveProfile(t.Context(), bob, map[string]string{im.TagAllowType: im.AllowConfirm, im.TagNick: anyText, im.TagImage: "i"}))
	must(t, s.SaveProfile(t.Context(), alice, map[string]string{im.TagForbid: im.ForbidAdding}))
	q := im.RelationQuery{User: alice, Others: []im.UserID{"bob", "ghost"}, Entries: true, Applications: true, Groups: true}
	strangers := im.Relations{
		Relation: im.Relation{Found: true, Forbidden: im.ForbidAdding},
		Pairs:    []im.Pair{{User: "bob", Found: true, Allow: im.AllowConfirm, Nick: anyText, Image: "i"}, {User: "ghost"}},
	}
	entry := im.FriendEntry{
		User: "bob", Added: 5, Remark: anyText, Source: "Web", Wording: anyText, Groups: []int64{1, 2}, Custom: map[string]string{"Team": anyText},
	}
	application := im.FriendApplication{Peer: "bob", Added: 7, Source: "Web", Wording: anyText, Remark: anyText, Group: 3}
	outgoing := application
	outgoing.Outgoing = true
	before := relate(t, s, q, im.RelationChange{
		Add:    []im.OwnedFriend{owned("alice", entry), owned("bob", im.FriendEntry{User: "alice", Added: 5})},
		Apply:  []im.OwnedApplication{{Owner: "alice", FriendApplication: application}, {Owner: "alice", FriendApplication: outgoing}},
		Block:  []im.OwnedBlock{{Owner: "alice", BlockEntry: im.BlockEntry{User: "bob", Added: 9}}},
		Groups: []im.FriendGroup{{ID: 1, Name: anyText}, {ID: 2, Name: "b"}},
	})
	equal(t, before, strangers)
	got := relations(t, s, q)
	entry.Position, application.Position, outgoing.Position = 1, 1, 1
	want := strangers
	want.Relation = im.Relation{
		Found: true, Forbidden: im.ForbidAdding, Friends: 1, Blocked: 1, FriendSeq: 1, GroupSeq: 2, ApplicationSeq: 2, BlockSeq: 1,
	}
	want.Groups = []im.FriendGroup{{ID: 1, Name: anyText}, {ID: 2, Name: "b"}}
	want.Pairs = slices.Clone(strangers.Pairs)
	p := &want.Pairs[0]
	p.Has, p.Had, p.Blocks, p.Applied, p.Asked, p.Friends, p.Entry, p.Application = true, true, true, true, true, 1, &entry, &application
	equal(t, got, want)
	other := relations(t, s, im.RelationQuery{User: bob, Others: []im.UserID{"alice"}}).Pairs[0]
	equal(t, other, im.Pair{User: "alice", Found: true, Has: true, Had: true, Blocked: true, AppliedBack: true, AskedBack: true, Friends: 1})
	equal(t, relations(t, s, im.RelationQuery{User: im.UserKey{App: testApp + 1, User: "alice"}, Others: []im.UserID{"bob"}, Groups: true}),
		im.Relations{Pairs: []im.Pair{{User: "bob"}}})
}

func testRelateAgain(t *testing.T, s *store.Store) {
	add := im.RelationChange{Add: []im.OwnedFriend{owned("alice", im.FriendEntry{User: "bob", Remark: "first"})}}
	block := im.RelationChange{Block: []im.OwnedBlock{{Owner: "alice", BlockEntry: im.BlockEntry{User: "bob"}}}}
	drop := im.RelationChange{Drop: []im.Edge{{From: "alice", To: "bob"}}, Unblock: []im.Edge{{From: "alice", To: "bob"}}}
	save := im.RelationChange{Save: []im.OwnedFriend{owned("alice", im.FriendEntry{User: "bob", Remark: "second"})}}
	q := im.RelationQuery{User: alice, Others: []im.UserID{"bob"}, Entries: true}
	for range 2 {
		relate(t, s, q, add)
		relate(t, s, q, block)
	}
	got := relations(t, s, q)
	equal(t, []int{got.Friends, got.Blocked, int(got.FriendSeq), int(got.BlockSeq)}, []int{1, 1, 1, 1})
	relate(t, s, q, save)
	equal(t, relations(t, s, q).Pairs[0].Entry.Remark, "second")
	for range 2 {
		relate(t, s, q, drop)
	}
	relate(t, s, q, save) // of nobody
	got = relations(t, s, q)
	equal(t, []int{got.Friends, got.Blocked, int(got.FriendSeq), int(got.CustomSeq), int(got.BlockSeq)}, []int{0, 0, 3, 1, 2})
	equal(t, got.Pairs, []im.Pair{{User: "bob"}})
}

func testApplicationsMakeRoom(t *testing.T, s *store.Store) {
	for i := range 5 {
		a := im.FriendApplication{Peer: im.UserID(fmt.Sprint("u", i)), Added: int64(i + 1)}
		relate(t, s, im.RelationQuery{User: alice}, im.RelationChange{
			Apply: []im.OwnedApplication{{Owner: "alice", FriendApplication: a}}, Keep: 3,
		})
	}
	peers := func() (list []string) {
		_, all, err := s.Applications(t.Context(), alice)
		must(t, err)
		for _, a := range all {
			list = append(list, fmt.Sprint(a.Peer, a.Seen))
		}
		return list
	}
	equal(t, peers(), []string{"u4false", "u3false", "u2false"})
	relate(t, s, im.RelationQuery{User: alice}, im.RelationChange{See: 4})
	equal(t, peers(), []string{"u4true"[:2] + "false", "u3true", "u2true"})
	relate(t, s, im.RelationQuery{User: alice}, im.RelationChange{Withdraw: []im.ApplicationKey{{Owner: "alice", Peer: "u3"}}})
	again := im.FriendApplication{Peer: "u2", Added: 9}
	relate(t, s, im.RelationQuery{User: alice}, im.RelationChange{
		Apply: []im.OwnedApplication{{Owner: "alice", FriendApplication: again}}, Keep: 3,
	})
	equal(t, peers(), []string{"u2false", "u4false"})
}

// testRelateConcurrently: decisions see each other's changes, whoever makes them.
func testRelateConcurrently(t *testing.T, s *store.Store) {
	const callers, room = 60, 10
	var calls sync.WaitGroup
	for i := range callers {
		calls.Go(func() {
			u := im.UserID(fmt.Sprint("u", i))
			err := s.Relate(t.Context(), im.RelationQuery{User: im.UserKey{App: testApp, User: u}, Others: []im.UserID{"star"}},
				func(now im.Relations) (ch im.RelationChange) {
					if now.Pairs[0].Friends < room {
						ch.Add = []im.OwnedFriend{owned("star", im.FriendEntry{User: u}), owned(u, im.FriendEntry{User: "star"})}
					}
					return ch
				})
			if err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	star := im.UserKey{App: testApp, User: "star"}
	mine, err := s.Friends(t.Context(), star)
	must(t, err)
	theirs, err := s.Fans(t.Context(), star)
	must(t, err)
	equal(t, []int{len(mine), len(theirs), relations(t, s, im.RelationQuery{User: star}).Friends}, []int{room, room, room})
}

// testRelationModel: random changes leave what a map says.
func testRelationModel(t *testing.T, s *store.Store) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	users := []im.UserID{"a", "b", "c", "d"}
	friends, blocks := map[im.Edge]bool{}, map[im.Edge]bool{}
	for step := range 300 {
		e := im.Edge{From: users[random.IntN(4)], To: users[random.IntN(4)]}
		var ch im.RelationChange
		switch random.IntN(4) {
		case 0:
			ch.Add, friends[e] = []im.OwnedFriend{owned(e.From, im.FriendEntry{User: e.To})}, true
		case 1:
			ch.Drop = []im.Edge{e}
			delete(friends, e)
		case 2:
			ch.Block, blocks[e] = []im.OwnedBlock{{Owner: e.From, BlockEntry: im.BlockEntry{User: e.To}}}, true
		default:
			ch.Unblock = []im.Edge{e}
			delete(blocks, e)
		}
		key := im.UserKey{App: testApp, User: users[random.IntN(4)]}
		before := relate(t, s, im.RelationQuery{User: key, Others: users}, ch)
		if step%20 != 0 {
			continue
		}
		now := relations(t, s, im.RelationQuery{User: key, Others: users})
		if now.FriendSeq < before.FriendSeq || now.BlockSeq < before.BlockSeq {
			t.Fatalf("seed %d: a sequence fell: %+v, then %+v", seed, before.Relation, now.Relation)
		}
		for _, p := range now.Pairs {
			out, in := im.Edge{From: key.User, To: p.User}, im.Edge{From: p.User, To: key.User}
			got, want := []bool{p.Has, p.Had, p.Blocks, p.Blocked}, []bool{friends[out], friends[in], blocks[out], blocks[in]}
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d, step %d: %s and %s are %v, want %v", seed, step, key.User, p.User, got, want)
			}
		}
		equal(t, now.Friends, count(friends, key.User))
		equal(t, now.Blocked, count(blocks, key.User))
	}
	by, err := s.BlockedBy(t.Context(), im.UserKey{App: testApp, User: "a"}, users)
	must(t, err)
	for i, u := range users {
		equal(t, by[i], blocks[im.Edge{From: u, To: "a"}])
	}
}

func count(edges map[im.Edge]bool, from im.UserID) (n int) {
	for e := range maps.Keys(edges) {
		if e.From == from {
			n++
		}
	}
	return n
}

func testLists(t *testing.T, s *store.Store) {
	var add []im.OwnedFriend
	var block []im.OwnedBlock
	for i := range 5 {
		u := im.UserID(fmt.Sprint("u", 9-i)) // not in the order of their names
		add = append(add, owned("alice", im.FriendEntry{User: u, Groups: []int64{1}[:i%2]}))
		block = append(block, im.OwnedBlock{Owner: "alice", BlockEntry: im.BlockEntry{User: u, Added: int64(i)}})
	}
	relate(t, s, im.RelationQuery{User: alice}, im.RelationChange{Add: add, Block: block, Groups: []im.FriendGroup{{ID: 1, Name: "g"}}})
	own, page, err := s.FriendPage(t.Context(), alice, 0, 2)
	must(t, err)
	equal(t, []any{own.Friends, page[0].User, page[1].User}, []any{5, im.UserID("u9"), im.UserID("u8")})
	_, page, err = s.FriendPage(t.Context(), alice, page[1].Position, 9)
	must(t, err)
	equal(t, []any{len(page), page[0].User}, []any{3, im.UserID("u7")})
	_, blocked, err := s.Blocks(t.Context(), alice, 3, 9)
	must(t, err)
	equal(t, blocked, []im.BlockEntry{{User: "u6", Position: 4, Added: 3}, {User: "u5", Position: 5, Added: 4}})
	_, grouped, err := s.FriendGroups(t.Context(), alice)
	must(t, err)
	equal(t, grouped, []im.FriendEntry{{User: "u8", Groups: []int64{1}}, {User: "u6", Groups: []int64{1}}})
}

func testProfiles(t *testing.T, s *store.Store) {
	openSession(t, s, login(alice, 1, im.Web, 1))
	openSession(t, s, login(bob, 1, im.Web, 1))
	must(t, s.SaveProfile(t.Context(), alice, map[string]string{"a": anyText, "b": ""}))
	must(t, s.SaveProfile(t.Context(), alice, map[string]string{"b": "2", "c": "3"}))
	got, err := s.Profiles(t.Context(), testApp, []im.UserID{"alice", "bob", "ghost"})
	must(t, err)
	equal(t, got, map[im.UserID]map[string]string{"alice": {"a": anyText, "b": "2", "c": "3"}, "bob": {}})
	if err := s.SaveProfile(t.Context(), im.UserKey{App: testApp, User: "ghost"}, map[string]string{"a": "b"}); err == nil {
		t.Error("a profile without an account")
	}
}
