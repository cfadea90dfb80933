package testkit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// Order sends a request to the operator's API, whose path begins after
// /admin/v1, and decodes what it is answered into answer unless that is nil. It
// fails the test unless the request succeeds.
func (s *Server) Order(method, path string, body, answer any) {
	s.t.Helper()
	if err := s.TryOrder(method, path, body, answer); err != nil {
		s.t.Fatal(err)
	}
}

// TryOrder is Order with the error given. It may be called from any
// goroutine.
func (s *Server) TryOrder(method, path string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(context.Background(), method, s.Dev.URL+"/admin/v1"+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	if body == nil {
		req.Body, req.ContentLength = http.NoBody, 0
	} else {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Authorization", "Bearer "+s.Dev.OperatorToken)
	resp, err := s.HTTP().Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, got)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(got, answer)
}

// Set changes settings of the application of -dev.
func (s *Server) Set(settings map[string]any) {
	s.t.Helper()
	s.Order(http.MethodPatch, s.app(), map[string]any{"settings": settings}, nil)
}

// Enable enables the application of -dev, Disable disables it.
func (s *Server) Enable() {
	s.t.Helper()
	s.Order(http.MethodPatch, s.app(), map[string]any{"enabled": true}, nil)
}

// Disable undoes Enable.
func (s *Server) Disable() {
	s.t.Helper()
	s.Order(http.MethodPatch, s.app(), map[string]any{"enabled": false}, nil)
}

// NewKey adds a key to the application of -dev; UserSigs are minted with it
// from then on.
func (s *Server) NewKey() {
	s.t.Helper()
	var key struct{ Secret string }
	s.Order(http.MethodPost, s.app()+"/keys", struct{}{}, &key)
	s.Dev.SecretKey = key.Secret
}

// WithdrawKey withdraws a key of the application of -dev.
func (s *Server) WithdrawKey(id int) {
	s.t.Helper()
	s.Order(http.MethodPost, fmt.Sprintf("%s/keys/%d/withdraw", s.app(), id), nil, nil)
}

// Kick throws a user out; Ban does so until Unban.
func (s *Server) Kick(user string) {
	s.t.Helper()
	s.Order(http.MethodPost, s.app()+"/users/"+user+"/kick", nil, nil)
}

// Ban bans a user.
func (s *Server) Ban(user string) {
	s.t.Helper()
	s.Order(http.MethodPut, s.app()+"/users/"+user+"/ban", nil, nil)
}

// Unban undoes Ban.
func (s *Server) Unban(user string) {
	s.t.Helper()
	s.Order(http.MethodDelete, s.app()+"/users/"+user+"/ban", nil, nil)
}

func (s *Server) app() string { return fmt.Sprintf("/apps/%d", s.Dev.SDKAppID) }
