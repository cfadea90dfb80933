package rest

import (
	"context"
	"crypto/sha256"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/porchlight-im/porchlight/internal/app"
	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/usersig"
)

// authenticate finds out who calls and refuses who is no administrator of the
// application, in an order in which the first code is the one that its reader can
// act on. [RE2]
func (k *call) authenticate(ctx context.Context) error {
	q := &k.query
	if q.app == "" {
		return im.Err(im.CodeNoAppID)
	}
	id, err := strconv.ParseUint(q.app, 10, 32)
	if err != nil {
		return im.Err(im.CodeNoApp)
	}
	a, err := k.api.cfg.Apps.Get(im.AppID(id))
	if err != nil {
		return err
	}
	switch {
	case q.identifier == "":
		return im.Errorf(im.CodeBadParameter, "identifier is missing; give the userID of an administrator of the application")
	case q.userSig == "":
		return im.Errorf(im.CodeBadParameter, "usersig is missing; give the UserSig of that administrator")
	case q.contentType != "json":
		return im.Errorf(im.CodeBadParameter, "contenttype is not json")
	}
	user := im.UserID(q.identifier)
	sig, err := k.api.verify(a, user, q.userSig)
	if err != nil {
		return err
	}
	standing, err := k.api.cfg.Accounts.Standing(ctx, im.UserKey{App: a.ID, User: user})
	switch {
	case err != nil:
		return err
	case standing.RevokedBefore > 0 && sig.issued <= standing.RevokedBefore:
		return im.Err(im.CodeSigExpired)
	case standing.Banned:
		return im.Err(im.CodeBanned)
	}
	k.app, k.admin = a, user
	if !a.Admins[user] {
		return im.Err(im.CodeNotAdmin)
	}
	return nil
}

// verified is a UserSig that was found good, and from when till when, Unix
// seconds, it stays good while its application is what it was.
type verified struct {
	issued, from, until int64
}

// verify verifies a UserSig. One that was found good is remembered with the
// snapshot of the application, which another takes the place of when a key is
// withdrawn, and never with less than the whole of it. What can be ordered about
// its user is no part of this. [RE3]
func (a *API) verify(of *app.App, user im.UserID, token string) (verified, error) {
	now := a.cfg.Now()
	key := checkedKey{of, user, sha256.Sum256([]byte(token))}
	if v, ok := a.checked.get(key); ok && v.from <= now.Unix() && now.Unix() <= v.until {
		return v, nil
	}
	sig, err := usersig.Verify(token, usersig.Want{
		App: of.ID, User: user, Keys: of.Keys, Now: now, Skew: a.set.TokenSkew, MaxLife: of.Settings.MaxTokenLife,
		MaxEncoded: a.set.TokenBytes, MaxInflated: a.set.TokenInflated,
	})
	if err != nil {
		return verified{}, err
	}
	v := verified{issued: sig.Issued, from: sig.Issued - int64(a.set.TokenSkew/time.Second), until: sig.Expires}
	for _, k := range of.Keys {
		if k.ID == sig.KeyID {
			v.from = max(v.from, k.NotBefore)
			if k.NotAfter != 0 {
				v.until = min(v.until, k.NotAfter)
			}
		}
	}
	a.checked.put(key, v)
	return v, nil
}

// checkedKey names a UserSig that was found good. It holds the snapshot itself,
// so that no other can be in its place while the entry lives.
type checkedKey struct {
	app   *app.App
	user  im.UserID
	token [sha256.Size]byte
}

// checked remembers UserSigs that were found good: the latest ones, in two
// halves, the older of which is dropped when the newer is full.
type checked struct {
	mu       sync.Mutex // level 0; guards all below
	new, old map[checkedKey]verified
}

// maxChecked is how many are in one half. A back end has one in use.
const maxChecked = 1024

func (c *checked) get(k checkedKey) (verified, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.new[k]
	if !ok {
		if v, ok = c.old[k]; ok {
			c.putLocked(k, v)
		}
	}
	return v, ok
}

func (c *checked) put(k checkedKey, v verified) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.putLocked(k, v)
}

func (c *checked) putLocked(k checkedKey, v verified) {
	if c.new == nil || len(c.new) >= maxChecked {
		c.old, c.new = c.new, make(map[checkedKey]verified)
	}
	c.new[k] = v
}

// size gives how many are remembered.
func (c *checked) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.new) + len(c.old)
}

// rates bounds the calls of each command of each application. There are no more
// entries than commands of applications, since only their administrators come so
// far.
type rates struct {
	mu   sync.Mutex // level 0; guards next
	next map[rateKey]time.Time
}

type rateKey struct {
	app   im.AppID
	route *route
}

// withinRate refuses a call beyond its command's rate, where the application is
// held to one: as many at once as in a second, and then one after the other. [RE5]
func (k *call) withinRate() error {
	rate := k.route.rate
	if !k.app.Settings.RESTLimited || rate <= 0 {
		return nil
	}
	if k.api.rates.allow(rateKey{k.app.ID, k.route}, rate, k.began) {
		return nil
	}
	return im.Errorf(im.CodeRate, "%s may be called %d times a second; slow down", k.route.path, rate)
}

// allow counts a call. next is when the bucket will be full again.
func (r *rates) allow(key rateKey, rate int, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next == nil {
		r.next = make(map[rateKey]time.Time)
	}
	one := time.Second / time.Duration(min(rate, math.MaxInt32))
	full := r.next[key]
	if full.Before(now) {
		full = now
	}
	full = full.Add(one)
	if full.Sub(now) > time.Second {
		return false
	}
	r.next[key] = full
	return true
}
