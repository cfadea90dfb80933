package server

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/porchlight-im/porchlight/internal/gateway"
	"github.com/porchlight-im/porchlight/internal/rest"
)

// settings gives those of the REST API.
func (c Config) restSettings() rest.Settings {
	r, l := c.REST, c.Limits
	rates, _ := r.rates() // check has seen it
	return rest.Settings{
		Timeout: r.Timeout, BodyTimeout: r.BodyTimeout, BodyBytes: r.BodyBytes, MessageBytes: r.MessageBytes,
		Accounts: r.Accounts, Query: r.Query,
		TokenSkew: l.TokenSkew, TokenBytes: l.TokenBytes, TokenInflated: l.TokenInflated,
		Rates: rates, NoCORS: !r.CORS, NoLog: !r.AccessLog,
	}
}

// rates reads the list of rates. The error names the entry that is none.
func (r RESTConfig) rates() (map[string]int, error) {
	rates := make(map[string]int, len(r.Rates))
	for _, entry := range r.Rates {
		command, text, _ := strings.Cut(entry, "=")
		n, err := strconv.Atoi(text)
		switch {
		case err != nil || n < 1:
			return nil, fmt.Errorf("%q is not of the form service/command=calls a second", entry)
		case !slices.Contains(rest.Commands(), command):
			return nil, fmt.Errorf("%q: there is no such command", entry)
		}
		rates[command] = n
	}
	return rates, nil
}

// addresses gives those that the server can be reached at, as configured or as
// it listens.
func (s *Server) addresses() []string {
	if len(s.cfg.REST.Addresses) > 0 {
		return s.cfg.REST.Addresses
	}
	addr, ok := s.listener.Addr().(*net.TCPAddr)
	if !ok {
		return nil
	}
	if !addr.IP.IsUnspecified() {
		return []string{addr.IP.String()}
	}
	var list []string
	all, _ := net.InterfaceAddrs() // none, if the system does not say
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			list = append(list, n.IP.String())
		}
	}
	return list
}

// callers says who may call the REST API; nil for everybody.
func (c Config) callers(proxies gateway.Proxies) func(*http.Request) bool {
	allowed, _ := gateway.ParseProxies(c.REST.Allow) // check has seen it
	if len(allowed) == 0 {
		return nil
	}
	return func(r *http.Request) bool { return allowed.Lists(proxies.Client(r)) }
}

// beside serves the REST API, and everything else by the router.
func beside(api, router http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rest.Takes(r) {
			api.ServeHTTP(w, r)
			return
		}
		router.ServeHTTP(w, r)
	})
}
