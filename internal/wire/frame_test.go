package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/wire"
)

// officialFrame is a command as the official client writes it.
const officialFrame = `{"head":{"ver":"v4","platform":7,"websdkappid":537048168,"websdkversion":"1.7.3","a2":"c2Vzc2lvbg",` +
	`"tinyid":"144115200000007","status_instid":31,"sdkappid":1400000001,"contenttype":"json","reqtime":1795400000,` +
	`"sdkability":75689843,"sdkability_ext":"","cappid":0,"servcmd":"im_open_status.ws_set_custom_status","seq":48151623,"cs":2774092891},` +
	`"body":{"CustomStatus":"on a walk, back at 3"}}`

func TestDecodeReadsAnOfficialFrame(t *testing.T) {
	var got wire.Request
	if err := wire.Decode([]byte(officialFrame), im.MaxFrameDepth, &got); err != nil {
		t.Fatal(err)
	}
	want := wire.Request{
		Head: wire.Head{
			Command: wire.CmdSetStatus, Seq: jsontext.Value("48151623"), A2: "c2Vzc2lvbg", AppID: 1400000001, Platform: 7,
		},
		Body: jsontext.Value(`{"CustomStatus":"on a walk, back at 3"}`),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestDecodeReadsAFirstLogin(t *testing.T) {
	var got wire.Request
	msg := `{"head":{"identifier":"alice","usersig":"eJw*-_","sdkappid":1400000001,"platform":2,"servcmd":"im_open_status.wslogin","seq":1},"body":{}}`
	if err := wire.Decode([]byte(msg), im.MaxFrameDepth, &got); err != nil {
		t.Fatal(err)
	}
	want := wire.Head{
		Command: wire.CmdLogin, Seq: jsontext.Value("1"), Identifier: "alice", UserSig: "eJw*-_", AppID: 1400000001, Platform: 2,
	}
	if diff := cmp.Diff(want, got.Head); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// nested gives a whole frame whose brackets nest so deep.
func nested(depth int) string {
	return `{"head":{"servcmd":"a.b","seq":1},"body":` + strings.Repeat(`[`, depth-1) + strings.Repeat(`]`, depth-1) + `}`
}

func TestDecodeTakesWhatIsOddButSound(t *testing.T) {
	for name, msg := range map[string]string{
		"white space around":           " \t\r\n" + `{"head":{"servcmd":"a.b","seq":1},"body":{}}` + "\n ",
		"body before head":             `{"body":{},"head":{"seq":1,"servcmd":"a.b"}}`,
		"no body":                      `{"head":{"servcmd":"a.b","seq":1}}`,
		"no seq":                       `{"head":{"servcmd":"a.b"},"body":{}}`,
		"unknown members":              `{"v":[1,{"a":null}],"head":{"servcmd":"a.b","seq":1,"later":{"x":[true]}},"body":{}}`,
		"null for a string":            `{"head":{"servcmd":"a.b","seq":1,"a2":null},"body":{}}`,
		"the same name at two levels":  `{"head":{"servcmd":"a.b","seq":1,"head":{"head":1}},"body":{"body":{"body":{}}}}`,
		"names that differ by case":    `{"head":{"servcmd":"a.b","seq":1},"HEAD":2,"body":{"a":1,"A":2}}`,
		"as deep as allowed":           nested(im.MaxFrameDepth),
		"brackets in a string":         `{"head":{"servcmd":"a.b","seq":1},"body":{"x":"` + strings.Repeat("[{", 99) + `"}}`,
		"brackets after an escape":     `{"head":{"servcmd":"a.b","seq":1},"body":{"x":"\"` + strings.Repeat("[", 99) + `\\"}}`,
		"many brackets, none deep":     `{"head":{"servcmd":"a.b","seq":1},"body":{"x":[` + strings.Repeat("[],", 99) + `[]]}}`,
		"a body that is an array":      `{"head":{"servcmd":"a.b","seq":1},"body":[1]}`,
		"a body that is null":          `{"head":{"servcmd":"a.b","seq":1},"body":null}`,
		"a command by escapes":         `{"head":{"servcmd":"\u0061.b","seq":1},"body":{}}`,
		"a NUL by an escape":           `{"head":{"servcmd":"a.b","seq":1},"body":{"x":"\u0000"}}`,
		"a pair of surrogates":         `{"head":{"servcmd":"a.b","seq":1},"body":{"x":"\ud83d\ude00"}}`,
		"the largest app and platform": `{"head":{"servcmd":"a.b","seq":1,"sdkappid":9223372036854775807,"platform":-9223372036854775808}}`,
	} {
		var r wire.Request
		if err := wire.Decode([]byte(msg), im.MaxFrameDepth, &r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if r.Head.Command != "a.b" {
			t.Errorf("%s: command %q", name, r.Head.Command)
		}
	}
}

// head is a sound one.
const head = `"head":{"servcmd":"a.b","seq":1}`

// unreadable holds messages that are no frames. Where one has content, it is a
// Marker that no error may quote.
var unreadable = map[string]string{
	"nothing":                      ``,
	"white space alone":            "\n",
	"no JSON":                      `Marker`,
	"cut off":                      `{` + head + `,"body":{"Marker"`,
	"something after it":           `{` + head + `} Marker`,
	"two frames":                   `{` + head + `}{` + head + `}`,
	"an array":                     `[{` + head + `}]`,
	"a string":                     `"Marker"`,
	"null":                         `null`,
	"no head":                      `{"body":{"Marker":1}}`,
	"a head that is null":          `{"head":null}`,
	"a head that is a string":      `{"head":"Marker"}`,
	"the head in capitals":         `{"HEAD":{"servcmd":"Marker"}}`,
	"the command in capitals":      `{"head":{"SERVCMD":"Marker"}}`,
	"no command":                   `{"head":{"seq":1,"a2":"Marker"}}`,
	"an empty command":             `{"head":{"servcmd":"","seq":1}}`,
	"a command that is null":       `{"head":{"servcmd":null,"seq":1}}`,
	"a command that is a number":   `{"head":{"servcmd":7,"seq":1}}`,
	"a token that is a number":     `{"head":{"servcmd":"a.b","a2":7}}`,
	"an app that is a string":      `{"head":{"servcmd":"a.b","sdkappid":"Marker"}}`,
	"an app with a fraction":       `{"head":{"servcmd":"a.b","sdkappid":1.5}}`,
	"an app with an exponent":      `{"head":{"servcmd":"a.b","sdkappid":1e3}}`,
	"an app out of range":          `{"head":{"servcmd":"a.b","sdkappid":9223372036854775808}}`,
	"a platform that is a boolean": `{"head":{"servcmd":"a.b","platform":true}}`,
	"two heads":                    `{` + head + `,` + head + `}`,
	"a name twice in the head":     `{"head":{"servcmd":"a.b","Marker":1,"Marker":2}}`,
	"a name twice in the body":     `{` + head + `,"body":{"Marker":1,"Marker":1}}`,
	"a name twice deep in it":      `{` + head + `,"body":[[{"x":[{"Marker":1,"b":2,"Marker":3}]}]]}`,
	"a name twice where none look": `{` + head + `,"x":{"Marker":1,"Marker":1}}`,
	"a name twice by an escape":    `{` + head + `,"body":{"Marker":1,"Mar\u006ber":1}}`,
	"too deep by one":              nested(im.MaxFrameDepth + 1),
	"far too deep":                 nested(20_000),
	"deep and broken":              strings.Repeat(`{"a":[`, 10_000),
	"closed before it is opened":   strings.Repeat(`]`, 100) + nested(im.MaxFrameDepth),
	"not UTF-8 in a value":         `{` + head + `,"body":{"x":"Marker` + "\xff" + `"}}`,
	"not UTF-8 in a name":          `{` + head + `,"body":{"Marker` + "\xc3" + `":1}}`,
	"a surrogate in UTF-8":         `{` + head + `,"body":"` + "\xed\xa0\x80" + `"}`,
	"a control character":          `{` + head + `,"body":"` + "\x01" + `Marker"}`,
	"a line break in a string":     `{` + head + `,"body":"` + "\n" + `Marker"}`,
	"an unknown escape":            `{` + head + `,"body":"\xMarker"}`,
	"NaN":                          `{` + head + `,"body":NaN}`,
	"a number that starts with 0":  `{` + head + `,"body":01}`,
	"a number that ends in a dot":  `{` + head + `,"body":1.}`,
	"a comment":                    `{` + head + `/*Marker*/}`,
	"a comma too many":             `{` + head + `,}`,
	"single quotes":                `{'head':{'servcmd':'Marker'}}`,
	"a byte order mark":            "\ufeff{" + head + `}`,
	"a NUL after it":               `{` + head + "}\x00",
}

func TestWI20_DecodeRefusesWhatCannotBeRead(t *testing.T) {
	for name, msg := range unreadable {
		t.Run(name, func(t *testing.T) {
			kept := wire.Request{Head: wire.Head{Command: "earlier"}, Body: jsontext.Value("{}")}
			r := kept
			err := wire.Decode([]byte(msg), im.MaxFrameDepth, &r)
			if err == nil {
				t.Fatal("it was accepted")
			}
			if diff := cmp.Diff(kept, r); diff != "" {
				t.Errorf("the request was changed (-want +got)\n%s", diff)
			}
			if text := err.Error(); strings.Contains(text, "Marker") || len(text) > 80 || text == "" {
				t.Errorf("the error quotes the frame, or is none: %q", text)
			}
		})
	}
}

func TestSeqIsANumberOrAShortStringAndComesBackAsItWas(t *testing.T) {
	for seq, ok := range map[string]bool{
		`0`:                                   true,
		`48151623`:                            true,
		`-1`:                                  true,
		`1.50`:                                true,
		`1E5`:                                 true,
		`18446744073709551615`:                true,
		`""`:                                  true,
		`"48151623"`:                          true,
		`"a\u0062\"\\"`:                       true,
		`"` + strings.Repeat("x", 30) + `"`:   true,
		`"` + strings.Repeat("x", 31) + `"`:   false,
		`"` + strings.Repeat(`\n`, 16) + `"`:  false,
		strings.Repeat("1", 32):               true,
		strings.Repeat("1", 33):               false,
		`"` + strings.Repeat("é", 15) + `"`:   true,
		`"` + strings.Repeat("é", 16) + `"`:   false,
		`null`:                                false,
		`true`:                                false,
		`{}`:                                  false,
		`[1]`:                                 false,
		`[` + strings.Repeat("1,", 20) + `1]`: false,
	} {
		var r wire.Request
		err := wire.Decode([]byte(`{"head":{"servcmd":"a.b","seq": `+seq+` },"body":{}}`), im.MaxFrameDepth, &r)
		if (err == nil) != ok {
			t.Errorf("seq %s: error %v, want accepted %v", seq, err, ok)
		}
		if !ok || err != nil {
			continue
		}
		if got := string(r.Head.Seq); got != seq {
			t.Errorf("seq %s was read as %s", seq, got)
		}
		frame := wire.AppendOK(nil, r.Head.Command, r.Head.Seq, 1)
		if !strings.Contains(string(frame), `,"seq":`+seq+`,`) {
			t.Errorf("seq %s came back in %s", seq, frame)
		}
		read(t, frame)
	}
}

// TestRequestsHeadOutlivesItsMessage holds Decode to its promise: the read
// buffer is used again while a command is carried out.
func TestRequestsHeadOutlivesItsMessage(t *testing.T) {
	msg := []byte(officialFrame)
	var r wire.Request
	if err := wire.Decode(msg, im.MaxFrameDepth, &r); err != nil {
		t.Fatal(err)
	}
	body := bytes.Clone(r.Body)
	for i := range msg {
		msg[i] = '#'
	}
	want := wire.Head{
		Command: wire.CmdSetStatus, Seq: jsontext.Value("48151623"), A2: "c2Vzc2lvbg", AppID: 1400000001, Platform: 7,
	}
	if diff := cmp.Diff(want, r.Head); diff != "" {
		t.Errorf("the head changed with the message (-want +got)\n%s", diff)
	}
	if got, want := string(body), `{"CustomStatus":"on a walk, back at 3"}`; got != want {
		t.Errorf("body %s, want %s", got, want)
	}
}

// TestBodyCannotBeAppendedIntoItsMessage holds a body that aliases its message
// to its end.
func TestBodyCannotBeAppendedIntoItsMessage(t *testing.T) {
	msg := []byte(officialFrame)
	var r wire.Request
	if err := wire.Decode(msg, im.MaxFrameDepth, &r); err != nil {
		t.Fatal(err)
	}
	_ = append(r.Body, "########"...)
	_ = append(r.Head.Seq, "########"...)
	if string(msg) != officialFrame {
		t.Errorf("the message became %s", msg)
	}
}

func TestDecodeBody(t *testing.T) {
	text := "busy"
	for name, c := range map[string]struct {
		body string
		want wire.SetStatus
		ok   bool
	}{
		"missing":            {"", wire.SetStatus{}, true},
		"empty":              {"{}", wire.SetStatus{}, true},
		"whole":              {`{"CustomStatus":"busy"}`, wire.SetStatus{Text: &text}, true},
		"with more":          {`{"x":[1],"CustomStatus":"busy","y":null}`, wire.SetStatus{Text: &text}, true},
		"null for a member":  {`{"CustomStatus":null}`, wire.SetStatus{}, true},
		"another case":       {`{"customstatus":"busy"}`, wire.SetStatus{}, true},
		"null":               {"null", wire.SetStatus{}, false},
		"an array":           {"[]", wire.SetStatus{}, false},
		"a string":           {`"Marker"`, wire.SetStatus{}, false},
		"a number":           {"5", wire.SetStatus{}, false},
		"a boolean":          {"true", wire.SetStatus{}, false},
		"white space":        {" ", wire.SetStatus{}, false},
		"a wrong type":       {`{"CustomStatus":["Marker"]}`, wire.SetStatus{}, false},
		"a number as a text": {`{"CustomStatus":77177}`, wire.SetStatus{}, false},
		"a name twice":       {`{"CustomStatus":"Marker","CustomStatus":"Marker"}`, wire.SetStatus{}, false},
		"cut off":            {`{"CustomStatus":"Marker`, wire.SetStatus{}, false},
	} {
		var got wire.SetStatus
		err := wire.DecodeBody(jsontext.Value(c.body), &got)
		if (err == nil) != c.ok {
			t.Errorf("%s: error %v, want accepted %v", name, err, c.ok)
			continue
		}
		if c.ok {
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s (-want +got)\n%s", name, diff)
			}
			continue
		}
		var refusal *im.Error
		if !errors.As(err, &refusal) || refusal.Code != im.CodeInvalid {
			t.Errorf("%s: %v, want code %d", name, err, im.CodeInvalid)
		}
		if s := err.Error(); strings.Contains(s, "Marker") || strings.Contains(s, "77177") {
			t.Errorf("%s: the error quotes the body: %s", name, s)
		}
	}
}

// answer is a frame as a reader that knows nothing of this package sees it.
type answer struct {
	Head struct {
		Ver     string          `json:"ver"`
		Command string          `json:"servcmd"`
		Seq     json.RawMessage `json:"seq"`
		Time    int64           `json:"time"`
	} `json:"head"`
	Body map[string]any `json:"body"`
}

// read reads a frame that the server writes and refuses what would throw inside
// the official client.
func read(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, frame []byte,
) answer {
	t.Helper()
	var a answer
	d := json.NewDecoder(bytes.NewReader(frame))
	d.UseNumber()
	if err := d.Decode(&a); err != nil {
		t.Fatalf("%s: %v", frame, err)
	}
	if d.More() {
		t.Fatalf("%s: something follows the frame", frame)
	}
	if a.Body == nil || a.Head.Command == "" || len(a.Head.Seq) == 0 || a.Head.Ver != "v4" {
		t.Fatalf("%s: a member of the frame is missing", frame)
	}
	if why := unsound(frame); why != "" {
		t.Fatalf("%s: %s", frame, why)
	}
	return a
}

// number gives a JSON number of a body.
func number(v any) int64 {
	n, ok := v.(json.Number)
	if !ok {
		return math.MinInt64
	}
	i, err := n.Int64()
	if err != nil {
		return math.MinInt64
	}
	return i
}

func TestAnswersBeginWithTheirCode(t *testing.T) {
	seq := jsontext.Value(`"s1"`)
	for name, c := range map[string]struct {
		frame []byte
		begin string
	}{
		"ok":      {wire.AppendOK(nil, wire.CmdHello, seq, 5), `{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":""`},
		"answer":  {wire.AppendAnswer(nil, wire.CmdHello, seq, 5, wire.OK()), `{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":""`},
		"failure": {wire.AppendFailure(nil, wire.CmdHello, seq, 5, im.Err(im.CodeTooOften)), `{"ActionStatus":"FAIL","ErrorCode":7008,"ErrorInfo":"`},
		"minus":   {wire.AppendFailure(nil, wire.CmdHello, seq, 5, im.Err(im.CodeOverload)), `{"ActionStatus":"FAIL","ErrorCode":-10114,"ErrorInfo":"`},
		"failed":  {wire.AppendFailed(nil, wire.CmdHello, seq, 5, nil), `{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":""`},
		"list":    {wire.AppendStatuses(nil, seq, 5, nil, nil), `{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":""`},
	} {
		a := read(t, c.frame)
		if a.Head.Time != 5 || string(a.Head.Seq) != `"s1"` {
			t.Errorf("%s: head of %s", name, c.frame)
		}
		if !strings.Contains(string(c.frame), `"body":`+c.begin) {
			t.Errorf("%s: %s does not begin its body with %s", name, c.frame, c.begin)
		}
	}
}

func TestAnswerWithoutASeqHasZero(t *testing.T) {
	if a := read(t, wire.AppendOK(nil, wire.PushError, nil, -1)); string(a.Head.Seq) != "0" || a.Head.Time != -1 {
		t.Errorf("seq %s, time %d", a.Head.Seq, a.Head.Time)
	}
}

func TestEncodersAppendAndLeaveWhatWasThere(t *testing.T) {
	seq, before := jsontext.Value("1"), "what was there"
	for name, appendTo := range map[string]func([]byte) []byte{
		"AppendOK":      func(b []byte) []byte { return wire.AppendOK(b, "a.b", seq, 1) },
		"AppendAnswer":  func(b []byte) []byte { return wire.AppendAnswer(b, "a.b", seq, 1, wire.OK()) },
		"AppendAnswer!": func(b []byte) []byte { return wire.AppendAnswer(b, "a.b", seq, 1, func() {}) },
		"AppendFailure": func(b []byte) []byte { return wire.AppendFailure(b, "a.b", seq, 1, im.Err(im.CodeTooOften)) },
		"AppendFailed":  func(b []byte) []byte { return wire.AppendFailed(b, "a.b", seq, 1, nil) },
		"AppendStatuses": func(b []byte) []byte {
			return wire.AppendStatuses(b, seq, 1, []im.Found{{User: "bob"}}, nil)
		},
		"AppendKick": func(b []byte) []byte { return wire.AppendKick(b, im.CauseKickSame) },
	} {
		alone := appendTo(nil)
		for _, room := range []int{0, 4, 4096} {
			got := appendTo(append(make([]byte, 0, len(before)+room), before...))
			if string(got) != before+string(alone) {
				t.Errorf("%s with room for %d: %s", name, room, got)
			}
		}
	}
}

func TestBodyThatCannotBeEncodedIsAnInternalError(t *testing.T) {
	for name, body := range map[string]any{
		"a function":         map[string]any{"x": func() {}},
		"a channel":          struct{ C chan int }{make(chan int)},
		"not a number":       struct{ F float64 }{math.NaN()},
		"text not in UTF-8":  wire.Answer{ErrorInfo: "\xff"},
		"half of it encoded": []any{wire.OK(), map[string]any{"x": func() {}}},
	} {
		a := read(t, wire.AppendAnswer(nil, wire.CmdProfileGet, jsontext.Value("7"), 9, body))
		if a.Head.Command != wire.CmdProfileGet || string(a.Head.Seq) != "7" || a.Head.Time != 9 {
			t.Errorf("%s: head %+v", name, a.Head)
		}
		want := map[string]any{
			"ActionStatus": "FAIL", "ErrorCode": json.Number(strconv.Itoa(int(im.CodeInternal))), "ErrorInfo": im.CodeInternal.Text(),
		}
		if diff := cmp.Diff(want, a.Body); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

func TestEveryASCIICharacterIsWrittenSoundly(t *testing.T) {
	for c := range rune(0x80) {
		text := string(c)
		a := read(t, wire.AppendFailure(nil, "a."+text, nil, 1, im.Errorf(im.CodeInvalid, "%s", text)))
		if got := a.Body["ErrorInfo"]; got != text || a.Head.Command != "a."+text {
			t.Errorf("%q was read as %q, in the command as %q", text, got, a.Head.Command)
		}
	}
}

func TestTextsAreEscaped(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "",
		"plain":                       "plain",
		`"quoted" and \`:              `"quoted" and \`,
		"a\x00b\x1f\n\r\t\x7f":        "a\x00b\x1f\n\r\t\x7f",
		"grüße, 世界 😀":                 "grüße, 世界 😀",
		"</script>&\u2028\u2029":      "</script>&\u2028\u2029",
		"bad \xff bytes \xc3":         "bad \ufffd bytes \ufffd",
		"\xed\xa0\x80 is no UTF-8":    "\ufffd\ufffd\ufffd is no UTF-8",
		"\"}},{\"head\":{\"servcmd\"": "\"}},{\"head\":{\"servcmd\"",
	} {
		a := read(t, wire.AppendFailure(nil, "a.b", nil, 1, im.Errorf(im.CodeInvalid, "%s", text)))
		if got := a.Body["ErrorInfo"]; got != want {
			t.Errorf("text %q was read as %q", text, got)
		}
		// A command is echoed as it came: it is always valid UTF-8, but may hold anything else.
		if text == "" || text != want {
			continue
		}
		if a := read(t, wire.AppendOK(nil, text, nil, 1)); a.Head.Command != text {
			t.Errorf("command %q was read as %q", text, a.Head.Command)
		}
	}
}
