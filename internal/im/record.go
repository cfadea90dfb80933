package im

// SessionRow is a session as the store keeps it. Times are Unix milliseconds.
type SessionRow struct {
	Inst     InstID
	Platform Platform
	KeyID    uint32 // the application's key that signed its UserSig
	Opened   int64
	Expires  int64 // when its UserSig expires
	Closed   int64 // 0 while it is open
	Cause    Cause // why it was closed
}

// MarkState is what is known for good of a user on one platform.
type MarkState uint8

// The mark states. The numbers are stored; never renumber them.
const (
	MarkNone MarkState = iota // never logged in there
	MarkLive                  // logged in, and not known to have gone
	MarkLost                  // gone without a logout
	MarkOut                   // logged out, or thrown out
)

// Mark says how a user stands on one platform. A mark is replaced only by one
// with a higher Rev, so that one written late never undoes a newer one.
type Mark struct {
	User     UserKey
	Platform Platform
	State    MarkState
	At       int64 // Unix milliseconds
	Rev      int64 // rises with each mark and custom status of the server
}

// CustomRow is a user's custom status as the store keeps it; Text "" is none.
// Rev orders it as in [Mark].
type CustomRow struct {
	User UserKey
	Text string
	Rev  int64
}

// LiveRow is what the store knows of a user's status at start: the marks of all
// platforms and the custom status.
type LiveRow struct {
	User   UserKey
	Marks  []Mark
	Custom string
}

// Standing is what was ordered about a user and outlives every session.
type Standing struct {
	RevokedBefore int64 // Unix seconds; UserSigs of that second and earlier are dead; 0 for none
	Banned        bool
}

// UserRow is what the store knows of a user who logs in or returns. Found is
// false, and the rest empty but for RevokedBefore, where no such account is.
type UserRow struct {
	Found         bool
	TinyID        int64
	RevokedBefore int64 // Unix seconds; tokens of that second and earlier are dead
	Banned        bool
	Sessions      []SessionRow // the open ones, and those closed lately
	Watching      []UserID     // the subscription list, oldest first
	Live          bool         // some mark says live
	LastPresence  int64        // Unix milliseconds of the latest mark, 0 for none
}

// Opening is all that one login writes, in one transaction.
type Opening struct {
	User    UserKey
	Session SessionRow
	Mark    Mark
	Ended   []SessionRow // sessions it pushed out, with Closed and Cause set
	Forget  bool         // drop the subscription list: its user was away too long
	Events  []EventRow   // that tell of it
}

// AppRow is an application as the store keeps it. Settings holds what differs
// from the defaults, by name; the app package knows the names.
type AppRow struct {
	ID       AppID
	Name     string
	Enabled  bool
	Created  int64 // Unix milliseconds
	Keys     []AppKey
	Admins   []UserID
	Settings map[string]string
}

// AppKey is one secret key of an application. It verifies UserSigs from
// NotBefore until NotAfter, Unix seconds, 0 for no bound, unless Withdrawn.
type AppKey struct {
	ID        uint32 // numbered from 1 within its application
	Secret    string // used as its bytes stand; never logged
	NotBefore int64
	NotAfter  int64
	Withdrawn bool
}

// AuditRow says who ordered what, for good. It is kept in the transaction of the
// change itself.
type AuditRow struct {
	ID     int64  // rises with each row of the installation; 0 before it is kept
	At     int64  // Unix milliseconds
	Actor  string // who ordered it, such as "operator"
	App    AppID
	User   UserID // whom it is about, "" for the application itself
	Action string // such as "app.create", "key.withdraw", "user.kick"
	Detail string // what changed, for people; never a secret
}

// Order is what an operator or a back end orders about a user, in one
// transaction: that UserSigs are dead, that the account is banned or not any
// more, and what follows from it.
type Order struct {
	User    UserKey
	Before  int64 // UserSigs of that second, Unix, and earlier are dead; 0 leaves that as it is
	Ban     Ban
	Delete  bool         // the account goes, with all that is kept of it but the revocation; then what follows is not written
	Ended   []SessionRow // sessions that it ends, with Closed and Cause set
	Marks   []Mark
	Customs []CustomRow
	Audit   AuditRow   // with an Action, or none is kept
	Events  []EventRow // that tell of it
}

// Import is accounts that a back end makes, or updates where they exist, in one
// transaction.
type Import struct {
	App      AppID
	At       int64 // Unix milliseconds
	Accounts []ImportRow
	KeepOut  int64  // who was deleted since that Unix second is not made anew; 0 keeps nobody out
	Actor    string // of the audit
}

// ImportRow is one account of an [Import], with the fields of its profile that
// are to be set, by their tags.
type ImportRow struct {
	User   UserID
	Values map[string]string
}

// Day is what happened to an application on one day.
type Day struct {
	Day        int64 // since 1970, in UTC
	Registered int64 // accounts that were made
	Deleted    int64
	Logins     int64 // by UserSig
	Online     int64 // the most users at once
	Accounts   int64 // there were at its end
}

// DayOf gives the day of a Unix millisecond.
func DayOf(milli int64) int64 { return milli / (24 * 60 * 60 * 1000) }

// Ban is what an order says of the ban of an account.
type Ban uint8

// The bans.
const (
	BanKeep Ban = iota // as it is
	BanSet
	BanLift
)

// UserView is what the server knows of a user, for an operator.
type UserView struct {
	User          UserKey
	TinyID        int64
	Banned        bool
	RevokedBefore int64 // Unix seconds, 0 for never
	Status        Status
	Version       Version
	Sessions      []SessionView // open ones first, newest first
	Watching      int           // users on the subscription list
	Watchers      int           // accounts that watch the user now
}

// SessionView is one session of a user.
type SessionView struct {
	SessionRow
	Connected bool
	Until     int64 // end of its grace, Unix ms, 0 for none
}
