package app

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

// maxActive is how many keys of an application may be active: the one in use
// and the one that is to follow it.
const maxActive = 2

// The length of a secret in bytes. A random one has 64.
const (
	minSecret = 32
	maxSecret = 256
)

// maxSeconds is the last second of the year 9999, the last that has a usual
// notation.
const maxSeconds = 253402300799

// KeyBounds say when a key verifies UserSigs, in Unix seconds, 0 for no bound.
// The last one is later than the first.
type KeyBounds struct {
	NotBefore, NotAfter int64
}

// AddKey adds a key; secret "" is a random one, of 64 hexadecimal digits. A
// given one has 32 to 256 bytes of printable ASCII without the space. At most
// two keys of an application are active: neither withdrawn nor past NotAfter.
// The key that it gives has its secret.
func (m *Manager) AddKey(ctx context.Context, actor string, id im.AppID, secret string, b KeyBounds) (im.AppKey, error) {
	var key im.AppKey
	audit := im.AuditRow{Actor: actor, Action: "key.add"}
	_, err := m.edit(ctx, id, audit, func(row *im.AppRow) (said []string, err error) {
		if key, err = newKey(row.Keys, secret, b, m.cfg.Now().Unix()); err != nil {
			return nil, fmt.Errorf("application %d: %w", id, err)
		}
		row.Keys = append(row.Keys, key)
		return []string{fmt.Sprintf("key %d: not before %s, not after %s", key.ID, instant(b.NotBefore), instant(b.NotAfter))}, nil
	})
	if err != nil {
		return im.AppKey{}, err
	}
	return key, nil
}

// BoundKey changes when a key verifies. A NotAfter that has passed retires it
// now. The key that it gives has no secret.
func (m *Manager) BoundKey(ctx context.Context, actor string, id im.AppID, key uint32, b KeyBounds) (im.AppKey, error) {
	audit := im.AuditRow{Actor: actor, Action: "key.bound"}
	return m.editKey(ctx, id, key, audit, func(row *im.AppRow, k *im.AppKey) (said []string, err error) {
		if err := b.check(); err != nil {
			return nil, err
		}
		if k.Withdrawn {
			return nil, fmt.Errorf("%w: key %d is withdrawn for good; add another", ErrConflict, k.ID)
		}
		if b.NotBefore != k.NotBefore {
			said = append(said, fmt.Sprintf("key %d: not before %s → %s", k.ID, instant(k.NotBefore), instant(b.NotBefore)))
		}
		if b.NotAfter != k.NotAfter {
			said = append(said, fmt.Sprintf("key %d: not after %s → %s", k.ID, instant(k.NotAfter), instant(b.NotAfter)))
		}
		now := m.cfg.Now().Unix()
		was := active(*k, now)
		k.NotBefore, k.NotAfter = b.NotBefore, b.NotAfter
		if !was && active(*k, now) {
			err = checkActive(row.Keys, now)
		}
		return said, err
	})
}

// WithdrawKey makes a key dead for good, with all that was signed by it. It does
// not mind one that is dead already, nor the last one: nobody can log in then.
// The key that it gives has no secret.
func (m *Manager) WithdrawKey(ctx context.Context, actor string, id im.AppID, key uint32) (im.AppKey, error) {
	audit := im.AuditRow{Actor: actor, Action: "key.withdraw"}
	return m.editKey(ctx, id, key, audit, func(_ *im.AppRow, k *im.AppKey) ([]string, error) {
		if k.Withdrawn {
			return nil, nil
		}
		k.Withdrawn = true
		return []string{fmt.Sprintf("key %d", k.ID)}, nil
	})
}

// editKey is edit of one key, which it gives without its secret.
func (m *Manager) editKey(
	ctx context.Context, id im.AppID, key uint32, audit im.AuditRow, f func(*im.AppRow, *im.AppKey) ([]string, error),
) (im.AppKey, error) {
	var edited im.AppKey
	_, err := m.edit(ctx, id, audit, func(row *im.AppRow) ([]string, error) {
		i := slices.IndexFunc(row.Keys, func(k im.AppKey) bool { return k.ID == key })
		if i < 0 {
			return nil, fmt.Errorf("%w: application %d has no key %d", ErrNoKey, id, key)
		}
		said, err := f(row, &row.Keys[i])
		if err != nil {
			return nil, fmt.Errorf("application %d: %w", id, err)
		}
		edited = row.Keys[i]
		return said, nil
	})
	if err != nil {
		return im.AppKey{}, err
	}
	edited.Secret = ""
	return edited, nil
}

// newKey gives a key to be added to those there are.
func newKey(keys []im.AppKey, secret string, b KeyBounds, now int64) (im.AppKey, error) {
	if secret == "" {
		var random [32]byte
		_, _ = rand.Read(random[:]) // it never fails
		secret = hex.EncodeToString(random[:])
	}
	if err := checkSecret(secret); err != nil {
		return im.AppKey{}, err
	}
	if err := b.check(); err != nil {
		return im.AppKey{}, err
	}
	key := im.AppKey{ID: 1, Secret: secret, NotBefore: b.NotBefore, NotAfter: b.NotAfter}
	if !active(key, now) {
		return im.AppKey{}, im.Errorf(im.CodeInvalid, "notAfter: a new key needs one in the future")
	}
	for _, k := range keys {
		if k.Secret == secret {
			return im.AppKey{}, fmt.Errorf("%w: key %d has or had that secret; use a new one", ErrConflict, k.ID)
		}
		key.ID = max(key.ID, k.ID+1)
	}
	return key, checkActive(append(slices.Clone(keys), key), now)
}

func checkSecret(secret string) error {
	odd := func(r rune) bool { return r < 0x21 || r > 0x7e }
	if len(secret) < minSecret || len(secret) > maxSecret || strings.ContainsFunc(secret, odd) {
		return im.Errorf(im.CodeInvalid, "secret: want %d to %d bytes of printable ASCII without spaces", minSecret, maxSecret)
	}
	return nil
}

// check refuses bounds that no key may have.
func (b KeyBounds) check() error {
	switch {
	case b.NotBefore < 0 || b.NotBefore > maxSeconds:
		return im.Errorf(im.CodeInvalid, "notBefore: want a time from 1970 to 9999")
	case b.NotAfter < 0 || b.NotAfter > maxSeconds:
		return im.Errorf(im.CodeInvalid, "notAfter: want a time from 1970 to 9999")
	case b.NotAfter != 0 && b.NotAfter <= b.NotBefore:
		return im.Errorf(im.CodeInvalid, "notAfter: want a time later than notBefore")
	}
	return nil
}

// active reports whether the key verifies UserSigs, now or later.
func active(k im.AppKey, now int64) bool {
	return !k.Withdrawn && (k.NotAfter == 0 || now <= k.NotAfter)
}

func checkActive(keys []im.AppKey, now int64) error {
	n := 0
	for _, k := range keys {
		if active(k, now) {
			n++
		}
	}
	if n > maxActive {
		return fmt.Errorf("%w: at most %d keys may be active; withdraw one or set its notAfter first", ErrConflict, maxActive)
	}
	return nil
}

// instant gives a bound of a key in words.
func instant(seconds int64) string {
	if seconds == 0 {
		return "none"
	}
	return time.Unix(seconds, 0).UTC().Format(time.RFC3339)
}
