package webhook

import (
	"context"
	"slices"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Pair is one direction between two users: From's list, and To on it.
type Pair struct{ From, To im.UserID }

// Deed is what was done to pairs of users.
type Deed struct {
	App       im.AppID
	By        im.Caller
	Kind      DeedKind
	Pairs     []Pair
	Initiator im.UserID // who wanted the friendship
	Admin     im.UserID // the administrator who did it, "" for a user
	Forced    bool      // an administrator asked nobody
}

// DeedKind is a kind of [Deed].
type DeedKind uint8

// The kinds of deeds.
const (
	Added     DeedKind = iota // to the list of friends
	Accepted                  // the same, by a request that was accepted
	Deleted                   // from the list of friends
	Blocked                   // added to the blocklist
	Unblocked                 // deleted from it
)

var deedCommands = [...]string{
	Added: cmdFriendAdd, Accepted: cmdFriendAdd, Deleted: cmdFriendDelete, Blocked: cmdBlockAdd, Unblocked: cmdBlockDelete,
}

// addedBody is the body of Sns.CallbackFriendAdd. EventTime is ours.
type addedBody struct {
	Command string      `json:"CallbackCommand"`
	Pairs   []addedPair `json:"PairList"`
	Client  string      `json:"ClientCmd"`
	Admin   im.UserID   `json:"Admin_Account"`
	Forced  int         `json:"ForceFlag"`
	At      int64       `json:"EventTime,omitempty"`
}

type addedPair struct {
	pairBody
	Initiator im.UserID `json:"Initiator_Account"`
}

// pairsBody is that of the other three.
type pairsBody struct {
	Command string     `json:"CallbackCommand"`
	Pairs   []pairBody `json:"PairList"`
	At      int64      `json:"EventTime,omitempty"`
}

type pairBody struct {
	From im.UserID `json:"From_Account"`
	To   im.UserID `json:"To_Account"`
}

// DeedEvents makes what tells of a deed, to be committed with it and told, or
// forsaken: one event for each two users. Both directions of theirs are in it,
// and the events of the same two are sent in order. [WE26]
func (d *Dispatcher) DeedEvents(deed Deed) (rows []im.EventRow) {
	command := deedCommands[deed.Kind]
	if !d.wants(deed.App, command) {
		return nil
	}
	for _, both := range byTwo(deed.Pairs) {
		row := im.EventRow{
			App: deed.App, Key: twoKey(both[0]), Command: command, At: time.Now().UnixMilli(),
			Addr: address(deed.By.Addr), Device: device(deed.By),
		}
		kept := d.place(&row)
		rows = append(rows, d.row(row, deed.body(command, both, kept)))
	}
	return rows
}

// Forsake says of rows that they will never be true.
func (d *Dispatcher) Forsake(rows []im.EventRow) {
	for _, r := range rows {
		if r.Kept() {
			d.Void(r.App, r.ID, 1)
		}
	}
}

// place gives a row its place, and the time that its body has where it is kept.
func (d *Dispatcher) place(row *im.EventRow) (at int64) {
	if row.ID = d.Places(row.App, 1); row.ID != 0 {
		return row.At
	}
	return 0
}

func (deed *Deed) body(command string, pairs []Pair, at int64) any {
	if command != cmdFriendAdd {
		b := pairsBody{Command: command, At: at}
		for _, p := range pairs {
			b.Pairs = append(b.Pairs, pairBody(p))
		}
		return b
	}
	b := addedBody{Command: command, Client: "friend_add", Admin: deed.Admin, At: at}
	if deed.Kind == Accepted {
		b.Client = "friend_response"
	}
	if deed.Forced {
		b.Forced = 1
	}
	for _, p := range pairs {
		b.Pairs = append(b.Pairs, addedPair{pairBody(p), deed.Initiator})
	}
	return b
}

// byTwo puts the two directions between the same users together, in the order in
// which the first of them comes.
func byTwo(pairs []Pair) (out [][]Pair) {
	at := make(map[string]int, len(pairs))
	for _, p := range pairs {
		key := twoKey(p)
		i, there := at[key]
		if !there {
			i = len(out)
			at[key] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], p)
	}
	return out
}

// twoKey is the same for both directions, and that of no user.
func twoKey(p Pair) string {
	return string(min(p.From, p.To)) + " " + string(max(p.From, p.To))
}

// profileBody is the body of Profile.CallbackPortraitSet.
type profileBody struct {
	Command  string        `json:"CallbackCommand"`
	From     im.UserID     `json:"From_Account"`
	Operator im.UserID     `json:"Operator_Account"`
	At       int64         `json:"EventTime"`
	Items    []ProfileItem `json:"ProfileItem"`
}

// ProfileItem is a field of a profile with its new value, a text or a number.
type ProfileItem struct {
	Tag   string `json:"Tag"`
	Value any    `json:"Value"`
}

// ProfileEvents makes what tells of fields of a profile that are changed, and by
// whom, to be committed with the change and told, or forsaken. [WE26]
func (d *Dispatcher) ProfileEvents(ctx context.Context, user im.UserKey, operator im.UserID, items []ProfileItem) []im.EventRow {
	if len(items) == 0 || !d.wants(user.App, cmdProfile) {
		return nil
	}
	by := im.CallerOf(ctx)
	row := im.EventRow{
		App: user.App, Key: string(user.User), Command: cmdProfile, At: time.Now().UnixMilli(), Addr: address(by.Addr), Device: device(by),
	}
	_ = d.place(&row) // the body has the time always
	return []im.EventRow{d.row(row, profileBody{Command: cmdProfile, From: user.User, Operator: operator, At: row.At, Items: items})}
}

// Adding is one user whom a client is about to add as a friend.
type Adding struct {
	To      im.UserID `json:"To_Account"`
	Remark  string    `json:"Remark"`
	Group   string    `json:"GroupName"`
	Source  string    `json:"AddSource"` // letters, without the prefix that it has there
	Wording string    `json:"AddWording"`
}

// Answering is one request for friendship that a client is about to answer.
type Answering struct {
	To     im.UserID `json:"To_Account"`
	Remark string    `json:"Remark"`
	Tag    string    `json:"TagName"`
	Action string    `json:"ResponseAction"`
}

type addingBody struct {
	Command   string    `json:"CallbackCommand"`
	Requester im.UserID `json:"Requester_Account"`
	From      im.UserID `json:"From_Account"`
	Items     []Adding  `json:"FriendItem"`
	Type      string    `json:"AddType"`
	Force     int       `json:"ForceAddFlags"`
	At        int64     `json:"EventTime"`
}

type answeringBody struct {
	Command   string      `json:"CallbackCommand"`
	Requester im.UserID   `json:"Requester_Account"`
	From      im.UserID   `json:"From_Account"`
	Items     []Answering `json:"ResponseFriendItem"`
	At        int64       `json:"EventTime"`
}

// BeforeAdd asks whether a client may add friends, both ways or on its list
// alone, as addType says. It gives a refusal for each item, nil for one that is
// allowed. [WE25] [WE27]
func (d *Dispatcher) BeforeAdd(ctx context.Context, user im.UserKey, addType string, items []Adding) []*im.Error {
	users := make([]im.UserID, len(items))
	items = slices.Clone(items)
	for i, it := range items {
		users[i] = it.To
		if it.Source != "" {
			items[i].Source = "AddSource_Type_" + it.Source
		}
	}
	return d.before(ctx, user.App, users, cmdFriendAsk, addingBody{
		Command: cmdFriendAsk, Requester: user.User, From: user.User, Items: items, Type: addType, At: time.Now().UnixMilli(),
	})
}

// BeforeAnswer asks whether a client may answer requests, as [Dispatcher.BeforeAdd].
func (d *Dispatcher) BeforeAnswer(ctx context.Context, user im.UserKey, items []Answering) []*im.Error {
	users := make([]im.UserID, len(items))
	for i, it := range items {
		users[i] = it.To
	}
	return d.before(ctx, user.App, users, cmdFriendResponse, answeringBody{
		Command: cmdFriendResponse, Requester: user.User, From: user.User, Items: items, At: time.Now().UnixMilli(),
	})
}

func (d *Dispatcher) before(ctx context.Context, app im.AppID, users []im.UserID, command string, body any) []*im.Error {
	refused := make([]*im.Error, len(users))
	a, ok, err := d.ask(ctx, question{app: app, command: command, by: im.CallerOf(ctx), body: body})
	if err != nil {
		refusal, _ := im.Refusal(err)
		for i := range refused {
			refused[i] = refusal
		}
		return refused
	}
	if !ok || *a.Code != 0 { // such an answer as a whole says that all is allowed
		return refused
	}
	for i, u := range users {
		for _, r := range a.Items {
			if r.User == string(u) && r.Code != 0 {
				refused[i] = &im.Error{Code: im.Code(r.Code), Text: r.Info}
			}
		}
	}
	return refused
}
