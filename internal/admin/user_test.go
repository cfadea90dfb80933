package admin_test

import (
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/testkit"
)

func TestUserIsShown(t *testing.T) {
	o := testkit.NewOperator(t)
	o.SetUser(im.UserView{
		User: im.UserKey{App: 1400000001, User: "bob"}, TinyID: 144115188075855873, Banned: true, RevokedBefore: 1700000000,
		Status: im.Status{General: im.Online, Custom: "grüße <b>"}, Version: im.Version{Epoch: 1700000001, Seq: 7},
		Watching: 3, Watchers: 4,
		Sessions: []im.SessionView{
			{SessionRow: im.SessionRow{Inst: 9, Platform: im.Web, KeyID: 1, Opened: 1700000000500, Expires: math.MaxInt64}, Connected: true},
			{SessionRow: im.SessionRow{Inst: 8, Platform: im.IPad, KeyID: 2, Opened: 1700000000000, Expires: 1800000000000}, Until: 1700000005000},
			{SessionRow: im.SessionRow{Inst: 7, Opened: 1, Expires: 2, Closed: 1700000000001, Cause: im.CauseKickAdmin}},
		},
	})
	r := send(t, o.Handler(), "GET /apps/1400000001/users/bob", "")
	var got, wanted any
	want(t, r, 200, &got)
	err := json.Unmarshal([]byte(`{
		"app": 1400000001, "user": "bob", "tinyID": "144115188075855873", "banned": true, "revokedBefore": "2023-11-14T22:13:20Z",
		"status": "ONLINE", "custom": "grüße <b>", "version": "1700000001.7", "watching": 3, "watchers": 4,
		"sessions": [
			{"inst": 9, "platform": "web", "key": 1, "opened": "2023-11-14T22:13:20.5Z", "expires": "9999-12-31T23:59:59Z",
				"connected": true, "until": null, "closed": null},
			{"inst": 8, "platform": "ipad", "key": 2, "opened": "2023-11-14T22:13:20Z", "expires": "2027-01-15T08:00:00Z",
				"connected": false, "until": "2023-11-14T22:13:25Z", "closed": null},
			{"inst": 7, "platform": "web", "key": 0, "opened": "1970-01-01T00:00:00.001Z", "expires": "1970-01-01T00:00:00.002Z",
				"connected": false, "until": null, "closed": "2023-11-14T22:13:20.001Z", "cause": "kick_admin"}
		]}`), &wanted)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestOrdersAboutUsersAreCarriedOut(t *testing.T) {
	o := testkit.NewOperator(t)
	h := o.Handler()
	for _, c := range []struct{ line, action string }{
		{"POST /apps/1400000001/users/alice/kick", "user.kick"},
		{"PUT /apps/1400000001/users/alice/ban", "user.ban"},
		{"DELETE /apps/1400000001/users/alice/ban", "user.unban"},
	} {
		if r := send(t, h, c.line, ""); r.code != http.StatusNoContent || r.body != "" {
			t.Errorf("%s: %d %s", c.line, r.code, r.body)
		}
		rows, err := o.Audit(t.Context(), 0, 0, 1)
		if err != nil {
			t.Fatal(err)
		}
		row := im.AuditRow{ID: rows[0].ID, Actor: "operator", App: 1400000001, User: "alice", Action: c.action}
		if diff := cmp.Diff([]im.AuditRow{row}, rows); diff != "" {
			t.Errorf("%s (-want +got)\n%s", c.line, diff)
		}
		for path, code := range map[string]im.Code{"1400000001/users/bob": im.CodeNoAccount, "7/users/alice": im.CodeNoApp} {
			line := strings.ReplaceAll(c.line, "1400000001/users/alice", path)
			if p := wrong(t, send(t, h, line, "")); p.Status != 404 || p.Code != code {
				t.Errorf("%s: %+v, want %d", line, p, code)
			}
		}
	}
	for path, code := range map[string]im.Code{"1400000001/users/bob": im.CodeNoAccount, "7/users/alice": im.CodeNoApp} {
		if p := wrong(t, send(t, h, "GET /apps/"+path, "")); p.Status != 404 || p.Code != code {
			t.Errorf("%s: %+v, want %d", path, p, code)
		}
	}
}

// TestEveryUserIDCanBeNamed asks over a real connection, as a UserID may hold
// what means something in a path.
func TestEveryUserIDCanBeNamed(t *testing.T) {
	o := testkit.NewOperator(t)
	server := httptest.NewServer(o.Handler())
	defer server.Close()
	for _, user := range []im.UserID{
		"a/b", "/", "//", "a%2Fb", "%", "%25", "a?b=c", "?", "#x", "a&b", "a;b", "a+b", "..", ".", "../apps", "ban", "kick", "{user}", `"'<>\^|~` + "`",
		"!#$%&'()*+,-./:;<=>?@[]_", "abcdefghijklmnopqrstuvwxyz012345",
	} {
		o.SetUser(im.UserView{User: im.UserKey{App: 1400000001, User: user}})
		path := strings.ReplaceAll(url.PathEscape(string(user)), ".", "%2E")
		r, err := http.NewRequest("GET", server.URL+"/admin/v1/apps/1400000001/users/"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		var got struct{ User im.UserID }
		if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || resp.StatusCode != 200 || got.User != user {
			t.Errorf("%q, as %s: %d, %q, %v", user, path, resp.StatusCode, got.User, err)
		}
		_ = resp.Body.Close() // it is read
	}
}
