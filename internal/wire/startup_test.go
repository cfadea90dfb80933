package wire_test

import (
	"encoding/json"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/wire"
)

// TestWI5_WI6_EmptyBodiesEndThePaging encodes each body with nothing in it: the
// members on which the client would ask again for ever, and all lists, are there.
func TestWI5_WI6_EmptyBodiesEndThePaging(t *testing.T) {
	zero, none := json.Number("0"), []any{}
	for name, c := range map[string]struct {
		body any
		want map[string]any
	}{
		"profiles":      {wire.Profiles{}, map[string]any{"UserProfileItem": none}},
		"blacklist":     {wire.Blacklist{}, map[string]any{"StartIndex": zero, "CurruentSequence": zero, "BlackListItem": none}},
		"friend groups": {wire.FriendGroups{}, map[string]any{"CurrentSequence": zero, "ResultItem": none}},
		"friends": {wire.Friends{}, map[string]any{
			"CompleteFlag": zero, "NextStartIndex": zero, "StandardSequence": zero, "CustomSequence": zero, "FriendNum": zero, "UserDataItem": none,
		}},
		"applications": {wire.Pendencies{}, map[string]any{
			"StartTime": zero, "CurrentSequence": zero, "UnreadPendencyCount": zero, "PendencyItem": none,
		}},
		"conversations": {wire.Conversations{}, map[string]any{
			"CompleteFlag": zero, "TimeStamp": zero, "StartIndex": zero, "TopTimeStamp": zero, "TopStartIndex": zero, "SessionItem": none,
		}},
		"contact groups": {wire.ContactGroups{}, map[string]any{"CompleteFlag": zero, "NextStartIndex": zero, "GroupItem": none, "ContactItem": none}},
		"groups":         {wire.Groups{}, map[string]any{"TotalCount": zero, "GroupIdList": none}},
		"messages":       {wire.Messages{}, map[string]any{"SyncFlag": zero, "Cookie": "", "MsgList": none}},
		"abilities": {wire.Abilitied{}, map[string]any{
			"int32_error_code": zero, "str_error_message": "", "str_purchase_bits": "", "uint32_expired_time": zero,
		}},
		"configuration": {wire.Config{}, map[string]any{
			"int32_error_code": zero, "str_error_message": "", "str_json_config": "", "uint32_expired_time": zero, "uint32_sdkappid": zero, "uint64_version": zero,
		}},
	} {
		a := read(t, wire.AppendAnswer(nil, "a.b", jsontext.Value("1"), 1, c.body))
		c.want["ActionStatus"], c.want["ErrorCode"], c.want["ErrorInfo"] = "", zero, ""
		if diff := cmp.Diff(c.want, a.Body); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

func TestProfileQueryNamesItsUsers(t *testing.T) {
	var q wire.ProfileQuery
	body := `{"From_Account":"alice","UserItem":[{"To_Account":"alice","StandardSequence":0,"CustomSequence":0},{"To_Account":"bob"},{}]}`
	if err := wire.DecodeBody(jsontext.Value(body), &q); err != nil {
		t.Fatal(err)
	}
	var got []im.UserID
	for _, item := range q.Items {
		got = append(got, item.User)
	}
	if diff := cmp.Diff([]im.UserID{"alice", "bob", ""}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// maybe draws a list that may be missing or empty.
func maybe[T any](g *rapid.Generator[T]) *rapid.Generator[[]T] {
	return rapid.OneOf(rapid.Just([]T(nil)), rapid.Just([]T{}), rapid.SliceOfN(g, 0, 4))
}

// TestWI6_NoAnswerHoldsNull encodes bodies of every shape with lists that are
// missing, empty and full.
func TestWI6_NoAnswerHoldsNull(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String()
		user := rapid.Custom(func(t *rapid.T) im.UserID { return im.UserID(text.Draw(t, "user")) })
		tag := rapid.Custom(func(t *rapid.T) wire.ProfileTag {
			value := rapid.OneOf(rapid.Map(text, func(s string) any { return s }), rapid.Map(rapid.Int(), func(n int) any { return n }))
			return wire.ProfileTag{Tag: text.Draw(t, "tag"), Value: value.Draw(t, "value")}
		})
		profile := rapid.Custom(func(t *rapid.T) wire.Profile {
			return wire.Profile{User: user.Draw(t, "user"), Items: maybe(tag).Draw(t, "items")}
		})
		none := maybe(rapid.Just(struct{}{})).Draw(t, "none")
		answer := wire.Answer{ActionStatus: text.Draw(t, "status"), ErrorCode: rapid.Int().Draw(t, "code"), ErrorInfo: text.Draw(t, "info")}
		for _, body := range []any{
			answer,
			wire.LoggedIn{Answer: answer, A2Key: text.Draw(t, "a2"), CustomStatus: maybe(rapid.Byte()).Draw(t, "custom")},
			wire.Profiles{Answer: answer, Items: maybe(profile).Draw(t, "profiles")},
			wire.Blacklist{Answer: answer},
			wire.Friends{Answer: answer},
			wire.FriendGroups{Answer: answer},
			wire.Pendencies{Answer: answer},
			wire.Conversations{Answer: answer, Items: none},
			wire.ContactGroups{Answer: answer, Groups: none, Contacts: none},
			wire.Groups{Answer: answer, Items: none},
			wire.Messages{Answer: answer, Cookie: text.Draw(t, "cookie"), Items: none},
			wire.Abilitied{Answer: answer, Message: text.Draw(t, "message"), Bits: text.Draw(t, "bits")},
			wire.Config{Answer: answer, Text: text.Draw(t, "config")},
		} {
			a := read(t, wire.AppendAnswer(nil, "a.b", nil, 1, body))
			if got := a.Body["ErrorInfo"]; got != answer.ErrorInfo {
				t.Fatalf("%T: the text %q became %q", body, answer.ErrorInfo, got)
			}
		}
	})
}
