package wire

// The bodies below answer what the client asks between its login and its
// readiness, and right after. Paging members are never left out: the client
// repeats a request for ever where some of them are missing.

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
