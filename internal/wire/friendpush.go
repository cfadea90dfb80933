package wire

import (
	"github.com/go-json-experiment/json"

	"github.com/porchlight-im/porchlight/internal/im"
)

// appendPush appends the push of one event. It names no connection, so one
// encoding serves all who are told.
func appendPush(dst []byte, item any) []byte {
	body := struct {
		Events []any `json:"EventArray"`
	}{[]any{item}}
	text, err := json.Marshal(body)
	if err != nil {
		panic("wire: a push that cannot be encoded: " + err.Error()) // plain fields alone
	}
	dst = appendHead(dst, PushEvents, nil, 0)
	dst = append(dst, text...)
	return append(dst, '}')
}

// friendPush is what the devices of a user are sent about the user's relations.
type friendPush struct {
	Event int         `json:"Event"`
	Mod   []friendMod `json:"FriendListMod"`
}

// The kinds of change as the client numbers them. It looks at few of them: the
// name of the list decides.
const (
	pushFriendAdd   = 1
	pushFriendDel   = 2
	pushPendencyAdd = 3
	pushPendencyDel = 4
	pushUpdate      = 5
	pushBlackAdd    = 5
	pushBlackDel    = 6
	pushRead        = 7
)

type friendMod struct {
	Type        int           `json:"PushType"`
	From        im.UserID     `json:"From_Account,omitempty"`
	Added       []im.UserID   `json:"FriendAdd_Account,omitempty"`
	Deleted     []im.UserID   `json:"FriendDel_Account,omitempty"`
	Updated     []updatedMod  `json:"FriendUpInfo,omitempty"`
	PendencyAdd []pendencyMod `json:"PendencyAdd,omitempty"`
	PendencyDel []im.UserID   `json:"FrienPencydDel_Account,omitempty"` // spelt so
	ReportTime  int64         `json:"ReportTime,omitzero"`
	Blocked     []im.UserID   `json:"BlackListAdd_Account,omitempty"`
	Unblocked   []im.UserID   `json:"BlackListDel_Account,omitempty"`
}

type updatedMod struct {
	User im.UserID    `json:"Friend_Account"`
	Tags []ProfileTag `json:"Sns"`
}

type pendencyMod struct {
	User    im.UserID `json:"PendencyAdd_Account"`
	Nick    string    `json:"ProfileImNick"`
	Image   string    `json:"ProfileImImage"`
	Time    int64     `json:"AddTime"`
	Source  string    `json:"AddSource"`
	Wording string    `json:"AddWording"`
}

func appendFriendPush(dst []byte, mod friendMod) []byte {
	return appendPush(dst, friendPush{Event: 7, Mod: []friendMod{mod}})
}

// AppendFriendsAdded appends the push that users came to the list of friends.
func AppendFriendsAdded(dst []byte, users []im.UserID) []byte {
	return appendFriendPush(dst, friendMod{Type: pushFriendAdd, Added: users})
}

// AppendFriendsDeleted appends the push that users left it.
func AppendFriendsDeleted(dst []byte, users []im.UserID) []byte {
	return appendFriendPush(dst, friendMod{Type: pushFriendDel, Deleted: users})
}

// UpdatedFriend is an entry of which something is new.
type UpdatedFriend = updatedMod

// AppendFriendsUpdated appends the push that entries changed.
func AppendFriendsUpdated(dst []byte, friends []UpdatedFriend) []byte {
	return appendFriendPush(dst, friendMod{Type: pushUpdate, Updated: friends})
}

// AppendApplied appends the push of an application to its owner's devices: one
// from the owner is marked by its From_Account as sent.
func AppendApplied(dst []byte, owner im.UserID, a im.FriendApplication, nick, image string) []byte {
	from := a.Peer
	if a.Outgoing {
		from = owner
	}
	mod := pendencyMod{User: a.Peer, Nick: nick, Image: image, Time: a.Added, Source: sourcePrefix + a.Source, Wording: a.Wording}
	return appendFriendPush(dst, friendMod{Type: pushPendencyAdd, From: from, PendencyAdd: []pendencyMod{mod}})
}

// AppendApplicationsGone appends the push that applications of users, or to
// them, are no more.
func AppendApplicationsGone(dst []byte, users []im.UserID) []byte {
	return appendFriendPush(dst, friendMod{Type: pushPendencyDel, From: users[0], PendencyDel: users})
}

// AppendApplicationsSeen appends the push that the applications up to a time,
// Unix seconds, have been seen.
func AppendApplicationsSeen(dst []byte, until int64) []byte {
	return appendFriendPush(dst, friendMod{Type: pushRead, ReportTime: until})
}

// AppendBlocked appends the push that users came to the blocklist.
func AppendBlocked(dst []byte, users []im.UserID) []byte {
	return appendFriendPush(dst, friendMod{Type: pushBlackAdd, Blocked: users})
}

// AppendUnblocked appends the push that users left it.
func AppendUnblocked(dst []byte, users []im.UserID) []byte {
	return appendFriendPush(dst, friendMod{Type: pushBlackDel, Unblocked: users})
}
