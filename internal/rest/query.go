package rest

import (
	"net/url"
	"slices"
	"strings"

	"github.com/porchlight-im/porchlight/internal/im"
)

// query is what a query string says, "" for what it does not.
type query struct {
	app         string // sdkappid
	identifier  string
	userSig     string
	contentType string
	netType     string
}

// parameters are the names that mean something. They are case-sensitive, and
// others are ignored. random is read by nobody: a repeated request is a request.
var parameters = [...]string{"sdkappid", "identifier", "usersig", "contenttype", "nettype", "random"}

// parseQuery reads a query string. A parameter that comes twice is refused: two
// readers of it might take two different ones. [RE4]
func parseQuery(raw string) (q query, err error) {
	var random string
	into := [len(parameters)]*string{&q.app, &q.identifier, &q.userSig, &q.contentType, &q.netType, &random}
	var seen [len(parameters)]bool
	for part := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(part, "=")
		if name, err = url.QueryUnescape(name); err != nil {
			return query{}, im.Errorf(im.CodeBadRequest, "the query string has a bad escape")
		}
		i := slices.Index(parameters[:], name)
		if i < 0 {
			continue
		}
		if seen[i] {
			return query{}, im.Errorf(im.CodeBadParameter, "%s is given twice", name)
		}
		if *into[i], err = url.QueryUnescape(value); err != nil {
			return query{}, im.Errorf(im.CodeBadRequest, "%s has a bad escape", name)
		}
		seen[i] = true
	}
	return q, nil
}
