package wire

import (
	"encoding/base64"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/porchlight-im/porchlight/internal/im"
)

// SetStatus is the body of [CmdSetStatus]. Text is plain, not base64; nil where
// it is missing.
type SetStatus struct {
	Text *string `json:"CustomStatus"`
}

// Targets is the body of [CmdGetStatus], [CmdSubscribe] and [CmdUnsubscribe].
type Targets struct {
	Users []im.UserID `json:"To_Account"`
	All   int         `json:"UnsubscribeAll"`
}

// The shapes below are what clients read of the lists that this file appends by
// hand; from them the TypeScript types are generated.

// StatusItem is one entry of a list of statuses.
type StatusItem struct {
	User    string `json:"To_Account"`
	Status  int    `json:"Status"`
	Custom  []byte `json:"CustomStatus"` // encoded as base64
	Version string `json:"Version,omitempty"`
}

// FailedItem is one entry of an ErrorList.
type FailedItem struct {
	User string `json:"To_Account"`
	Code int    `json:"ErrorCode"`
	Text string `json:"ErrorInfo"`
}

// Statuses answers [CmdGetStatus].
type Statuses struct {
	Answer
	Users  []StatusItem `json:"UserStatusList"`
	Failed []FailedItem `json:"ErrorList"`
}

// Failures answers [CmdSubscribe] and [CmdUnsubscribe].
type Failures struct {
	Answer
	Failed []FailedItem `json:"ErrorList"`
}

// AppendStatuses appends the answer to [CmdGetStatus].
func AppendStatuses(dst []byte, seq jsontext.Value, now int64, found []im.Found, failed []im.Failed) []byte {
	dst = appendHead(dst, CmdGetStatus, seq, now)
	dst = append(dst, `{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":"","UserStatusList":[`...)
	for i, f := range found {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendStatus(dst, f.User, f.Status, f.Version)
	}
	dst = append(dst, ']', ',')
	dst = appendFailures(dst, failed)
	return append(dst, `}}`...)
}

// AppendFailed appends the answer to [CmdSubscribe] and [CmdUnsubscribe].
func AppendFailed(dst []byte, command string, seq jsontext.Value, now int64, failed []im.Failed) []byte {
	dst = appendHead(dst, command, seq, now)
	dst = append(dst, `{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":"",`...)
	dst = appendFailures(dst, failed)
	return append(dst, `}}`...)
}

func appendFailures(dst []byte, failed []im.Failed) []byte {
	dst = append(dst, `"ErrorList":[`...)
	for i, f := range failed {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"To_Account":`...)
		dst = appendString(dst, string(f.User))
		dst = append(dst, `,"ErrorCode":`...)
		dst = strconv.AppendInt(dst, int64(f.Refusal.Code), 10)
		dst = append(dst, `,"ErrorInfo":`...)
		dst = appendString(dst, f.Refusal.Text)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// AppendStatus appends one entry of a UserStatusList. Version is ours: the
// official client drops it.
func AppendStatus(dst []byte, user im.UserID, s im.Status, v im.Version) []byte {
	dst = append(dst, `{"To_Account":`...)
	dst = appendString(dst, string(user))
	dst = append(dst, `,"Status":`...)
	dst = strconv.AppendInt(dst, int64(s.General), 10)
	dst = append(dst, `,"CustomStatus":"`...)
	dst = appendBase64(dst, s.Custom)
	dst = append(dst, `","Version":"`...)
	dst = strconv.AppendUint(dst, v.Epoch, 10)
	dst = append(dst, '.')
	dst = strconv.AppendUint(dst, v.Seq, 10)
	return append(dst, `"}`...)
}

// appendBase64 encodes without a copy of s.
func appendBase64(dst []byte, s string) []byte {
	var in [im.MaxCustomBytes]byte
	for len(s) > 0 {
		n := copy(in[:99], s) // a multiple of three, so that the pieces join
		dst = base64.StdEncoding.AppendEncode(dst, in[:n])
		s = s[n:]
	}
	return dst
}

// A push of statuses is its opening, entries joined by commas, and its close.
// None of it names a connection, so one encoding serves all watchers.
const (
	StatusPushOpen  = `{"head":{"ver":"v4","servcmd":"im_open_push.msg_push","seq":0},"body":{"EventArray":[{"Event":22,"UserStatusList":[`
	StatusPushClose = `]}]}}`
)

// longestItem is an item whose numbers are as long as they get, without its
// user and custom status.
const longestItem = `{"To_Account":"","Status":255,"CustomStatus":"","Version":"18446744073709551615.18446744073709551615"}`

// Encode fills a notice's Item and Push from its Change, in one allocation. Of
// what a userID may hold, nothing grows by more than a backslash.
func Encode(n *im.Notice) {
	item := len(StatusPushOpen)
	size := item + len(longestItem) + 2*len(n.User.User) + base64.StdEncoding.EncodedLen(len(n.Status.Custom)) + len(StatusPushClose)
	buf := append(make([]byte, 0, size), StatusPushOpen...)
	buf = AppendStatus(buf, n.User.User, n.Status, n.Version)
	end := len(buf)
	buf = append(buf, StatusPushClose...)
	n.Item, n.Push = buf[item:end:end], buf[:len(buf):len(buf)]
}
