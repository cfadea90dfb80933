// Package demo serves /demo/: two users side by side on the TypeScript SDK, for
// a newcomer's first minute. It mints UserSigs for its own users and nobody
// else, asks no password, and so is there under -dev alone.
//
// Without the SDK, which `make build` builds, it serves a page that says so.
package demo

import (
	"embed"
	"encoding/json"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/usersig"
)

// Users are those whom the demo logs in.
var Users = []im.UserID{"alice", "bob"}

// sigLife is how long a demo may stay open.
const sigLife = 24 * time.Hour

// policy lets the page reach this server and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

//go:embed page all:dist
var files embed.FS

// Config is what a demo is made from.
type Config struct {
	App    im.AppID
	Secret string // of a key of the application
	Log    *slog.Logger
}

// New gives the handler of everything below /demo/.
func New(cfg Config) http.Handler {
	return newHandler(cfg, files)
}

func newHandler(cfg Config, all fs.FS) http.Handler {
	page, dist := sub(all, "page"), sub(all, "dist")
	mux := http.NewServeMux()
	mux.HandleFunc("POST /demo/usersig", cfg.userSig)
	mux.Handle("GET /demo/", http.StripPrefix("/demo/", http.FileServerFS(page)))
	mux.Handle("GET /demo/chat.js", serve(dist, "chat.js"))
	if _, err := fs.Stat(dist, "chat.js"); err != nil {
		mux.Handle("GET /demo/{$}", serve(page, "stub.html"))
	}
	return guarded(mux)
}

// sub gives a folder that is embedded.
func sub(all fs.FS, name string) fs.FS {
	folder, err := fs.Sub(all, name)
	if err != nil {
		panic(err) // the name is no path
	}
	return folder
}

func serve(folder fs.FS, name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, folder, name) })
}

// guarded sets the headers that keep other pages out of this one.
func guarded(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Cache-Control", "no-store")
		h.ServeHTTP(w, r)
	})
}

// userSig mints a UserSig for one of the demo's users, for the demo's own page.
func (c Config) userSig(w http.ResponseWriter, r *http.Request) {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		http.Error(w, "only the demo's own page may ask", http.StatusForbidden)
		return
	}
	user := im.UserID(r.URL.Query().Get("user"))
	if !slices.Contains(Users, user) {
		http.Error(w, "the demo has no such user", http.StatusNotFound)
		return
	}
	sig, err := usersig.Mint(c.App, user, c.Secret, time.Now(), sigLife)
	if err != nil {
		c.Log.Error("mint a UserSig for the demo", "user", user, "err", err)
		http.Error(w, "cannot mint a UserSig; see the server's log", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"sdkAppID": c.App, "userSig": sig}) // a page that has gone needs none
}
