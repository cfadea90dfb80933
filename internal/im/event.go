package im

import (
	"context"
	"net/netip"
)

// Caller says by whom a change was ordered: a client on a platform, or a back
// end. The zero value is nobody that is known.
type Caller struct {
	Addr     netip.Addr // where the request came from; the zero value where a proxy hides it
	Kind     CallerKind
	Platform Platform // of a client
}

// CallerKind is the kind of a [Caller].
type CallerKind uint8

// The kinds of callers.
const (
	CallerUnknown CallerKind = iota // the server itself
	CallerClient
	CallerBackend // the REST API, or an operator
)

type callerKey struct{}

// WithCaller says for whom what is done under the context is done. The edges
// set it; who tells others of a change reads it.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf gives the caller of a context, the zero value for none.
func CallerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

// StateAction is what became of a session, or of its user's custom status.
type StateAction uint8

// The actions.
const (
	StateLogin  StateAction = iota // it came, or came back after it was told lost
	StateLogout                    // it ended for good
	StateLost                      // its connection is gone and its grace is over
	StateCustom                    // the user set another custom status
)

// StateEvent is one thing that became of a user and that an application's back
// end is told. Events of one user are told in the order of their versions,
// which only rise and are no lower than that of the status they led to.
type StateEvent struct {
	User    UserKey
	Action  StateAction
	Cause   Cause // of StateLost and StateLogout
	By      Caller
	Kicked  []Platform // of StateLogin: those of the sessions that it pushed out
	Custom  string     // of StateCustom
	Version Version
	At      int64 // Unix milliseconds
	Place   int64 // among the events of the application, 0 for one that is not kept
}

// EventRow is an event ready to be sent to an application's back end.
type EventRow struct {
	App     AppID
	ID      int64   // its place among those of the application; below zero it numbers one that is in memory alone
	Key     string  // events of one key are sent in order; "" for one that comes after all before it
	Command string  // as the receiver knows it
	At      int64   // Unix milliseconds
	Version Version // Epoch numbers the server's start; Seq 0 says that there is no version
	Addr    string  // where the request that led to it came from
	Device  string  // the kind of the client that sent it, as the receiver knows it
	Body    string  // JSON
}

// Kept reports whether the event is in the store, or to be put there.
func (e *EventRow) Kept() bool { return e.ID > 0 }

// Kept is a change of what is stored, with the events that tell of it, for one
// transaction. The sessions are those of User; the other rows say whose they are.
type Kept struct {
	User    UserKey
	Ended   []SessionRow
	Marks   []Mark
	Customs []CustomRow
	Events  []EventRow
}

// WebhookRow is what an application has set of its webhooks.
type WebhookRow struct {
	App      AppID
	Token    string          // signs requests; never logged, "" for none
	Durable  bool            // events are kept and sent at least once
	SignBody bool            // the body is signed too, with the token
	Retry    bool            // what is not kept is tried again, three times
	Strict   bool            // what cannot be asked about is refused
	Batch    int             // events in one request, where they are kept
	Switches map[string]bool // by command, where it is not as by default
	URLs     []WebhookURL
}

// WebhookURL is where an application is told, and of what.
type WebhookURL struct {
	ID       uint32 // numbered from 1 within its application
	URL      string
	Commands []string // all if it is empty
}

// WebhookCursor says how far an application was told at a URL: of all up to
// Last, save those that Pending names, in rising order.
type WebhookCursor struct {
	URL     uint32
	Last    int64
	Pending []int64
}

// WebhookCommand describes a command that an application's back end may be
// told of.
type WebhookCommand struct {
	Name    string
	Before  bool // it may refuse; the others are told afterwards
	Default bool // it is sent unless it is switched off
	Doc     string
}

// WebhookChange is what is to be changed of an application's webhooks; nil
// leaves a thing as it is.
type WebhookChange struct {
	Token    *string // "" for none
	Durable  *bool
	SignBody *bool
	Retry    *bool
	Strict   *bool
	Batch    *int
	Switches map[string]*bool // by command; nil for the default

	Add    *WebhookURL  // its ID is given to it
	Edit   []WebhookURL // by their IDs
	Remove []uint32
}

// WebhookView is what an operator sees of an application's webhooks. The token
// is not in it.
type WebhookView struct {
	WebhookRow
	HasToken bool
	States   []WebhookState // of the URLs, in their order
}

// WebhookState is how it stands with one URL.
type WebhookState struct {
	Waiting   int64  // events that are not delivered yet
	Oldest    int64  // when the oldest of them happened, Unix ms, 0 for none
	InFlight  int    // requests that wait for an answer
	Failing   int    // requests that failed in a row
	PausedFor int64  // milliseconds until it is tried again, 0 while it is not paused
	Last      int64  // the last kept event that was taken up
	LastOK    int64  // when a request last succeeded, Unix ms, 0 for never since the start
	Sent      uint64 // since the start
	Failed    uint64 // the same
	Dropped   uint64 // events given up, the same
}

// Delivery is one request to a back end, as the log keeps it.
type Delivery struct {
	At       int64 // Unix milliseconds
	URL      uint32
	Event    string // its ID
	Command  string
	Attempt  int
	Outcome  string // "ok", or what was wrong in a word
	Detail   string // the same in words
	Status   int    // HTTP, 0 for no answer
	TookUS   int64  // microseconds
	Bytes    int    // of the body
	Body     string // what users wrote is left out
	Question bool   // the answer could refuse
}

// DeliveryQuery says which deliveries are wanted.
type DeliveryQuery struct {
	URL    uint32 // 0 for all
	Failed bool   // only those that failed, of which more are kept
	Limit  int
}
