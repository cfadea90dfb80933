package demo

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/usersig"
)

const secret = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

var cfg = Config{App: 1400000001, Secret: secret, Log: slog.New(slog.DiscardHandler)}

func get(t *testing.T, h http.Handler, method, path string, header ...string) (*httptest.ResponseRecorder, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w, w.Body.String()
}

func TestThePageHasItsParts(t *testing.T) {
	built := fstest.MapFS{"dist/chat.js": {Data: []byte("// the SDK")}}
	for _, name := range []string{"index.html", "style.css", "demo.js", "phone.js", "plug.js", "stub.html"} {
		data, err := files.ReadFile("page/" + name)
		if err != nil {
			t.Fatal(err)
		}
		built["page/"+name] = &fstest.MapFile{Data: data}
	}
	h := newHandler(cfg, built)
	for path, want := range map[string]string{
		"/demo/": "demo.js", "/demo/style.css": "prefers-color-scheme", "/demo/demo.js": "import", "/demo/chat.js": "the SDK",
	} {
		res, body := get(t, h, "GET", path)
		if res.Code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("GET %s: %d, %.80q", path, res.Code, body)
		}
		if csp := res.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") {
			t.Errorf("GET %s: policy %q", path, csp)
		}
		if res.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("GET %s: types may be guessed", path)
		}
	}
	if res, _ := get(t, h, "GET", "/demo/nothing"); res.Code != http.StatusNotFound {
		t.Errorf("GET /demo/nothing: %d", res.Code)
	}
}

func TestWithoutTheSDKThePageSaysHowToBuildIt(t *testing.T) {
	h := newHandler(cfg, fstest.MapFS{"page/stub.html": {Data: []byte("make build")}, "dist/.keep": {}})
	if _, body := get(t, h, "GET", "/demo/"); !strings.Contains(body, "make build") {
		t.Errorf("the page says %q", body)
	}
	if res, _ := get(t, h, "GET", "/demo/chat.js"); res.Code != http.StatusNotFound {
		t.Errorf("GET /demo/chat.js: %d", res.Code)
	}
}

func TestItMintsUserSigsForItsOwnUsersAlone(t *testing.T) {
	h := New(cfg)
	for _, user := range Users {
		_, body := get(t, h, "POST", "/demo/usersig?user="+string(user), "Sec-Fetch-Site", "same-origin")
		var answer struct {
			SDKAppID im.AppID
			UserSig  string
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			t.Fatal(err)
		}
		_, err := usersig.Verify(answer.UserSig, usersig.Want{
			App: cfg.App, User: user, Keys: []im.AppKey{{ID: 1, Secret: secret}}, Now: time.Now(), Skew: time.Minute,
		})
		if err != nil || answer.SDKAppID != cfg.App {
			t.Errorf("%s: %v, application %d", user, err, answer.SDKAppID)
		}
	}
	for _, tt := range []struct {
		method, user, site string
		want               int
	}{
		{"POST", "administrator", "same-origin", http.StatusNotFound},
		{"POST", "", "same-origin", http.StatusNotFound},
		{"POST", "alice", "cross-site", http.StatusForbidden},
		{"POST", "alice", "same-site", http.StatusForbidden},
		{"GET", "alice", "same-origin", http.StatusNotFound},
	} {
		res, body := get(t, h, tt.method, "/demo/usersig?user="+tt.user, "Sec-Fetch-Site", tt.site)
		if res.Code != tt.want || strings.Contains(body, "userSig") {
			t.Errorf("%s of %q from %s: %d, %.80q", tt.method, tt.user, tt.site, res.Code, body)
		}
	}
}
