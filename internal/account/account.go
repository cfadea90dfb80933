// Package account knows which accounts exist. It remembers the ones it has
// seen, so that asking after hundreds of users costs no query; it never
// remembers that one is missing, since a login elsewhere may make it.
package account

import (
	"context"
	"hash/maphash"
	"sync"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Store reads accounts.
type Store interface {
	// Accounts gives the TinyIDs of those of the users who exist.
	Accounts(ctx context.Context, app im.AppID, users []im.UserID) (map[im.UserID]int64, error)
}

// Directory answers who exists.
type Directory struct {
	store  Store
	shards [shards]shard
}

const (
	shards   = 64
	perShard = 1 << 14 // a million accounts in all; beyond it some are asked for again
)

type shard struct {
	mu    sync.Mutex // level 0
	known map[im.UserKey]struct{}
}

var seed = maphash.MakeSeed()

// New makes a directory over a store.
func New(s Store) *Directory {
	d := &Directory{store: s}
	for i := range d.shards {
		d.shards[i].known = make(map[im.UserKey]struct{})
	}
	return d
}

// Learn says that an account exists.
func (d *Directory) Learn(key im.UserKey) {
	s := d.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.known[key]; ok {
		return
	}
	if len(s.known) >= perShard {
		for k := range s.known { // any: the map's order is as good as chance
			delete(s.known, k)
			break
		}
	}
	s.known[key] = struct{}{}
}

// Exist reports, for each ID, whether the account exists.
func (d *Directory) Exist(ctx context.Context, app im.AppID, users []im.UserID) ([]bool, error) {
	exist := make([]bool, len(users))
	var ask []im.UserID
	for i, u := range users {
		if exist[i] = d.knows(im.UserKey{App: app, User: u}); !exist[i] {
			ask = append(ask, u)
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
		if _, ok := found[u]; ok && !exist[i] {
			exist[i] = true
			d.Learn(im.UserKey{App: app, User: u})
		}
	}
	return exist, nil
}

func (d *Directory) knows(key im.UserKey) bool {
	s := d.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.known[key]
	return ok
}

func (d *Directory) shard(key im.UserKey) *shard {
	return &d.shards[maphash.Comparable(seed, key)%shards]
}
