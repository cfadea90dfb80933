package app_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-im/porchlight/internal/app"
	"github.com/porchlight-im/porchlight/internal/im"
)

// addKey adds a key that must be taken.
func (r *rig) addKey(secret string, b app.KeyBounds) im.AppKey {
	r.t.Helper()
	k, err := r.AddKey(r.t.Context(), "operator", 5, secret, b)
	if err != nil {
		r.t.Fatal(err)
	}
	return k
}

// third checks that another key is one too many.
func (r *rig) third() {
	r.t.Helper()
	_, err := r.AddKey(r.t.Context(), "operator", 5, "", app.KeyBounds{})
	refused(r.t, err, app.ErrConflict, "withdraw one or set its notAfter first")
}

func TestTwoKeysAtMostAreActive(t *testing.T) {
	r := rigged(t, im.AppRow{ID: 5, Keys: []im.AppKey{{ID: 1, Secret: "one"}}})
	now := r.now.Unix()
	r.addKey("", app.KeyBounds{NotBefore: now + 1000}) // not yet valid, but it will be
	r.third()
	if _, err := r.BoundKey(t.Context(), "operator", 5, 1, app.KeyBounds{NotAfter: now}); err != nil {
		t.Fatal(err)
	}
	r.third() // its last second is this one
	r.now = r.now.Add(time.Second)
	r.addKey("", app.KeyBounds{NotAfter: now + 100})
	r.third()
	_, err := r.BoundKey(t.Context(), "operator", 5, 1, app.KeyBounds{NotAfter: now + 100}) // and back
	refused(t, err, app.ErrConflict, "at most 2 keys")
	if _, err := r.BoundKey(t.Context(), "operator", 5, 1, app.KeyBounds{NotAfter: now - 5}); err != nil {
		t.Errorf("one that has ended is bounded anew: %v", err)
	}
	if _, err := r.WithdrawKey(t.Context(), "operator", 5, 2); err != nil {
		t.Fatal(err)
	}
	r.addKey("", app.KeyBounds{})
	r.third()
	if _, err := r.BoundKey(t.Context(), "operator", 5, 3, app.KeyBounds{NotAfter: 1}); err != nil { // retired now
		t.Fatal(err)
	}
	r.addKey("", app.KeyBounds{})
	r.third()
	r.sound()
}

// TestTooManyActiveKeysCanBecomeFewer: an application that has three from
// elsewhere may have them bounded and withdrawn.
func TestTooManyActiveKeysCanBecomeFewer(t *testing.T) {
	r := rigged(t, im.AppRow{ID: 5, Keys: []im.AppKey{{ID: 1, Secret: "a"}, {ID: 2, Secret: "b"}, {ID: 3, Secret: "c"}, {ID: 4, Secret: "d"}}})
	r.third()
	if _, err := r.BoundKey(t.Context(), "operator", 5, 1, app.KeyBounds{NotAfter: r.now.Unix() + 5}); err != nil {
		t.Error(err)
	}
	if _, err := r.WithdrawKey(t.Context(), "operator", 5, 2); err != nil {
		t.Error(err)
	}
	r.third()
}

func TestKeyNumbersAndSecretsAreNeverUsedTwice(t *testing.T) {
	r := rigged(t, im.AppRow{ID: 5, Keys: []im.AppKey{{ID: 2, Secret: good}, {ID: 7, Secret: good + "7", Withdrawn: true}}})
	for _, secret := range []string{good, good + "7"} {
		k, err := r.AddKey(t.Context(), "operator", 5, secret, app.KeyBounds{})
		refused(t, err, app.ErrConflict, "secret")
		if k != (im.AppKey{}) {
			t.Errorf("a key beside an error: %+v", k)
		}
	}
	secrets := map[string]bool{good: true, good + "7": true}
	for want := range uint32(5) {
		k := r.addKey("", app.KeyBounds{})
		if k.ID != 8+want || secrets[k.Secret] {
			t.Errorf("key %d comes where %d should, its secret used already: %v", k.ID, 8+want, secrets[k.Secret])
		}
		secrets[k.Secret] = true
		if _, err := r.WithdrawKey(t.Context(), "operator", 5, k.ID); err != nil {
			t.Fatal(err)
		}
	}
	r.create(app.New{Secret: good}) // another application's secrets are its own
	r.sound()
}

func TestBoundsThatNoKeyMayHave(t *testing.T) {
	r := rigged(t, im.AppRow{ID: 5, Keys: []im.AppKey{{ID: 1, Secret: good}}})
	now := r.now.Unix()
	for _, tt := range []struct {
		b     app.KeyBounds
		words string
		bound bool // whether a key that is there may have it
	}{
		{app.KeyBounds{NotBefore: -1}, "notBefore", false},
		{app.KeyBounds{NotBefore: 253402300800}, "notBefore", false},
		{app.KeyBounds{NotAfter: -1}, "notAfter", false},
		{app.KeyBounds{NotAfter: 1 << 62}, "notAfter", false},
		{app.KeyBounds{NotBefore: now + 9, NotAfter: now + 9}, "later than notBefore", false},
		{app.KeyBounds{NotBefore: now + 9, NotAfter: now + 8}, "later than notBefore", false},
		{app.KeyBounds{NotAfter: now - 1}, "in the future", true},
		{app.KeyBounds{NotBefore: now - 9, NotAfter: now - 8}, "in the future", true},
		{app.KeyBounds{NotBefore: now - 9, NotAfter: 253402300799}, "", true},
		{app.KeyBounds{NotBefore: 253402300799}, "", true},
		{app.KeyBounds{}, "", true},
	} {
		k, err := r.AddKey(t.Context(), "operator", 5, "", tt.b)
		if tt.words == "" {
			if err != nil {
				t.Errorf("a new key of %+v: %v", tt.b, err)
			} else if _, err := r.WithdrawKey(t.Context(), "operator", 5, k.ID); err != nil {
				t.Fatal(err)
			}
		} else {
			refused(t, err, invalid, tt.words)
		}
		k, err = r.BoundKey(t.Context(), "operator", 5, 1, tt.b)
		switch {
		case !tt.bound:
			refused(t, err, invalid, tt.words)
		case err != nil || k != (im.AppKey{ID: 1, NotBefore: tt.b.NotBefore, NotAfter: tt.b.NotAfter}):
			t.Errorf("bounded to %+v it is %+v, %v", tt.b, k, err)
		}
	}
	r.sound()
}

func TestWithdrawingIsForGoodAndMayLeaveNone(t *testing.T) {
	r := rigged(t, im.AppRow{ID: 5, Enabled: true, Keys: []im.AppKey{{ID: 1, Secret: good, NotBefore: 5}}})
	want := im.AppKey{ID: 1, NotBefore: 5, Withdrawn: true}
	for range 2 {
		if k, err := r.WithdrawKey(t.Context(), "operator", 5, 1); err != nil || k != want {
			t.Errorf("withdrawn: %+v, %v", k, err)
		}
	}
	if a, err := r.apps.Get(5); err != nil || a.Key(1) {
		t.Errorf("the key is still there: %+v, %v", a, err)
	}
	_, err := r.BoundKey(t.Context(), "operator", 5, 1, app.KeyBounds{})
	refused(t, err, app.ErrConflict, "withdrawn for good")
	if len(r.told) != 1 {
		t.Errorf("it was told %d times", len(r.told))
	}
	r.sound()
}

// TestSecretsAreToldToNobody but who makes a key: not in errors, not in the
// audit, not by the methods that change a key.
func TestSecretsAreToldToNobody(t *testing.T) {
	r := rigged(t)
	secrets := []string{good, good + "-second", good + "-third", good + " bad", "short-secret", strings.Repeat("long", 100)}
	var words []string
	for i, secret := range secrets {
		_, err := r.Create(t.Context(), "operator", app.New{ID: im.AppID(i%2 + 5), Secret: secret})
		_, again := r.AddKey(t.Context(), "operator", 5, secret, app.KeyBounds{})
		_, unknown := r.AddKey(t.Context(), "operator", 99, secret, app.KeyBounds{})
		k, bound := r.BoundKey(t.Context(), "operator", 5, 1, app.KeyBounds{NotBefore: int64(i + 1)})
		w, withdrawn := r.WithdrawKey(t.Context(), "operator", 5, 2)
		words = append(words, fmt.Sprint(errors.Join(err, again, unknown, bound, withdrawn), k, w))
	}
	r.store.save = func() error { return errors.New("the disk is full") }
	_, err := r.AddKey(t.Context(), "operator", 5, good+"-fourth", app.KeyBounds{})
	text := strings.Join(append(append(words, r.audit()...), fmt.Sprint(err)), "\n")
	for _, secret := range append(secrets, good) {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in\n%s", secret, text)
		}
	}
	if !strings.Contains(text, "key.withdraw") || !strings.Contains(text, "has or had that secret") {
		t.Errorf("the test did not come to what it tests:\n%s", text)
	}
}
