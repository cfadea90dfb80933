// Package rest is the server API that back ends call: POST /v4/service/command,
// in the shapes and with the codes that a client library written for the
// original service expects. The table in routes.go says which commands there
// are and what each demands; what all of them share happens here, in one order,
// before a command's function is called.
//
// It promises that nothing is read, remembered or looked up for a caller whose
// UserSig has not been verified, that only an administrator of the application
// reaches a command, and that every request is answered, in the envelope, with a
// code that says what to do. It never acts beyond the caller's application,
// never trusts a parameter that is given twice, and never logs a query string.
package rest

import (
	"cmp"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/porchlight-im/porchlight/internal/account"
	"github.com/porchlight-im/porchlight/internal/app"
	"github.com/porchlight-im/porchlight/internal/friend"
	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/profile"
	"github.com/porchlight-im/porchlight/internal/status"
)

// Config is what the API is made from.
type Config struct {
	Apps     *app.Registry
	Accounts *account.Directory
	Status   *status.Engine
	Profiles *profile.Service
	Friends  *friend.Service
	Days     *app.Days
	Settings Settings
	Metrics  prometheus.Registerer
	Log      *slog.Logger
	Now      func() time.Time // nil for time.Now

	Addresses func() []string          // of the server, as GetIPList tells them
	Allowed   func(*http.Request) bool // by the address of who calls; nil lets in all
}

// Settings bound what callers may do and cost. A zero is the default.
type Settings struct {
	Timeout      time.Duration // to carry out a request once it has been read
	BodyTimeout  time.Duration // to send the body
	BodyBytes    int           // of a body
	MessageBytes int           // of the body of a command that sends messages
	Accounts     int           // in one call about accounts
	Query        int           // accounts in one status query

	TokenSkew     time.Duration // how far ahead a UserSig may be dated
	TokenBytes    int           // of a UserSig as it is sent
	TokenInflated int           // of the same, inflated

	Rates  map[string]int // calls a second by command, in place of the table's
	NoCORS bool           // pages of other origins may not read answers
	NoLog  bool           // requests are not logged
}

func (s Settings) withDefaults() Settings {
	s.Timeout = cmp.Or(s.Timeout, im.RESTTimeout)
	s.BodyTimeout = cmp.Or(s.BodyTimeout, im.RESTBody)
	s.BodyBytes = cmp.Or(s.BodyBytes, im.MaxRESTBytes)
	s.MessageBytes = cmp.Or(s.MessageBytes, im.MaxRESTMessage)
	s.Accounts = cmp.Or(s.Accounts, im.MaxRESTAccounts)
	s.Query = cmp.Or(s.Query, im.MaxQuery)
	s.TokenSkew = cmp.Or(s.TokenSkew, im.TokenSkew)
	return s
}

// API serves the requests. Make one with [New].
type API struct {
	cfg     Config
	set     Settings
	routes  map[string]*route // by path below root
	checked checked
	rates   rates
	metrics *metrics
	ids     string        // what the request ids of this process have in common
	seq     atomic.Uint64 // of the latest request
}

// root is where the API begins. The original has no other version.
const root = "/v4/"

// New makes the API and registers its metrics.
func New(cfg Config) *API { return newAPI(cfg, table()) }

func newAPI(cfg Config, table []route) *API {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	a := &API{cfg: cfg, set: cfg.Settings.withDefaults(), routes: make(map[string]*route, len(table)), ids: newIDs()}
	for i := range table {
		r := &table[i]
		if rate, ok := cfg.Settings.Rates[r.path]; ok {
			r.rate = rate
		}
		a.routes[r.path] = r
	}
	a.metrics = newMetrics(cfg.Metrics, a)
	return a
}

// Commands gives the paths of all commands that the original has, such as
// openim/query_online_status, served here or not.
func Commands() (paths []string) {
	for _, r := range table() {
		paths = append(paths, r.path)
	}
	return paths
}

// Takes reports whether a request is for this API, whatever it will be told. It
// is asked before a router that would redirect crooked paths: a client library
// takes a redirect for a broken server.
func Takes(r *http.Request) bool {
	for _, p := range []string{r.URL.Path, path.Clean("/" + r.URL.Path)} {
		rest, ok := strings.CutPrefix(p, "/v")
		version, _, more := strings.Cut(rest, "/")
		if ok && more && version != "" && strings.Trim(version, "0123456789") == "" {
			return true
		}
	}
	return false
}

// ServeHTTP answers one request. Whatever is wrong is said in the envelope with
// HTTP status 200, as clients expect, but for a method that is not POST. [RE1]
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k := &call{api: a, w: w, r: r, began: a.cfg.Now(), seq: a.seq.Add(1), command: "other"}
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	if !a.set.NoCORS {
		header.Set("Access-Control-Allow-Origin", "*")
	}
	switch r.Method {
	case http.MethodPost:
		answer, err := k.serve()
		k.reply(http.StatusOK, answer, err)
	case http.MethodOptions:
		preflight(header)
		w.WriteHeader(http.StatusNoContent)
	default:
		header.Set("Allow", "POST, OPTIONS")
		k.reply(http.StatusMethodNotAllowed, nil, im.Errorf(im.CodeBadRequest, "send a POST: this API takes no other method"))
	}
}

// preflight tells a browser what a page may send, if it may at all.
func preflight(header http.Header) {
	if header.Get("Access-Control-Allow-Origin") == "" {
		return
	}
	header.Set("Access-Control-Allow-Methods", "POST, OPTIONS")
	header.Set("Access-Control-Allow-Headers", "Content-Type")
	header.Set("Access-Control-Max-Age", "86400")
}
