package server_test

import (
	"strings"
	"testing"

	"github.com/porchlight-im/porchlight/internal/testkit"
)

// TestFR6_FR9_FR10_FR11_FR13_FR16_PR5_RelationsOverREST walks through the rows
// of the table about relations.
func TestFR6_FR9_FR10_FR11_FR13_FR16_PR5_RelationsOverREST(t *testing.T) {
	s := testkit.StartTCP(t)
	alice, _ := pair(t, s)
	set := func(setting, value string) { s.Set(map[string]any{setting: value}) }
	set("friend.fields", "Team,Level:number")
	for _, step := range []struct{ command, body, want string }{
		{"profile/portrait_set", `{"From_Account":"bob","ProfileItem":[{"Tag":"Tag_Profile_IM_Nick","Value":"Bob"},{"Tag":"Tag_Profile_IM_AdminForbidType","Value":"AdminForbid_Type_SendOut"}]}`, `"ErrorDisplay":"","RequestId"`},
		{"profile/portrait_get", `{"To_Account":["bob","ghost"],"TagList":["Tag_Profile_IM_Nick"]}`, `"ErrorDisplay":"","UserProfileItem":[{"To_Account":"bob","ProfileItem":[{"Tag":"Tag_Profile_IM_Nick","Value":"Bob"}],"ResultCode":0,"ResultInfo":""},{"To_Account":"ghost","ProfileItem":[],"ResultCode":40003,"ResultInfo":"no such account, so no profile"}],"Fail_Account":["ghost"]`},
		{"profile/portrait_get", `{"To_Account":["ghost"]}`, `"ErrorCode":40003`},
		{"sns/friend_add", `{"From_Account":"alice","AddFriendItem":[{"To_Account":"bob","AddSource":"AddSource_Type_Web","GroupName":"Pals"},{"To_Account":"ghost","AddSource":"AddSource_Type_Web"}]}`, `"ResultItem":[{"To_Account":"bob","ResultCode":0,"ResultInfo":""},{"To_Account":"ghost","ResultCode":30003,`},
		{"sns/friend_import", `{"From_Account":"bob","AddFriendItem":[{"To_Account":"alice","AddSource":"AddSource_Type_Old","AddTime":7,"GroupName":["X","Y"],"CustomItem":[{"Tag":"Tag_SNS_Custom_Level","Value":3}]}]}`, `"ResultItem":[{"To_Account":"alice","ResultCode":0,`},
		{"sns/friend_update", `{"From_Account":"alice","UpdateItem":[{"To_Account":"bob","SnsItem":[{"Tag":"Tag_SNS_IM_Remark","Value":"B"},{"Tag":"Tag_SNS_Custom_Team","Value":"red"},{"Tag":"Tag_SNS_IM_Group","Value":["Pals","Work"]}]}]}`, `"ResultItem":[{"To_Account":"bob","ResultCode":0,`},
		{"sns/friend_get", `{"From_Account":"alice","StartIndex":0,"StandardSequence":99}`, `"StandardSequence":2,"CustomSequence":1,"FriendNum":1,"CompleteFlag":1,"NextStartIndex":0,`},
		{"sns/friend_get", `{"From_Account":"alice","StartIndex":0}`, `{"Tag":"Tag_SNS_IM_Remark","Value":"B"},{"Tag":"Tag_SNS_IM_Group","Value":["Pals","Work"]},{"Tag":"Tag_SNS_IM_AddSource","Value":"AddSource_Type_Web"},{"Tag":"Tag_SNS_Custom_Team","Value":"red"},{"Tag":"Tag_Profile_IM_Nick","Value":"Bob"}]}]`},
		{"sns/friend_get_list", `{"From_Account":"alice","To_Account":["bob","carol"],"TagList":["Tag_Profile_IM_Nick","Tag_SNS_IM_Remark"]}`, `"InfoItem":[{"To_Account":"bob","SnsProfileItem":[{"Tag":"Tag_SNS_IM_Remark","Value":"B"},{"Tag":"Tag_Profile_IM_Nick","Value":"Bob"}],"ResultCode":0,"ResultInfo":""},{"To_Account":"carol","SnsProfileItem":[],"ResultCode":30001,"ResultInfo":"Err_SNS_FriendGetList_Friend_Not_Exist"}],"Fail_Account":["carol"]`},
		{"sns/friend_check", `{"From_Account":"alice","To_Account":["bob"],"CheckType":"CheckResult_Type_Both"}`, `"InfoItem":[{"To_Account":"bob","Relation":"CheckResult_Type_BothWay","ResultCode":0,"ResultInfo":""}]`},
		{"sns/friend_check", `{"From_Account":"alice","To_Account":["bob"]}`, `"ErrorCode":30001`},
		{"sns/group_add", `{"From_Account":"alice","GroupName":["Fam"],"To_Account":["bob","carol"]}`, `"ResultItem":[{"To_Account":"bob","ResultCode":0,"ResultInfo":""},{"To_Account":"carol","ResultCode":32216,`},
		{"sns/group_get", `{"From_Account":"alice","LastSequence":0,"NeedFriend":"Need_Friend_Type_Yes","GroupName":["Fam"]}`, `"ResultItem":[{"GroupName":"Fam","FriendNumber":1,"To_Account":["bob"]}],"CurrentSequence":3`},
		{"sns/group_delete", `{"From_Account":"alice","GroupName":["Fam"]}`, `"CurrentSequence":4`},
		{"sns/friend_delete", `{"From_Account":"alice","To_Account":["bob"]}`, `"ResultItem":[{"To_Account":"bob","ResultCode":0,`},
		{"sns/friend_check", `{"From_Account":"alice","To_Account":["bob"],"CheckType":"CheckResult_Type_Both"}`, `"Relation":"CheckResult_Type_BWithA"`},
		{"sns/friend_delete_all", `{"From_Account":"bob","DeleteType":"Delete_Type_Both"}`, `"ErrorCode":0`},
		{"sns/friend_get", `{"From_Account":"bob","StartIndex":0}`, `"UserDataItem":[]`},
		{"sns/friend_get", `{"From_Account":"ghost","StartIndex":0}`, `"ErrorCode":30003`},
		{"sns/black_list_add", `{"From_Account":"alice","To_Account":["bob"]}`, `"ResultItem":[{"To_Account":"bob","ResultCode":0,`},
		{"sns/black_list_add", `{"From_Account":"alice","To_Account":["bob"]}`, `"ResultCode":30001,"ResultInfo":"Err_SNS_BlackListAdd_Already_Exist"}],"Fail_Account":["bob"]`},
		{"sns/black_list_check", `{"From_Account":"bob","To_Account":["alice"],"CheckType":"BlackCheckResult_Type_Both"}`, `"BlackListCheckItem":[{"To_Account":"alice","Relation":"BlackCheckResult_Type_BWithA",`},
		{"sns/black_list_get", `{"From_Account":"alice","StartIndex":0,"MaxLimited":10,"LastSequence":0}`, `"StartIndex":0,"CurruentSequence":1`},
		{"sns/black_list_delete", `{"From_Account":"alice","To_Account":["bob"]}`, `"ResultItem":[{"To_Account":"bob","ResultCode":0,`},
		{"sns/friend_add", `{"From_Account":5}`, `"ErrorCode":30001`},
	} {
		if a := s.REST(step.command, step.body); !strings.Contains(a.Text, step.want) {
			t.Errorf("%s %s\n got %s\nwant %s", step.command, step.body, a.Text, step.want)
		}
	}
	sees(t, alice, `{"Event":7,"FriendListMod":[{"PushType":1,"FriendAdd_Account":["bob"]}]}`)
}
