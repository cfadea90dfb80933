package webhook

import (
	"slices"

	"github.com/porchlight-im/porchlight/internal/im"
)

// The commands that an application's back end is told of, by the names that
// receivers know. Those under Porchlight are ours.
const (
	cmdState          = "State.StateChange"
	cmdProfile        = "Profile.CallbackPortraitSet"
	cmdFriendAsk      = "Sns.CallbackPrevFriendAdd"
	cmdFriendResponse = "Sns.CallbackPrevFriendResponse"
	cmdFriendAdd      = "Sns.CallbackFriendAdd"
	cmdFriendDelete   = "Sns.CallbackFriendDelete"
	cmdBlockAdd       = "Sns.CallbackBlackListAdd"
	cmdBlockDelete    = "Sns.CallbackBlackListDelete"
	cmdLost           = "Porchlight.Lost"
	cmdBatch          = "Porchlight.Batch"
)

// command describes one of them.
type command struct {
	name   string
	before bool // it may refuse; the others are told afterwards
	sent   bool // unless an application switches it otherwise
	doc    string
}

// commands holds all that can be switched. What may refuse is off until it is
// asked for: a receiver that does not know it would delay users.
var commands = []command{
	{cmdState, false, true, "A user logged in, logged out, was lost, or set a custom status."},
	{cmdLost, false, true, "Users who did not come back after the server had ended, in one request; without it, one " + cmdState + " each. " +
		"Only where events are kept."},
	{cmdProfile, false, true, "A profile was changed."},
	{cmdFriendAsk, true, false, "A client is about to add friends; the answer may refuse."},
	{cmdFriendResponse, true, false, "A client is about to answer requests for friendship; the answer may refuse."},
	{cmdFriendAdd, false, true, "Friends were added."},
	{cmdFriendDelete, false, true, "Friends were deleted."},
	{cmdBlockAdd, false, true, "Users were blocked."},
	{cmdBlockDelete, false, true, "Users were unblocked."},
}

// Commands describes the commands that an application can switch.
func Commands() []im.WebhookCommand {
	list := make([]im.WebhookCommand, len(commands))
	for i, c := range commands {
		list[i] = im.WebhookCommand{Name: c.name, Before: c.before, Default: c.sent, Doc: c.doc}
	}
	return list
}

func known(name string) bool {
	return slices.ContainsFunc(commands, func(c command) bool { return c.name == name })
}

// sent reports whether an application sends a command at all.
func sent(row *im.WebhookRow, name string) bool {
	if on, set := row.Switches[name]; set {
		return on
	}
	i := slices.IndexFunc(commands, func(c command) bool { return c.name == name })
	return i >= 0 && commands[i].sent
}

// takes reports whether a URL is for a command.
func takes(u *im.WebhookURL, name string) bool {
	return len(u.Commands) == 0 || slices.Contains(u.Commands, name)
}

// wanted reports whether an application sends a command and has a URL for it.
func wanted(row *im.WebhookRow, name string) bool {
	return row != nil && sent(row, name) && slices.ContainsFunc(row.URLs, func(u im.WebhookURL) bool { return takes(&u, name) })
}
