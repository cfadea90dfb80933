// Package im is the vocabulary of the server: who and what its other packages
// speak about. It holds types, codes and limits and no behaviour beyond
// checking them; it imports nothing but the standard library and everything may
// import it. Spelling of the wire (To_Account, ErrorCode) never appears here.
package im

import "strconv"

// AppID is an SDKAppID: the number of an application, one tenant of the server.
// Zero is no application.
type AppID uint32

// String gives the decimal number.
func (a AppID) String() string { return strconv.FormatUint(uint64(a), 10) }

// UserID names a user within one application. It is bytes: case-sensitive,
// never trimmed or folded. See [UserID.Valid].
type UserID string

// Valid reports whether the ID may name a user: 1 to [MaxUserIDBytes] bytes of
// printable ASCII without the space.
func (u UserID) Valid() bool {
	if len(u) == 0 || len(u) > MaxUserIDBytes {
		return false
	}
	for i := 0; i < len(u); i++ {
		if u[i] < 0x21 || u[i] > 0x7e {
			return false
		}
	}
	return true
}

// UserKey names a user across applications. Every map, cache and lock is keyed
// by it, never by a UserID alone.
type UserKey struct {
	App  AppID
	User UserID
}

// InstID numbers a session among those of its user. It is never 0.
type InstID uint32

// SessionID names a session: one login of one user, on whatever socket.
type SessionID struct {
	UserKey
	Inst InstID
}

// Platform is the kind of device a session was opened from. It decides how a
// lost connection is judged and which sessions exclude each other.
type Platform uint8

// The platforms. The numbers are ours and are stored; never renumber them.
const (
	Web Platform = iota // also mini programs, uni-app and React Native
	Android
	IPhone
	IPad
	Mac
	Windows
	Linux
	Platforms = 7 // how many there are
)

var platformNames = [Platforms]string{"web", "android", "iphone", "ipad", "mac", "windows", "linux"}

// String gives the lower-case name, for logs and tables.
func (p Platform) String() string {
	if int(p) < len(platformNames) {
		return platformNames[p]
	}
	return "platform" + strconv.Itoa(int(p))
}

// HasPush reports whether offline push still reaches the platform after its
// connection is lost, so that its user is Offline and not Unlogined.
func (p Platform) HasPush() bool {
	return p == Android || p == IPhone || p == IPad || p == Mac
}

// General is the part of a status that the server computes.
type General uint8

// The general statuses, with the numbers every client knows.
const (
	Unknown   General = 0 // clients only: not known yet
	Online    General = 1 // a session is live
	Offline   General = 2 // no session is live, but push still reaches a device
	Unlogined General = 3 // never logged in, or logged out everywhere
)

// String gives the upper-case name of the documentation.
func (g General) String() string {
	switch g {
	case Online:
		return "ONLINE"
	case Offline:
		return "OFFLINE"
	case Unlogined:
		return "UNLOGINED"
	default:
		return "UNKNOWN"
	}
}

// Status is what others see of a user: the general status and the user's own
// words, at most [MaxCustomBytes] bytes, "" for none.
type Status struct {
	General General
	Custom  string
}

// Version orders the statuses of one user, for ever: first by Epoch, which
// numbers the incarnations of the live state, then by Seq.
type Version struct {
	Epoch, Seq uint64
}

// Less reports whether v is older than w.
func (v Version) Less(w Version) bool {
	return v.Epoch < w.Epoch || v.Epoch == w.Epoch && v.Seq < w.Seq
}

// Found is the status of one user of a query.
type Found struct {
	User    UserID
	Status  Status
	Version Version
}

// Presence is where a user is, for a back end.
type Presence struct {
	User   UserID
	Status Status
	On     []Device
}

// Device is one session of a user, Online, or a platform on which the last one
// was lost and which push still reaches, Offline.
type Device struct {
	Platform Platform
	General  General
	Inst     InstID // 0 where it is not known
}

// Failed is one user for whom a command on many could not be carried out.
type Failed struct {
	User    UserID
	Refusal *Error
}

// Change says that a user's status became Status, having been Prev, at Version.
type Change struct {
	User    UserKey
	Status  Status
	Prev    Status
	Version Version
}

// Notice is a Change encoded once for all who are told of it. It is shared and
// never written to after it was made.
type Notice struct {
	Change
	Item []byte // the entry of a list of statuses
	Push []byte // a whole push frame that holds this entry alone
}

// Cause says how a session, or the socket beneath it, came to an end. The
// numbers are stored; never renumber them.
type Cause uint8

// The causes.
const (
	CauseNone      Cause = iota // it has not ended
	CauseLogout                 // the user logged out
	CauseClose                  // the client closed the socket: it is gone
	CauseBreak                  // the socket broke, or its client replaced it: it may return
	CauseSilence                // nothing was heard for too long
	CauseKickSame               // a newer login on the same platform pushed it out
	CauseKickOther              // a newer login on another platform pushed it out
	CauseKickAdmin              // the operator or the back end threw the user out
	CauseExpiry                 // its UserSig expired or its key was withdrawn
	CauseNode                   // the server process ended, by order or not
	causes
)

var causeNames = [causes]string{"none", "logout", "close", "break", "silence", "kick_same", "kick_other", "kick_admin", "expiry", "node"}

// String gives a snake-case name, for logs and metrics.
func (c Cause) String() string {
	if c < causes {
		return causeNames[c]
	}
	return "cause" + strconv.Itoa(int(c))
}

// Ends reports whether the cause ends the session itself: it cannot return.
// The others end a socket, under which the session may come back.
func (c Cause) Ends() bool {
	switch c {
	case CauseLogout, CauseKickSame, CauseKickOther, CauseKickAdmin, CauseExpiry:
		return true
	default:
		return false
	}
}

// Policy says which platforms a user may be logged in from at once.
type Policy uint8

// The policies, as the original names them. The text of [Policy.String] is
// stored.
const (
	PolicyDual   Policy = iota // one native platform, and web
	PolicySingle               // one platform
	PolicyTriple               // one mobile and one desktop platform, and web
	PolicyMulti                // all platforms
	policies
)

var policyNames = [policies]string{"dual", "single", "triple", "multi"}

// String gives the name.
func (p Policy) String() string {
	if p < policies {
		return policyNames[p]
	}
	return "policy" + strconv.Itoa(int(p))
}

// ParsePolicy gives the policy of a name.
func ParsePolicy(name string) (Policy, bool) {
	for p, n := range policyNames {
		if n == name {
			return Policy(p), true
		}
	}
	return 0, false
}
