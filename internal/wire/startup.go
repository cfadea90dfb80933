package wire

import "github.com/porchlight-im/porchlight/internal/im"

// The bodies below answer what the client asks between its login and its
// readiness, and right after. Paging members are never left out: the client
// repeats a request for ever where some of them are missing.

// ProfileQuery is the body of [CmdProfileGet].
type ProfileQuery struct {
	Items []struct {
		User im.UserID `json:"To_Account"`
	} `json:"UserItem"`
}

// Profiles answers [CmdProfileGet].
type Profiles struct {
	Answer
	Items []Profile `json:"UserProfileItem"`
}

// Profile is one user of [Profiles].
type Profile struct {
	User  im.UserID    `json:"To_Account"`
	Items []ProfileTag `json:"ProfileItem"`
}

// ProfileTag is one field of a profile; Value is a string or a number.
type ProfileTag struct {
	Tag   string `json:"Tag"`
	Value any    `json:"Value"`
}

// Blacklist answers [CmdBlacklistGet]; StartIndex 0 ends the paging.
type Blacklist struct {
	Answer
	StartIndex int        `json:"StartIndex"`
	Sequence   int        `json:"CurruentSequence"` // spelt so
	Items      []struct{} `json:"BlackListItem"`
}

// Friends answers [CmdFriendGet]; CompleteFlag 1 ends the paging.
type Friends struct {
	Answer
	CompleteFlag     int        `json:"CompleteFlag"`
	NextStartIndex   int        `json:"NextStartIndex"`
	StandardSequence int        `json:"StandardSequence"`
	CustomSequence   int        `json:"CustomSequence"`
	FriendNum        int        `json:"FriendNum"`
	Items            []struct{} `json:"UserDataItem"`
}

// FriendGroups answers [CmdFriendGroupGet].
type FriendGroups struct {
	Answer
	CurrentSequence int        `json:"CurrentSequence"`
	Items           []struct{} `json:"ResultItem"`
}

// Pendencies answers [CmdPendencyGet]; StartTime 0 ends the paging.
type Pendencies struct {
	Answer
	StartTime       int64      `json:"StartTime"`
	CurrentSequence int        `json:"CurrentSequence"`
	Unread          int        `json:"UnreadPendencyCount"`
	Items           []struct{} `json:"PendencyItem"`
}

// Conversations answers [CmdConversations]; CompleteFlag 1 ends the paging.
type Conversations struct {
	Answer
	CompleteFlag  int        `json:"CompleteFlag"`
	TimeStamp     int64      `json:"TimeStamp"`
	StartIndex    int        `json:"StartIndex"`
	TopTimeStamp  int64      `json:"TopTimeStamp"`
	TopStartIndex int        `json:"TopStartIndex"`
	Items         []struct{} `json:"SessionItem"`
}

// ContactGroups answers [CmdContactGroups]; CompleteFlag 1 ends the paging.
type ContactGroups struct {
	Answer
	CompleteFlag   int        `json:"CompleteFlag"`
	NextStartIndex int        `json:"NextStartIndex"`
	Groups         []struct{} `json:"GroupItem"`
	Contacts       []struct{} `json:"ContactItem"`
}

// Groups answers [CmdGroups] and [CmdCommunities].
type Groups struct {
	Answer
	TotalCount int        `json:"TotalCount"`
	Items      []struct{} `json:"GroupIdList"`
}

// Messages answers [CmdMessages]; SyncFlag 2 ends the paging.
type Messages struct {
	Answer
	SyncFlag int        `json:"SyncFlag"`
	Cookie   string     `json:"Cookie"`
	Items    []struct{} `json:"MsgList"`
}

// Abilitied answers [CmdAbilities]. Its codes stand in members of their own.
type Abilitied struct {
	Answer
	Code    int    `json:"int32_error_code"`
	Message string `json:"str_error_message"`
	Bits    string `json:"str_purchase_bits"`
	Expires int    `json:"uint32_expired_time"` // seconds until it is asked again, never 0
}

// Config answers [CmdConfig].
type Config struct {
	Answer
	Code    int    `json:"int32_error_code"`
	Message string `json:"str_error_message"`
	Text    string `json:"str_json_config"`     // JSON text of a flat object
	Expires int    `json:"uint32_expired_time"` // seconds until it is asked again
	AppID   uint32 `json:"uint32_sdkappid"`
	Version int64  `json:"uint64_version"` // applied only where it differs from the one held
}
