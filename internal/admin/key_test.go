package admin_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/testkit"
)

// at gives a time as the API writes it.
func at(t *testing.T, text string) *time.Time {
	t.Helper()
	when, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return &when
}

func TestKeysAreAddedBoundedAndWithdrawn(t *testing.T) {
	h := testkit.NewOperator(t).Handler()
	const given, past, future, later = "0123456789abcdef0123456789abcdef", "2001-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "2999-06-01T12:30:00Z"
	for _, c := range []struct {
		line, body string
		code       int
		want       key
	}{
		{"POST /apps/1400000001/keys", `{"secret":"` + given + `","notBefore":"` + future + `"}`, 201, key{ID: 2, NotBefore: at(t, future), Secret: given}},
		{"PATCH /apps/1400000001/keys/2", `{"notAfter":"2999-06-01T14:30:00.7+02:00"}`, 200, key{ID: 2, NotBefore: at(t, future), NotAfter: at(t, later)}},
		{"PATCH /apps/1400000001/keys/2", `{"notBefore":null}`, 200, key{ID: 2, NotAfter: at(t, later), Active: true}},
		{"PATCH /apps/1400000001/keys/2", `{}`, 200, key{ID: 2, NotAfter: at(t, later), Active: true}},
		{"PATCH /apps/1400000001/keys/2", `{"notBefore":"` + past + `","notAfter":null}`, 200, key{ID: 2, NotBefore: at(t, past), Active: true}},
		{"PATCH /apps/1400000001/keys/1", `{"notAfter":"` + past + `"}`, 200, key{ID: 1, NotAfter: at(t, past)}},
		{"POST /apps/1400000001/keys/2/withdraw", "", 200, key{ID: 2, NotBefore: at(t, past), Withdrawn: true}},
		{"POST /apps/1400000001/keys/2/withdraw", "", 200, key{ID: 2, NotBefore: at(t, past), Withdrawn: true}},
	} {
		var got key
		want(t, send(t, h, c.line, c.body), c.code, &got)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s %s (-want +got)\n%s", c.line, c.body, diff)
		}
	}
	var random key
	want(t, send(t, h, "POST /apps/1400000001/keys", ""), 201, &random) // it needs no body
	if len(random.Secret) != 64 || random.ID != 3 || !random.Active {
		t.Errorf("a random key is %+v", random)
	}
	var a application
	want(t, send(t, h, "GET /apps/1400000001", ""), 200, &a)
	random.Secret = ""
	if diff := cmp.Diff([]key{{ID: 1, NotAfter: at(t, past)}, {ID: 2, NotBefore: at(t, past), Withdrawn: true}, random}, a.Keys); diff != "" {
		t.Errorf("the keys (-want +got)\n%s", diff)
	}
}

func TestKeysThatMayNotBeAreRefused(t *testing.T) {
	h := testkit.NewOperator(t).Handler()
	want(t, send(t, h, "POST /apps/1400000001/keys", `{"secret":"0123456789abcdef0123456789abcdef"}`), 201, nil)
	for _, c := range []struct {
		line, body string
		code       int
		says       string
	}{
		{"POST /apps/1400000001/keys", "", 409, "withdraw"}, // a third
		{"POST /apps/1400000001/keys", `{"secret":"0123456789abcdef0123456789abcdef"}`, 409, "key 2"},
		{"POST /apps/1400000001/keys", `{"secret":"0123456789abcdef 123456789abcdef"}`, 422, "secret"},
		{"POST /apps/1400000001/keys", `{"notAfter":"2001-01-01T00:00:00Z"}`, 422, "notAfter"},
		{"PATCH /apps/1400000001/keys/1", `{"notBefore":"2999-01-01T00:00:00Z","notAfter":"2998-01-01T00:00:00Z"}`, 422, "notAfter"},
		{"PATCH /apps/1400000001/keys/9", `{}`, 404, "no key 9"},
		{"POST /apps/1400000001/keys/9/withdraw", "", 404, "no key 9"},
	} {
		if p := wrong(t, send(t, h, c.line, c.body)); p.Status != c.code || !strings.Contains(p.Detail, c.says) {
			t.Errorf("%s %s: %d %s, want %d and %q", c.line, c.body, p.Status, p.Detail, c.code, c.says)
		}
	}
	for _, line := range []string{"POST /apps/7/keys", "PATCH /apps/7/keys/1", "POST /apps/7/keys/1/withdraw"} {
		if p := wrong(t, send(t, h, line, "{}")); p.Status != 404 || p.Code != im.CodeNoApp {
			t.Errorf("%s: %+v", line, p)
		}
	}
}

// TestChangesOfBoundsDoNotUndoEachOther: a change leaves the bound that it does
// not name as it is, whoever else is changing it.
func TestChangesOfBoundsDoNotUndoEachOther(t *testing.T) {
	h := testkit.NewOperator(t).Handler()
	for range 50 {
		want(t, send(t, h, "PATCH /apps/1400000001/keys/1", `{"notBefore":null,"notAfter":null}`), 200, nil)
		var wg sync.WaitGroup
		for _, body := range []string{`{"notBefore":"2001-01-01T00:00:00Z"}`, `{"notAfter":"2999-01-01T00:00:00Z"}`} {
			wg.Go(func() { send(t, h, "PATCH /apps/1400000001/keys/1", body) })
		}
		wg.Wait()
		var got key
		want(t, send(t, h, "PATCH /apps/1400000001/keys/1", "{}"), 200, &got)
		if got.NotBefore == nil || got.NotAfter == nil {
			t.Fatalf("a bound is lost: %+v", got)
		}
	}
}
