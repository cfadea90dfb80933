package admin_test

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/porchlight-im/porchlight/internal/app"
	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/testkit"
)

// key and application are what the API shows.
type (
	key struct {
		ID                  int
		NotBefore, NotAfter *time.Time
		Withdrawn, Active   bool
		Secret              string
	}
	application struct {
		ID       int
		Name     string
		Enabled  bool
		Created  *time.Time
		Keys     []key
		Admins   []string
		Settings map[string]any
		Changed  []string
	}
)

// defaults are the settings of a new application as the API shows them.
func defaults(t *testing.T, h http.Handler) map[string]any {
	t.Helper()
	var list struct {
		Settings []struct {
			Name, Kind, Doc string
			Default         any
			Min, Max        *int64
		}
	}
	want(t, send(t, h, "GET /settings", ""), 200, &list)
	all := map[string]any{}
	for _, s := range list.Settings {
		all[s.Name] = s.Default
	}
	return all
}

func TestApplicationIsMadeAndShown(t *testing.T) {
	h := testkit.NewOperator(t).Handler()
	var made, shown application
	want(t, send(t, h, "POST /apps", `{
		"id": 1500000000, "name": "shop", "secret": "0123456789abcdef0123456789abcdef", "admins": ["root", "boss"],
		"settings": {"limit.query": 7, "login.policy": "multi", "status.friend_notices": true, "limit.window": "9s", "limit.calls": null, "limit.subscribe": "50"}
	}`), 201, &made)
	settings := defaults(t, h)
	for name, value := range map[string]any{
		"limit.query": 7.0, "login.policy": "multi", "status.friend_notices": true, "limit.window": "9s", "limit.subscribe": 50.0,
	} {
		settings[name] = value
	}
	wanted := application{
		ID: 1500000000, Name: "shop", Enabled: true, Created: made.Created, Admins: []string{"boss", "root"},
		Keys:     []key{{ID: 1, Active: true, Secret: "0123456789abcdef0123456789abcdef"}},
		Settings: settings, Changed: []string{"status.friend_notices", "login.policy", "limit.query", "limit.subscribe", "limit.window"},
	}
	if diff := gocmp.Diff(wanted, made); diff != "" {
		t.Errorf("made (-want +got)\n%s", diff)
	}
	if made.Created == nil || time.Since(*made.Created).Abs() > time.Hour {
		t.Errorf("created %v", made.Created)
	}
	wanted.Keys[0].Secret = ""
	want(t, send(t, h, "GET /apps/1500000000", ""), 200, &shown)
	if diff := gocmp.Diff(wanted, shown); diff != "" {
		t.Errorf("shown (-want +got)\n%s", diff)
	}
	var list struct{ Apps []application }
	want(t, send(t, h, "GET /apps", ""), 200, &list)
	if len(list.Apps) != 2 || list.Apps[0].ID != 1400000001 {
		t.Fatalf("the list is %+v", list)
	}
	if diff := gocmp.Diff(wanted, list.Apps[1]); diff != "" {
		t.Errorf("listed (-want +got)\n%s", diff)
	}
}

func TestApplicationNeedsNothing(t *testing.T) {
	h := testkit.NewOperator(t).Handler()
	var made application
	r := send(t, h, "POST /apps", `{}`)
	want(t, r, 201, &made)
	if made.ID <= 1400000001 || made.Name == "" || len(made.Keys) != 1 || len(made.Keys[0].Secret) != 64 {
		t.Errorf("made %+v", made)
	}
	if strings.Contains(r.body, `"admins":null`) || strings.Contains(r.body, `"changed":null`) {
		t.Errorf("a list is null: %s", r.body)
	}
}

func TestApplicationIsChanged(t *testing.T) {
	h := testkit.NewOperator(t).Handler()
	for _, c := range []struct {
		body string
		want func(application) bool
	}{
		{`{"name":"new"}`, func(a application) bool { return a.Name == "new" && a.Enabled }},
		{`{"enabled":false}`, func(a application) bool { return a.Name == "new" && !a.Enabled }},
		{`{"settings":{"limit.query":5,"status.on":false}}`, func(a application) bool {
			return a.Settings["limit.query"] == 5.0 && a.Settings["status.on"] == false && slices.Equal(a.Changed, []string{"status.on", "limit.query"})
		}},
		{`{"settings":{"status.on":null}}`, func(a application) bool { return slices.Equal(a.Changed, []string{"limit.query"}) }},
		{`{"enabled":true,"settings":{"limit.query":null}}`, func(a application) bool { return a.Enabled && len(a.Changed) == 0 }},
		{`{}`, func(a application) bool { return a.Name == "new" && a.Enabled && len(a.Changed) == 0 }},
	} {
		var changed, shown application
		want(t, send(t, h, "PATCH /apps/1400000001", c.body), 200, &changed)
		want(t, send(t, h, "GET /apps/1400000001", ""), 200, &shown)
		if !c.want(changed) {
			t.Errorf("%s gave %+v", c.body, changed)
		}
		if diff := gocmp.Diff(changed, shown); diff != "" {
			t.Errorf("%s (-answered +shown)\n%s", c.body, diff)
		}
	}
}

func TestApplicationsThatMayNotBeAreRefused(t *testing.T) {
	o := testkit.NewOperator(t)
	h := o.Handler()
	for body, c := range map[string]struct {
		code int
		says string
	}{
		`{"id":1400000001}`:                                        {409, "1400000001"},
		`{"secret":"short"}`:                                       {422, "secret"},
		`{"name":"a\u0000b"}`:                                      {422, "name"},
		`{"admins":["a b"]}`:                                       {422, "userID"},
		`{"settings":{"limit.qery":5}}`:                            {422, "limit.qery"},
		`{"settings":{"limit.query":0}}`:                           {422, "limit.query"},
		`{"settings":{"limit.query":1.5}}`:                         {422, "limit.query"},
		`{"settings":{"limit.query":1e300}}`:                       {422, "limit.query"},
		`{"settings":{"limit.query":true}}`:                        {422, "limit.query"},
		`{"settings":{"limit.query":[5]}}`:                         {422, "body.settings.limit.query"},
		`{"settings":{"limit.query":{}}}`:                          {422, "body.settings.limit.query"},
		`{"settings":{"login.policy":"all"}}`:                      {422, "login.policy"},
		`{"settings":{"limit.window":"5 s"}}`:                      {422, "limit.window"},
		`{"settings":5}`:                                           {422, "body.settings"},
		`{"settings":{"status.on":"perhaps"}}`:                     {422, "status.on"},
		`{"admins":["a","b","c","d","e","f","g","h","i","j","k"]}`: {422, "10"},
	} {
		if p := wrong(t, send(t, h, "POST /apps", body)); p.Status != c.code || !strings.Contains(p.Detail, c.says) {
			t.Errorf("%s: %d %s, want %d and %q", body, p.Status, p.Detail, c.code, c.says)
		}
		if c.code == 409 || strings.Contains(body, "secret") || strings.Contains(body, "admins") {
			continue // of new applications alone
		}
		if p := wrong(t, send(t, h, "PATCH /apps/1400000001", body)); p.Status != c.code || !strings.Contains(p.Detail, c.says) {
			t.Errorf("as a change, %s: %d %s, want %d and %q", body, p.Status, p.Detail, c.code, c.says)
		}
	}
	if rows, err := o.Audit(t.Context(), 0, 0, 9); err != nil || rows != nil {
		t.Errorf("something was changed: %v, %v", rows, err)
	}
	if p := wrong(t, send(t, h, "PATCH /apps/7", "{}")); p.Status != 404 || p.Code != im.CodeNoApp {
		t.Errorf("a change of none: %+v", p)
	}
}

func TestAdministratorsComeAndGo(t *testing.T) {
	h := testkit.NewOperator(t).Handler()
	for _, c := range []struct{ line, want string }{
		{"PUT /apps/1400000001/admins/root", "root"},
		{"PUT /apps/1400000001/admins/root", "root"},
		{"PUT /apps/1400000001/admins/a%2Fb%25%3F", "a/b%? root"},
		{"DELETE /apps/1400000001/admins/a%2Fb%25%3F", "root"},
		{"DELETE /apps/1400000001/admins/nobody", "root"},
		{"DELETE /apps/1400000001/admins/root", ""},
	} {
		var a application
		want(t, send(t, h, c.line, ""), 200, &a)
		if got := strings.Join(a.Admins, " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.line, got, c.want)
		}
	}
	for n := range im.MaxAdmins {
		want(t, send(t, h, "PUT /apps/1400000001/admins/u"+string(rune('a'+n)), ""), 200, nil)
	}
	if p := wrong(t, send(t, h, "PUT /apps/1400000001/admins/one-more", "")); p.Status != 409 {
		t.Errorf("one more than there may be: %+v", p)
	}
	for _, method := range []string{"PUT", "DELETE"} {
		if p := wrong(t, send(t, h, method+" /apps/7/admins/root", "")); p.Status != 404 || p.Code != im.CodeNoApp {
			t.Errorf("%s in no application: %+v", method, p)
		}
	}
}

func TestSettingsAreDescribed(t *testing.T) {
	h := testkit.NewOperator(t).Handler()
	var list struct{ Settings []map[string]any }
	want(t, send(t, h, "GET /settings", ""), 200, &list)
	var got []string
	for _, s := range list.Settings {
		got = append(got, s["name"].(string))
		if s["doc"] == "" || s["default"] == nil || (s["min"] == nil) == (s["kind"] == "int" || s["kind"] == "duration") {
			t.Errorf("%v", s)
		}
		text, err := json.Marshal(s["default"])
		if err != nil {
			t.Fatal(err)
		}
		if first := cmp.Or(string(text), "x")[:1]; strings.Contains("tf", first) != (s["kind"] == "bool") || strings.Contains("0123456789", first) != (s["kind"] == "int") {
			t.Errorf("the default of %s, of kind %s, is %s", s["name"], s["kind"], text)
		}
	}
	var all []string
	for _, d := range app.Describe() {
		all = append(all, d.Name)
	}
	if diff := gocmp.Diff(all, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
