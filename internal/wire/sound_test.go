package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/porchlight-im/porchlight/internal/im"
)

// level is one open bracket of a document that is walked.
type level struct {
	object bool
	name   bool // a name comes next
	seen   map[string]bool
}

// walk goes through a JSON document with the standard library alone, which
// judges neither names nor depth, and tells what the frames of either side must
// not hold: a name twice, or nulls.
type walk struct {
	open   []*level
	depth  int
	twice  []string
	nulls  int
	broken error
}

func walkJSON(doc []byte) *walk {
	w := &walk{}
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			if len(w.open) > 0 {
				w.broken = io.ErrUnexpectedEOF
			}
			return w
		}
		if err != nil {
			w.broken = err
			return w
		}
		w.step(token)
	}
}

func (w *walk) step(token json.Token) {
	switch token {
	case json.Delim('}'), json.Delim(']'):
		w.open = w.open[:len(w.open)-1]
		return
	}
	if n := len(w.open); n > 0 && w.open[n-1].object {
		top := w.open[n-1]
		top.name = !top.name
		if !top.name { // this was a name
			name := token.(string)
			if top.seen[name] {
				w.twice = append(w.twice, name)
			}
			top.seen[name] = true
			return
		}
	}
	switch token {
	case nil:
		w.nulls++
	case json.Delim('{'), json.Delim('['):
		w.open = append(w.open, &level{object: token == json.Delim('{'), name: true, seen: map[string]bool{}})
		w.depth = max(w.depth, len(w.open))
	}
}

// unsound says what is wrong with a frame that the server writes, or "".
func unsound(frame []byte) string {
	w := walkJSON(frame)
	switch {
	case !utf8.Valid(frame):
		return "it is not UTF-8"
	case !json.Valid(frame) || w.broken != nil:
		return "it is not JSON"
	case len(w.twice) > 0:
		return fmt.Sprintf("%q stands twice", w.twice)
	case w.nulls > 0:
		return "it holds null"
	case w.depth > im.MaxFrameDepth:
		return "it is too deep"
	case strings.ContainsAny(string(frame), "\n\r"):
		return "it has line breaks"
	default:
		return ""
	}
}
