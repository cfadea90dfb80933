package im

import "time"

// The limits and times that the specification gives. Each is the default of a
// setting, of the server's configuration or of an application; nothing is
// unbounded.
const (
	MaxUserIDBytes = 32  // length of a UserID
	MaxCustomBytes = 100 // length of a custom status, in UTF-8

	MaxQuery       = 500 // users in one status query
	MaxSubscribe   = 100 // users in one subscribe or unsubscribe
	MaxSubscribed  = 200 // length of an account's subscription list
	MaxCallsWindow = 20  // limited calls of one kind in a CallsWindow

	MaxFrameBytes  = 64 << 10  // a message from a client
	MaxFrameDepth  = 32        // nesting of its JSON
	MaxQueueBytes  = 256 << 10 // what may wait to be written to one connection
	MaxQueueFrames = 1024      // the same, counted in frames
	MaxPushItems   = 100       // statuses in one pushed frame
	PushBurst      = 5         // frames about others at once, before PushTick paces them

	MaxTokenBytes    = 4 << 10 // a UserSig as it is sent
	MaxTokenInflated = 4 << 10 // the same, inflated

	MaxSockets   = 200_000 // connections of one node
	CommandRate  = 50      // commands a second of one connection
	CommandBurst = 200     // commands at once, a start of the client many times over
	MaxRefusals  = 1000    // commands of one connection that are refused for its rate before it is closed

	MaxPreLogin        = 20_000 // sockets of one node without a session
	MaxPreLoginAddress = 500    // the same of one address: an office that is logged out, many times over

	MaxVerifyFailures     = 20  // failed verifications of one user from one address in a VerifyWindow
	MaxVerifyFailuresPeer = 200 // the same of all users of an application
	MaxUserLogins         = 20  // logins and logouts of one user in a LoginsWindow; ten tabs come back at once

	MaxRESTBytes    = 1 << 20  // a body of the REST API
	MaxRESTMessage  = 12 << 10 // the same of commands that send messages
	MaxRESTAccounts = 100      // accounts in one call about accounts

	MaxWebSessions = 10 // web sessions of one user under the multi policy of -dev
	MaxAdmins      = 10 // administrators of one application

	MaxWebhookURLs  = 10         // URLs of one application
	MaxWebhookURL   = 1024       // length of one
	MaxWebhookToken = 64         // length of a token
	MaxWebhookBatch = 500        // events in one request
	MaxWebhookQueue = 10_000     // events of one URL that wait in memory alone
	MaxWebhookKept  = 10_000_000 // kept events of one application
)

// The limits of relations and profiles, texts in bytes of UTF-8.
const (
	MaxFriends       = 3000 // friends of a user
	MaxApplications  = 100  // friend applications on each of a user's two lists; the oldest make room
	MaxBlocked       = 1000 // users on a blocklist
	MaxFriendGroups  = 32   // friend groups of a user
	MaxGroupBytes    = 30   // the name of a friend group
	MaxRemarkBytes   = 96   // what a user calls a friend
	MaxWordingBytes  = 256  // the words of a friend application
	MaxFieldBytes    = 500  // a text of a profile, and a custom field
	MaxLocationBytes = 16   // where the owner of a profile is, as four numbers
	MaxCustomFields  = 20   // custom fields of one kind that an application declares
	MaxFieldName     = 8    // letters of one's name
	MaxSourceName    = 8    // letters that follow the prefix of a source
	MaxRelationBatch = 1000 // users in one call about friends or the blocklist
	MaxProfiles      = 100  // profiles in one call
	FriendPage       = 100  // friends in one answer
)

// Times that go with them.
const (
	CallsWindow    = 5 * time.Second
	LoginsWindow   = 10 * time.Second
	PushTick       = 200 * time.Millisecond
	VerifyWindow   = time.Minute
	PreLogin       = 10 * time.Second // to send a first good frame
	DeadWeb        = 60 * time.Second // silence after which a web client is lost
	DeadNative     = 400 * time.Second
	PingInterval   = 25 * time.Second
	HelloInterval  = 10 * time.Second
	GraceBreak     = 5 * time.Second  // to return after a broken socket
	GraceNode      = 15 * time.Second // to return after a restart or drain
	WriteDeadline  = 10 * time.Second
	CommandTimeout = 8 * time.Second  // to carry out a command; clients wait for 15 s
	RESTTimeout    = 3 * time.Second  // to carry out a request to the REST API
	RESTBody       = 10 * time.Second // to send its body
	DrainFor       = 5 * time.Second  // to close all connections at the end
	KickLinger     = 20 * time.Second // a kicked session's socket waits for its logout
	CommitGather   = 5 * time.Millisecond
	KeepClosed     = 7 * 24 * time.Hour // ended sessions, to tell them why they ended
	TokenSkew      = 300 * time.Second
	PushReachable  = 7 * 24 * time.Hour // Offline for so long, then Unlogined
	WatchRetention = 24 * time.Hour     // a list outlives its owner's presence by this
	WebhookTimeout = 2 * time.Second    // for a back end to answer
	WebhookKeep    = 7 * 24 * time.Hour // kept events, delivered or not
)
