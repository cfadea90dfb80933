package server_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/testkit"
)

// events gives the next push of a client, without its head and what begins it.
func events(t *testing.T, c *testkit.Client) string {
	t.Helper()
	f, ok := c.Push()
	if !ok {
		t.Fatalf("the socket closed: %v", c.CloseError())
	}
	return strings.TrimSuffix(strings.TrimPrefix(string(f.Body), `{"EventArray":[`), `]}`)
}

func sees(t *testing.T, c *testkit.Client, want string) {
	t.Helper()
	if diff := cmp.Diff(want, events(t, c)); diff != "" {
		t.Errorf("%s sees (-want +got)\n%s", c.User, diff)
	}
}

func object(t *testing.T, text string) (body map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &body); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return body
}

// answers gives a command that must succeed and checks what its answer has
// beside the envelope.
func answers(t *testing.T, c *testkit.Client, command, body, want string) {
	t.Helper()
	a := c.Must(command, object(t, body))
	got := strings.Replace(string(a.Raw), `{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":"",`, "{", 1)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got)\n%s", command, diff)
	}
}

func add(to string) string {
	return fmt.Sprintf(`{"AddType":"Add_Type_Both","AddFriendItem":[{"To_Account":%q,"AddSource":"AddSource_Type_Web"}]}`, to)
}

func TestFR1_FR8_EveryDeviceIsTold(t *testing.T) {
	s := testkit.StartTCP(t)
	alice, bob := pair(t, s)
	second := s.Login("alice")
	answers(t, alice, "sns.friend_add", add("bob"), `{"ResultItem":[{"To_Account":"bob","ResultCode":0,"ResultInfo":""}]}`)
	for _, c := range []*testkit.Client{alice, second} {
		sees(t, c, `{"Event":7,"FriendListMod":[{"PushType":1,"FriendAdd_Account":["bob"]}]}`)
	}
	sees(t, bob, `{"Event":7,"FriendListMod":[{"PushType":1,"FriendAdd_Account":["alice"]}]}`)
	answers(t, bob, "sns.friend_delete", `{"To_Account":["alice"],"DeleteType":"Delete_Type_Both"}`,
		`{"ResultItem":[{"To_Account":"alice","ResultCode":0,"ResultInfo":""}]}`)
	for _, c := range []*testkit.Client{alice, second} {
		sees(t, c, `{"Event":7,"FriendListMod":[{"PushType":2,"FriendDel_Account":["bob"]}]}`)
	}
	sees(t, bob, `{"Event":7,"FriendListMod":[{"PushType":2,"FriendDel_Account":["alice"]}]}`)
}

func TestFR2_FR3_FR7_ApplicationsOnTheWire(t *testing.T) {
	s := testkit.StartTCP(t)
	alice, bob := pair(t, s)
	set := func(c *testkit.Client, tag, value string) {
		c.Must("profile.portrait_set", object(t, fmt.Sprintf(`{"ProfileItem":[{"Tag":%q,"Value":%q}]}`, tag, value)))
		sees(t, c, fmt.Sprintf(`{"Event":8,"ProfileDataMod":[{"Profile_Account":%q,"PushType":1,"ProfileList":[{"Tag":%q,"Value":%q}]}]}`, c.User, tag, value))
	}
	set(bob, im.TagAllowType, im.AllowConfirm)
	set(alice, im.TagNick, "Al")
	a := alice.Must("sns.friend_add", object(t, add("bob")))
	if !strings.Contains(string(a.Raw), `"ResultCode":30539`) || strings.Contains(string(a.Raw), "Fail_Account") {
		t.Errorf("got %s", a.Raw)
	}
	pushed := events(t, bob)
	if !strings.Contains(pushed, `"PushType":3,"From_Account":"alice","PendencyAdd":[{"PendencyAdd_Account":"alice","ProfileImNick":"Al"`) {
		t.Errorf("bob sees %s", pushed)
	}
	if pushed = events(t, alice); !strings.Contains(pushed, `"PushType":3,"From_Account":"alice","PendencyAdd":[{"PendencyAdd_Account":"bob"`) {
		t.Errorf("alice sees %s", pushed)
	}
	var box struct {
		StartTime, UnreadPendencyCount int
		PendencyItem                   []map[string]any
	}
	got := bob.Must("sns.pendency_get", object(t, `{"PendencyType":"Pendency_Type_Both"}`))
	if err := json.Unmarshal(got.Raw, &box); err != nil || box.UnreadPendencyCount != 1 || len(box.PendencyItem) != 1 || box.PendencyItem[0]["Nick"] != "Al" {
		t.Errorf("%s: %v", got.Raw, err)
	}
	bob.Must("sns.pendency_report", object(t, `{"LatestPendencyTimeStamp":4000000000}`))
	sees(t, bob, `{"Event":7,"FriendListMod":[{"PushType":7,"ReportTime":4000000000}]}`)
	answers(t, bob, "sns.friend_response", `{"ResponseFriendItem":[{"To_Account":"alice","ResponseAction":"Response_Action_Agree"}]}`,
		`{"ResultItem":[{"To_Account":"alice","ResultCode":0,"ResultInfo":""}]}`)
	sees(t, alice, `{"Event":7,"FriendListMod":[{"PushType":1,"FriendAdd_Account":["bob"]}]}`)
	sees(t, bob, `{"Event":7,"FriendListMod":[{"PushType":4,"From_Account":"alice","FrienPencydDel_Account":["alice"]}]}`)
}

// TestRelationsThatCannotBeRead: fields of the wrong type and unknown words are
// refused with the service's code and a word about what is wrong.
func TestRelationsThatCannotBeRead(t *testing.T) {
	s := testkit.StartTCP(t)
	alice, _ := pair(t, s)
	for _, c := range []struct {
		command, body string
		want          im.Code
	}{
		{"sns.friend_add", `{"AddFriendItem":"bob"}`, im.CodeFriendInvalid},
		{"sns.friend_add", `{"AddFriendItem":[{"To_Account":["bob"]}]}`, im.CodeFriendInvalid},
		{"sns.friend_add", `{}`, im.CodeFriendInvalid},
		{"sns.friend_add", `{"From_Account":"bob","AddFriendItem":[{"To_Account":"alice","AddSource":"AddSource_Type_Web"}]}`, im.CodeFriendInvalid},
		{"sns.friend_add", `{"AddType":"Both","AddFriendItem":[{"To_Account":"bob","AddSource":"AddSource_Type_Web"}]}`, im.CodeFriendInvalid},
		{"sns.friend_delete", `{"To_Account":"bob"}`, im.CodeFriendInvalid},
		{"sns.friend_delete", `{"To_Account":["bob"],"DeleteType":"Delete_Type_"}`, im.CodeFriendInvalid},
		{"sns.friend_check", `{"To_Account":["bob"],"CheckType":"BlackCheckResult_Type_Both"}`, im.CodeFriendInvalid},
		{"sns.friend_update", `{"UpdateItem":[]}`, im.CodeFriendInvalid},
		{"sns.friend_response", `{"ResponseFriendItem":[{"To_Account":"bob","ResponseAction":"Yes"}]}`, im.CodeFriendInvalid},
		{"sns.pendency_get", `{"PendencyType":"All"}`, im.CodeFriendInvalid},
		{"sns.pendency_delete", `{"To_Account":["bob"],"PendencyType":"All"}`, im.CodeFriendInvalid},
		{"sns.pendency_report", `{"LatestPendencyTimeStamp":"now"}`, im.CodeFriendInvalid},
		{"sns.group_add", `{"GroupName":"Fam"}`, im.CodeFriendInvalid},
		{"sns.group_delete", `{}`, im.CodeFriendInvalid},
		{"sns.group_update", `{"GroupOldName":"x","GroupNewName":"y"}`, im.CodeFriendInvalid},
		{"sns.group_update", `{"GroupOldName":"x","UpdateGroupItem":[{"To_Account":"bob","UpdateType":"Move"}]}`, im.CodeFriendInvalid},
		{"sns.black_list_add", `{"To_Account":[]}`, im.CodeFriendInvalid},
		{"sns.black_list_delete", `{"To_Account":[1]}`, im.CodeFriendInvalid},
		{"sns.black_list_get", `{"StartIndex":"0"}`, im.CodeFriendInvalid},
		{"sns.black_list_check", `{"To_Account":["bob"],"CheckType":"CheckResult_Type_Both"}`, im.CodeFriendInvalid},
		{"sns.friend_get", `{"StartIndex":1.5}`, im.CodeFriendInvalid},
		{"sns.friend_get_specified", `{}`, im.CodeFriendInvalid},
		{"profile.portrait_set", `{"ProfileItem":{}}`, im.CodeInvalid},
		{"profile.portrait_set", `{"From_Account":"bob","ProfileItem":[{"Tag":"Tag_Profile_IM_Nick","Value":"x"}]}`, im.CodeProfileInvalid},
		{"profile.portrait_set", `{"ProfileItem":[{"Tag":"Tag_Profile_IM_Nick","Value":["x"]}]}`, im.CodeProfileType},
		{"profile.portrait_set", `{"ProfileItem":[{"Tag":"Tag_Profile_IM_Nick"}]}`, im.CodeProfileType},
		{"profile.portrait_set", `{"ProfileItem":[{"Tag":"Tag_Profile_IM_Level","Value":1.5}]}`, im.CodeProfileType},
		{"profile.portrait_get_all", `{"UserItem":[]}`, im.CodeProfileNobody},
	} {
		if a := alice.Call(c.command, object(t, c.body)); a.Code != int(c.want) || a.Info == "" {
			t.Errorf("%s %s: %d %q, want %d", c.command, c.body, a.Code, a.Info, c.want)
		}
	}
	a := alice.Must("sns.friend_update", object(t, `{"UpdateItem":[
		{"To_Account":"bob"},{"To_Account":"b2","SnsItem":[{"Tag":"Tag_SNS_IM_Remark","Value":5}]},
		{"To_Account":"b3","SnsItem":[{"Tag":"Tag_SNS_IM_AddTime","Value":5}]},{"To_Account":"b4","SnsItem":[{"Tag":"Tag_SNS_IM_Group","Value":[5]}]}]}`))
	if got := strings.Count(string(a.Raw), `"ResultCode":30001`); got != 4 {
		t.Errorf("%d of 4 are refused: %s", got, a.Raw)
	}
}

func TestFR15_FR17_BlocklistOnTheWire(t *testing.T) {
	s := testkit.StartTCP(t)
	alice, bob := pair(t, s)
	alice.Must("sns.black_list_add", object(t, `{"To_Account":["bob"]}`))
	sees(t, alice, `{"Event":7,"FriendListMod":[{"PushType":5,"BlackListAdd_Account":["bob"]}]}`)
	bob.SeesNothing()
	answers(t, bob, "sns.black_list_check", `{"To_Account":["alice","ghost"],"CheckType":"BlackCheckResult_Type_Both"}`,
		`{"BlackListCheckItem":[{"To_Account":"alice","ResultCode":0,"ResultInfo":"","Relation":"BlackCheckResult_Type_BWithA"},`+
			`{"To_Account":"ghost","ResultCode":30003,"ResultInfo":"no such account; import it, or let its user log in once",`+
			`"Relation":"BlackCheckResult_Type_NO"}],"Fail_Account":["ghost"]}`)
	alice.Must("sns.black_list_delete", object(t, `{"To_Account":["bob"]}`))
	sees(t, alice, `{"Event":7,"FriendListMod":[{"PushType":6,"BlackListDel_Account":["bob"]}]}`)
	answers(t, alice, "sns.black_list_get", `{"StartIndex":0,"MaxLimited":1000}`, `{"StartIndex":0,"CurruentSequence":2,"BlackListItem":[]}`)
}

func TestFR14_RelationsSurviveARestart(t *testing.T) {
	s := testkit.StartTCP(t)
	alice, bob := pair(t, s)
	alice.Must("sns.friend_add", object(t, add("bob")))
	sees(t, bob, `{"Event":7,"FriendListMod":[{"PushType":1,"FriendAdd_Account":["alice"]}]}`)
	sees(t, alice, `{"Event":7,"FriendListMod":[{"PushType":1,"FriendAdd_Account":["bob"]}]}`)
	s.Restart()
	alice, bob = s.MustReturn(alice), s.MustReturn(bob)
	answers(t, bob, "sns.friend_check", `{"To_Account":["alice"],"CheckType":"CheckResult_Type_Both"}`,
		`{"InfoItem":[{"To_Account":"alice","ResultCode":0,"ResultInfo":"","Relation":"CheckResult_Type_BothWay"}]}`)
	bob.Must("sns.friend_delete", object(t, `{"To_Account":["alice"]}`))
	for {
		if f := events(t, alice); strings.Contains(f, `"FriendDel_Account":["bob"]`) { // statuses may come before
			break
		}
	}
}

// TestFR15_ST15_ST16_StatusesFollowTheLists: what is told of statuses follows the
// lists that are kept, from the answer to a change on.
func TestFR15_ST15_ST16_StatusesFollowTheLists(t *testing.T) {
	s := testkit.StartTCP(t)
	alice, bob := pair(t, s)
	s.Set(map[string]any{"status.hide_from_blocked": true, "friend.keep_blocked": true})
	alice.Must("sns.friend_add", object(t, strings.Replace(add("bob"), "Both", "Single", 1)))
	sees(t, alice, `{"Event":7,"FriendListMod":[{"PushType":1,"FriendAdd_Account":["bob"]}]}`)
	bob.SetCustom("one")
	alice.Sees("bob ONLINE one")
	bob.Sees("bob ONLINE one")
	bob.Must("sns.black_list_add", object(t, `{"To_Account":["alice"]}`))
	alice.Sees("bob UNLOGINED")
	bob.Must("sns.black_list_delete", object(t, `{"To_Account":["alice"]}`))
	alice.Sees("bob ONLINE one")
	alice.Must("sns.friend_delete", object(t, `{"To_Account":["bob"],"DeleteType":"Delete_Type_Single"}`))
	sees(t, alice, `{"Event":7,"FriendListMod":[{"PushType":2,"FriendDel_Account":["bob"]}]}`)
	bob.SetCustom("two")
	alice.SeesNothing()
}
