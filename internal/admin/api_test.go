package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/porchlight-im/porchlight/internal/admin"
	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/testkit"
)

// send asks the API with the token and a body, "" for none.
func send(t *testing.T, h http.Handler, line, body string) reply {
	t.Helper()
	method, path, _ := strings.Cut(line, " ")
	r := httptest.NewRequest(method, "/admin/v1"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	return serve(t, h, r)
}

// problem is the answer to a request that failed.
type problem struct {
	Title  string
	Status int
	Detail string
	Code   im.Code
	Errors []struct{ Location, Message string }
}

// wrong reads a problem, and holds it to the shape that all have.
func wrong(t *testing.T, r reply) problem {
	t.Helper()
	var p problem
	d := json.NewDecoder(strings.NewReader(r.body))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		t.Fatalf("%s: %v", r.body, err)
	}
	if kind := r.header.Get("Content-Type"); kind != "application/problem+json" {
		t.Errorf("the content type of a problem is %q", kind)
	}
	if p.Status != r.code || p.Title != http.StatusText(r.code) || p.Detail == "" {
		t.Errorf("status %d, and the problem %+v", r.code, p)
	}
	return p
}

// want checks the status of an answer and reads its body, unless into is nil.
func want(t *testing.T, r reply, code int, into any) {
	t.Helper()
	if r.code != code {
		t.Fatalf("status %d, want %d: %s", r.code, code, r.body)
	}
	if into == nil {
		return
	}
	d := json.NewDecoder(strings.NewReader(r.body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Fatalf("%s: %v", r.body, err)
	}
}

// routes are all of the API.
var routes = []string{
	"DELETE /apps/{app}/admins/{user}",
	"DELETE /apps/{app}/users/{user}/ban",
	"DELETE /apps/{app}/webhooks/urls/{url}",
	"GET /apps",
	"GET /apps/{app}",
	"GET /apps/{app}/users/{user}",
	"GET /apps/{app}/webhooks",
	"GET /apps/{app}/webhooks/log",
	"GET /audit",
	"GET /openapi.json",
	"GET /openapi.yaml",
	"GET /settings",
	"GET /webhook-commands",
	"PATCH /apps/{app}",
	"PATCH /apps/{app}/keys/{key}",
	"PATCH /apps/{app}/webhooks",
	"POST /apps",
	"POST /apps/{app}/keys",
	"POST /apps/{app}/keys/{key}/withdraw",
	"POST /apps/{app}/users/{user}/kick",
	"POST /apps/{app}/webhooks/urls",
	"POST /apps/{app}/webhooks/urls/{url}/replay",
	"POST /apps/{app}/webhooks/urls/{url}/test",
	"PUT /apps/{app}/admins/{user}",
	"PUT /apps/{app}/users/{user}/ban",
	"PUT /apps/{app}/webhooks/urls/{url}",
}

// concrete gives a route of the API for things that are there.
func concrete(route string) string {
	return strings.NewReplacer("{app}", "1400000001", "{user}", "alice", "{key}", "1", "{url}", "1").Replace(route)
}

func TestDocumentTellsOfTheRoutesThatAreServed(t *testing.T) {
	h := testkit.NewOperator(t).Handler()
	var doc struct {
		OpenAPI string
		Info    struct{ Version string }
		Paths   map[string]map[string]struct {
			Parameters []struct{ Name, In string }
			Responses  map[string]json.RawMessage
		}
		Components struct{ Schemas map[string]json.RawMessage }
	}
	r := send(t, h, "GET /openapi.json", "")
	if err := json.Unmarshal([]byte(r.body), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.OpenAPI != "3.1.0" || doc.Info.Version != "v1.2.3" || r.header.Get("Content-Type") != "application/openapi+json" {
		t.Errorf("OpenAPI %s of %s as %s", doc.OpenAPI, doc.Info.Version, r.header)
	}
	var told []string
	for path, methods := range doc.Paths {
		path = strings.TrimPrefix(path, "/admin/v1")
		for method, op := range methods {
			told = append(told, strings.ToUpper(method)+" "+path)
			if n := strings.Count(path, "{"); len(op.Parameters) < n {
				t.Errorf("%s %s has %d of its %d parameters", method, path, len(op.Parameters), n)
			}
			if _, ok := op.Responses["default"]; !ok || len(op.Responses) != 2 {
				t.Errorf("%s %s has the responses %v", method, path, slices.Collect(maps.Keys(op.Responses)))
			}
		}
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} {
			r := send(t, h, method+" "+concrete(path), "{}")
			if _, ok := methods[strings.ToLower(method)]; ok == (r.code == 404 || r.code == 405) {
				t.Errorf("%s %s: told %t, served %d", method, path, ok, r.code)
			}
		}
	}
	slices.Sort(told)
	if diff := cmp.Diff(routes, told); diff != "" {
		t.Errorf("(-want +told)\n%s", diff)
	}
	refs := regexp.MustCompile(`#/components/schemas/(\w+)`).FindAllStringSubmatch(r.body, -1)
	used := map[string]bool{}
	for _, ref := range refs {
		used[ref[1]] = true
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(doc.Components.Schemas)), slices.Sorted(maps.Keys(used))); diff != "" {
		t.Errorf("schemas (-there +used)\n%s", diff)
	}
	if y := send(t, h, "GET /openapi.yaml", ""); y.code != 200 || !strings.Contains(y.body, "\nopenapi: 3.1.0\n") {
		t.Errorf("as YAML: %d %.80s", y.code, y.body)
	}
}

func TestNothingIsServedWithoutTheToken(t *testing.T) {
	o := testkit.NewOperator(t)
	h := o.Handler()
	for _, route := range append(slices.Clone(routes), "GET /nowhere", "GET /apps/1400000001/users/", "BREW /apps") {
		method, path, _ := strings.Cut(concrete(route), " ")
		for _, authorization := range []string{"", "Bearer ", "Bearer x", token, "Basic " + token, "Bearer " + token + "x"} {
			r := ask(t, h, method, "/admin/v1"+path, authorization)
			if r.code != http.StatusUnauthorized || !strings.Contains(wrong(t, r).Detail, "operator.token") {
				t.Errorf("%s with %q: %d %s", route, authorization, r.code, r.body)
			}
			if got := r.header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer ") {
				t.Errorf("WWW-Authenticate is %q", got)
			}
		}
	}
	if rows, err := o.Audit(t.Context(), 0, 0, 9); err != nil || rows != nil {
		t.Errorf("something was changed: %v, %v", rows, err)
	}
	want := fmt.Sprintf("porchlight_admin_refused_total %d\n", 6*(len(routes)+3))
	if m := ask(t, h, "GET", "/metrics", "Bearer "+token).body; !strings.Contains(m, want) {
		t.Errorf("the refused requests are not counted: %s is not there", want)
	}
}

func TestPagesOfAnotherOriginAreRefused(t *testing.T) {
	h := testkit.NewOperator(t).Handler()
	for origin, code := range map[string]int{
		"":                           200,
		"http://example.com":         200, // the host of the requests
		"https://EXAMPLE.com":        200, // behind a proxy with TLS
		"null":                       403,
		"http://example.com:8080":    403,
		"http://evil.example":        403,
		"http://example.com.evil.de": 403,
		"example.com":                403,
		"://":                        403,
		"*":                          403,
	} {
		for _, method := range []string{"GET", "OPTIONS"} {
			r := httptest.NewRequest(method, "/admin/v1/apps", nil)
			r.Header.Set("Authorization", "Bearer "+token)
			if origin != "" {
				r.Header.Set("Origin", origin)
			}
			got := serve(t, h, r)
			if want := map[string]int{"GET200": 200, "OPTIONS200": 405}[method+strconv.Itoa(code)]; got.code != max(want, code) {
				t.Errorf("%s from %q: %d, want %d", method, origin, got.code, code)
			}
			for name := range got.header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s from %q is answered with %s", method, origin, name)
				}
			}
		}
	}
}

func TestRequestsThatAreNotAsTheyMustBe(t *testing.T) {
	h := testkit.NewOperator(t).Handler()
	for _, c := range []struct {
		line, body string
		code       int
		says       string
	}{
		{"GET /", "", 404, "openapi.json"},
		{"GET /app", "", 404, "openapi.json"},
		{"GET /apps/1400000001/keys", "", 405, "POST"},
		{"DELETE /apps", "", 405, "it takes GET, HEAD, POST"},
		{"GET /apps?x=1", "", 422, "query.x"},
		{"GET /apps/0", "", 422, "path.app"},
		{"GET /apps/4294967297", "", 422, "path.app"},
		{"GET /apps/-1", "", 422, "path.app"},
		{"GET /apps/five", "", 422, "path.app"},
		{"GET /audit?limit=0", "", 422, "query.limit"},
		{"GET /audit?limit=201", "", 422, "query.limit"},
		{"GET /audit?before=-1", "", 422, "query.before"},
		{"GET /audit?before=x", "", 422, "query.before"},
		{"GET /audit?app=x", "", 422, "query.app"},
		{"GET /apps/7", "", 404, "list the applications"},
		{"GET /audit?app=7", "", 404, "list the applications"},
		{"POST /apps", "", 400, "body"},
		{"POST /apps", "{", 400, "body"},
		{"POST /apps", "{} {}", 400, "body"},
		{"POST /apps", "null", 422, "body"},
		{"POST /apps", "[]", 422, "body"},
		{"POST /apps", `{"naem":"x"}`, 422, "body.naem"},
		{"POST /apps", `{"name":5}`, 422, "body.name"},
		{"POST /apps", `{"id":-1}`, 422, "body.id"},
		{"POST /apps", `{"admins":"alice"}`, 422, "body.admins"},
		{"PATCH /apps/1400000001", "", 400, "body"},
		{"PATCH /apps/1400000001", `{"enabled":"yes"}`, 422, "body.enabled"},
		{"PATCH /apps/1400000001/keys/0", "{}", 422, "path.key"},
		{"PATCH /apps/1400000001/keys/1", `{"notAfter":"tomorrow"}`, 422, "body.notAfter"},
		{"PATCH /apps/1400000001/keys/1", `{"notAfter":"1969-12-31T00:00:00Z"}`, 422, "1970"},
		{"PATCH /apps/1400000001/keys/1", `{"notAfter":5}`, 422, "body.notAfter"},
		{"PATCH /apps/1400000001/keys/1", `{"withdrawn":false}`, 422, "body.withdrawn"},
		{"POST /apps/1400000001/keys", `{"secret":5}`, 422, "body.secret"},
		{"POST /apps/1400000001/keys", `{"id":5}`, 422, "body.id"},
		{"GET /apps/1400000001/users/a%20b", "", 422, "userID"},
		{"PUT /apps/1400000001/admins/%00", "", 422, "userID"},
		{"POST /apps/1400000001/users/%C3%A4/kick", "", 422, "userID"},
		{"GET /apps/1400000001/users/" + strings.Repeat("x", 33), "", 422, "userID"},
	} {
		r := send(t, h, c.line, c.body)
		p := wrong(t, r)
		if r.code != c.code || !strings.Contains(p.Detail, c.says) {
			t.Errorf("%s %s: %d %s, want %d and %q", c.line, c.body, r.code, p.Detail, c.code, c.says)
		}
	}
}

func TestBodiesAreBoundedAndAreJSON(t *testing.T) {
	h := testkit.NewOperator(t).Handler()
	padded := func(n int) string { return fmt.Sprintf(`{"name":"x"%*s`, n-len(`{"name":"x"`), "}") }
	want(t, send(t, h, "POST /apps", padded(64<<10)), http.StatusCreated, nil)
	if r := send(t, h, "POST /apps", padded(64<<10+1)); r.code != http.StatusRequestEntityTooLarge || wrong(t, r).Status == 0 {
		t.Errorf("a byte too much: %d", r.code)
	}
	for kind, code := range map[string]int{
		"": 201, "application/json": 201, "application/json; charset=utf-8": 201,
		"text/plain": 415, "application/x-www-form-urlencoded": 415, "multipart/form-data; boundary=x": 415, "application/xml": 415,
	} {
		r := httptest.NewRequest("POST", "/admin/v1/apps", strings.NewReader("{}"))
		r.Header.Set("Authorization", "Bearer "+token)
		if kind != "" {
			r.Header.Set("Content-Type", kind)
		}
		if got := serve(t, h, r); got.code != code {
			t.Errorf("%q: %d, want %d: %s", kind, got.code, code, got.body)
		}
	}
}

func TestAnswersAreJSONWhateverIsAccepted(t *testing.T) {
	h := testkit.NewOperator(t).Handler()
	for _, accept := range []string{"", "*/*", "text/html", "application/cbor", "application/json", "application/problem+json"} {
		for path, kind := range map[string]string{"/apps": "application/json", "/apps/7": "application/problem+json"} {
			r := httptest.NewRequest("GET", "/admin/v1"+path, nil)
			r.Header.Set("Authorization", "Bearer "+token)
			r.Header.Set("Accept", accept)
			got := serve(t, h, r)
			if got.header.Get("Content-Type") != kind || got.header.Get("Cache-Control") != "no-store" || strings.Contains(got.body, "$schema") {
				t.Errorf("%s, accepting %q: %v %s", path, accept, got.header, got.body)
			}
		}
	}
}

func TestWhatGoesWrongInsideIsNotTold(t *testing.T) {
	o := testkit.NewOperator(t)
	h := o.Handler()
	for _, c := range []struct {
		err  error
		code int
		im   im.Code
	}{
		{errors.New("the disk is gone"), 500, im.CodeInternal},
		{im.Err(im.CodeOverload), 503, im.CodeOverload},
		{fmt.Errorf("wait: %w", context.DeadlineExceeded), 503, im.CodeTimeout},
		{context.Canceled, 503, im.CodeTimeout},
	} {
		o.Fail(c.err)
		for line, body := range map[string]string{
			"POST /apps": "{}", "PATCH /apps/1400000001": `{"name":"x"}`, "POST /apps/1400000001/keys": "",
			"POST /apps/1400000001/keys/1/withdraw": "", "PUT /apps/1400000001/admins/alice": "",
			"GET /apps/1400000001/users/alice": "", "POST /apps/1400000001/users/alice/kick": "", "GET /audit": "",
		} {
			p := wrong(t, send(t, h, line, body))
			if p.Status != c.code || p.Code != c.im || strings.Contains(p.Detail, "disk") {
				t.Errorf("%s: %+v, want %d and %d", line, p, c.code, c.im)
			}
		}
	}
	if !strings.Contains(o.Log(), "the disk is gone") {
		t.Error("the log does not say what went wrong")
	}
}

// users are users that go wrong.
type users struct {
	admin.Users
	show func(context.Context) error
}

func (u users) Show(ctx context.Context, _ im.UserKey) (im.UserView, error) {
	return im.UserView{}, u.show(ctx)
}

func TestPanicsAreHeldAndNotTold(t *testing.T) {
	o := testkit.NewOperator(t)
	o.Config.Users = users{o.Memory, func(context.Context) error { panic("the sky falls") }}
	r := send(t, o.Handler(), "GET /apps/1400000001/users/alice", "")
	if p := wrong(t, r); r.code != 500 || p.Code != im.CodeInternal || strings.Contains(r.body, "sky") || strings.Contains(r.body, "goroutine") {
		t.Errorf("%d %s", r.code, r.body)
	}
	if !strings.Contains(o.Log(), "the sky falls") || !strings.Contains(o.Log(), "stack=") || !strings.Contains(o.Log(), "status=500") {
		t.Errorf("the log is %s", o.Log())
	}
}

func TestRequestsEndInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testkit.NewOperator(t)
		o.Config.Users = users{o.Memory, func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}}
		began := time.Now()
		r := send(t, o.Handler(), "GET /apps/1400000001/users/alice", "")
		if took := time.Since(began); r.code != 503 || took != im.CommandTimeout {
			t.Errorf("%d after %s", r.code, took)
		}
	})
}

func TestRequestsAreLoggedAndCountedByRoute(t *testing.T) {
	o := testkit.NewOperator(t)
	h := o.Handler()
	send(t, h, "GET /apps/1400000001/users/alice", "")
	send(t, h, "GET /apps/1400000001/users/mallory?token=x", "")
	send(t, h, "HEAD /apps", "")
	send(t, h, "GET /nowhere?token="+url.QueryEscape(token), "")
	ask(t, h, "GET", "/admin/v1/apps", "Bearer nonsense")
	log := regexp.MustCompile(`(?m)^.*level=INFO (.*) took=\S+$`).FindAllStringSubmatch(o.Log(), -1)
	var lines []string
	for _, line := range log {
		lines = append(lines, line[1])
	}
	if diff := cmp.Diff([]string{
		`msg="operator request" method=GET route=/admin/v1/apps/{app}/users/{user} status=200`,
		`msg="operator request" method=GET route=/admin/v1/apps/{app}/users/{user} status=422`,
		`msg="operator request" method=HEAD route=/admin/v1/apps status=200`,
		`msg="operator request" method=GET route=none status=404`,
		`msg="operator request" method=GET route=/admin/v1/apps status=401`,
	}, lines); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	metrics := ask(t, h, "GET", "/metrics", "Bearer "+token).body
	for _, line := range []string{
		`porchlight_admin_requests_total{code="200",route="GET /admin/v1/apps/{app}/users/{user}"} 1`,
		`porchlight_admin_requests_total{code="422",route="GET /admin/v1/apps/{app}/users/{user}"} 1`,
		`porchlight_admin_requests_total{code="404",route="none"} 1`,
		`porchlight_admin_requests_total{code="401",route="GET /admin/v1/apps"} 1`,
		`porchlight_admin_refused_total 1`,
	} {
		if !strings.Contains(metrics, "\n"+line+"\n") {
			t.Errorf("the metrics have no %s", line)
		}
	}
}
