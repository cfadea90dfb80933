package account_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/porchlight-im/porchlight/internal/account"
	"github.com/porchlight-im/porchlight/internal/im"
)

// store holds accounts and keeps what it was asked.
type store struct {
	mu    sync.Mutex
	has   map[im.UserKey]bool
	asked []im.UserKey
	calls int
	err   error

	standing im.Standing
	during   func() // called while something is asked, after it was looked up
}

func newStore(keys ...im.UserKey) *store {
	s := &store{has: map[im.UserKey]bool{}}
	for _, k := range keys {
		s.has[k] = true
	}
	return s
}

// Accounts answers as a database does: without order, and each user once.
func (s *store) Accounts(_ context.Context, app im.AppID, users []im.UserID) (map[im.UserID]int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.err != nil {
		return nil, s.err
	}
	found := map[im.UserID]int64{}
	for i, u := range users {
		k := im.UserKey{App: app, User: u}
		s.asked = append(s.asked, k)
		if s.has[k] {
			found[u] = int64(i + 1)
		}
	}
	return found, nil
}

// Standing gives the same for everybody.
func (s *store) Standing(context.Context, im.UserKey) (im.Standing, error) {
	s.mu.Lock()
	s.calls++
	found := s.standing
	s.mu.Unlock()
	if s.during != nil {
		s.during()
	}
	return found, s.err
}

// Revoke carries out nothing.
func (s *store) Revoke(context.Context, im.Order) error { return s.err }

// Import makes those who are not called late, whom it keeps out.
func (s *store) Import(_ context.Context, i im.Import) (keptOut []im.UserID, err error) {
	for _, row := range i.Accounts {
		if row.User == "late" {
			keptOut = append(keptOut, row.User)
			continue
		}
		s.add(im.UserKey{App: i.App, User: row.User})
	}
	if s.during != nil {
		s.during()
	}
	return keptOut, s.err
}

func (s *store) add(k im.UserKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.has[k] = true
}

// questions gives what was asked since the last call.
func (s *store) questions() []im.UserKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked, s.calls = nil, 0
	return asked
}

func key(app im.AppID, user im.UserID) im.UserKey { return im.UserKey{App: app, User: user} }

// exist asks the directory and fails the test on an error.
func exist(t *testing.T, d *account.Directory, app im.AppID, users ...im.UserID) []bool {
	t.Helper()
	got, err := d.Exist(t.Context(), app, users)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestStoreIsAskedOnlyAfterTheUnknown(t *testing.T) {
	s := newStore(key(1, "alice"), key(1, "bob"))
	d := account.New(s)
	if diff := cmp.Diff([]bool{true, false}, exist(t, d, 1, "alice", "ghost")); diff != "" {
		t.Errorf("first (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]im.UserKey{key(1, "alice"), key(1, "ghost")}, s.questions()); diff != "" {
		t.Errorf("first questions (-want +got)\n%s", diff)
	}
	got := exist(t, d, 1, "ghost", "alice", "bob", "alice")
	if diff := cmp.Diff([]bool{false, true, true, true}, got); diff != "" {
		t.Errorf("second (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]im.UserKey{key(1, "ghost"), key(1, "bob")}, s.questions()); diff != "" {
		t.Errorf("second questions (-want +got)\n%s", diff)
	}
	exist(t, d, 1, "bob", "alice")
	if asked := s.questions(); len(asked) > 0 {
		t.Errorf("the store was asked after %v, who are known", asked)
	}
}

func TestManyUnknownAreOneQuestion(t *testing.T) {
	s := newStore(key(1, "u7"))
	d := account.New(s)
	var users []im.UserID
	for i := range im.MaxQuery {
		users = append(users, im.UserID(fmt.Sprint("u", i)))
	}
	got := exist(t, d, 1, users...)
	if n := slices.Index(got, true); n != 7 || slices.Contains(got[8:], true) {
		t.Errorf("the first who exists is number %d", n)
	}
	if s.calls != 1 {
		t.Errorf("%d calls of the store, want 1", s.calls)
	}
}

func TestNobodyIsAskedAfterNobody(t *testing.T) {
	s := newStore()
	if got := exist(t, account.New(s), 1); len(got) != 0 || s.calls != 0 {
		t.Errorf("got %v with %d calls of the store", got, s.calls)
	}
}

func TestWhoIsMissingIsAskedAfterEachTime(t *testing.T) {
	s := newStore()
	d := account.New(s)
	for range 3 {
		if exist(t, d, 1, "late")[0] {
			t.Fatal("who was never made exists")
		}
		if asked := s.questions(); len(asked) != 1 {
			t.Errorf("the store was asked after %v", asked)
		}
	}
	s.add(key(1, "late"))
	if !exist(t, d, 1, "late")[0] {
		t.Error("who was made elsewhere is still missing")
	}
}

func TestWhoWasLearntIsNotAskedAfter(t *testing.T) {
	s := newStore()
	d := account.New(s)
	for range 2 {
		d.Learn(key(1, "alice"))
	}
	if !exist(t, d, 1, "alice")[0] || s.calls != 0 {
		t.Errorf("who was learnt is not known, or the store was asked %d times", s.calls)
	}
}

func TestOneUserTwiceInAQuestionIsAnsweredTwice(t *testing.T) {
	d := account.New(newStore(key(1, "bob")))
	for range 2 {
		got := exist(t, d, 1, "bob", "ghost", "bob", "ghost")
		if diff := cmp.Diff([]bool{true, false, true, false}, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
}

func TestApplicationsKnowTheirOwnAccountsOnly(t *testing.T) {
	s := newStore(key(1, "alice"))
	d := account.New(s)
	d.Learn(key(1, "bob"))
	exist(t, d, 1, "alice", "bob")
	for _, app := range []im.AppID{0, 2, 1 << 31} {
		s.questions()
		if diff := cmp.Diff([]bool{false, false}, exist(t, d, app, "alice", "bob")); diff != "" {
			t.Errorf("application %d (-want +got)\n%s", app, diff)
		}
		if diff := cmp.Diff([]im.UserKey{key(app, "alice"), key(app, "bob")}, s.questions()); diff != "" {
			t.Errorf("application %d: questions (-want +got)\n%s", app, diff)
		}
	}
}

func TestSE18_UserIDsAreBytes(t *testing.T) {
	d := account.New(newStore(key(1, "alice")))
	exist(t, d, 1, "alice")
	if got := exist(t, d, 1, "Alice", "alice ", "", "alice"); !slices.Equal(got, []bool{false, false, false, true}) {
		t.Errorf("got %v", got)
	}
}

func TestStoresErrorPassesThroughAndTeachesNothing(t *testing.T) {
	s := newStore(key(1, "alice"), key(1, "bob"))
	d := account.New(s)
	exist(t, d, 1, "alice")
	s.questions()
	s.err = errors.New("the disk is gone")
	if got, err := d.Exist(t.Context(), 1, []im.UserID{"alice", "bob"}); !errors.Is(err, s.err) || got != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if !exist(t, d, 1, "alice")[0] {
		t.Error("who is known needs no store")
	}
	s.err = nil
	if !exist(t, d, 1, "bob")[0] {
		t.Error("an error was remembered")
	}
}

// TestMemoryIsBounded fills one shard beyond its bound: some are asked for
// again, and nobody is said to be missing.
func TestMemoryIsBounded(t *testing.T) {
	s := newStore()
	d := account.New(s)
	first := key(1, "0")
	d.Learn(first)
	learnt := []im.UserID{first.User}
	for i := 1; len(learnt) < account.PerShardForTest+100; i++ {
		k := key(1, im.UserID(fmt.Sprint(i)))
		if !d.SameShardForTest(first, k) {
			continue
		}
		d.Learn(k)
		learnt = append(learnt, k.User)
	}
	if got := d.RememberedForTest(); got != account.PerShardForTest {
		t.Errorf("a shard remembers %d, want %d", got, account.PerShardForTest)
	}
	if all := account.PerShardForTest * account.ShardsForTest; all > 1<<20 {
		t.Errorf("%d accounts are remembered in all, more than a million", all)
	}
	d.Learn(key(1, learnt[len(learnt)-1])) // who is known pushes nobody out
	for _, u := range learnt {
		s.has[key(1, u)] = true
	}
	for i, there := range exist(t, d, 1, learnt...) {
		if !there {
			t.Fatalf("%s is said to be missing", learnt[i])
		}
	}
	if n := len(s.questions()); n != 100 {
		t.Errorf("%d were asked for again, want the 100 over the bound", n)
	}
}

func TestManyAskAtOnce(t *testing.T) {
	s := newStore()
	d := account.New(s)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 200 {
				k := key(im.AppID(i%2+1), im.UserID(fmt.Sprint("u", i%50)))
				if g%2 == 0 {
					s.add(k)
					d.Learn(k)
				}
				got, err := d.Exist(context.Background(), k.App, []im.UserID{k.User, "ghost"})
				if err != nil || got[1] || g%2 == 0 && !got[0] {
					t.Errorf("%v: %v, %v", k, got, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestRE3_StandingIsRememberedUntilAnOrder(t *testing.T) {
	s := newStore()
	d := account.New(s)
	standing := func(want im.Standing, calls int) {
		t.Helper()
		s.calls = 0
		got, err := d.Standing(t.Context(), key(1, "alice"))
		if err != nil || got != want || s.calls != calls {
			t.Errorf("%+v, %v with %d calls of the store; want %+v with %d", got, err, s.calls, want, calls)
		}
	}
	standing(im.Standing{}, 1)
	standing(im.Standing{}, 0)
	s.standing = im.Standing{RevokedBefore: 7, Banned: true}
	s.err = errors.New("unknown outcome")
	if err := d.Revoke(t.Context(), im.Order{User: key(1, "alice")}); err == nil {
		t.Error("an order that fails is said to be carried out")
	}
	s.err = nil
	standing(s.standing, 1) // it may have been carried out
	standing(s.standing, 0)

	// What was read before an order that came meanwhile is not remembered.
	s.standing = im.Standing{}
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(d.Revoke(t.Context(), im.Order{User: key(1, "alice")}))
	s.during = func() {
		s.during, s.standing = nil, im.Standing{RevokedBefore: 9}
		must(d.Revoke(t.Context(), im.Order{User: key(1, "alice")}))
	}
	standing(im.Standing{}, 1)
	standing(im.Standing{RevokedBefore: 9}, 1)
}

func TestAC1_ImportedAccountsAreKnownUnlessDeletedMeanwhile(t *testing.T) {
	s := newStore()
	d := account.New(s)
	imports := func(users ...im.UserID) []im.Failed {
		t.Helper()
		var rows []im.ImportRow
		for _, u := range users {
			rows = append(rows, im.ImportRow{User: u})
		}
		failed, err := d.Import(t.Context(), im.Import{App: 1, Accounts: rows})
		if err != nil {
			t.Fatal(err)
		}
		return failed
	}
	if failed := imports("alice", "late", "@RBT#x", "a b"); len(failed) != 3 || failed[2].User != "late" || failed[2].Refusal.Code != im.CodeKeptOut {
		t.Errorf("left out: %v", failed)
	}
	s.calls = 0
	if !exist(t, d, 1, "alice")[0] || s.calls != 0 {
		t.Errorf("the store is asked %d times after who was imported", s.calls)
	}
	s.during = func() {
		s.during = nil
		delete(s.has, key(1, "bob"))
		_ = d.Revoke(t.Context(), im.Order{User: key(1, "bob"), Delete: true})
	}
	imports("bob")
	if exist(t, d, 1, "bob")[0] {
		t.Error("who was deleted meanwhile is known")
	}
}
