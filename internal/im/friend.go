package im

// FriendEntry is one entry of a user's list of friends.
type FriendEntry struct {
	User     UserID            // the friend
	Position int64             // rises with each entry of the list, to page by; the store gives it
	Added    int64             // Unix seconds
	Remark   string            // what the list's owner calls the friend
	Source   string            // where the friendship came from
	Wording  string            // with what words
	Groups   []int64           // of the owner's friend groups, by number
	Custom   map[string]string // by tag; numbers in decimal
}

// FriendGroup is one of the groups into which a user sorts friends. Its number
// rises with each group of the user and is never used twice.
type FriendGroup struct {
	ID   int64
	Name string
}

// FriendApplication is an entry of one of a user's two lists of applications:
// those that came, and the outgoing ones. Both sides have theirs.
type FriendApplication struct {
	Peer     UserID
	Outgoing bool
	Position int64 // as in [FriendEntry]
	Added    int64 // Unix seconds
	Source   string
	Wording  string
	Remark   string // what the applicant will call the friend
	Group    int64  // the applicant's group for the friend, 0 for none
	Seen     bool
}

// BlockEntry is one entry of a user's blocklist.
type BlockEntry struct {
	User     UserID
	Position int64 // as in [FriendEntry]
	Added    int64 // Unix seconds
}

// Relation is what the store knows of a user's own side: how long the lists are
// and how often each changed. Found is whether there is an account.
type Relation struct {
	Found          bool
	Forbidden      string // the profile's AdminForbidType, "" where it is not set
	Nick, Image    string // the profile's
	Friends        int
	Blocked        int
	FriendSeq      int64
	CustomSeq      int64
	GroupSeq       int64 // also the number of the latest group
	ApplicationSeq int64
	BlockSeq       int64
}

// Pair is what a user and another are to each other.
type Pair struct {
	User        UserID // the other
	Found       bool   // there is such an account
	Has, Had    bool   // the user has the other as friend; the other has the user
	Blocks      bool   // the user blocks the other
	Blocked     bool   // the other blocks the user
	Applied     bool   // the user's list has an application to the other
	Asked       bool   // the user's list has an application of the other's
	AppliedBack bool   // the other's list has an application to the user
	AskedBack   bool   // the other's list has an application of the user's
	Friends     int    // length of the other's list of friends
	Allow       string // the other's AllowType, "" where it is not set
	Nick, Image string // of the other's profile

	Entry       *FriendEntry       // of Has, where it was asked for
	Application *FriendApplication // of Asked, where it was asked for
}

// Relations is what one moment of the database knows of a user and some others.
type Relations struct {
	Relation
	Pairs  []Pair        // in the order of the others
	Groups []FriendGroup // of the user, by number, where they were asked for
}

// RelationQuery says what of a user's relations is needed.
type RelationQuery struct {
	User         UserKey
	Others       []UserID
	Entries      bool // the user's entries for the others
	Applications bool // what of the others' applications the user has
	Groups       bool // the user's groups
}

// Edge is one direction between two users of an application.
type Edge struct{ From, To UserID }

// RelationChange is what changes together or not at all. Owners are users of
// one application.
type RelationChange struct {
	Add      []OwnedFriend // unless they are there
	Save     []OwnedFriend // where they are there
	Drop     []Edge        // From's entry for To
	Apply    []OwnedApplication
	Keep     int // the newest so many of each list that Apply changes stay
	Withdraw []ApplicationKey
	See      int64 // the user's incoming applications of that second, Unix, and earlier are seen; 0 for none
	Block    []OwnedBlock
	Unblock  []Edge
	Groups   []FriendGroup // of the user: made, or renamed
	Ungroup  []int64       // groups of the user that go
	Events   []EventRow    // that tell of it
}

// OwnedFriend is an entry of Owner's list.
type OwnedFriend struct {
	Owner UserID
	FriendEntry
}

// OwnedApplication is an entry of one of Owner's lists.
type OwnedApplication struct {
	Owner UserID
	FriendApplication
}

// OwnedBlock is an entry of Owner's blocklist.
type OwnedBlock struct {
	Owner UserID
	BlockEntry
}

// ApplicationKey names an entry of one of Owner's lists of applications.
type ApplicationKey struct {
	Owner, Peer UserID
	Outgoing    bool
}

// Result is what became of one user of a call about many. Refusal is nil where
// it was done.
type Result struct {
	User    UserID
	Refusal *Error
}

// Friend is an entry of a list of friends as clients are told of it: with the
// names of its groups, and with its custom fields by name.
type Friend struct {
	FriendEntry
	GroupNames []string
	Fields     []Field
}
