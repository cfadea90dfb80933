package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"reflect"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/porchlight-im/porchlight/internal/im"
)

// root is where the operator's API begins.
const root = "/admin/v1"

// actor is who the audit says has ordered what comes in here.
const actor = "operator"

// maxBody bounds the body of a request.
const maxBody = 64 << 10

// API adds the operator's API, which asks for the token on every listener.
func (h *Handlers) API(mux *http.ServeMux) {
	routes := http.NewServeMux()
	api := humago.New(routes, h.describe())
	h.appRoutes(api)
	h.keyRoutes(api)
	h.userRoutes(api)
	h.auditRoutes(api)
	h.webhookRoutes(api)
	documentRoutes(api)
	mux.HandleFunc(root+"/", func(w http.ResponseWriter, r *http.Request) { h.serve(routes, w, r) })
}

// describe gives what the library is to know. It serves no page of its own:
// its pages load scripts from elsewhere.
func (h *Handlers) describe() huma.Config {
	cfg := huma.DefaultConfig("Porchlight operator's API", h.cfg.Version)
	cfg.Info.Description = "Manages the applications of a Porchlight server and their users. It has no CORS headers, on purpose. " +
		"A secret key is shown in the answer that made it and never again."
	cfg.OpenAPIPath, cfg.DocsPath, cfg.SchemasPath, cfg.CreateHooks = "", "", "", nil
	cfg.RejectUnknownQueryParameters = true
	cfg.Transformers = []huma.Transformer{shape}
	format := huma.Format{Marshal: writeJSON, Unmarshal: json.Unmarshal}
	cfg.Formats = map[string]huma.Format{"application/json": format, "json": format}
	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"operator": {Type: "http", Scheme: "bearer", Description: "The operator's token, from operator.token in the data directory."},
	}
	for _, t := range []reflect.Type{reflect.TypeFor[im.AppID](), reflect.TypeFor[im.InstID](), reflect.TypeFor[uint32]()} {
		cfg.Components.Schemas.RegisterTypeAlias(t, reflect.TypeFor[int64]()) // it would call them int32
	}
	cfg.Security = []map[string][]string{{"operator": {}}}
	return cfg
}

// writeJSON writes an answer. A client that is gone is no error.
func writeJSON(w io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err == nil {
		_, _ = w.Write(append(text, '\n'))
	}
	return err
}

// operation describes a route; line is its method, its path below the root and
// its name, with a space between.
func operation(api huma.API, line, summary string) huma.Operation {
	words := strings.Fields(line)
	wrong := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[problem](), true, "")
	return huma.Operation{
		Method: words[0], Path: root + words[1], OperationID: words[2], Summary: summary, MaxBodyBytes: maxBody + 1,
		Responses: map[string]*huma.Response{"default": {
			Description: "What is wrong",
			Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: wrong}},
		}},
	}
}

// serve answers one request to the API: it lets in who may come in, counts and
// logs, and holds what panics.
func (h *Handlers) serve(routes *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(r.Context(), im.CommandTimeout)
	defer cancel()
	r = r.WithContext(ctx)
	r.URL = escapedTwice(r.URL)
	handler, route := routes.Handler(r)
	rec := &recorder{ResponseWriter: w}
	rec.Header().Set("Cache-Control", "no-store")
	rec.Header().Set("X-Content-Type-Options", "nosniff")
	defer func() {
		if p := recover(); p != nil {
			h.cfg.Log.Error("operator request panicked", "route", route, "panic", p, "stack", string(debug.Stack()))
			rec.fail()
		}
		if route == "" {
			route = "none"
		}
		h.requests.WithLabelValues(route, strconv.Itoa(rec.code)).Inc()
		h.cfg.Log.Info("operator request", "method", r.Method,
			"route", route[strings.Index(route, " ")+1:], "status", rec.code, "took", time.Since(began))
	}()
	switch {
	case foreign(r):
		newProblem(http.StatusForbidden, "a page of another origin may not use this API; call it from a back end").write(rec)
	case !h.authorized(r):
		h.unauthorized(rec)
	case route == "":
		none(rec, r, handler)
	default:
		routes.ServeHTTP(rec, r)
	}
}

// escapedTwice gives an address whose path has its escapes escaped once more, to
// be undone by whoever reads a part of it: the router decodes once, and would
// take a slash that is all of a UserID for one of its own.
func escapedTwice(u *url.URL) *url.URL {
	twice := *u
	twice.Path = u.EscapedPath()
	twice.RawPath = strings.ReplaceAll(twice.Path, "%", "%25")
	return &twice
}

// foreign reports whether a page of another origin sends the request.
func foreign(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || u.Host == "" || !strings.EqualFold(u.Host, r.Host)
}

// none answers a request that no route is for: what the router would say, as a
// problem.
func none(w http.ResponseWriter, r *http.Request, router http.Handler) {
	said := &recorder{ResponseWriter: silent{w}}
	router.ServeHTTP(said, r)
	if said.code == http.StatusMethodNotAllowed {
		newProblem(said.code, "that path does not take "+r.Method+"; it takes "+w.Header().Get("Allow")).write(w)
		return
	}
	newProblem(http.StatusNotFound, "there is no such path; GET "+root+"/openapi.json tells of all").write(w)
}

// silent takes the header of an answer and nothing else.
type silent struct{ http.ResponseWriter }

// WriteHeader writes nothing.
func (silent) WriteHeader(int) {}

// Write writes nothing.
func (silent) Write(p []byte) (int, error) { return len(p), nil }

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	code int // 0 before the header is written
}

// WriteHeader writes the header, once.
func (r *recorder) WriteHeader(code int) {
	if r.code == 0 {
		r.code = code
		r.ResponseWriter.WriteHeader(code)
	}
}

// Write writes a part of the body.
func (r *recorder) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.ResponseWriter.Write(p)
}

// Unwrap gives the writer beneath, for its deadlines.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// fail answers that the server is at fault, if it is not too late.
func (r *recorder) fail() {
	if r.code == 0 {
		p := newProblem(http.StatusInternalServerError, im.CodeInternal.Text())
		p.Code = im.CodeInternal
		p.write(r)
	}
}

// document is the description of the API.
type document struct {
	Kind string `header:"Content-Type"`
	Body []byte
}

// documentRoutes adds the description of all the routes, itself included.
func documentRoutes(api huma.API) {
	texts := map[string]*document{"json": {}, "yaml": {}}
	for format, doc := range texts {
		doc.Kind = "application/openapi+" + format
		name := strings.ToUpper(format)
		op := operation(api, "GET /openapi."+format+" describe"+name, "Describe this API, as OpenAPI 3.1 in "+name)
		op.Responses["200"] = &huma.Response{Content: map[string]*huma.MediaType{doc.Kind: {Schema: &huma.Schema{}}}}
		huma.Register(api, op, func(context.Context, *struct{}) (*document, error) { return doc, nil })
	}
	for _, name := range []string{"ErrorModel", "ErrorDetail"} {
		delete(api.OpenAPI().Components.Schemas.Map(), name) // the library's, which no answer has
	}
	var errs [2]error
	texts["json"].Body, errs[0] = json.Marshal(api.OpenAPI())
	texts["yaml"].Body, errs[1] = api.OpenAPI().YAML()
	if errs != [2]error{} {
		panic(fmt.Sprintf("admin: the description of the API cannot be written: %v", errs))
	}
}

// lastSecond is the end of the year 9999, the last one that RFC 3339 can write.
const lastSecond = 253402300799

// second gives the time of a Unix second, nil for 0, which is none.
func second(at int64) *time.Time {
	if at == 0 {
		return nil
	}
	return milli(min(at, math.MaxInt64/1000) * 1000)
}

// milli gives the time of a Unix millisecond, nil for 0, which is none.
func milli(at int64) *time.Time {
	if at == 0 {
		return nil
	}
	t := time.UnixMilli(min(at, lastSecond*1000)).UTC()
	return &t
}
