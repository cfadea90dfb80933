package rest

import "context"

// NewForTest makes an API whose one command, test/run, calls f.
func NewForTest(cfg Config, f func(ctx context.Context) error) *API {
	return newAPI(cfg, []route{{
		path: "test/run", service: accounts, bare: true, message: true,
		handler: with(func(ctx context.Context, _ *call, _ *nothing) (nothing, error) { return nothing{}, f(ctx) }),
	}})
}

// ParseQueryForTest reads a query string.
func ParseQueryForTest(raw string) (app, identifier, userSig string, err error) {
	q, err := parseQuery(raw)
	return q.app, q.identifier, q.userSig, err
}
