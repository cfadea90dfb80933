// Package account knows which accounts exist and how they stand. It remembers
// the ones it has seen, so that asking after hundreds of users costs no query; it
// never remembers that one is missing, since a login elsewhere may make it. What
// is ordered about accounts passes through it, so that it never gives out what an
// order has made untrue.
package account

import (
	"context"
	"hash/maphash"
	"slices"
	"strings"
	"sync"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Store keeps accounts. A method that returns nil has committed; one that
// returns an error has changed nothing, or says so.
type Store interface {
	// Accounts gives the TinyIDs of those of the users who exist.
	Accounts(ctx context.Context, app im.AppID, users []im.UserID) (map[im.UserID]int64, error)
	// Standing gives what was ordered about a user, who need not exist.
	Standing(ctx context.Context, key im.UserKey) (im.Standing, error)
	// Revoke writes an order about a user as a whole.
	Revoke(ctx context.Context, o im.Order) error
	// Import makes and updates accounts and gives those who are kept out.
	Import(ctx context.Context, i im.Import) (keptOut []im.UserID, err error)
}

// Directory answers who exists and how they stand.
type Directory struct {
	store  Store
	shards [shards]shard
}

const (
	shards      = 64
	perShard    = 1 << 14 // a million accounts in all; beyond it some are asked for again
	perStanding = 1 << 8  // as many standings as there may be back ends, many times over
)

type shard struct {
	mu       sync.Mutex // level 0; guards all below
	known    map[im.UserKey]struct{}
	standing map[im.UserKey]im.Standing
	orders   uint64 // carried out about users of this shard; what was read before one is not remembered
}

var seed = maphash.MakeSeed()

// New makes a directory over a store.
func New(s Store) *Directory {
	d := &Directory{store: s}
	for i := range d.shards {
		d.shards[i].known = make(map[im.UserKey]struct{})
		d.shards[i].standing = make(map[im.UserKey]im.Standing)
	}
	return d
}

// Learn says that an account exists.
func (d *Directory) Learn(key im.UserKey) {
	s := d.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.learnLocked(key)
}

func (s *shard) learnLocked(key im.UserKey) {
	if _, ok := s.known[key]; ok {
		return
	}
	makeRoom(s.known, perShard)
	s.known[key] = struct{}{}
}

// makeRoom drops any one of too many entries: the map's order is as good as
// chance.
func makeRoom[V any](m map[im.UserKey]V, most int) {
	if len(m) < most {
		return
	}
	for k := range m {
		delete(m, k)
		return
	}
}

// Exist reports, for each ID, whether the account exists.
func (d *Directory) Exist(ctx context.Context, app im.AppID, users []im.UserID) ([]bool, error) {
	exist := make([]bool, len(users))
	var ask []im.UserID
	var orders []uint64 // of the shard of each of them
	for i, u := range users {
		known, n := d.knows(im.UserKey{App: app, User: u})
		if exist[i] = known; !known {
			ask, orders = append(ask, u), append(orders, n)
		}
	}
	if len(ask) == 0 {
		return exist, nil
	}
	found, err := d.store.Accounts(ctx, app, ask)
	if err != nil {
		return nil, err
	}
	for i, u := range users {
		if exist[i] {
			continue
		}
		_, exist[i] = found[u]
		if exist[i] {
			d.learnSince(im.UserKey{App: app, User: u}, orders[0])
		}
		orders = orders[1:]
	}
	return exist, nil
}

// knows reports whether an account is known to exist, and how many orders its
// shard has seen.
func (d *Directory) knows(key im.UserKey) (known bool, orders uint64) {
	s := d.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	_, known = s.known[key]
	return known, s.orders
}

// learnSince learns what was read when the shard had seen so many orders,
// unless it has seen another since.
func (d *Directory) learnSince(key im.UserKey, orders uint64) {
	s := d.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.orders == orders {
		s.learnLocked(key)
	}
}

// Standing gives what was ordered about a user, who need not exist: from which
// time on UserSigs count, and whether the user is banned.
func (d *Directory) Standing(ctx context.Context, key im.UserKey) (im.Standing, error) {
	s := d.shard(key)
	s.mu.Lock()
	standing, ok := s.standing[key]
	orders := s.orders
	s.mu.Unlock()
	if ok {
		return standing, nil
	}
	standing, err := d.store.Standing(ctx, key)
	if err != nil {
		return standing, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.orders == orders {
		makeRoom(s.standing, perStanding)
		s.standing[key] = standing
	}
	return standing, nil
}

// Revoke carries out an order about a user; see [Store]. Whoever asks after it
// has returned is told what it has made true.
func (d *Directory) Revoke(ctx context.Context, o im.Order) error {
	defer d.forget(o.User) // also after an error: it may have been carried out all the same
	return d.store.Revoke(ctx, o)
}

// robots begin the userIDs of robots, which are made by other means.
const robots = "@RBT#"

// Import makes accounts, and sets the given fields of those that exist already,
// in one commit. It gives those that it leaves out, with the reason: a userID
// that can be none or is a robot's, a text that is too long, and who was deleted
// too lately.
func (d *Directory) Import(ctx context.Context, i im.Import) (failed []im.Failed, err error) {
	good := i.Accounts[:0:0]
	for _, row := range i.Accounts {
		if refusal := importable(row); refusal != nil {
			failed = append(failed, im.Failed{User: row.User, Refusal: refusal})
			continue
		}
		good = append(good, row)
	}
	if len(good) == 0 {
		return failed, nil
	}
	i.Accounts = good
	orders := make([]uint64, len(good))
	for n, row := range good {
		_, orders[n] = d.knows(im.UserKey{App: i.App, User: row.User})
	}
	keptOut, err := d.store.Import(ctx, i)
	if err != nil {
		return nil, err
	}
	for _, u := range keptOut {
		failed = append(failed, im.Failed{User: u, Refusal: im.Err(im.CodeKeptOut)})
	}
	for n, row := range good {
		if !slices.Contains(keptOut, row.User) {
			d.learnSince(im.UserKey{App: i.App, User: row.User}, orders[n])
		}
	}
	return failed, nil
}

// importable says why an account cannot be imported, or nil.
func importable(row im.ImportRow) *im.Error {
	switch {
	case !row.User.Valid():
		return im.Errorf(im.CodeInvalid, "UserID: %s", im.CodeInvalidUserID.Text())
	case strings.HasPrefix(string(row.User), robots):
		return im.Errorf(im.CodeInvalid, "UserID: those that begin with %s are robots'", robots)
	}
	for _, value := range row.Values {
		if len(value) > im.MaxFieldBytes {
			return im.Errorf(im.CodeProfileLong, "a text of a profile is longer than %d bytes", im.MaxFieldBytes)
		}
	}
	return nil
}

// forget drops what is remembered of a user, and sees to it that what is being
// read now is not remembered either.
func (d *Directory) forget(key im.UserKey) {
	s := d.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orders++
	delete(s.known, key)
	delete(s.standing, key)
}

func (d *Directory) shard(key im.UserKey) *shard {
	return &d.shards[maphash.Comparable(seed, key)%shards]
}
