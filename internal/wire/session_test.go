package wire_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/wire"
)

func TestWI7_LoginAnswerHasWhatTheClientNeeds(t *testing.T) {
	body := wire.LoggedIn{
		Answer: wire.OK(), A2Key: "c2Vzc2lvbg", TinyID: "144115200000007", InstID: 4294967295, HelloInterval: 10,
		ExpireTime: 15552000, TimeStamp: 1795400000, CustomStatus: []byte("grüße"), PurchaseBits: wire.Abilities(wire.AbilityStatus),
	}
	a := read(t, wire.AppendAnswer(nil, wire.CmdLogin, jsontext.Value("1"), 1795400000, body))
	want := map[string]any{
		"ActionStatus": "OK", "ErrorCode": json.Number("0"), "ErrorInfo": "",
		"A2Key": "c2Vzc2lvbg", "TinyId": "144115200000007", "InstId": json.Number("4294967295"), "HelloInterval": json.Number("10"),
		"ExpireTime": json.Number("15552000"), "TimeStamp": json.Number("1795400000"), "CustomStatus": "Z3LDvMOfZQ==",
		"PurchaseBits": strings.Repeat("0", 56) + "10000000",
	}
	if diff := cmp.Diff(want, a.Body); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	body.CustomStatus = nil
	a = read(t, wire.AppendAnswer(nil, wire.CmdLogin, jsontext.Value("1"), 1795400000, body))
	if got := a.Body["CustomStatus"]; got != "" {
		t.Errorf("no custom status is %#v", got)
	}
}

func TestKickTypes(t *testing.T) {
	kicks := map[im.Cause]int{im.CauseKickSame: 1, im.CauseKickOther: 2, im.CauseKickAdmin: 3}
	for c := im.CauseNone; c <= im.CauseNode+1; c++ {
		if got := wire.KickType(c); got != kicks[c] {
			t.Errorf("%s: kick type %d, want %d", c, got, kicks[c])
		}
	}
}

func TestKickIsTold(t *testing.T) {
	for cause, want := range map[im.Cause]string{im.CauseKickSame: "1", im.CauseKickOther: "2", im.CauseKickAdmin: "3"} {
		push := read(t, wire.AppendKick(nil, cause))
		if push.Head.Command != wire.PushKick {
			t.Errorf("%s: the push is a %s", cause, push.Head.Command)
		}
		notify := map[string]any{"KickType": json.Number(want), "NewInstInfo": map[string]any{}}
		body := map[string]any{"EventArray": []any{map[string]any{
			"Event": json.Number("10"), "C2cNotifyMsgArray": []any{map[string]any{"KickoutMsgNotify": notify}},
		}}}
		if diff := cmp.Diff(body, push.Body); diff != "" {
			t.Errorf("%s (-want +got)\n%s", cause, diff)
		}
	}
}

func TestPlatformOfANumber(t *testing.T) {
	natives := map[int64]im.Platform{1: im.Windows, 2: im.Android, 3: im.IPhone, 4: im.Mac, 6: im.Linux, 13: im.IPad}
	numbers := []int64{-1 << 63, -1, 5, 7, 1<<32 + 1, 1<<63 - 1}
	for n := range int64(30) {
		numbers = append(numbers, n)
	}
	for _, n := range numbers {
		want, native := natives[n]
		if !native {
			want = im.Web
		}
		if got := wire.PlatformOf(n); got != want {
			t.Errorf("platform %d is %s, want %s", n, got, want)
		}
	}
}

func TestWI12_AbilitiesAreCountedFromTheRight(t *testing.T) {
	for want, positions := range map[string][]int{
		strings.Repeat("0", 64):                          nil,
		strings.Repeat("0", 63) + "1":                    {0},
		strings.Repeat("0", 56) + "10000000":             {wire.AbilityStatus},
		"1" + strings.Repeat("0", 62) + "1":              {63, 0, 63},
		strings.Repeat("0", 54) + "1" + "0" + "10000000": {9, 7},
	} {
		if got := wire.Abilities(positions...); got != want {
			t.Errorf("abilities %v are %s, want %s", positions, got, want)
		}
	}
}
