package testkit

import (
	"context"
	"slices"
	"sync"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/status"
)

// Circle stands in for whoever keeps friend lists and blocklists. The users of
// all applications share it.
type Circle struct {
	mu      sync.Mutex
	friends map[im.UserID][]im.UserID
	blocked map[im.UserID][]im.UserID
	engine  *status.Engine
	app     im.AppID
}

// NewCircle makes one in which nobody knows anybody.
func NewCircle() *Circle {
	return &Circle{friends: make(map[im.UserID][]im.UserID), blocked: make(map[im.UserID][]im.UserID)}
}

// Serve says which engine is to be told of changes of an application's lists.
func (c *Circle) Serve(e *status.Engine, app im.AppID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.engine, c.app = e, app
}

// Friends gives a friend list.
func (c *Circle) Friends(_ context.Context, key im.UserKey) ([]im.UserID, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.friends[key.User]), nil
}

// BlockedBy reports which users have blocked who.
func (c *Circle) BlockedBy(_ context.Context, who im.UserKey, users []im.UserID) ([]bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]bool, len(users))
	for i, u := range users {
		out[i] = slices.Contains(c.blocked[u], who.User)
	}
	return out, nil
}

// Befriend puts friends on a user's list, Unfriend takes them off it.
func (c *Circle) Befriend(ctx context.Context, user im.UserID, friends ...im.UserID) error {
	return c.changeFriends(ctx, user, func(list []im.UserID) []im.UserID { return append(without(list, friends), friends...) })
}

// Unfriend undoes Befriend.
func (c *Circle) Unfriend(ctx context.Context, user im.UserID, friends ...im.UserID) error {
	return c.changeFriends(ctx, user, func(list []im.UserID) []im.UserID { return without(list, friends) })
}

func (c *Circle) changeFriends(ctx context.Context, user im.UserID, change func([]im.UserID) []im.UserID) error {
	c.mu.Lock()
	c.friends[user] = change(c.friends[user])
	e, app := c.engine, c.app
	c.mu.Unlock()
	return e.FriendsChanged(ctx, im.UserKey{App: app, User: user})
}

// Block puts users on a user's blocklist, Unblock takes them off it.
func (c *Circle) Block(ctx context.Context, user im.UserID, users ...im.UserID) error {
	return c.changeBlocks(ctx, user, users, func(list []im.UserID) []im.UserID { return append(without(list, users), users...) })
}

// Unblock undoes Block.
func (c *Circle) Unblock(ctx context.Context, user im.UserID, users ...im.UserID) error {
	return c.changeBlocks(ctx, user, users, func(list []im.UserID) []im.UserID { return without(list, users) })
}

func (c *Circle) changeBlocks(ctx context.Context, user im.UserID, users []im.UserID, change func([]im.UserID) []im.UserID) error {
	c.mu.Lock()
	c.blocked[user] = change(c.blocked[user])
	e, app := c.engine, c.app
	c.mu.Unlock()
	return e.BlocksChanged(ctx, im.UserKey{App: app, User: user}, users...)
}

// order carries one of these out by its name.
func (c *Circle) order(ctx context.Context, verb string, user im.UserID, names []string) error {
	users := make([]im.UserID, len(names))
	for i, name := range names {
		users[i] = im.UserID(name)
	}
	switch verb {
	case "befriend":
		return c.Befriend(ctx, user, users...)
	case "unfriend":
		return c.Unfriend(ctx, user, users...)
	case "block":
		return c.Block(ctx, user, users...)
	default:
		return c.Unblock(ctx, user, users...)
	}
}

func without(list, users []im.UserID) []im.UserID {
	return slices.DeleteFunc(slices.Clone(list), func(u im.UserID) bool { return slices.Contains(users, u) })
}
