package testkit

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/porchlight-im/porchlight/internal/im"
)

// RESTCall is a request to the REST API, for a test to spoil before it is sent.
type RESTCall struct {
	Method string
	Path   string
	Query  url.Values
	Body   io.Reader
}

// RESTAnswer is what the REST API answered.
type RESTAnswer struct {
	HTTP   int
	Header http.Header
	Text   string // of the body

	ActionStatus, ErrorInfo, RequestId string //nolint:revive // spelled as the API does
	ErrorCode                          im.Code
}

// Into decodes the answer into a value of the test's own.
func (a RESTAnswer) Into(v any) error { return json.Unmarshal([]byte(a.Text), v) }

// RESTCall gives a good request of the administrator of the application of -dev,
// with a UserSig from before now, so that it outlives nothing that is revoked.
func (s *Server) RESTCall(command, body string) RESTCall {
	s.t.Helper()
	return RESTCall{Method: http.MethodPost, Path: "/v4/" + command, Body: strings.NewReader(body), Query: s.RESTQuery("administrator")}
}

// RESTQuery gives the query string of a user of the application of -dev.
func (s *Server) RESTQuery(user im.UserID) url.Values {
	s.t.Helper()
	return url.Values{
		"sdkappid": {s.Dev.SDKAppID.String()}, "identifier": {string(user)}, "usersig": {s.UserSig(user)},
		"random": {"4294967295"}, "contenttype": {"json"},
	}
}

// REST sends a good request of the administrator and gives the answer.
func (s *Server) REST(command, body string) RESTAnswer {
	s.t.Helper()
	return s.SendREST(s.RESTCall(command, body))
}

// SendREST sends a request and gives the answer.
func (s *Server) SendREST(c RESTCall) RESTAnswer {
	s.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), c.Method, s.Dev.URL+c.Path+"?"+c.Query.Encode(), c.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.SendRawREST(req)
}

// SendRawREST sends a request as it stands.
func (s *Server) SendRawREST(req *http.Request) RESTAnswer {
	s.t.Helper()
	client := s.HTTP()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // read to its end
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	a := RESTAnswer{HTTP: resp.StatusCode, Header: resp.Header, Text: string(text)}
	if len(text) > 0 {
		if err := a.Into(&a); err != nil {
			s.t.Fatalf("%s %s is answered %d %q: %v", req.Method, req.URL.Path, a.HTTP, a.Text, err)
		}
	}
	return a
}
