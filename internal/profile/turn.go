package profile

import (
	"context"
	"sync"

	"github.com/porchlight-im/porchlight/internal/im"
)

// turns lets one change of a user's profile be committed and told before the
// next one is made. The store may be waited for in a turn: it is no lock.
type turns struct {
	mu    sync.Mutex // level 0
	taken map[im.UserKey]*turn
}

// turn is the turn of one user, while somebody has it or waits for it.
type turn struct {
	token chan struct{} // full while it is taken
	refs  int           // guarded by turns.mu
}

// take waits for a user's turn.
func (t *turns) take(ctx context.Context, key im.UserKey) (*turn, error) {
	t.mu.Lock()
	u := t.taken[key]
	if u == nil {
		u = &turn{token: make(chan struct{}, 1)}
		t.taken[key] = u
	}
	u.refs++
	t.mu.Unlock()
	select {
	case u.token <- struct{}{}:
		return u, nil
	case <-ctx.Done():
		t.leave(key, u)
		return nil, im.Err(im.CodeServerTimeout)
	}
}

// give gives a turn back.
func (t *turns) give(key im.UserKey, u *turn) {
	<-u.token
	t.leave(key, u)
}

func (t *turns) leave(key im.UserKey, u *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if u.refs--; u.refs == 0 {
		delete(t.taken, key)
	}
}
