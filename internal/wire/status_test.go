package wire_test

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/wire"
)

// item is one entry of a list of statuses as a client reads it.
type item struct {
	User    string `json:"To_Account"`
	Status  int    `json:"Status"`
	Custom  []byte `json:"CustomStatus"` // from base64
	Version string `json:"Version"`
}

// failure is one entry of an ErrorList.
type failure struct {
	User string `json:"To_Account"`
	Code int    `json:"ErrorCode"`
	Info string `json:"ErrorInfo"`
}

// itemOf gives what a client must read of a status.
func itemOf(user im.UserID, s im.Status, v im.Version) item {
	version := strconv.FormatUint(v.Epoch, 10) + "." + strconv.FormatUint(v.Seq, 10)
	return item{User: string(user), Status: int(s.General), Custom: []byte(s.Custom), Version: version}
}

// body reads the body of a sound frame into v, unknown members refused.
func body(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, frame []byte, v any,
) {
	t.Helper()
	read(t, frame)
	var f struct {
		Body json.RawMessage `json:"body"`
	}
	if err := json.Unmarshal(frame, &f); err != nil {
		t.Fatalf("%s: %v", frame, err)
	}
	d := json.NewDecoder(strings.NewReader(string(f.Body)))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatalf("%s: %v", f.Body, err)
	}
}

// customs are custom statuses that are easily spoilt.
var customs = []string{
	"", "x", "xy", "xyz", "busy", "grüße", "世界", "😀 on a walk", "\x00", "a\x00b\x00", " ", "\"\\/\n", "=", "null",
	strings.Repeat("x", 98), strings.Repeat("x", 99), strings.Repeat("x", 100), strings.Repeat("\x00", 100), strings.Repeat("é", 50),
	strings.Repeat("世", 33) + "x", strings.Repeat("😀", 25), strings.Repeat("x", 300),
}

func TestWI7_CustomStatusIsBase64(t *testing.T) {
	for _, text := range customs {
		entry := wire.AppendStatus(nil, "bob", im.Status{General: im.Online, Custom: text}, im.Version{Epoch: 1, Seq: 2})
		want := `{"To_Account":"bob","Status":1,"CustomStatus":"` + base64.StdEncoding.EncodeToString([]byte(text)) + `","Version":"1.2"}`
		if got := string(entry); got != want {
			t.Errorf("custom status %q: got %s, want %s", text, got, want)
		}
	}
}

func TestST13_VersionIsEpochAndSequence(t *testing.T) {
	for want, v := range map[string]im.Version{
		"0.0":          {},
		"1.2":          {Epoch: 1, Seq: 2},
		"1795400000.7": {Epoch: 1795400000, Seq: 7},
		"18446744073709551615.18446744073709551615": {Epoch: math.MaxUint64, Seq: math.MaxUint64},
	} {
		entry := wire.AppendStatus(nil, "bob", im.Status{General: im.Offline}, v)
		if !strings.HasSuffix(string(entry), `,"Version":"`+want+`"}`) {
			t.Errorf("version %v in %s, want %s", v, entry, want)
		}
	}
}

func TestStatusesOfAQuery(t *testing.T) {
	found := []im.Found{
		{User: "bob", Status: im.Status{General: im.Online, Custom: "busy"}, Version: im.Version{Epoch: 5, Seq: 6}},
		{User: `qu"o\te`, Status: im.Status{General: im.Offline}, Version: im.Version{Epoch: 5}},
		{User: "carol", Status: im.Status{General: im.Unlogined}},
	}
	failed := []im.Failed{
		{User: "ghost", Refusal: im.Err(im.CodeNoAccount)},
		{User: "no\x00 \"user\"\xff", Refusal: im.Errorf(im.CodeInvalidUserID, "\"so\" \xff not")},
	}
	frame := wire.AppendStatuses(nil, jsontext.Value("12"), 1795400000, found, failed)
	if a := read(t, frame); a.Head.Command != wire.CmdGetStatus || string(a.Head.Seq) != "12" || a.Head.Time != 1795400000 {
		t.Errorf("head of %s", frame)
	}
	var got struct {
		ActionStatus, ErrorInfo string
		ErrorCode               int
		UserStatusList          []item
		ErrorList               []failure
	}
	body(t, frame, &got)
	want := got
	want.ActionStatus, want.ErrorInfo, want.ErrorCode = "OK", "", 0
	want.UserStatusList = []item{
		{"bob", 1, []byte("busy"), "5.6"}, {`qu"o\te`, 2, []byte{}, "5.0"}, {"carol", 3, []byte{}, "0.0"},
	}
	want.ErrorList = []failure{
		{"ghost", 70107, im.CodeNoAccount.Text()}, {"no\x00 \"user\"\ufffd", 7003, "\"so\" \ufffd not"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestShapesAreWhatIsAppended holds the shapes, from which the TypeScript types
// are generated, to what is written by hand: no member more, none less.
func TestShapesAreWhatIsAppended(t *testing.T) {
	found := []im.Found{{User: "bob", Status: im.Status{General: im.Online, Custom: "busy"}, Version: im.Version{Epoch: 5, Seq: 6}}}
	failed := []im.Failed{{User: "ghost", Refusal: im.Err(im.CodeNoAccount)}}
	failures := []wire.FailedItem{{User: "ghost", Code: 70107, Text: im.CodeNoAccount.Text()}}
	var statuses wire.Statuses
	body(t, wire.AppendStatuses(nil, nil, 1, found, failed), &statuses)
	want := wire.Statuses{
		Answer: wire.OK(), Failed: failures,
		Users: []wire.StatusItem{{User: "bob", Status: 1, Custom: []byte("busy"), Version: "5.6"}},
	}
	if diff := cmp.Diff(want, statuses); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	var refused wire.Failures
	body(t, wire.AppendFailed(nil, wire.CmdSubscribe, nil, 1, failed), &refused)
	if diff := cmp.Diff(wire.Failures{Answer: wire.OK(), Failed: failures}, refused); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestFailuresOfASubscription(t *testing.T) {
	for _, command := range []string{wire.CmdSubscribe, wire.CmdUnsubscribe} {
		frame := wire.AppendFailed(nil, command, jsontext.Value(`"x"`), 3, []im.Failed{
			{User: "alice", Refusal: im.Errorf(im.CodeInvalid, "oneself")}, {User: "ghost", Refusal: im.Err(im.CodeNoAccount)},
		})
		if a := read(t, frame); a.Head.Command != command || string(a.Head.Seq) != `"x"` || number(a.Body["ErrorCode"]) != 0 {
			t.Errorf("%s", frame)
		}
		var got struct {
			wire.Answer
			ErrorList []failure
		}
		body(t, frame, &got)
		want := []failure{{"alice", 70402, "oneself"}, {"ghost", 70107, im.CodeNoAccount.Text()}}
		if diff := cmp.Diff(want, got.ErrorList); diff != "" {
			t.Errorf("%s (-want +got)\n%s", command, diff)
		}
	}
}

func TestWI6_ListsOfStatusesAreNeverNull(t *testing.T) {
	for name, frame := range map[string][]byte{
		"missing": wire.AppendStatuses(nil, nil, 1, nil, nil),
		"empty":   wire.AppendStatuses(nil, nil, 1, []im.Found{}, []im.Failed{}),
	} {
		if !strings.Contains(string(frame), `"UserStatusList":[],"ErrorList":[]}`) {
			t.Errorf("%s lists: %s", name, frame)
		}
		read(t, frame)
	}
	frame := wire.AppendFailed(nil, wire.CmdSubscribe, nil, 1, nil)
	if !strings.Contains(string(frame), `"ErrorList":[]}`) {
		t.Errorf("%s", frame)
	}
}

func TestTargetsOfACommand(t *testing.T) {
	for text, want := range map[string]wire.Targets{
		`{}`:                                   {},
		`{"To_Account":["bob","carol","bob"]}`: {Users: []im.UserID{"bob", "carol", "bob"}},
		`{"To_Account":[]}`:                    {Users: []im.UserID{}},
		`{"To_Account":null}`:                  {},
		`{"UnsubscribeAll":1}`:                 {All: 1},
		`{"UnsubscribeAll":0,"To_Account":[""]}`: {
			Users: []im.UserID{""},
		},
	} {
		var got wire.Targets
		if err := wire.DecodeBody(jsontext.Value(text), &got); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", text, diff)
		}
	}
	for _, text := range []string{`{"To_Account":"bob"}`, `{"To_Account":[1]}`, `{"To_Account":{"0":"bob"}}`, `{"UnsubscribeAll":"1"}`, `{"UnsubscribeAll":true}`} {
		var got wire.Targets
		if err := wire.DecodeBody(jsontext.Value(text), &got); err == nil {
			t.Errorf("%s was accepted as %+v", text, got)
		}
	}
}

// drawStatus draws the status of some user, and who it is.
func drawStatus(t *rapid.T) im.Found {
	return im.Found{
		User:    im.UserID(rapid.StringMatching(`[!-~]{1,32}`).Draw(t, "user")),
		Status:  im.Status{General: im.General(rapid.IntRange(0, 3).Draw(t, "general")), Custom: rapid.StringN(-1, -1, 100).Draw(t, "custom")},
		Version: im.Version{Epoch: rapid.Uint64().Draw(t, "epoch"), Seq: rapid.Uint64().Draw(t, "seq")},
	}
}

func TestWI6_WI7_AnyStatusesAreReadAsTheyWereWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		found := maybe(rapid.Custom(drawStatus)).Draw(t, "found")
		failed := maybe(rapid.Custom(func(t *rapid.T) im.Failed {
			code, text := im.Code(rapid.Int32().Draw(t, "code")), rapid.String().Draw(t, "text")
			return im.Failed{User: im.UserID(rapid.String().Draw(t, "who")), Refusal: im.Errorf(code, "%s", text)}
		})).Draw(t, "failed")
		var got struct {
			wire.Answer
			UserStatusList []item
			ErrorList      []failure
		}
		body(t, wire.AppendStatuses(nil, jsontext.Value("1"), 1, found, failed), &got)
		items, failures := []item{}, []failure{}
		for _, f := range found {
			items = append(items, itemOf(f.User, f.Status, f.Version))
		}
		for _, f := range failed {
			failures = append(failures, failure{string(f.User), int(f.Refusal.Code), f.Refusal.Text})
		}
		if diff := cmp.Diff(items, got.UserStatusList); diff != "" {
			t.Fatalf("statuses (-want +got)\n%s", diff)
		}
		if diff := cmp.Diff(failures, got.ErrorList); diff != "" {
			t.Fatalf("failures (-want +got)\n%s", diff)
		}
	})
}

// notice gives the notice of a change, not encoded yet.
func notice(f im.Found) *im.Notice {
	change := im.Change{User: im.UserKey{App: 1400000001, User: f.User}, Status: f.Status, Version: f.Version}
	return &im.Notice{Change: change}
}

func TestPushHoldsExactlyItsItem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawStatus(t)
		n := notice(f)
		wire.Encode(n)
		if got, want := string(n.Item), string(wire.AppendStatus(nil, f.User, f.Status, f.Version)); got != want {
			t.Fatalf("item %s, want %s", got, want)
		}
		if got, want := string(n.Push), wire.StatusPushOpen+string(n.Item)+wire.StatusPushClose; got != want {
			t.Fatalf("push %s, want %s", got, want)
		}
		a := read(t, n.Push)
		if a.Head.Command != wire.PushEvents || string(a.Head.Seq) != "0" {
			t.Fatalf("push %s", n.Push)
		}
		var one item
		if err := json.Unmarshal(n.Item, &one); err != nil {
			t.Fatalf("item %s: %v", n.Item, err)
		}
		var push struct {
			EventArray []struct {
				Event          int
				UserStatusList []item
			}
		}
		body(t, n.Push, &push)
		if len(push.EventArray) != 1 || push.EventArray[0].Event != 22 {
			t.Fatalf("push %s", n.Push)
		}
		want := []item{itemOf(f.User, f.Status, f.Version)}
		if diff := cmp.Diff(want, push.EventArray[0].UserStatusList); diff != "" {
			t.Fatalf("(-want +got)\n%s", diff)
		}
		if diff := cmp.Diff(want[0], one); diff != "" {
			t.Fatalf("(-want +got)\n%s", diff)
		}
	})
}

// TestNoticesPartsCannotBeAppendedIntoEachOther: a notice is shared by all who
// are told of it, and its parts by each other.
func TestNoticesPartsCannotBeAppendedIntoEachOther(t *testing.T) {
	n := notice(im.Found{User: "bob", Status: im.Status{General: im.Online, Custom: "busy"}, Version: im.Version{Epoch: 1795400000, Seq: 4}})
	wire.Encode(n)
	item, push := string(n.Item), string(n.Push)
	_ = append(n.Item, strings.Repeat("#", 500)...)
	_ = append(n.Item, '#')
	_ = append(n.Push, strings.Repeat("#", 500)...)
	if string(n.Item) != item || string(n.Push) != push {
		t.Errorf("appending to a part changed the notice: %s %s", n.Item, n.Push)
	}
	if cap(n.Item) != len(n.Item) || cap(n.Push) != len(n.Push) {
		t.Errorf("capacities %d and %d go beyond the parts, %d and %d", cap(n.Item), cap(n.Push), len(n.Item), len(n.Push))
	}
}

func TestNoticeIsEncodedInOneAllocation(t *testing.T) {
	for name, f := range map[string]im.Found{
		"an empty status":     {User: "bob", Status: im.Status{General: im.Online}, Version: im.Version{Epoch: 1795400000, Seq: 9}},
		"a usual status":      {User: "alice", Status: im.Status{General: im.Online, Custom: "on a walk"}, Version: im.Version{Epoch: 1795400000, Seq: 1234567}},
		"the longest status":  {User: "bob", Status: im.Status{General: im.Online, Custom: strings.Repeat("😀", 25)}, Version: im.Version{Epoch: 1}},
		"the longest user":    {User: im.UserID(strings.Repeat("u", im.MaxUserIDBytes)), Version: im.Version{Epoch: 1}},
		"a user to be quoted": {User: im.UserID(strings.Repeat(`"`, im.MaxUserIDBytes)), Version: im.Version{Epoch: 1795400000, Seq: 12_345_678}},
		"the longest version": {User: "bob", Version: im.Version{Epoch: math.MaxUint64, Seq: math.MaxUint64}},
		"all at their longest": {
			User:    im.UserID(strings.Repeat(`\`, im.MaxUserIDBytes)),
			Status:  im.Status{General: 255, Custom: strings.Repeat("\x00", im.MaxCustomBytes)},
			Version: im.Version{Epoch: math.MaxUint64, Seq: math.MaxUint64},
		},
	} {
		n := notice(f)
		if got := testing.AllocsPerRun(100, func() { wire.Encode(n) }); got != 1 {
			t.Errorf("%s: %v allocations, want 1", name, got)
		}
	}
}

func TestListsAreAppendedWithoutAllocating(t *testing.T) {
	found, failed := manyStatuses(50)
	buf := make([]byte, 0, 64<<10)
	seq := jsontext.Value("48151623")
	if got := testing.AllocsPerRun(50, func() { wire.AppendStatuses(buf, seq, 1795400000, found, failed) }); got != 0 {
		t.Errorf("%v allocations, want 0", got)
	}
}
