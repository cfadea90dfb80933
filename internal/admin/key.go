package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/porchlight-im/porchlight/internal/app"
	"github.com/porchlight-im/porchlight/internal/im"
)

// key is a secret key as the operator sees it.
type key struct {
	ID        uint32     `json:"id" doc:"Its number within the application."`
	NotBefore *time.Time `json:"notBefore" doc:"UserSigs verify from then; null for no bound."`
	NotAfter  *time.Time `json:"notAfter" doc:"UserSigs verify until then; null for no bound."`
	Withdrawn bool       `json:"withdrawn" doc:"Dead for good, with all that was signed by it."`
	Active    bool       `json:"active" doc:"UserSigs verify now."`
	Secret    string     `json:"secret,omitempty" doc:"Only in the answer to the request that made the key."`
}

func viewKey(k im.AppKey, now time.Time) key {
	at := now.Unix()
	return key{
		ID: k.ID, NotBefore: second(k.NotBefore), NotAfter: second(k.NotAfter), Withdrawn: k.Withdrawn,
		Active: !k.Withdrawn && (k.NotBefore == 0 || k.NotBefore <= at) && (k.NotAfter == 0 || at <= k.NotAfter),
	}
}

// bound is a bound of a key in a request: left out, a time, or null for none.
type bound struct {
	given bool
	at    int64 // Unix seconds, 0 for none
}

// UnmarshalJSON reads the time.
func (b *bound) UnmarshalJSON(text []byte) error {
	var t *time.Time
	if err := json.Unmarshal(text, &t); err != nil {
		return err
	}
	b.given, b.at = true, 0
	if t == nil {
		return nil
	}
	if b.at = t.Unix(); b.at <= 0 {
		return errors.New("a bound of a key is a time after 1970")
	}
	return nil
}

// Schema says that it is a time or null.
func (bound) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time", Nullable: true, Description: "null for no bound."}
}

// KeyPath is the part of a path that names a key.
type KeyPath struct {
	AppPath
	Key uint32 `path:"key" minimum:"1" maximum:"4294967295" doc:"The number of the key." example:"1"`
}

// The requests and the answer about keys.
type (
	oneKey struct{ Body key }

	newKey struct {
		AppPath
		Body *struct {
			Secret    string `json:"secret,omitempty" doc:"Random if it is left out."`
			NotBefore bound  `json:"notBefore,omitzero"`
			NotAfter  bound  `json:"notAfter,omitzero"`
		}
	}

	keyChange struct {
		KeyPath
		Body struct {
			NotBefore bound `json:"notBefore,omitzero"`
			NotAfter  bound `json:"notAfter,omitzero"`
		}
	}
)

func (h *Handlers) keyRoutes(api huma.API) {
	add := operation(api, "POST /apps/{app}/keys addKey", "Add a secret key; the answer holds it, once")
	add.DefaultStatus = http.StatusCreated
	huma.Register(api, add, h.addKey)
	huma.Register(api, operation(api, "PATCH /apps/{app}/keys/{key} boundKey", "Change when a key verifies UserSigs"), h.boundKey)
	huma.Register(api, operation(api, "POST /apps/{app}/keys/{key}/withdraw withdrawKey",
		"Withdraw a key for good, with all that was signed by it"), h.withdrawKey)
}

func (h *Handlers) addKey(ctx context.Context, in *newKey) (*oneKey, error) {
	var secret string
	var bounds app.KeyBounds
	if b := in.Body; b != nil {
		secret, bounds = b.Secret, app.KeyBounds{NotBefore: b.NotBefore.at, NotAfter: b.NotAfter.at}
	}
	k, err := h.cfg.Apps.AddKey(ctx, actor, in.App, secret, bounds)
	if err != nil {
		return nil, h.fail(err)
	}
	v := viewKey(k, time.Now())
	v.Secret = k.Secret
	return &oneKey{v}, nil
}

// boundKey changes the bounds that are given. One change is made at a time, so
// that two of them do not undo each other.
func (h *Handlers) boundKey(ctx context.Context, in *keyChange) (*oneKey, error) {
	h.bounds.Lock()
	defer h.bounds.Unlock()
	a, err := h.cfg.Apps.App(in.App)
	if err != nil {
		return nil, h.fail(err)
	}
	var bounds app.KeyBounds
	for _, k := range a.Keys {
		if k.ID == in.Key {
			bounds = app.KeyBounds{NotBefore: k.NotBefore, NotAfter: k.NotAfter}
		}
	}
	if b := in.Body.NotBefore; b.given {
		bounds.NotBefore = b.at
	}
	if b := in.Body.NotAfter; b.given {
		bounds.NotAfter = b.at
	}
	return h.key(h.cfg.Apps.BoundKey(ctx, actor, in.App, in.Key, bounds))
}

func (h *Handlers) withdrawKey(ctx context.Context, in *KeyPath) (*oneKey, error) {
	return h.key(h.cfg.Apps.WithdrawKey(ctx, actor, in.App, in.Key))
}

// key gives the answer that shows a key, or what went wrong.
func (h *Handlers) key(k im.AppKey, err error) (*oneKey, error) {
	if err != nil {
		return nil, h.fail(err)
	}
	return &oneKey{viewKey(k, time.Now())}, nil
}
