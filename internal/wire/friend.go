package wire

import (
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/porchlight-im/porchlight/internal/im"
)

// From begins the bodies of all requests about friends and the blocklist.
type From struct {
	From im.UserID `json:"From_Account"`
}

// FriendAdd is the body of [CmdFriendAdd].
type FriendAdd struct {
	From
	Items []AddItem `json:"AddFriendItem"`
	Type  string    `json:"AddType"`
	Force int       `json:"ForceAddFlags"` // administrators only
}

// AddItem is one user of [FriendAdd].
type AddItem struct {
	User    im.UserID `json:"To_Account"`
	Source  string    `json:"AddSource"`
	Wording string    `json:"AddWording"`
	Remark  string    `json:"Remark"`
	Group   string    `json:"GroupName"`
}

// Users is the body of the requests that name users: [CmdFriendDelete],
// [CmdFriendCheck], [CmdFriendSome], [CmdPendencyDelete], and those about the
// blocklist.
type Users struct {
	From
	Users  []im.UserID `json:"To_Account"`
	Delete string      `json:"DeleteType"`
	Check  string      `json:"CheckType"`
	Which  string      `json:"PendencyType"`
}

// FriendPage is the body of [CmdFriendGet].
type FriendPage struct {
	From
	Start int64 `json:"StartIndex"`
}

// FriendUpdate is the body of [CmdFriendUpdate].
type FriendUpdate struct {
	From
	Items []UpdateItem `json:"UpdateItem"`
}

// UpdateItem is one friend of [FriendUpdate].
type UpdateItem struct {
	User im.UserID  `json:"To_Account"`
	Tags []TagValue `json:"SnsItem"`
}

// FriendRespond is the body of [CmdFriendRespond].
type FriendRespond struct {
	From
	Items []RespondItem `json:"ResponseFriendItem"`
}

// RespondItem is the answer to one application.
type RespondItem struct {
	User   im.UserID `json:"To_Account"`
	Remark string    `json:"Remark"`
	Group  string    `json:"TagName"`
	Action string    `json:"ResponseAction"`
}

// PendencyQuery is the body of [CmdPendencyGet].
type PendencyQuery struct {
	From
	Which string `json:"PendencyType"`
}

// PendencySeen is the body of [CmdPendencyReport].
type PendencySeen struct {
	From
	Until int64 `json:"LatestPendencyTimeStamp"` // Unix seconds
}

// FriendGroupNames is the body of [CmdFriendGroupAdd], [CmdFriendGroupDrop] and
// [CmdFriendGroupGet].
type FriendGroupNames struct {
	From
	Groups     []string    `json:"GroupName"`
	Users      []im.UserID `json:"To_Account"`
	NeedFriend string      `json:"NeedFriend"`
}

// FriendGroupAlter is the body of [CmdFriendGroupAlter].
type FriendGroupAlter struct {
	From
	Old   string `json:"GroupOldName"`
	New   string `json:"GroupNewName"`
	Items []struct {
		User im.UserID `json:"To_Account"`
		Type string    `json:"UpdateType"`
	} `json:"UpdateGroupItem"`
}

// BlacklistQuery is the body of [CmdBlacklistGet].
type BlacklistQuery struct {
	From
	Start int64 `json:"StartIndex"`
	Most  int   `json:"MaxLimited"`
}

// The spellings of how friends are added and deleted, and of what is asked.
const (
	addPrefix    = "Add_Type_"
	deletePrefix = "Delete_Type_"
	single       = "Single"
	both         = "Both"

	FriendCheckPrefix = "CheckResult_Type_"
	BlackCheckPrefix  = "BlackCheckResult_Type_"
)

// BothWays reads one of the types that end in Single or Both, which begin with a
// prefix. ok is false for any other text but "".
func bothWays(text, prefix string, unsaid bool) (yes, ok bool) {
	rest, found := strings.CutPrefix(text, prefix)
	switch {
	case text == "":
		return unsaid, true
	case found && rest == both:
		return true, true
	default:
		return false, found && rest == single
	}
}

// AddBoth reads an AddType.
func AddBoth(text string) (yes, ok bool) { return bothWays(text, addPrefix, true) }

// DeleteBoth reads a DeleteType; unsaid is what a missing one means.
func DeleteBoth(text string, unsaid bool) (yes, ok bool) { return bothWays(text, deletePrefix, unsaid) }

// CheckBoth reads a CheckType of [FriendCheckPrefix] or [BlackCheckPrefix].
func CheckBoth(text, prefix string) (yes, ok bool) { return bothWays(text, prefix, true) }

// Source gives what follows the prefix of an AddSource, "" where it has none.
func Source(text string) string {
	name, ok := strings.CutPrefix(text, sourcePrefix)
	if !ok {
		return ""
	}
	return name
}

const (
	sourcePrefix = "AddSource_Type_"
	customPrefix = "Tag_SNS_Custom_"
	tagRemark    = "Tag_SNS_IM_Remark"
	tagGroup     = "Tag_SNS_IM_Group"
	tagSource    = "Tag_SNS_IM_AddSource"
	tagWording   = "Tag_SNS_IM_AddWording"
	tagTime      = "Tag_SNS_IM_AddTime"
)

// Update is what the tags of an [UpdateItem] say: nil is what none of them does.
type Update struct {
	Remark *string
	Groups []string
	Custom []im.Field // by the names that applications declare
}

// ReadUpdate makes out the tags of an item. The error is an [im.Error].
func ReadUpdate(tags []TagValue) (u Update, err *im.Error) {
	if len(tags) == 0 {
		return u, im.Errorf(im.CodeFriendInvalid, "SnsItem is missing or empty")
	}
	for _, t := range tags {
		f := t.Field()
		name, custom := strings.CutPrefix(t.Tag, customPrefix)
		switch {
		case custom:
			u.Custom = append(u.Custom, im.Field{Tag: name, Value: f.Value})
		case t.Tag == tagRemark:
			remark, ok := f.Value.(string)
			if !ok {
				return u, im.Errorf(im.CodeFriendInvalid, "%s takes a text", tagRemark)
			}
			u.Remark = &remark
		case t.Tag == tagGroup:
			if u.Groups, err = groupNames(t.Value); err != nil {
				return u, err
			}
		default:
			return u, im.Errorf(im.CodeFriendInvalid, "only %s, %s and declared custom fields can be updated", tagRemark, tagGroup)
		}
	}
	return u, nil
}

// groupNames reads a list of names, or one.
func groupNames(v jsontext.Value) ([]string, *im.Error) {
	names := []string{}
	if v.Kind() == '"' {
		return append(names, text(v)), nil
	}
	if v.Kind() != '[' || json.Unmarshal(v, &names, halves) != nil {
		return nil, im.Errorf(im.CodeFriendInvalid, "%s takes a list of texts", tagGroup)
	}
	return names, nil
}

// SnsTags gives an entry as clients are told of it. Its AddTime is always there,
// what is empty is left out.
func SnsTags(f *im.Friend) []ProfileTag {
	tags := []ProfileTag{{tagTime, f.Added}}
	if f.Remark != "" {
		tags = append(tags, ProfileTag{tagRemark, f.Remark})
	}
	if len(f.GroupNames) > 0 {
		tags = append(tags, ProfileTag{tagGroup, f.GroupNames})
	}
	if f.Source != "" {
		tags = append(tags, ProfileTag{tagSource, sourcePrefix + f.Source})
	}
	if f.Wording != "" {
		tags = append(tags, ProfileTag{tagWording, f.Wording})
	}
	for _, c := range f.Fields {
		tags = append(tags, ProfileTag{customPrefix + c.Tag, c.Value})
	}
	return tags
}

// UpdatedTags gives what is new of an entry.
func UpdatedTags(remark *string, groups []string, custom []im.Field) []ProfileTag {
	var tags []ProfileTag
	if remark != nil {
		tags = append(tags, ProfileTag{tagRemark, *remark})
	}
	if groups != nil {
		tags = append(tags, ProfileTag{tagGroup, groups})
	}
	for _, c := range custom {
		tags = append(tags, ProfileTag{customPrefix + c.Tag, c.Value})
	}
	return tags
}

// ResultItem is what became of one user.
type ResultItem struct {
	User im.UserID `json:"To_Account"`
	Code int       `json:"ResultCode"`
	Info string    `json:"ResultInfo"`
}

// Results answers the requests that do something to many users. Failed is left
// out where nobody is in it.
type Results struct {
	Answer
	Items  []ResultItem `json:"ResultItem"`
	Failed []im.UserID  `json:"Fail_Account,omitempty"`
}

// ResultOf gives one result.
func ResultOf(r im.Result) ResultItem {
	item := ResultItem{User: r.User}
	if r.Refusal != nil {
		item.Code, item.Info = int(r.Refusal.Code), r.Refusal.Text
	}
	return item
}

// ResultItems gives results as clients are told of them, and who failed: that an
// application waits for its answer is no failure.
func ResultItems(results []im.Result) (items []ResultItem, failed []im.UserID) {
	items = make([]ResultItem, len(results))
	for i, r := range results {
		items[i] = ResultOf(r)
		if r.Refusal != nil && r.Refusal.Code != im.CodeFriendPending {
			failed = append(failed, r.User)
		}
	}
	return items, failed
}

// Friends answers [CmdFriendGet]; CompleteFlag 1 ends the paging.
type Friends struct {
	Answer
	CompleteFlag     int          `json:"CompleteFlag"`
	NextStartIndex   int64        `json:"NextStartIndex"`
	StandardSequence int64        `json:"StandardSequence"`
	CustomSequence   int64        `json:"CustomSequence"`
	FriendNum        int          `json:"FriendNum"`
	Items            []FriendItem `json:"UserDataItem"`
}

// FriendItem is one friend of [Friends].
type FriendItem struct {
	User im.UserID    `json:"To_Account"`
	Tags []ProfileTag `json:"ValueItem"`
}

// FriendInfos answers [CmdFriendSome].
type FriendInfos struct {
	Answer
	Items  []FriendInfo `json:"InfoItem"`
	Failed []im.UserID  `json:"Fail_Account,omitempty"`
}

// FriendInfo is one friend of [FriendInfos], with the tags of entry and profile.
type FriendInfo struct {
	ResultItem
	Tags []ProfileTag `json:"SnsProfileItem"`
}

// Checked answers [CmdFriendCheck].
type Checked struct {
	Answer
	Items  []CheckItem `json:"InfoItem"`
	Failed []im.UserID `json:"Fail_Account,omitempty"`
}

// BlacklistChecked answers [CmdBlacklistCheck].
type BlacklistChecked struct {
	Answer
	Items  []CheckItem `json:"BlackListCheckItem"`
	Failed []im.UserID `json:"Fail_Account,omitempty"`
}

// CheckItem is one user of [Checked].
type CheckItem struct {
	ResultItem
	Relation string `json:"Relation"`
}

// FriendGroups answers [CmdFriendGroupGet].
type FriendGroups struct {
	Answer
	CurrentSequence int64             `json:"CurrentSequence"`
	Items           []FriendGroupItem `json:"ResultItem"`
}

// FriendGroupItem is one group of [FriendGroups].
type FriendGroupItem struct {
	Name  string      `json:"GroupName"`
	Count int         `json:"FriendNumber"`
	Users []im.UserID `json:"To_Account"`
}

// FriendGroupResults answers [CmdFriendGroupAdd] and [CmdFriendGroupDrop].
type FriendGroupResults struct {
	Results
	CurrentSequence int64 `json:"CurrentSequence"`
}

// FriendGroupAltered answers [CmdFriendGroupAlter] where friends were regrouped.
type FriendGroupAltered struct {
	Answer
	Items []AlteredItem `json:"ResultItem"`
}

// AlteredItem is one friend of [FriendGroupAltered]; Type is that of the request.
type AlteredItem struct {
	ResultItem
	Type string `json:"UpdateType"`
}

// Pendencies answers [CmdPendencyGet]; StartTime 0 ends the paging.
type Pendencies struct {
	Answer
	StartTime       int64          `json:"StartTime"`
	CurrentSequence int64          `json:"CurrentSequence"`
	Unread          int            `json:"UnreadPendencyCount"`
	Items           []PendencyItem `json:"PendencyItem"`
}

// PendencyItem is one application, with what its peer's profile says.
type PendencyItem struct {
	User    im.UserID `json:"To_Account"`
	Nick    string    `json:"Nick"`
	Image   string    `json:"Image"`
	Time    int64     `json:"AddTime"`
	Source  string    `json:"AddSource"`
	Wording string    `json:"AddWording"`
	Which   string    `json:"PendencyType"`
}

// Pendency gives an application as clients are told of it.
func Pendency(a im.FriendApplication, nick, image string) PendencyItem {
	item := PendencyItem{
		User: a.Peer, Nick: nick, Image: image, Time: a.Added, Source: sourcePrefix + a.Source, Wording: a.Wording, Which: PendencyIn,
	}
	if a.Outgoing {
		item.Which = PendencyOut
	}
	return item
}

// The spellings of the answers to an application, and of what happens to a
// friend in a group.
const (
	RespondAgree       = "Response_Action_Agree"
	RespondAgreeAndAdd = "Response_Action_AgreeAndAdd"
	RespondReject      = "Response_Action_Reject"

	UpdateAdd    = "Update_Type_Add"
	UpdateDelete = "Update_Type_Delete"
)

// FriendRelation spells a relation for [CmdFriendCheck]: out is from A to B.
func FriendRelation(out, in bool) string { return relation(FriendCheckPrefix, "NoRelation", out, in) }

// BlackRelation spells a relation for [CmdBlacklistCheck].
func BlackRelation(out, in bool) string { return relation(BlackCheckPrefix, "NO", out, in) }

func relation(prefix, none string, out, in bool) string {
	switch {
	case out && in:
		return prefix + "BothWay"
	case out:
		return prefix + "AWithB"
	case in:
		return prefix + "BWithA"
	default:
		return prefix + none
	}
}

// The spellings of which applications are meant.
const (
	PendencyIn   = "Pendency_Type_ComeIn"
	PendencyOut  = "Pendency_Type_SendOut"
	PendencyBoth = "Pendency_Type_Both"
)

// Blacklist answers [CmdBlacklistGet]; StartIndex 0 ends the paging.
type Blacklist struct {
	Answer
	StartIndex int64           `json:"StartIndex"`
	Sequence   int64           `json:"CurruentSequence"` // spelt so
	Items      []BlacklistItem `json:"BlackListItem"`
}

// BlacklistItem is one user of [Blacklist].
type BlacklistItem struct {
	User im.UserID `json:"To_Account"`
	Time int64     `json:"AddBlackTimeStamp"`
}
