package wire

import (
	"strconv"

	"github.com/porchlight-im/porchlight/internal/im"
)

// LoggedIn is the body of a good answer to [CmdLogin].
type LoggedIn struct {
	Answer
	A2Key         string `json:"A2Key"`
	TinyID        string `json:"TinyId"` // a string: it does not fit a double
	InstID        uint32 `json:"InstId"`
	HelloInterval int    `json:"HelloInterval"` // seconds
	ExpireTime    int64  `json:"ExpireTime"`    // seconds that the session may still last
	TimeStamp     int64  `json:"TimeStamp"`     // the server's clock, Unix seconds
	CustomStatus  []byte `json:"CustomStatus"`  // encoded as base64
	PurchaseBits  string `json:"PurchaseBits"`
}

// KickType gives the number by which the client names why it was thrown out: 1
// a newcomer on the same platform, 2 on another, 3 by order. Zero is no kick.
func KickType(c im.Cause) int {
	switch c {
	case im.CauseKickSame:
		return 1
	case im.CauseKickOther:
		return 2
	case im.CauseKickAdmin:
		return 3
	default:
		return 0
	}
}

// AppendKick appends the push that tells a session it was pushed out by c.
func AppendKick(dst []byte, c im.Cause) []byte {
	dst = append(dst, `{"head":{"ver":"v4","servcmd":"`+PushKick+`","seq":0},"body":`...)
	dst = append(dst, `{"EventArray":[{"Event":10,"C2cNotifyMsgArray":[{"KickoutMsgNotify":{"KickType":`...)
	dst = strconv.AppendInt(dst, int64(KickType(c)), 10)
	return append(dst, `,"NewInstInfo":{}}}]}]}}`...)
}

// PlatformOf gives the platform of the head's number: what the official
// packages send, with 1 for Windows as in the public C header and 6 for Linux.
// Every other number is a web client in some shell.
func PlatformOf(n int64) im.Platform {
	switch n {
	case 1:
		return im.Windows
	case 2:
		return im.Android
	case 3:
		return im.IPhone
	case 4:
		return im.Mac
	case 6:
		return im.Linux
	case 13:
		return im.IPad
	default:
		return im.Web
	}
}

// Abilities gives the string of paid abilities for the given positions, each a
// 1, counted from the right.
func Abilities(positions ...int) string {
	const width = 64
	var bits [width]byte
	for i := range bits {
		bits[i] = '0'
	}
	for _, p := range positions {
		bits[width-1-p] = '1'
	}
	return string(bits[:])
}

// AbilityStatus is the position of user status among the abilities.
const AbilityStatus = 7
