package wire_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/wire"
)

// whole is a number as JavaScript writes a whole one that a double holds.
var whole = regexp.MustCompile(`^(0|-?[1-9][0-9]{0,15})$`)

// official judges, with the standard library alone, whether msg is a frame as
// the official client writes them: JSON.stringify of a head and a body.
func official(msg []byte) bool {
	w := walkJSON(msg)
	if w.broken != nil || !json.Valid(msg) || !utf8.Valid(msg) || bytes.Contains(msg, []byte(`\u`)) {
		return false
	}
	if len(w.twice) > 0 || w.depth > im.MaxFrameDepth {
		return false
	}
	var frame map[string]json.RawMessage
	var head map[string]json.RawMessage
	if json.Unmarshal(msg, &frame) != nil || json.Unmarshal(frame["head"], &head) != nil || len(frame["body"]) == 0 {
		return false
	}
	for _, name := range []string{"a2", "identifier", "usersig"} {
		var text *string
		if v, ok := head[name]; ok && (json.Unmarshal(v, &text) != nil || text == nil) {
			return false
		}
	}
	for _, name := range []string{"seq", "sdkappid", "platform"} {
		if v, ok := head[name]; ok && !whole.Match(v) {
			return false
		}
	}
	var command string
	return json.Unmarshal(head["servcmd"], &command) == nil && command != ""
}

// FuzzDecode holds Decode to two bounds: what it accepts is sound JSON in the
// eyes of another decoder, and every frame of the official client is accepted.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(officialFrame))
	f.Fuzz(func(t *testing.T, msg []byte) {
		before := bytes.Clone(msg)
		var r wire.Request
		err := wire.Decode(msg, im.MaxFrameDepth, &r)
		if !bytes.Equal(msg, before) {
			t.Fatalf("%q was changed to %q", before, msg)
		}
		if err != nil {
			if official(msg) {
				t.Fatalf("%q is an official frame: %v", msg, err)
			}
			if len(err.Error()) > 80 {
				t.Fatalf("%q: the error says too much: %v", msg, err)
			}
			return
		}
		w := walkJSON(msg)
		switch {
		case !json.Valid(msg) || w.broken != nil:
			t.Fatalf("%q was accepted and is not JSON: %v", msg, w.broken)
		case len(w.twice) > 0:
			t.Fatalf("%q was accepted and names %q twice", msg, w.twice)
		case w.depth > im.MaxFrameDepth:
			t.Fatalf("%q was accepted and is %d deep", msg, w.depth)
		}
		same(t, msg, r)
	})
}

// same compares an accepted request with what the standard library reads.
func same(t *testing.T, msg []byte, r wire.Request) {
	t.Helper()
	var frame map[string]json.RawMessage
	var head map[string]json.RawMessage
	if json.Unmarshal(msg, &frame) != nil || json.Unmarshal(frame["head"], &head) != nil {
		t.Fatalf("%q was accepted and has no head", msg)
	}
	if !bytes.Equal(r.Body, frame["body"]) || !bytes.Equal(r.Head.Seq, head["seq"]) || len(r.Head.Seq) > 32 {
		t.Fatalf("%q: body %q, seq %q", msg, r.Body, r.Head.Seq)
	}
	var command string
	_ = json.Unmarshal(head["servcmd"], &command) // where it is no string, the next line says so
	if command == "" || r.Head.Command != command {
		t.Fatalf("%q: command %q, want %q", msg, r.Head.Command, command)
	}
	// Whatever came, the answer to it is a sound frame.
	a := read(t, wire.AppendFailure(nil, r.Head.Command, r.Head.Seq, 1, im.Err(im.CodeNoResource)))
	if a.Head.Command != command {
		t.Fatalf("%q: answered as %q", msg, a.Head.Command)
	}
	var body wire.Targets
	_ = wire.DecodeBody(r.Body, &body) // it may be anything; it must not panic
}

// TestOfficialFramesAreAccepted draws heads and bodies as the official client
// fills them and writes them as JSON.stringify does.
func TestOfficialFramesAreAccepted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String()
		head := map[string]any{
			"ver": "v4", "platform": rapid.IntRange(0, 100).Draw(t, "platform"), "websdkappid": 537048168, "websdkversion": "1.7.3",
			"sdkappid": rapid.Uint32().Draw(t, "app"), "contenttype": "json", "reqtime": 1795400000, "cappid": 0, "cs": rapid.Uint32().Draw(t, "cs"),
			"servcmd": rapid.StringMatching(`[a-z_]{1,20}\.[a-z_0-9]{1,30}`).Draw(t, "command"),
			"seq":     rapid.Int64Range(0, 2_415_919_103).Draw(t, "seq"), "status_instid": rapid.Uint32().Draw(t, "inst"),
		}
		if rapid.Bool().Draw(t, "logged in") {
			head["a2"], head["tinyid"] = text.Draw(t, "a2"), "144115200000007"
		} else {
			head["identifier"], head["usersig"] = text.Draw(t, "user"), text.Draw(t, "usersig")
		}
		var msg bytes.Buffer
		e := json.NewEncoder(&msg)
		e.SetEscapeHTML(false)
		if err := e.Encode(map[string]any{"head": head, "body": map[string]any{"CustomStatus": text.Draw(t, "custom")}}); err != nil {
			t.Fatal(err)
		}
		var r wire.Request
		if err := wire.Decode(msg.Bytes(), im.MaxFrameDepth, &r); err != nil {
			t.Fatalf("%s: %v", msg.Bytes(), err)
		}
		want := wire.Head{Command: head["servcmd"].(string), AppID: int64(head["sdkappid"].(uint32)), Platform: int64(head["platform"].(int))}
		want.A2, _ = head["a2"].(string)
		want.Identifier, _ = head["identifier"].(string)
		want.UserSig, _ = head["usersig"].(string)
		want.Seq = jsontext.Value(strings.TrimSpace(string(mustJSON(t, head["seq"]))))
		if diff := cmp.Diff(want, r.Head); diff != "" {
			t.Fatalf("(-want +got)\n%s", diff)
		}
	})
}

func mustJSON(t *rapid.T, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
