package admin_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/testkit"
)

func TestAuditIsReadByPages(t *testing.T) {
	h := testkit.NewOperator(t).Handler()
	want(t, send(t, h, "POST /apps", `{"name":"second"}`), 201, nil)
	for n := range 6 {
		want(t, send(t, h, "PATCH /apps/1400000001", fmt.Sprintf(`{"settings":{"limit.query":%d}}`, n+1)), 200, nil)
	}
	var page struct {
		Rows []struct {
			ID                        int64
			At, Actor, Action, Detail string
			User                      im.UserID
			App                       im.AppID
		}
		Next int64
	}
	for _, c := range []struct {
		query, ids string
		next       int64
	}{
		{"", "7 6 5 4 3 2 1", 0},
		{"?limit=3", "7 6 5", 5},
		{"?limit=3&before=5", "4 3 2", 2},
		{"?limit=3&before=2", "1", 0},
		{"?app=1400000001&limit=200", "7 6 5 4 3 2", 0},
		{"?app=1400000002", "1", 0},
		{"?before=1", "", 0},
	} {
		page.Rows, page.Next = nil, 0
		r := send(t, h, "GET /audit"+c.query, "")
		want(t, r, 200, &page)
		var ids []string
		for _, row := range page.Rows {
			ids = append(ids, fmt.Sprint(row.ID))
		}
		if got := strings.Join(ids, " "); got != c.ids || page.Next != c.next {
			t.Errorf("%s: %q and %d, want %q and %d", c.query, got, page.Next, c.ids, c.next)
		}
		if strings.Contains(r.body, "null") {
			t.Errorf("%s: %s", c.query, r.body)
		}
	}
	page.Rows = nil
	want(t, send(t, h, "GET /audit?app=1400000001&limit=1", ""), 200, &page)
	row := page.Rows[0]
	if row.Actor != "operator" || row.Action != "app.change" || row.App != 1400000001 || row.At == "" || !strings.Contains(row.Detail, "limit.query: 5 → 6") {
		t.Errorf("the last row is %+v", row)
	}
}

// TestSecretsAreShownOnce makes keys in every way, then asks for everything and
// does everything wrong, and looks for them.
func TestSecretsAreShownOnce(t *testing.T) {
	o := testkit.NewOperator(t)
	h := o.Handler()
	const given = "given-0123456789abcdef0123456789abcdef"
	var a application
	var k, last key
	want(t, send(t, h, "POST /apps", `{"secret":"`+given+`"}`), 201, nil)
	want(t, send(t, h, "POST /apps", `{}`), 201, &a)
	want(t, send(t, h, "POST /apps/1400000001/keys", `{}`), 201, &k)
	want(t, send(t, h, "POST /apps/1400000001/keys/1/withdraw", ""), 200, nil)
	want(t, send(t, h, "POST /apps/1400000001/keys", `{"secret":"another-`+given+`"}`), 201, &last)
	secrets := []string{given, a.Keys[0].Secret, k.Secret, last.Secret}
	for _, secret := range secrets {
		if len(secret) < 32 {
			t.Errorf("the secret %q is none", secret)
		}
	}
	type request struct{ line, body string }
	var requests []request
	for _, route := range routes {
		if !strings.HasPrefix(route, "POST /apps") && !strings.HasPrefix(route, "DELETE") {
			requests = append(requests, request{concrete(route), ""}, request{concrete(route), "{}"})
		}
	}
	for _, secret := range secrets {
		requests = append(
			requests,
			request{"POST /apps", `{"secret":"` + secret + `","name":5}`},
			request{"POST /apps", `{"secret":"` + secret + `" x`},
			request{"POST /apps", `{"secret":["` + secret + `"]}`},
			request{"POST /apps", `{"secret":"` + secret + ` "}`},
			request{"POST /apps", `{"id":1400000001,"secret":"` + secret + `"}`},
			request{"POST /apps/1400000001/keys", `{"secret":"` + secret + `"}`},
			request{"POST /apps/1400000001/keys", `{"secret":"` + secret + `","notAfter":"` + secret + `"}`},
			request{"POST /apps/1400000001/keys/9", `{"secret":"` + secret + `"}`},
			request{"PATCH /apps/1400000001", `{"settings":{"limit.query":["` + secret + `"]}}`},
			request{"GET /apps?secret=" + url.QueryEscape(secret), ""},
		)
	}
	for _, q := range requests {
		r := send(t, h, q.line, q.body)
		for _, secret := range secrets {
			if strings.Contains(r.body+fmt.Sprint(r.header), secret) {
				t.Errorf("%s %s: %s", q.line, q.body, r.body)
			}
		}
	}
	rows, err := o.Audit(t.Context(), 0, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	all := o.Log() + ask(t, h, "GET", "/metrics", "Bearer "+token).body + fmt.Sprintf("%+v", rows)
	for _, secret := range append(secrets, token) {
		if strings.Contains(all, secret) {
			t.Error("a secret is in the log, the metrics or the audit")
		}
	}
}
